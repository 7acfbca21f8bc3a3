"""What depth and time decide: when an order is final, and when nobody knows where it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from db import chain_watch, order_changes, order_steps, orders, tx_attempts
from db.chain_watch import PlacedFact
from db.instants import instant
from db.pool import Database
from db.tx_attempts import Attempt
from domain.errors import InvariantViolation
from domain.orders import TERMINAL, OpenOrder, Reason
from execution.chain import Chain
from execution.lifecycle import Event, Step
from execution.rpc_values import Block
from execution.store import record
from runtime.clock import wall_us
from runtime.logs import get_logger

LOST_AFTER: Final = timedelta(seconds=60)
AT_ONCE: Final = 200
FINALISED_AT_ONCE: Final = 40
"""Orders whose blocks are asked for in one question."""
_SEARCHED: Final = ("submitted", "unknown")
NONCE_USED: Final = Reason(
    "NONCE_USED", "another transaction of the wallet took its place; this one can never be mined"
)
LOST: Final = Reason("NOT_SEEN", "the transaction was sent and no node knows it")

_log = get_logger(__name__)


@contextmanager
def apart(order_id: str) -> Iterator[None]:
    """A bug that one order shows does not hold up the others."""
    try:
        yield
    except InvariantViolation as error:
        _log.error("order_inconsistent", order_id=order_id, error=str(error))


class Settler:
    """``depth``: blocks above one that make it final."""

    def __init__(self, chain: Chain, database: Database, depth: int) -> None:
        self._chain = chain
        self._database = database
        self._depth = depth

    async def settle(self, head: Block) -> None:
        """Raises ChainTransient and what Postgres raises."""
        chain_id, now = self._chain.chain_id, instant(wall_us())
        async with self._database.acquire() as connection:
            mine = await chain_watch.open_orders(connection, chain_id)
            facts = await chain_watch.facts(connection, chain_id)
            long_sent = await chain_watch.sent_before(connection, chain_id, now - LOST_AFTER)
        await self._finalise([order for order in mine if order.state in TERMINAL], facts, head, now)
        for order in mine:
            if order.state in _SEARCHED and order.id in long_sent:
                with apart(order.id):
                    await self._search(order, head, now)
        await self._retire(head, now)

    async def _finalise(
        self, ended: Sequence[OpenOrder], facts: Sequence[PlacedFact], head: Block, now: datetime
    ) -> None:
        """Those of which every fact lies deep enough, and enough nodes have its block; and those
        without one that can have none any more."""
        blocks: dict[str, set[tuple[int, str]]] = defaultdict(set)
        for fact in facts:
            blocks[fact.order_id].add((fact.place.block_number, fact.place.block_hash))
        last = head.number - self._depth
        deep = [
            order
            for order in ended
            if order.id in blocks and all(number <= last for number, _ in blocks[order.id])
        ][:FINALISED_AT_ONCE]
        asked = sorted({block for order in deep for block in blocks[order.id]})
        agreed = await self._chain.agreed(asked)
        for order in ended:
            settled = order in deep and blocks[order.id] <= agreed
            if settled or (order.id not in blocks and await self._cannot_land(order, head)):
                with apart(order.id):
                    await self._tell(order.id, Step("finalised"), now)

    async def _cannot_land(self, order: OpenOrder, head: Block) -> bool:
        """Nothing was handed out, or its nonces are used by something else, deep enough."""
        async with self._database.acquire() as connection:
            nonce = await order_steps.highest_nonce(connection, order.id)
        return nonce is None or await self._next_nonce(order.owner, head) > nonce

    async def _search(self, order: OpenOrder, head: Block, now: datetime) -> None:
        """An order that was sent and is in no block."""
        async with self._database.acquire() as connection:
            attempts = await tx_attempts.of_order(connection, order.id)
        sent = [
            attempt
            for attempt in attempts
            if attempt.step_id == "order" and attempt.status == "sent" and attempt.sent_at
        ]
        if not sent:
            return
        since = max(attempt.stored_at for attempt in sent)
        if now - since < LOST_AFTER:
            return
        next_nonce = await self._next_nonce(order.owner, head)
        if all(attempt.nonce < next_nonce for attempt in sent):
            if not await self._chain.absent([attempt.tx_hash for attempt in sent]):
                return
            async with self._database.acquire() as connection:
                for attempt in sent:
                    await tx_attempts.mark(
                        connection, attempt.chain_id, attempt.tx_hash, "replaced"
                    )
            await self._tell(order.id, Step("rejected", NONCE_USED), now)
        elif order.state == "submitted":
            await self._tell(order.id, Step("lost", LOST), now)

    async def _retire(self, head: Block, now: datetime) -> None:
        """What was sent and can never be mined, because something else used its nonce: of steps
        beside the order itself another try is made, and hashes of what landed under another one
        are not looked for any more."""
        chain_id = self._chain.chain_id
        async with self._database.acquire() as connection:
            sent = await tx_attempts.with_status(connection, chain_id, ("sent",), AT_ONCE)
        old = [attempt for attempt in sent if now - attempt.stored_at >= LOST_AFTER]
        next_nonces = {
            sender: await self._next_nonce(sender, head) for sender in {item.sender for item in old}
        }
        used = [attempt for attempt in old if attempt.nonce < next_nonces[attempt.sender]]
        receipts = await self._chain.receipts([attempt.tx_hash for attempt in used])
        for attempt in used:
            if attempt.tx_hash not in receipts:
                await self._replaced(attempt, now)

    async def _replaced(self, attempt: Attempt, now: datetime) -> None:
        async with self._database.acquire() as connection, connection.transaction():
            row = await orders.read(connection, attempt.order_id, lock=True)
            if row is None or (attempt.step_id == "order" and row.state in _SEARCHED):
                return
            await tx_attempts.mark(connection, attempt.chain_id, attempt.tx_hash, "replaced")
            if await order_steps.lost(
                connection, attempt.order_id, attempt.step_id, attempt.step_version
            ):
                await order_changes.notify(connection, attempt.order_id, row.version, now)

    async def _next_nonce(self, owner: str, head: Block) -> int:
        return await self._chain.least_nonce(owner, max(head.number - self._depth, 0))

    async def _tell(self, order_id: str, event: Event, now: datetime) -> None:
        async with self._database.acquire() as connection:
            await record(connection, order_id, [event], now)
