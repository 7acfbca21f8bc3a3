"""Orders that nobody could deal with: buried after some deliveries, and replayed on request."""

from datetime import datetime

import asyncpg

from db import order_changes, orders, outbox, tx_attempts
from domain.errors import InputError
from domain.orders import Reason
from execution.lifecycle import Step
from execution.store import order_of, record


class TryAgain(Exception):
    """It is no dead letter: it was not tried often enough, or what its wallet signed is still to
    be sent."""


async def bury(
    connection: asyncpg.Connection,
    order_id: str,
    deliveries: int,
    reason: Reason,
    now: datetime,
    epoch: int,
) -> int | None:
    """The number of the letter; None of an order that is not dead but ``unknown`` now, because it
    was submitted, or that has ended otherwise. What the chain or the venue has is neither: that it
    cannot be cancelled or changed now is tried again, and so is what was signed and not sent yet.

    One transaction. Raises TryAgain, LeaseLost and what asyncpg raises.
    """
    async with connection.transaction():
        row = await orders.read(connection, order_id, lock=True)
        if row is None:
            return None
        state = order_of(row).state
        if state == "submitted":
            await record(connection, order_id, [Step("lost", reason)], now, epoch)
            return None
        if state not in ("accepted", "prepared"):
            return None
        if any(
            item.status == "stored" for item in await tx_attempts.of_order(connection, order_id)
        ):
            raise TryAgain
        await record(connection, order_id, [Step("failed", reason)], now, epoch)
        return await outbox.bury(
            connection, order_id, row.version, deliveries, reason.code, reason.message, now
        )


async def replay(connection: asyncpg.Connection, number: int, now: datetime) -> str | None:
    """The order that lives again; None when the letter was replayed before.

    Raises InputError ``NO_SUCH_LETTER``, or ``DEADLINE_PASSED`` for an order that would trade at
    another price than its owner saw.
    """
    async with connection.transaction():
        if await outbox.dead_letter(connection, number) is None:
            raise InputError("NO_SUCH_LETTER", f"there is no dead letter {number}")
        order_id = await outbox.take_dead(connection, number, now)
        if order_id is None:
            return None
        row = await orders.read(connection, order_id, lock=True)
        if row is None or row.new.deadline <= now:
            raise InputError("DEADLINE_PASSED", f"order {order_id} is past its deadline")
        recorded = await record(connection, order_id, [Step("replayed")], now)
        await order_changes.notify(connection, order_id, recorded.order.version, now)
        return order_id
