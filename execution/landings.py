"""Transactions of ours that the venue's events show, whatever hash they landed under: a wallet that
sped one up, or the wallet of a contract. In transactions of the caller, who holds the order."""

from datetime import datetime

import asyncpg

from connectors.base.order_tag import tags_in
from connectors.base.orders import OrderBuilder, Transaction
from db import chain_watch, order_changes, order_steps, orders, trading_limits, tx_attempts
from db.instants import instant
from db.order_steps import StepRow
from db.orders import OrderRow
from db.tx_attempts import Attempt
from domain.ids import VenueId
from domain.orders import Reason
from domain.outcomes import EventPlace, VenueOutcome
from execution import amend
from execution.lifecycle import Step
from execution.metrics import ORDERS_DOUBLED, ORDERS_LANDED_LATE
from execution.store import record
from runtime.clock import wall_us
from runtime.logs import get_logger

_log = get_logger(__name__)


async def seen(
    connection: asyncpg.Connection,
    builder: OrderBuilder,
    row: OrderRow,
    place: EventPlace,
    sent: Transaction,
    now: datetime,
) -> None:
    """The transaction of an event of the order: the step that it is was done by it."""
    step = _sent_as(await order_steps.handed_out(connection, row.new.id), sent.data)
    if step is None:
        return
    await _tell_doubled(connection, row, step, place, now)
    await tx_attempts.add(connection, _attempt(step, place, sent, now))
    await order_steps.mark(connection, row.new.id, step.new.step_id, step.version, "done")
    if step.new.step_id == "order":
        await amend.older_has_landed(connection, row, step.version, now)
    if step.new.step_id == "update":
        await amend.has_landed(connection, builder, row, step.version, now)
        await order_changes.notify(connection, row.new.id, row.version, now)


async def seen_late(
    connection: asyncpg.Connection, venue: VenueId, outcome: VenueOutcome, sent: Transaction
) -> bool:
    """Whether it is of an order that is over for good. Its owner is told, once: there is something
    at the venue that no order stands for."""
    tags, place, now = tags_in(sent.data), outcome.place, instant(wall_us())
    if not tags:
        return False
    async with connection.transaction():
        order_id = await chain_watch.final_order(
            connection, tags, venue, sent.chain_id, outcome.account
        )
        row = None if order_id is None else await orders.read(connection, order_id, lock=True)
        if row is None:
            return False
        steps = await order_steps.handed_out(connection, row.new.id)
        step = _sent_as(steps, sent.data) or next(iter(steps), None)
        if step is None or not await tell_late(connection, row, place.tx_hash, now):
            return True
        await tx_attempts.add(connection, _attempt(step, place, sent, now))
    return True


async def tell_late(
    connection: asyncpg.Connection, row: OrderRow, tx_hash: str, now: datetime
) -> bool:
    """Of an order that is final; False where the transaction is known. In a transaction of the
    caller, before the attempt is marked as included."""
    tx_hash, order_id = tx_hash.lower(), row.new.id
    attempts = await tx_attempts.of_order(connection, order_id)
    placed = {fact.place.tx_hash.lower() for fact in row.facts}
    placed |= {item.tx_hash for item in attempts if item.status == "mined"}
    if tx_hash in placed:
        return False
    again = "a second time" if placed else "after all"
    told = f"placed {again} by {tx_hash}, after the order was over: see to it at the venue"
    _log.error("order_landed_late", order_id=order_id, tx_hash=tx_hash, state=row.state)
    ORDERS_LANDED_LATE.inc()
    await record(connection, order_id, [Step("landed_late", Reason("LANDED_LATE", told))], now)
    said = trading_limits.Said("executor", told, now)
    await trading_limits.audit(
        connection, said, "landed_late", order_id, {"tx_hash": tx_hash}, row.new.account_id
    )
    return True


async def _tell_doubled(
    connection: asyncpg.Connection, row: OrderRow, step: StepRow, place: EventPlace, now: datetime
) -> None:
    """Nothing keeps a wallet from sending two versions of a step by itself, under two nonces."""
    if step.new.step_id != "order":
        return
    attempts = await tx_attempts.of_order(connection, row.new.id)
    mined = {item.tx_hash for item in attempts if (item.step_id, item.status) == ("order", "mined")}
    if not mined or place.tx_hash.lower() in mined:
        return
    reason = Reason("DOUBLED", f"placed a second time by {place.tx_hash.lower()}")
    _log.error("order_doubled", order_id=row.new.id, tx_hash=place.tx_hash)
    ORDERS_DOUBLED.inc()
    await record(connection, row.new.id, [Step("doubled", reason)], now)


def _sent_as(steps: list[StepRow], data: bytes) -> StepRow | None:
    """The newest version whose calldata it has, also inside that of a contract wallet."""
    found = data.hex()
    return next((step for step in steps if step.new.payload["data"][2:] in found), None)


def _attempt(step: StepRow, place: EventPlace, sent: Transaction, now: datetime) -> Attempt:
    return Attempt(
        chain_id=sent.chain_id,
        tx_hash=place.tx_hash.lower(),
        order_id=step.order_id,
        step_id=step.new.step_id,
        step_version=step.version,
        sender=sent.sender,
        nonce=sent.nonce,
        raw=None,
        stored_at=now,
        status="mined",
        block_number=place.block_number,
        block_hash=place.block_hash,
    )
