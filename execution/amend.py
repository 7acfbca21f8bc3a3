"""What owners ask to be changed: before anything was sent, when the venue has it, and when the
chain takes that back. In transactions of the caller, who holds the order."""

from datetime import datetime

import asyncpg

from connectors.base.orders import OrderBuilder
from db import order_amendments, order_changes, order_steps
from db.order_amendments import AmendmentRow
from db.orders import OrderRow
from domain.amendments import amended
from domain.errors import InputError
from domain.orders import Reason
from execution.lifecycle import Step
from execution.store import record
from runtime.logs import get_logger

ENDED = Reason("ORDER_ENDED", "the order ended before it was changed")

_log = get_logger(__name__)


async def change_unsent(
    connection: asyncpg.Connection, row: OrderRow, change: AmendmentRow, now: datetime, epoch: int
) -> None:
    """Nothing was sent: the order is another from now on, and what was to be signed is not. Raises
    LeaseLost."""
    try:
        intent, leg = amended(row.new.intent, row.new.leg, change.change, posted=False)
    except InputError as error:
        await refuse(connection, change, Reason(error.code, error.message), now, epoch)
        return
    last = await order_steps.last_version(connection, row.new.id, "order")
    await order_amendments.apply(connection, change, row, intent, leg, unsent_after=last)
    await order_steps.supersede(connection, row.new.id)
    await record(connection, row.new.id, [Step("amended")], now, epoch)


async def refuse(
    connection: asyncpg.Connection,
    change: AmendmentRow,
    reason: Reason,
    now: datetime,
    epoch: int | None = None,
) -> None:
    """Raises LeaseLost."""
    await order_amendments.refuse(connection, change, reason)
    await record(connection, change.order_id, [Step("update_refused", reason)], now, epoch)


async def end(
    connection: asyncpg.Connection, row: OrderRow, change: AmendmentRow, now: datetime, epoch: int
) -> None:
    """The order ended before it was changed. Raises LeaseLost."""
    if row.final:
        await order_amendments.refuse(connection, change, ENDED)
    else:
        await refuse(connection, change, ENDED, now, epoch)


async def older_has_landed(
    connection: asyncpg.Connection, row: OrderRow, step_version: int, now: datetime
) -> None:
    """Its wallet has sent this version of the step ``order`` by itself: where the order was changed
    since it was handed out, the venue has what it was before, and is asked to change it. ``row``:
    locked."""
    taken_back = await order_amendments.take_back_unsent(connection, row.new.id, step_version)
    if taken_back and not row.final:
        _log.warning("older_step_landed", order_id=row.new.id, step_version=step_version)
        await record(connection, row.new.id, [Step("amended")], now)
        await order_changes.notify(connection, row.new.id, row.version, now)


async def has_landed(
    connection: asyncpg.Connection,
    builder: OrderBuilder,
    row: OrderRow,
    step_version: int,
    now: datetime,
) -> None:
    """The venue has what this version of the step ``update`` asks for, also of a change that was
    superseded since. ``row``: locked."""
    change = await order_amendments.of_step(connection, row.new.id, step_version)
    if change is None or change.status == "applied" or row.final:
        return
    try:
        intent, leg = amended(
            row.new.intent, row.new.leg, change.change, posted=True, resizable=builder.resizes
        )
    except InputError as error:
        # The venue has it all the same: what it says of the order is right.
        _log.error("change_misfits", order_id=row.new.id, error=str(error))
        return
    await order_amendments.apply(connection, change, row, intent, leg)
    await record(connection, row.new.id, [Step("amended")], now)


async def has_reverted(
    connection: asyncpg.Connection, row: OrderRow, step_version: int, reason: Reason, now: datetime
) -> None:
    """The transaction of this version of the step ``update`` did nothing. ``row``: locked."""
    change = await order_amendments.of_step(connection, row.new.id, step_version)
    if change is not None and change.status == "asked" and not row.final:
        await refuse(connection, change, reason, now)


async def has_gone(
    connection: asyncpg.Connection, row: OrderRow, step_version: int, now: datetime
) -> None:
    """Its block is no more. ``row``: locked."""
    if not row.final and await order_amendments.take_back(connection, row.new.id, step_version):
        await record(connection, row.new.id, [Step("amended")], now)
