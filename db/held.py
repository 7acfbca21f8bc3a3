"""What an account holds as far as its own orders tell: what their fills opened less what they
closed. What happened elsewhere (exits placed with an opening, liquidations, another program with
the same wallet) is not in it."""

from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg

from domain.orders import TERMINAL


class Holding(NamedTuple):
    """``chain_id``: as text. ``side``: ``LONG SHORT``. ``position_ref``: the venue's own name of
    it. ``size_base``: positive. ``entry_price``: mean of what opened it."""

    owner: str
    venue: str
    chain_id: str
    pool: str | None
    market: str
    side: str
    collateral: str
    position_ref: str | None
    size_base: Decimal
    entry_price: Decimal


class Closing(NamedTuple):
    """A position that an order which lives closes as a whole. ``position_ref``: None where the
    order does not name it."""

    venue: str
    chain_id: str
    pool: str | None
    market: str
    side: str
    collateral: str
    position_ref: str | None


_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_POSITION: Final = "owner, venue, chain_id, pool, market, side, collateral, position_ref"
_EXIT: Final = "o.intent->>'intent' IN ('decrease', 'close')"
# A close without a size is of all there is.
_WHOLE: Final = """
o.intent->>'intent' = 'close' AND o.intent->>'size_base' IS NULL
    AND o.intent->>'notional_usd' IS NULL
"""
_OF_ORDER: Final = f"""
o.owner, o.venue, o.chain_id, o.pool, o.market,
CASE WHEN (o.side = 'BUY') = ({_EXIT}) THEN 'SHORT' ELSE 'LONG' END AS side,
o.leg->>'collateral_symbol' AS collateral
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('holdings ' || $1::text, 0))"
# Where sizes are counted at different prices a position that was closed as a whole may seem to
# have something left: what came before such a fill is over.
_HELD: Final = f"""
WITH filled AS (
    SELECT {_OF_ORDER}, coalesce(e.data->>'position_ref', o.leg->>'position_ref') AS position_ref,
        {_EXIT} AS exits, ({_WHOLE}) AND (e.data->>'completes')::boolean AS whole,
        (e.data->>'size_base')::numeric AS size, (e.data->>'price')::numeric AS price,
        e.block_number, e.log_index
    FROM orders o JOIN chain_events e ON e.order_id = o.id
    WHERE o.account_id = $1 AND ($2::text IS NULL OR o.market = $2)
        AND ($3::text IS NULL OR o.venue = $3) AND e.kind = 'executed' AND e.undone_at IS NULL
), numbered AS (
    SELECT *, count(*) FILTER (WHERE whole) OVER (
        PARTITION BY {_POSITION} ORDER BY block_number DESC, log_index DESC
        ROWS UNBOUNDED PRECEDING
    ) AS closes FROM filled
), held AS (
    SELECT {_POSITION}, sum(CASE WHEN exits THEN -size ELSE size END) AS size_base,
        round(sum(price * size) FILTER (WHERE NOT exits)
            / sum(size) FILTER (WHERE NOT exits), 18) AS entry_price
    FROM numbered WHERE closes = 0 GROUP BY {_POSITION}
    HAVING sum(CASE WHEN exits THEN -size ELSE size END) > 0
)
SELECT {_POSITION}, size_base, entry_price
FROM held ORDER BY market, venue, chain_id, pool, side, collateral, position_ref
"""
_CLOSING: Final = f"""
SELECT venue, chain_id, pool, market, side, collateral, position_ref FROM (
    SELECT {_OF_ORDER}, o.leg->>'position_ref' AS position_ref FROM orders o
    WHERE o.account_id = $1 AND NOT o.final AND o.state NOT IN ({_ENDED})
        AND {_WHOLE} AND o.intent->>'type' = 'market'
) found
"""


async def lock(connection: asyncpg.Connection, account_id: str) -> None:
    """Until the transaction ends nobody else closes what the account holds."""
    await connection.execute(_LOCK, account_id)


async def read(
    connection: asyncpg.Connection, account_id: str, market: str | None, venue: str | None
) -> list[Holding]:
    return [Holding(*row) for row in await connection.fetch(_HELD, account_id, market, venue)]


async def closing(connection: asyncpg.Connection, account_id: str) -> list[Closing]:
    """What orders of the account that live close as a whole."""
    return [Closing(*row) for row in await connection.fetch(_CLOSING, account_id)]
