"""Two endpoints of a real node, one of which fails, hangs or lies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from connectors.base.orders import Call
from domain.errors import ChainTransient
from execution import chain as chain_module
from execution.chain import Chain
from execution.gas import first_fees, rules_of
from perptape.embedded_anvil import EmbeddedAnvil
from sandbox.chain.lies import STALE_BLOCKS
from sandbox.chain.places import ACCOUNTS, ARBITRUM, BASE, TOKENS
from tests.integration.test_chain_proxy import Sandbox, serving
from tests.servers import LOOPBACK, running

USDC = TOKENS[ARBITRUM]["USDC"].address
OWNER = ACCOUNTS[4].address
TRANSFER_ALL = "0xa9059cbb" + "00" * 12 + "12" * 20 + "ff" * 32


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with running(partial(EmbeddedAnvil, ARBITRUM)) as url:
        yield url


@pytest.fixture
async def sandbox(node_url: str) -> AsyncIterator[Sandbox]:
    async with serving(node_url) as sandbox:
        yield sandbox


@asynccontextmanager
async def chain_of(sandbox: Sandbox, chain_id: int = ARBITRUM) -> AsyncIterator[Chain]:
    urls = [sandbox.client.base_url.join(f"/rpc/{ARBITRUM}/{name}") for name in ("a", "b")]
    chain = Chain(chain_id, [str(url) for url in urls], LOOPBACK)
    try:
        yield chain
    finally:
        await chain.close()


@pytest.mark.parametrize("kind", ["refuse", "hang", "wrong_chain"])
async def test_the_other_one_answers(sandbox: Sandbox, kind: str) -> None:
    nonce = await sandbox.nonce()
    await sandbox.fault(kind, endpoint="a")
    async with chain_of(sandbox) as chain:
        await chain.probe()
        head = await chain.head()
        assert [await chain.head() for _ in range(3)] == [head] * 3
        assert (await chain.outset(OWNER))[2] == nonce


async def test_one_that_changes_its_chain_is_left_out(sandbox: Sandbox) -> None:
    async with chain_of(sandbox) as chain:
        await chain.probe()
        await sandbox.fault("wrong_chain", endpoint="a")
        await chain.probe()
        await sandbox.fault("refuse", endpoint="b")
        with pytest.raises(ChainTransient):
            await chain.head()


async def test_nodes_of_another_chain_say_nothing(sandbox: Sandbox) -> None:
    async with chain_of(sandbox, BASE) as chain:
        with pytest.raises(ChainTransient, match="of chain 42161"):
            await chain.head()


async def test_all_nodes_are_given_a_transaction_and_one_may_know_it(sandbox: Sandbox) -> None:
    raw = bytes.fromhex((await sandbox.signed(await sandbox.nonce()))[2:])
    async with chain_of(sandbox) as chain:
        said = await chain.broadcast(raw)
        assert len(said) == 2
        assert None in said
        # Whatever the other one says, and both of them later, is no failure.
        assert set(said) <= {None, "already_known", "nonce_too_low"}
        assert set(await chain.broadcast(raw)) <= {"already_known", "nonce_too_low"}
        await sandbox.fault("refuse")
        assert await chain.broadcast(raw) == ["unclear", "unclear"]


async def test_a_block_is_final_when_both_have_it(sandbox: Sandbox) -> None:
    async with chain_of(sandbox) as chain:
        head = await chain.head()
        block, other = (head.number, head.hash), (head.number, "0x" + "00" * 32)
        assert await chain.agreed([other, block]) == {block}
        await sandbox.fault("refuse", endpoint="a")
        assert not await chain.agreed([block])


async def test_reads_are_of_one_block_and_say_what_reverted(sandbox: Sandbox) -> None:
    async with chain_of(sandbox) as chain:
        head = await chain.head()
        calls = [
            Call(USDC, bytes.fromhex("313ce567")),
            Call(USDC, bytes.fromhex(TRANSFER_ALL[2:]), OWNER),
        ]
        balance, answers = await chain.calls(calls, head.number, OWNER)
        assert balance > 0
        assert answers == ((6).to_bytes(32, "big"), None)


async def test_a_plan_is_simulated_step_after_step(sandbox: Sandbox) -> None:
    """The second transfer reverts, since the first took everything."""
    async with chain_of(sandbox) as chain:
        head = await chain.head()
        _, (held,) = await chain.calls(
            [Call(USDC, bytes.fromhex("70a08231" + "00" * 12 + OWNER[2:].lower()))],
            head.number,
            OWNER,
        )
        assert held is not None
        all_of_it = "0xa9059cbb" + "00" * 12 + "12" * 20 + held.hex()
        call = {"to": USDC, "data": all_of_it, "value": "0x0"}
        results = await chain.simulate(OWNER, [call, call], head.number)
        assert results is not None
        assert [result.ok for result in results] == [True, False]
        assert results[0].gas_used > 21_000
        assert (await chain.estimate(OWNER, call, head.number)).ok
        refused = await chain.estimate(OWNER, call | {"data": TRANSFER_ALL}, head.number)
        assert not refused.ok
        assert await chain.revert_data(OWNER, call | {"data": TRANSFER_ALL}, head.number)


async def test_another_one_is_asked_while_the_first_is_slow(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 24. The limits are far away: only who does not wait for the first one has an answer."""
    monkeypatch.setattr(chain_module, "NODE_LIMIT_S", 600.0)
    monkeypatch.setattr(chain_module, "CALL_LIMIT_S", 600.0)
    async with chain_of(sandbox) as chain:
        head = await chain.head()
        for endpoint in ("a", "b"):
            await sandbox.fault("hang", endpoint=endpoint)
            async with asyncio.timeout(30):
                assert await chain.head() == head
            await sandbox.client.delete("/chain-faults")


