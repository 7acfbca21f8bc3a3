"""What owners ask for beside new orders: that orders go, and that nothing more is opened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from domain.orders import TERMINAL

AT_ONCE: Final = 1_000
"""Orders that one request asks for at most."""

_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
# Locked in one order, so that two such requests wait for each other and do not block.
_CANCEL: Final = f"""
WITH wanted AS (
    SELECT id FROM orders
    WHERE account_id = $1 AND NOT cancel_requested AND NOT final AND state NOT IN ({_ENDED})
        AND ($3::uuid IS NULL OR id = $3) AND ($4::text IS NULL OR market = $4)
        AND ($5::text IS NULL OR venue = $5)
    ORDER BY id LIMIT {AT_ONCE} FOR UPDATE
), changed AS (
    UPDATE orders o SET version = o.version + 1, cancel_requested = true, updated_at = $2
    FROM wanted w WHERE o.id = w.id RETURNING o.id, o.version, o.state
), told AS (
    INSERT INTO order_events (order_id, seq, at, type, from_state, to_state)
    SELECT id, version, $2, 'cancel_requested', state, state FROM changed
), relayed AS (
    INSERT INTO outbox (order_id, version, created_at) SELECT id, version, $2 FROM changed
)
SELECT id FROM changed ORDER BY id
"""
_PAUSE: Final = """
INSERT INTO account_controls (account_id, openings_paused_at) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET openings_paused_at =
    CASE WHEN $2::timestamptz IS NULL THEN NULL
    ELSE coalesce(account_controls.openings_paused_at, $2) END
RETURNING openings_paused_at
"""
_PAUSED: Final = "SELECT openings_paused_at FROM account_controls WHERE account_id = $1 FOR SHARE"


async def cancel(
    connection: asyncpg.Connection,
    account_id: str,
    now: datetime,
    *,
    order_id: str | None = None,
    market: str | None = None,
    venue: str | None = None,
) -> Sequence[str]:
    """Ids of the orders that are to go from now on: those of the account that live and that nobody
    asked this for before. The executor is told in the same transaction."""
    rows = await connection.fetch(_CANCEL, account_id, now, order_id, market, venue)
    return [str(row["id"]) for row in rows]


async def pause(
    connection: asyncpg.Connection, account_id: str, since: datetime | None
) -> datetime | None:
    """Since when the account opens nothing; ``since`` None: it does again."""
    found: datetime | None = await connection.fetchval(_PAUSE, account_id, since)
    return found


async def is_paused(connection: asyncpg.Connection, account_id: str) -> bool:
    """Until the transaction of the caller ends that does not change."""
    return await connection.fetchval(_PAUSED, account_id) is not None
