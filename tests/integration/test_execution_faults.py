"""Orders whose transactions are sent to a real node that drops, hides, invents and takes back: what
stands in Postgres is never more than what the chain proved."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from redis.asyncio import Redis

from db import order_steps, order_views, orders, tx_attempts
from db.order_steps import NewStep
from db.orders import NewOrder, OrderRow
from db.pool import Database
from db.tx_attempts import Attempt
from domain.errors import ChainTransient
from execution import chain as chain_module
from execution import submit as submit_module
from execution.lifecycle import Step
from execution.metrics import RECEIPTS_DISPUTED
from execution.store import record
from execution.submit import Submitter
from execution.venues import Venues
from execution.watch import Watcher
from perptape.embedded_anvil import EmbeddedAnvil
from runtime.sealing import Seal
from runtime.settings import Settings
from sandbox.chain.places import ACCOUNTS, ARBITRUM, TOKENS
from tests.integration.orders_kit import FAR, LEG, accepted, pool_of
from tests.integration.test_chain_proxy import GWEI, OTHER, Sandbox, serving
from tests.servers import running

SEAL: Final = Seal(b"\x07" * 32)
DEPTH: Final = 5
USDC: Final = TOKENS[ARBITRUM]["USDC"].address
MORE_THAN_THERE_IS: Final = "0xa9059cbb" + "00" * 12 + "12" * 20 + "ff" * 32


@dataclass
class Desk:
    """What an executor is made of, for transactions of the first faucet accounts. No venue: what
    becomes of transactions depends on none."""

    sandbox: Sandbox
    connection: asyncpg.Connection
    database: Database
    redis: Redis
    wallet: LocalAccount

    def __post_init__(self) -> None:
        self._opened: list[Venues] = []
        self.submitter, self.watcher = self.executor()

    def executor(self, depth: int = DEPTH) -> tuple[Submitter, Watcher]:
        """Another process, which remembers nothing."""
        base = str(self.sandbox.client.base_url).rstrip("/")
        urls = ",".join(f"{base}/rpc/{ARBITRUM}/{endpoint}" for endpoint in "ab")
        venues = Venues(Settings(venues="dydx", rpc_urls={ARBITRUM: urls}), self.redis)
        self._opened.append(venues)
        submitter = Submitter(self.database, venues, SEAL)
        watcher = Watcher(venues.chain(ARBITRUM), self.database, venues, submitter, depth)
        return submitter, watcher

    async def close(self) -> None:
        for venues in self._opened:
            await venues.close()

    async def prepared(self, *, to: str = OTHER, data: str = "0x") -> tuple[NewOrder, Attempt]:
        """An order whose transaction was signed and stored."""
        nonce = int(
            await self.sandbox.ask("eth_getTransactionCount", self.wallet.address, "latest"), 16
        )
        tx = {
            "chain_id": str(ARBITRUM), "from": self.wallet.address, "to": to, "value": "0",
            "data": data, "nonce": str(nonce), "gas": "200000", "type": "0x2",
            "max_fee_per_gas": str(GWEI), "max_priority_fee_per_gas": "0",
        }  # fmt: skip
        signed = self.wallet.sign_transaction(
            {
                "chainId": ARBITRUM,
                "to": to,
                "value": 0,
                "data": data,
                "nonce": nonce,
                "gas": 200_000,
                "type": 2,
                "maxFeePerGas": GWEI,
                "maxPriorityFeePerGas": 0,
            }
        )
        tx_hash, raw = f"0x{bytes(signed.hash).hex()}", bytes(signed.raw_transaction)
        leg = replace(LEG, chain_id=ARBITRUM)
        new = await accepted(self.connection, leg=leg, owner=self.wallet.address)
        now = datetime.now(UTC)
        attempt = Attempt(
            ARBITRUM, tx_hash, new.id, "order", 1, self.wallet.address, nonce,
            SEAL.seal(raw, tx_hash.encode()), now,
        )  # fmt: skip
        async with self.connection.transaction():
            await order_steps.replace(self.connection, new.id, [NewStep("order", "ready", FAR, tx)])
            await record(self.connection, new.id, [Step("prepared")], now)
            assert await tx_attempts.add(self.connection, attempt)
        return new, attempt

    async def submitted(self, *faults: str, **call: str) -> tuple[NewOrder, Attempt]:
        """``faults``: that begin between the signature and the broadcast."""
        new, attempt = await self.prepared(**call)
        for kind in faults:
            await self.sandbox.fault(kind)
        await self.submitter.submit(await self.row(new), attempt, datetime.now(UTC))
        return new, attempt

    async def row(self, new: NewOrder) -> OrderRow:
        found = await orders.read(self.connection, new.id)
        assert found is not None
        return found

    async def state(self, new: NewOrder) -> str:
        return (await self.row(new)).state

    async def turns_until(self, new: NewOrder, *states: str) -> OrderRow:
        async with asyncio.timeout(20):
            while (row := await self.row(new)).state not in states:
                await self.watcher.turn()
        return row

    async def mine(self, blocks: int) -> None:
        await self.sandbox.ask("anvil_mine", hex(blocks))

    async def receipt(self, attempt: Attempt) -> Any:
        return await self.sandbox.ask("eth_getTransactionReceipt", attempt.tx_hash)

    async def history(self, new: NewOrder) -> list[str]:
        """In its order and without a hole."""
        told = await orders.history(self.connection, new.id)
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        return [event.type for event in told]


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with running(lambda *place: EmbeddedAnvil(ARBITRUM, *place)) as url:
        yield url


@pytest.fixture
async def desk(
    node_url: str, database_url: str, embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    # What is waited for in a minute's life is not waited for here.
    monkeypatch.setattr(submit_module, "RESEND_DEFAULT_NS", 0)
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(serving(node_url))
        connection = await asyncpg.connect(database_url)
        stack.push_async_callback(connection.close)
        await connection.execute("TRUNCATE orders CASCADE; TRUNCATE chain_cursors")
        database = await stack.enter_async_context(pool_of(database_url))
        redis = Redis.from_url(embedded_redis_url)
        stack.push_async_callback(redis.aclose)
        wallet = Account.from_key(ACCOUNTS[0].private_key)
        desk = Desk(sandbox, connection, database, redis, wallet)
        stack.push_async_callback(desk.close)
        yield desk
        await sandbox.client.delete("/chain-faults")
        await sandbox.control("/mining", chain_id=ARBITRUM, mode="auto")


async def test_a_transaction_is_sent_once_and_seen(desk: Desk) -> None:
    new, attempt = await desk.submitted()
    await desk.turns_until(new, "mined")
    assert await desk.history(new) == ["accepted", "prepared", "submitted", "mined"]
    assert (await desk.receipt(attempt))["status"] == "0x1"


async def test_without_nodes_nothing_is_concluded(desk: Desk) -> None:
    """Row 23. A timeout is not a rejection, however long it lasts."""
    new, attempt = await desk.submitted("refuse")
    for _ in range(5):
        with pytest.raises(ChainTransient):
            await desk.watcher.turn()
    assert await desk.state(new) == "submitted"
    await desk.sandbox.client.delete("/chain-faults")
    assert await desk.receipt(attempt) is None
    await desk.turns_until(new, "mined")
    assert await desk.history(new) == ["accepted", "prepared", "submitted", "mined"]


@pytest.mark.parametrize("liar", ["a", "b"])
async def test_a_receipt_of_one_liar_is_none(
    desk: Desk, liar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 25: mined where it was not, then the other outcome of what was. Its owner hears of it."""
    monkeypatch.setattr("execution.disputes.TOLD_AFTER_NS", 0)
    await desk.sandbox.control("/mining", chain_id=ARBITRUM, mode="hold")
    new, attempt = await desk.submitted()
    await desk.sandbox.fault("fake_receipt", endpoint=liar)
    for _ in range(3):
        await desk.mine(0)
        await desk.watcher.turn()
    assert await desk.state(new) == "submitted"
    await desk.sandbox.control("/mining", chain_id=ARBITRUM, mode="auto")
    await desk.mine(1)
    for _ in range(3):
        await desk.watcher.turn()
    assert (await desk.receipt(attempt)) is not None
    row = await desk.row(new)
    assert row.reason is not None
    assert (row.state, row.reason.code) == ("submitted", "RECEIPT_DISPUTED")
    assert await order_views.held(desk.connection) == {"RECEIPT_DISPUTED": 1}
    assert RECEIPTS_DISPUTED.labels(str(ARBITRUM))._value.get() == 1
    await desk.sandbox.client.delete("/chain-faults")
    row = await desk.turns_until(new, "mined")
    assert row.reason is None
    assert await desk.history(new) == ["accepted", "prepared", "submitted", "held", "mined"]
    assert RECEIPTS_DISPUTED.labels(str(ARBITRUM))._value.get() == 0


