"""Dead man's switches: who is not heard in time has the orders asked to go. Times are those of the
clock of the database, which all processes share."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db import order_requests


class Heartbeat(NamedTuple):
    """``due_at``: when it lapses; None: it is off. ``lapsed_at``: when it last did."""

    due_at: datetime | None
    lapsed_at: datetime | None


_BEAT: Final = """
INSERT INTO heartbeats (account_id, due_at) VALUES ($1, now() + $2::interval)
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
RETURNING due_at, lapsed_at
"""
_LAPSE: Final = """
UPDATE heartbeats SET due_at = NULL, lapsed_at = now() WHERE account_id = (
    SELECT account_id FROM heartbeats
    WHERE due_at <= now() AND ($1::uuid IS NULL OR account_id = $1)
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING account_id
"""


async def beat(
    connection: asyncpg.Connection, account_id: str, life: timedelta | None
) -> Heartbeat:
    """It lapses ``life`` from now, and not at all where that is None."""
    return Heartbeat(*await connection.fetchrow(_BEAT, account_id, life))


async def lapse(
    connection: asyncpg.Connection, now: datetime, account_id: str | None = None
) -> str | None:
    """Asks all orders of an account to go whose heartbeat is overdue, of ``account_id`` alone where
    that is given, and switches it off: both or nothing, and once, whoever else does the same. In a
    transaction of the caller. The account; None: there is none.

    ``now``: of the history of the orders.
    """
    found = await connection.fetchval(_LAPSE, account_id)
    if found is None:
        return None
    while len(await order_requests.cancel(connection, str(found), now)) == order_requests.AT_ONCE:
        pass
    return str(found)
