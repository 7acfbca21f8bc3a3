"""Orders of Postgres under the events of their life: one transaction an event or more."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Final, NamedTuple, cast

import asyncpg

from db import order_changes, orders, outbox
from db.order_changes import Change
from db.orders import OrderRow, Told
from domain.errors import InvariantViolation
from execution.lifecycle import (
    BookFill,
    CancelAtVenue,
    Effect,
    Ending,
    Event,
    Order,
    Phase,
    Reconcile,
    Seen,
    SendAgain,
    Step,
    TakeBackFill,
    Tell,
    Undone,
    apply,
)

_WORK: Final = (CancelAtVenue, SendAgain, Reconcile)
"""Effects that a worker has to see to."""


class Recorded(NamedTuple):
    """``effects``: of all the events, those on the ledger carried out already."""

    order: Order
    row: OrderRow
    effects: tuple[Effect, ...]


def order_of(row: OrderRow) -> Order:
    """What the row says of the order."""
    return Order(
        id=row.new.id,
        size_base=row.new.leg.size_base,
        phase=cast(Phase, row.phase),
        ending=cast(Ending | None, row.ending),
        reason=row.reason,
        facts=row.facts,
        cancel_requested=row.cancel_requested,
        cancel_sent=row.cancel_sent,
        final=row.final,
        version=row.version,
    )


async def record(
    connection: asyncpg.Connection,
    order_id: str,
    events: Sequence[Event],
    now: datetime,
    epoch: int | None = None,
    locked: OrderRow | None = None,
) -> Recorded:
    """All events, or none of them: of a transaction of the caller, where there is one, a part that
    ends it where it fails. ``epoch``: of the lease of whoever works on the order; None for
    who only tells facts. ``locked``: the order as the caller's transaction has it locked.

    Raises LeaseLost, InvariantViolation (also ``NO_SUCH_ORDER``), and what asyncpg raises.
    """
    apart = nullcontext() if connection.is_in_transaction() else connection.transaction()
    async with apart:
        row = locked or await orders.read(connection, order_id, lock=True)
        if row is None:
            raise InvariantViolation("NO_SUCH_ORDER", f"there is no order {order_id}")
        order = order_of(row)
        if order.state != row.state:
            raise InvariantViolation("STATE_LOST", f"{order_id}: {row.state} is {order.state}")
        done: list[Effect] = []
        for event in events:
            following, effects = apply(order, event)
            if following is not order:
                await _store(connection, row, event, following, effects, now, epoch)
            order, done = following, done + list(effects)
        return Recorded(order, row, tuple(done))


async def _store(
    connection: asyncpg.Connection,
    row: OrderRow,
    event: Event,
    order: Order,
    effects: Sequence[Effect],
    now: datetime,
    epoch: int | None,
) -> None:
    tell = next(effect for effect in effects if isinstance(effect, Tell))
    change = Change(
        order.version,
        order.state,
        order.phase,
        order.ending,
        order.reason,
        order.cancel_requested,
        order.cancel_sent,
        order.final,
    )
    told = Told(order.version, now, tell.event, tell.before, tell.after)
    await order_changes.save(connection, order.id, epoch, change, told)
    if isinstance(event, Seen):
        await order_changes.see(connection, order.id, event.fact, now)
    elif isinstance(event, Undone):
        await order_changes.undo(connection, event.place, now)
    if not isinstance(event, Step) and (tell.before == "dead") is not (tell.after == "dead"):
        await outbox.lives(connection, order.id, now if tell.before == "dead" else None)
    for effect in effects:
        if isinstance(effect, BookFill):
            await order_changes.book(connection, row.new, effect.fill, now)
        elif isinstance(effect, TakeBackFill):
            await order_changes.unbook(connection, effect.fill.place)
        elif isinstance(effect, _WORK) and epoch is None:
            # Who tells facts does not work on the order: somebody else has to look at it.
            await order_changes.notify(connection, order.id, order.version, now)
