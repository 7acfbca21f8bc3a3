"""One chain, read block by block: what became of transactions and of orders, and what was taken
back. Facts are recorded as they are found; only the depth makes them final."""

from collections.abc import Container
from datetime import datetime
from typing import Final

import asyncpg

from connectors.base.orders import OrderBuilder, Transaction
from db import chain_watch, order_amendments, order_changes, order_steps, orders, tx_attempts
from db.chain_watch import PlacedFact
from db.instants import instant
from db.orders import OrderRow
from db.pool import Database
from db.tx_attempts import Attempt
from domain.errors import ChainTransient, VenueUnavailable
from domain.orders import RECEIPT_DISPUTED, OpenOrder, Reason
from domain.outcomes import (
    Cancelled,
    EventPlace,
    Executed,
    Mined,
    Outcome,
    Reverted,
    Updated,
    VenueOutcome,
)
from execution import amend, landings, matching
from execution.chain import Chain
from execution.disputes import Disputes
from execution.lifecycle import Seen, Step, Undone
from execution.matching import Match
from execution.rpc_values import Block, Receipt
from execution.settle import Settler, apart
from execution.store import record
from execution.submit import Submitter
from execution.venues import Venues, decoded
from runtime.clock import mono_ns, wall_us
from runtime.failpoints import reach
from runtime.logs import get_logger

RANGE: Final = 500
"""Blocks whose logs are asked for at once."""
PROBE_NS: Final = 2_000_000_000
AGAIN_NS: Final = 60_000_000_000
AGAIN_BOUND: Final = 100_000
"""Blocks further back, for orders that are lost."""
OPEN_BOUND: Final = 500
"""Transactions that are looked after at once."""
HOLDABLE: Final = ("submitted", "unknown")
DISPUTED: Final = Reason(
    RECEIPT_DISPUTED, "nodes do not tell the same of the transaction; it waits until they do"
)

_log = get_logger(__name__)


