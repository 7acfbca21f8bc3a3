"""Transactions of ours that the venue's events show, whatever hash they landed under: a wallet that
sped one up, or the wallet of a contract. In transactions of the caller, who holds the order."""

from datetime import datetime

import asyncpg

from connectors.base.orders import OrderBuilder, Transaction
from db import order_changes, order_steps, tx_attempts
from db.order_steps import StepRow
from db.orders import OrderRow
from db.tx_attempts import Attempt
from domain.orders import Reason
from domain.outcomes import EventPlace
from execution import amend
from execution.lifecycle import Step
from execution.metrics import ORDERS_DOUBLED
from execution.store import record
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