@pytest.mark.parametrize("liar", ["a", "b"])
async def test_what_one_node_hides_is_unknown_and_not_refused(desk: Desk, liar: str) -> None:
    """Row 25. Its nonce is used, deep enough, by itself: whoever hides the receipt does not make
    it another's."""
    await desk.sandbox.fault("null_transaction", endpoint=liar)
    new, attempt = await desk.submitted()
    await desk.mine(DEPTH + 1)
    old = datetime.now(UTC) - timedelta(minutes=2)
    await desk.connection.execute("UPDATE tx_attempts SET stored_at = $1", old)
    for _ in range(3):
        await desk.watcher.turn()
        await desk.mine(1)
    assert await desk.state(new) in ("submitted", "unknown")
    await desk.sandbox.client.delete("/chain-faults")
    await desk.turns_until(new, "mined")
    assert (await desk.receipt(attempt))["status"] == "0x1"


async def test_a_nonce_that_somebody_else_used_ends_the_order(desk: Desk) -> None:
    """The other side of it: when both say that it is not ours, and deep enough."""
    new, attempt = await desk.prepared()
    foreign = desk.wallet.sign_transaction(
        {
            "chainId": ARBITRUM,
            "to": OTHER,
            "value": 1,
            "nonce": attempt.nonce,
            "gas": 21_000,
            "maxFeePerGas": GWEI,
            "maxPriorityFeePerGas": 0,
        }
    )
    await desk.sandbox.ask("eth_sendRawTransaction", f"0x{bytes(foreign.raw_transaction).hex()}")
    await desk.submitter.submit(await desk.row(new), attempt, datetime.now(UTC))
    old = datetime.now(UTC) - timedelta(minutes=2)
    await desk.connection.execute("UPDATE tx_attempts SET stored_at = $1", old)
    await desk.sandbox.fault("refuse", endpoint="b")
    await desk.mine(DEPTH + 1)
    await desk.watcher.turn()
    # One of the two is not enough.
    assert await desk.state(new) == "unknown"
    await desk.sandbox.client.delete("/chain-faults")
    async with asyncio.timeout(20):
        while await desk.state(new) != "rejected":
            await desk.mine(1)
            await desk.watcher.turn()
    row = await desk.row(new)
    assert row.reason is not None
    assert row.reason.code == "NONCE_USED"


