"""What venues kept back of an owner's closes, by the names that a claim needs."""

from typing import Final

import asyncpg

from db.orders import NewOrder

AT_MOST: Final = 50
"""Newest first: each is asked about before a claim."""

_KEPT: Final = """
SELECT e.data->>'key' FROM chain_events e JOIN orders o ON o.id = e.order_id
WHERE o.account_id = $1 AND o.owner = $2 AND o.venue = $3 AND o.chain_id = $4
    AND lower(o.pool) = lower($5) AND e.kind = 'kept' AND e.undone_at IS NULL
GROUP BY 1 ORDER BY max(e.block_number) DESC, 1 LIMIT $6
"""


async def names(connection: asyncpg.Connection, claim: NewOrder) -> tuple[str, ...]:
    """Of all orders of the claim's owner in its pool, also what was paid since."""
    leg = claim.leg
    rows = await connection.fetch(
        _KEPT, claim.account_id, claim.owner, leg.venue, str(leg.chain_id), leg.pool, AT_MOST
    )
    return tuple(row[0] for row in rows)