async def test_when_all_are_slow_the_deadline_holds(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_module, "CALL_LIMIT_S", 0.2)
    await sandbox.fault("hang")
    async with chain_of(sandbox) as chain:
        with pytest.raises(ChainTransient, match="in time"):
            await chain.head()


async def test_one_whose_head_stays_behind_is_not_believed(sandbox: Sandbox) -> None:
    """Row 25."""
    await sandbox.ask("anvil_mine", hex(STALE_BLOCKS + 1), "0x1")
    newest = int(await sandbox.ask("eth_blockNumber"), 16)
    for endpoint in ("a", "b"):
        await sandbox.fault("stale_head", endpoint=endpoint)
        async with chain_of(sandbox) as chain:
            await chain.probe()
            assert {(await chain.head()).number for _ in range(5)} == {newest}
        await sandbox.client.delete("/chain-faults")


async def test_gas_that_is_made_up_is_not_paid(sandbox: Sandbox) -> None:
    """Row 25: a tip is cut to the cap, and a base fee above it is waited for."""
    rules = rules_of(ARBITRUM)
    await sandbox.fault("inflated_gas")
    async with chain_of(sandbox) as chain:
        head, tip, _ = await chain.outset(OWNER)
    for base_fee_wei in (0, head.base_fee_wei, rules.cap_wei, rules.cap_wei + 1):
        fees = first_fees(base_fee_wei, max(tip, 10 * rules.cap_wei), rules)
        assert (fees is None) is (base_fee_wei > rules.cap_wei)
        assert fees is None or fees.max_fee_wei <= rules.cap_wei
        assert fees is None or fees.tip_wei <= rules.cap_wei - base_fee_wei


async def test_what_one_node_alone_says_decides_nothing(sandbox: Sandbox) -> None:
    sent = await sandbox.ask("eth_sendRawTransaction", await sandbox.signed(await sandbox.nonce()))
    never = "0x" + "ab" * 32
    async with chain_of(sandbox) as chain:
        while not (found := await chain.receipts([sent])):
            await asyncio.sleep(0.01)
        assert await chain.disputed(found) == set()
        other = {sent: found[sent]._replace(succeeded=False)}
        assert await chain.disputed(other) == set(other)
        assert await chain.absent([never])
        assert not await chain.absent([sent, never])
        head = await chain.head()
        nonce = await chain.least_nonce(ACCOUNTS[4].address, head.number)
        assert nonce == await sandbox.nonce()
        await sandbox.fault("null_transaction", endpoint="a")
        assert not await chain.absent([sent])
        assert await chain.disputed(found) == set(found)
        transaction = await chain.transaction(sent)
        assert transaction is not None
        await sandbox.client.delete("/chain-faults")
        await sandbox.fault("refuse", endpoint="a")
        # One is left, which is enough to go on and not to end anything.
        assert await chain.disputed(found) == set()
        assert not await chain.absent([never])
        assert await chain.least_nonce(ACCOUNTS[4].address, head.number) == 0
