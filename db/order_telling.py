"""The history of orders, as accounts are told of it: every row once, in its order."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg


class Untold(NamedTuple):
    """A row of the history, and what is known of its order. ``fill``: of an execution."""

    account_id: str
    order_id: str
    seq: int
    at: datetime
    type: str
    from_state: str | None
    to_state: str
    market: str
    venue: str
    side: str
    client_order_id: str | None
    size_base: Decimal
    fill_price: Decimal | None
    fill_size_base: Decimal | None
    fill_fee_usd: Decimal | None
    fill_tx_hash: str | None


# Whoever tells holds it: two would tell the same twice.
_ALONE: Final = "SELECT pg_try_advisory_xact_lock(8101736410000000003)"
_UNTOLD: Final = """
SELECT o.account_id, e.order_id, e.seq, e.at, e.type, e.from_state, e.to_state, o.market, o.venue,
    o.side, o.client_order_id, o.size_base, f.price AS fill_price, f.size_base AS fill_size_base,
    f.fee_usd AS fill_fee_usd, f.tx_hash AS fill_tx_hash
FROM order_events e JOIN orders o ON o.id = e.order_id
LEFT JOIN LATERAL (
    SELECT price, size_base, fee_usd, tx_hash FROM fills
    WHERE fills.order_id = e.order_id AND fills.at = e.at AND e.type = 'executed'
    ORDER BY log_index LIMIT 1
) f ON true
WHERE e.told_at IS NULL
-- Whoever records says when it began, so an event may seem older than the one before it.
ORDER BY max(e.at) OVER (PARTITION BY e.order_id ORDER BY e.seq), e.order_id, e.seq LIMIT $1
"""
_TOLD: Final = """
UPDATE order_events e SET told_at = $3
FROM unnest($1::uuid[], $2::integer[]) AS told(order_id, seq)
WHERE e.order_id = told.order_id AND e.seq = told.seq
"""


async def alone(connection: asyncpg.Connection) -> bool:
    """Whether nobody else tells, until the transaction ends."""
    return bool(await connection.fetchval(_ALONE))


async def untold(connection: asyncpg.Connection, count: int) -> list[Untold]:
    rows = await connection.fetch(_UNTOLD, count)
    return [Untold(str(row[0]), str(row[1]), *row[2:]) for row in rows]


async def told(connection: asyncpg.Connection, rows: list[Untold], now: datetime) -> None:
    ids, numbers = [row.order_id for row in rows], [row.seq for row in rows]
    await connection.execute(_TOLD, ids, numbers, now)