class Watcher:
    """``depth``: blocks above one that make it final, and that are read again after a start or a
    reorganisation. ``turn`` raises ChainTransient and what Postgres raises; the next one goes on
    from what is stored."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        venues: Venues,
        submitter: Submitter,
        depth: int,
    ) -> None:
        self._chain = chain
        self._database = database
        self._venues = venues
        self._submitter = submitter
        self._depth = depth
        self._settler = Settler(chain, database, depth)
        self._disputes = Disputes(chain.chain_id)
        self._read: Block | None = None
        """The last block that this process read."""
        self._probe_ns = 0
        self._again_ns = 0

    async def turn(self) -> None:
        if mono_ns() >= self._probe_ns:
            self._probe_ns = mono_ns() + PROBE_NS
            await self._chain.probe()
        head = await self._chain.head()
        is_new = self._read is None or head.hash != self._read.hash
        await self._look_after(head, is_new=is_new)
        if is_new and self._venues.complete:
            await self._take_back()
            await self._scan(head)
            await self._settler.settle(head)

    # Transactions -----------------------------------------------------------------------------

    async def _look_after(self, head: Block, *, is_new: bool) -> None:
        async with self._database.acquire() as connection:
            waiting = await tx_attempts.with_status(
                connection, self._chain.chain_id, ("stored", "sent"), OPEN_BOUND
            )
        sent = [attempt for attempt in waiting if attempt.status == "sent"]
        told = await self._chain.receipts([attempt.tx_hash for attempt in sent])
        disputed = await self._chain.disputed(told)
        receipts = {name: item for name, item in told.items() if name not in disputed}
        held = self._disputes.note(disputed)
        for attempt in sent:
            if attempt.tx_hash in held and attempt.step_id == "order":
                with apart(attempt.order_id):
                    await self._hold(attempt.order_id)
            receipt = receipts.get(attempt.tx_hash)
            if receipt is not None and receipt.block_number <= head.number:
                with apart(attempt.order_id):
                    await self._included(attempt, receipt)
        missing = [attempt for attempt in sent if attempt.tx_hash not in receipts]
        if is_new:
            self._submitter.head_advanced(missing)
        for attempt in missing:
            await self._again(attempt)
        for attempt in waiting:
            if attempt.status == "stored" and attempt.raw is None:
                await self._again(attempt)

    async def _hold(self, order_id: str) -> None:
        """Its owner hears that it is not known what became of it."""
        async with self._database.acquire() as connection, connection.transaction():
            row = await orders.read(connection, order_id, lock=True)
            if row is not None and row.state in HOLDABLE:
                await record(connection, order_id, [Step("held", DISPUTED)], instant(wall_us()))

    async def _again(self, attempt: Attempt) -> None:
        now = instant(wall_us())
        async with self._database.acquire() as connection:
            row = await orders.read(connection, attempt.order_id)
        if row is None:
            return
        if attempt.status == "stored":
            await self._submitter.submit(row, attempt, now)
        else:
            await self._submitter.keep_up(row, attempt, now)

    async def _included(self, attempt: Attempt, receipt: Receipt) -> None:
        """A receipt, which is no fill."""
        place = EventPlace(
            attempt.chain_id, receipt.block_number, receipt.block_hash, attempt.tx_hash, -1
        )
        fact: Outcome = Mined(place)
        if not receipt.succeeded:
            fact = Reverted(place, await self._why(attempt, receipt))
        now = instant(wall_us())
        status: tx_attempts.Inclusion = "mined" if receipt.succeeded else "reverted"
        async with self._database.acquire() as connection, connection.transaction():
            row = await orders.read(connection, attempt.order_id, lock=True)
            if row is None:
                return
            if row.final and attempt.step_id == "order" and receipt.succeeded:
                await landings.tell_late(connection, row, attempt.tx_hash, now)
            await tx_attempts.included(
                connection, attempt.chain_id, attempt.tx_hash, status,
                receipt.block_number, receipt.block_hash,
            )  # fmt: skip
            await order_steps.mark(
                connection,
                attempt.order_id,
                attempt.step_id,
                attempt.step_version,
                "done" if receipt.succeeded else "failed",
            )
            if attempt.step_id == "update":
                await self._updated(connection, row, attempt.step_version, fact, now)
            if attempt.step_id == "order" and receipt.succeeded:
                for order_id, version in await order_steps.outspent(
                    connection, attempt.chain_id, attempt.sender, attempt.order_id
                ):
                    await order_changes.notify(connection, order_id, version, now)
            if attempt.step_id == "order" and not row.final:
                await record(connection, attempt.order_id, [Seen(fact)], now, locked=row)
            elif attempt.step_id != "order":
                # What was behind it can be prepared now.
                await order_changes.notify(connection, attempt.order_id, row.version, now)
        self._submitter.forget(attempt.tx_hash)
        _log.info("included", order_id=attempt.order_id, tx_hash=attempt.tx_hash, status=status)

    async def _updated(
        self,
        connection: asyncpg.Connection,
        row: OrderRow,
        step_version: int,
        fact: Outcome,
        now: datetime,
    ) -> None:
        if isinstance(fact, Reverted):
            await amend.has_reverted(connection, row, step_version, fact.reason, now)
        else:
            builder = self._venues.builder(row.new.leg.venue)
            await amend.has_landed(connection, builder, row, step_version, now)

    async def _why(self, attempt: Attempt, receipt: Receipt) -> Reason:
        """On the state before its block, which is nearly always what it met."""
        sent = await self._chain.transaction(attempt.tx_hash)
        if sent is None or sent.to is None:
            return Reason("REVERTED", "the transaction reverted")
        call = {"to": sent.to, "data": f"0x{sent.data.hex()}", "value": hex(sent.value_wei)}
        before = receipt.block_number - 1
        data = await self._chain.revert_data(sent.sender, call, before)
        async with self._database.acquire() as connection:
            row = await orders.read(connection, attempt.order_id)
        if row is None or not data:
            return Reason("REVERTED", "the transaction reverted")
        try:
            return self._venues.builder(row.new.leg.venue).reason(data)
        except VenueUnavailable:
            return Reason("REVERTED", "the transaction reverted")

    # Reorganisations --------------------------------------------------------------------------

    async def _take_back(self) -> None:
        """What stands in blocks that have others in their places now."""
        chain_id, now = self._chain.chain_id, instant(wall_us())
        async with self._database.acquire() as connection:
            facts = await chain_watch.facts(connection, chain_id)
            sent = await chain_watch.included(connection, chain_id)
        numbers = sorted({item.place.block_number for item in (*facts, *sent)})
        hashes = await self._chain.blocks(numbers)

        def gone(place: EventPlace) -> bool:
            return hashes.get(place.block_number, place.block_hash) != place.block_hash

        for item in sent:
            if gone(item.place):
                async with self._database.acquire() as connection, connection.transaction():
                    await self._not_included(connection, item, now)
        for item in facts:
            if gone(item.place):
                _log.warning(
                    "taken_back", order_id=item.order_id, tx_hash=item.place.tx_hash,
                    block_number=item.place.block_number,
                )  # fmt: skip
                with apart(item.order_id):
                    async with self._database.acquire() as connection:
                        await record(connection, item.order_id, [Undone(item.place)], now)

    async def _not_included(
        self, connection: asyncpg.Connection, item: PlacedFact, now: datetime
    ) -> None:
        chain_id, tx_hash = self._chain.chain_id, item.place.tx_hash
        row = await orders.read(connection, item.order_id, lock=True)
        attempt = await tx_attempts.read(connection, chain_id, tx_hash)
        await tx_attempts.mark(connection, chain_id, tx_hash, "sent")
        if row is None or attempt is None or attempt.step_id not in ("update", "cancel"):
            return
        step_id, version = attempt.step_id, attempt.step_version
        await order_steps.mark(connection, item.order_id, step_id, version, "submitted")
        if step_id == "update":
            await amend.has_gone(connection, row, version, now)

    # Logs -------------------------------------------------------------------------------------

    async def _scan(self, head: Block) -> None:
        """From where it stopped; after a start, when the last block is no more, and now and then,
        again from deeper than chains are reorganised."""
        chain_id = self._chain.chain_id
        async with self._database.acquire() as connection:
            cursor = await chain_watch.cursor(connection, chain_id)
        first = head.number - self._depth if cursor is None else cursor + 1
        if self._read is None or not await self._stands(self._read):
            self._again_ns = 0
        if mono_ns() >= self._again_ns:
            self._again_ns = mono_ns() + AGAIN_NS
            first = await self._first_again(min(first, head.number + 1) - self._depth)
        first = max(first, 0)
        while first <= head.number:
            last = min(first + RANGE - 1, head.number)
            await self._take(first, last)
            reach("P10")
            async with self._database.acquire() as connection:
                await chain_watch.move(connection, chain_id, first, last, instant(wall_us()))
            first = last + 1
        self._read = head

    async def _first_again(self, first: int) -> int:
        """From where logs are read again: a node may have left some out. Of orders that nobody
        knows the whereabouts of, from what is the last thing known."""
        async with self._database.acquire() as connection:
            since = await chain_watch.unknown_since(connection, self._chain.chain_id)
        return first if since is None else max(min(first, since), first - AGAIN_BOUND)

    async def _stands(self, block: Block) -> bool:
        hashes = await self._chain.blocks([block.number])
        return hashes.get(block.number) == block.hash

    async def _take(self, first: int, last: int) -> None:
        for builder in self._venues.builders(self._chain.chain_id):
            chain_id = self._chain.chain_id
            logs = await self._chain.logs(
                first,
                last,
                builder.log_addresses(chain_id),
                builder.log_topics(chain_id),
                builder.log_topic_place,
            )
            if not logs:
                continue
            outcomes = decoded(builder, logs)
            # After the logs: what was accepted meanwhile cannot be in them, what was before is.
            async with self._database.acquire() as connection:
                mine = await chain_watch.open_orders(connection, chain_id)
                ours = await chain_watch.of_ours(connection, matching.placed_by(outcomes))
            for outcome in outcomes:
                mine = await self._match(builder, mine, ours, outcome)

    async def _match(
        self,
        builder: OrderBuilder,
        mine: list[OpenOrder],
        ours: Container[str],
        outcome: VenueOutcome,
    ) -> list[OpenOrder]:
        candidates = matching.concerned(mine, builder.venue, outcome)
        places = isinstance(outcome, matching.PLACING)
        if not candidates and not (places and outcome.account.lower() in ours):
            return mine
        sent = None
        if places or isinstance(outcome, Updated | Cancelled):
            sent = await self._chain.transaction(outcome.place.tx_hash)
            if sent is None:
                # Its log was just told: the range is read again rather than passed over.
                raise ChainTransient("BEHIND", f"no node has {outcome.place.tx_hash}")
        match = None if sent is None else matching.tagged(candidates, outcome, sent.data)
        if match is None and sent is not None and places:
            async with self._database.acquire() as connection:
                if await landings.seen_late(connection, builder.venue, outcome, sent):
                    return mine
        match = match or matching.known(candidates, outcome)
        if match is None:
            return mine
        changed = match.order
        with apart(changed.id):
            changed = await self._record(builder, match, outcome, sent)
        for cancelled in matching.replaced(candidates, match, outcome):
            with apart(cancelled.ref):
                await self._replace(cancelled)
        return [changed if order.id == changed.id else order for order in mine]

    async def _record(
        self,
        builder: OrderBuilder,
        match: Match,
        outcome: VenueOutcome,
        sent: Transaction | None,
    ) -> OpenOrder:
        refs = dict(builder.refs_of(outcome))
        if match.first:
            refs[matching.MAIN] = outcome.ref
        order, now = match.order, instant(wall_us())
        async with self._database.acquire() as connection, connection.transaction():
            row = await orders.read(connection, order.id, lock=True)
            if row is None:
                return order
            if row.final:
                if sent is not None and isinstance(outcome, matching.PLACING):
                    await landings.seen_late(connection, builder.venue, outcome, sent)
                return order
            if refs:
                await order_changes.add_refs(connection, order.id, refs)
            if match.first:
                await order_steps.landed(connection, order.id)
            if sent is not None:
                await landings.seen(connection, builder, row, outcome.place, sent, now)
            if match.is_main:
                await record(connection, order.id, [Seen(outcome)], now)
                if outcome not in row.facts:
                    await _tidy(connection, row, outcome, now)
        reach("P11")
        return matching.with_refs(order, refs)

    async def _replace(self, fact: Cancelled) -> None:
        async with self._database.acquire() as connection, connection.transaction():
            row = await orders.read(connection, fact.ref, lock=True)
            if row is not None and row.state == "working":
                await record(connection, fact.ref, [Seen(fact)], instant(wall_us()))


async def _tidy(
    connection: asyncpg.Connection, row: OrderRow, outcome: VenueOutcome, now: datetime
) -> None:
    """What was to be signed for an order that has ended is not; somebody looks what is left."""
    order_id = row.new.id
    if isinstance(outcome, Cancelled):
        await order_steps.supersede(connection, order_id)
    elif (
        not isinstance(outcome, Executed)
        or await order_amendments.asked(connection, order_id) is None
    ):
        return
    await order_changes.notify(connection, order_id, row.version, now)
