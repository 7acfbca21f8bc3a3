"""Transactions of ours that the venue's events show, whatever hash they landed under: a wallet that
sped one up, or the wallet of a contract. In transactions of the caller, who holds the order."""

from datetime import datetime

import asyncpg

from connectors.base.orders import OrderBuilder, Transaction
from db import order_changes, order_steps, tx_attempts
from db.order_steps import StepRow
from db.orders import OrderRow
from db.tx_attempts import Attempt
from domain.outcomes import EventPlace
from execution import amend


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
    await tx_attempts.add(connection, _attempt(step, place, sent, now))
    await order_steps.mark(connection, row.new.id, step.new.step_id, step.version, "done")
    if step.new.step_id == "update":
        await amend.has_landed(connection, builder, row, step.version, now)
        await order_changes.notify(connection, row.new.id, row.version, now)


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