async def test_what_a_node_took_and_dropped_is_sent_again_as_it_was(desk: Desk) -> None:
    """Row 26."""
    new, attempt = await desk.submitted("forget")
    await desk.mine(1)
    await desk.watcher.turn()
    assert await desk.receipt(attempt) is None
    await desk.sandbox.client.delete("/chain-faults")
    # Where no block comes, none could have been missed.
    await desk.mine(1)
    await desk.turns_until(new, "mined")
    assert [item.tx_hash for item in await tx_attempts.of_order(desk.connection, new.id)] == [
        attempt.tx_hash
    ]
    assert (await desk.receipt(attempt))["transactionHash"] == attempt.tx_hash


async def test_a_broadcast_without_an_answer_is_looked_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 27: the node has it and does not say so; the nonce is used once."""
    monkeypatch.setattr(chain_module, "NODE_LIMIT_S", 0.3)
    new, attempt = await desk.submitted("mute")
    assert await desk.state(new) == "submitted"
    await desk.turns_until(new, "mined")
    count = await desk.sandbox.ask("eth_getTransactionCount", desk.wallet.address, "latest")
    assert int(count, 16) == attempt.nonce + 1


@pytest.mark.parametrize("deep", [1, 3, 64])
async def test_a_reorganisation_brings_an_order_back_and_its_bytes_out_again(
    desk: Desk, deep: int
) -> None:
    """Row 28. The transaction reverts, so that the order ends with it: final only past the
    depth, and nothing of it stands when its block is gone."""
    desk.submitter, desk.watcher = desk.executor(deep + 2)
    await desk.mine(deep + 5)
    new, attempt = await desk.submitted(to=USDC, data=MORE_THAN_THERE_IS)
    row = await desk.turns_until(new, "rejected")
    assert not row.final
    await desk.mine(deep - 1)
    await desk.watcher.turn()
    assert not (await desk.row(new)).final
    first = await desk.receipt(attempt)
    await desk.sandbox.ask("anvil_reorg", deep, [])
    assert await desk.receipt(attempt) is None
    await desk.turns_until(new, "submitted")
    await desk.mine(1)
    await desk.turns_until(new, "rejected")
    again = await desk.receipt(attempt)
    assert again["transactionHash"] == first["transactionHash"]
    assert again["blockHash"] != first["blockHash"]
    assert not (await desk.row(new)).final
    await desk.mine(deep + 2)
    async with asyncio.timeout(20):
        while not (await desk.row(new)).final:
            await desk.watcher.turn()
            await desk.mine(1)
    told = await desk.history(new)
    assert told[3:] == ["reverted", "undone", "reverted", "finalised"]


async def test_one_of_two_nodes_makes_nothing_final(desk: Desk) -> None:
    """Row 25, the other side of 28."""
    new, _ = await desk.submitted(to=USDC, data=MORE_THAN_THERE_IS)
    await desk.turns_until(new, "rejected")
    await desk.mine(DEPTH + 1)
    await desk.sandbox.fault("refuse", endpoint="b")
    await desk.watcher.turn()
    assert not (await desk.row(new)).final
    await desk.sandbox.client.delete("/chain-faults")
    async with asyncio.timeout(20):
        while not (await desk.row(new)).final:
            await desk.mine(1)
            await desk.watcher.turn()


async def test_who_cannot_pay_is_refused_by_the_nodes_and_nothing_goes_out(desk: Desk) -> None:
    """Row 32, where money went between the signature and the broadcast."""
    desk.wallet = Account.create()
    new, attempt = await desk.submitted()
    row = await desk.row(new)
    assert row.state == "rejected"
    assert row.reason is not None
    assert row.reason.code == "INSUFFICIENT_FUNDS"
    assert await desk.sandbox.ask("eth_getTransactionByHash", attempt.tx_hash) is None
    [kept] = await tx_attempts.of_order(desk.connection, new.id)
    assert kept.status == "dropped"


async def test_two_watchers_of_one_chain_tell_everything_once(desk: Desk) -> None:
    """Row 48."""
    _, other = desk.executor()
    new, _ = await desk.submitted(to=USDC, data=MORE_THAN_THERE_IS)
    async with asyncio.timeout(20):
        while not (await desk.row(new)).final:
            await asyncio.gather(desk.watcher.turn(), other.turn())
            await desk.mine(1)
    told = await desk.history(new)
    assert told == ["accepted", "prepared", "submitted", "reverted", "finalised"]


async def test_a_watcher_that_died_is_followed_by_one_that_tells_nothing_twice(desk: Desk) -> None:
    """Row 8 without the kill: the successor has only what is stored."""
    new, _ = await desk.submitted(to=USDC, data=MORE_THAN_THERE_IS)
    await desk.turns_until(new, "rejected")
    _, desk.watcher = desk.executor()
    async with asyncio.timeout(20):
        while not (await desk.row(new)).final:
            await desk.watcher.turn()
            await desk.mine(1)
    told = await desk.history(new)
    assert told == ["accepted", "prepared", "submitted", "reverted", "finalised"]
