"""Two endpoints of a real node, one of which fails, hangs or lies."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from connectors.base.orders import Call
from domain.errors import ChainTransient
from execution.chain import Chain
from perptape.embedded_anvil import EmbeddedAnvil
from sandbox.chain.places import ACCOUNTS, ARBITRUM, BASE, TOKENS
from tests.integration.test_chain_proxy import Sandbox, serving
from tests.servers import running

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
    chain = Chain(chain_id, [str(url) for url in urls])
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
        assert await chain.nonce(OWNER) == nonce


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
        assert await chain.agreed(head.number, head.hash)
        assert not await chain.agreed(head.number, "0x" + "00" * 32)
        await sandbox.fault("refuse", endpoint="a")
        assert not await chain.agreed(head.number, head.hash)


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
