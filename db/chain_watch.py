"""What watching a chain needs: how far it was read, and which orders may still be concerned."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import orjson

from domain.orders import OpenOrder
from domain.outcomes import EventPlace


class PlacedFact(NamedTuple):
    order_id: str
    place: EventPlace


_CURSOR: Final = """
SELECT least(block_number, again_from - 1) FROM chain_cursors WHERE chain_id = $1
"""
_MOVE: Final = """
INSERT INTO chain_cursors (chain_id, block_number, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (chain_id) DO UPDATE
SET block_number = excluded.block_number, updated_at = excluded.updated_at, again_from =
    CASE WHEN chain_cursors.again_from >= $4 THEN NULL ELSE chain_cursors.again_from END
"""
_AGAIN: Final = """
UPDATE chain_cursors SET again_from = least(again_from, $2) WHERE chain_id = $1
"""
_OPEN: Final = """
SELECT id, venue, lower(owner) AS owner, tag, state, venue_refs
FROM orders WHERE NOT final AND chain_id = $1
"""
_OURS: Final = """
SELECT lower(address) FROM accounts WHERE address = ANY($1)
"""
_OVER: Final = """
SELECT id FROM orders
WHERE tag = ANY($1) AND final AND venue = $2 AND chain_id = $3 AND lower(owner) = lower($4)
"""
_FACTS: Final = """
SELECT e.order_id, e.block_number, e.block_hash, e.tx_hash, e.log_index
FROM orders o JOIN chain_events e ON e.order_id = o.id
WHERE NOT o.final AND o.chain_id = $1 AND e.chain_id = $1 AND e.undone_at IS NULL
"""
_INCLUDED: Final = """
SELECT t.order_id, t.block_number, t.block_hash, t.tx_hash, -1 AS log_index
FROM orders o JOIN tx_attempts t ON t.order_id = o.id
WHERE NOT o.final AND o.chain_id = $1 AND t.chain_id = $1 AND t.status IN ('mined', 'reverted')
"""
_SENT_BEFORE: Final = """
SELECT DISTINCT t.order_id
FROM orders o JOIN tx_attempts t ON t.order_id = o.id
WHERE NOT o.final AND o.chain_id = $1 AND t.step_id = 'order' AND t.status = 'sent'
    AND t.stored_at <= $2
"""
_UNKNOWN: Final = """
SELECT min(greatest(e.block_number, t.block_number))
FROM orders o
LEFT JOIN LATERAL (
    SELECT max(block_number) AS block_number FROM chain_events
    WHERE order_id = o.id AND undone_at IS NULL
) e ON true
LEFT JOIN LATERAL (
    SELECT max(block_number) AS block_number FROM tx_attempts
    WHERE order_id = o.id AND status IN ('mined', 'reverted')
) t ON true
WHERE NOT o.final AND o.state = 'unknown' AND o.chain_id = $1
"""


async def cursor(connection: asyncpg.Connection, chain_id: int) -> int | None:
    """The last block that was read and need not be read again; None: none was."""
    found: int | None = await connection.fetchval(_CURSOR, str(chain_id))
    return found


async def move(
    connection: asyncpg.Connection, chain_id: int, first: int, last: int, now: datetime
) -> None:
    """Those blocks were read, after all before them."""
    await connection.execute(_MOVE, str(chain_id), last, now, first)


async def read_again(connection: asyncpg.Connection, chain_id: int, block: int) -> None:
    """The logs from this block on, with the next block that comes: told twice a fact is one."""
    await connection.execute(_AGAIN, str(chain_id), block)


async def open_orders(connection: asyncpg.Connection, chain_id: int) -> list[OpenOrder]:
    return [
        OpenOrder(
            str(row["id"]),
            row["venue"],
            row["owner"],
            row["tag"],
            row["state"],
            orjson.loads(row["venue_refs"]),
        )
        for row in await connection.fetch(_OPEN, str(chain_id))
    ]


async def of_ours(connection: asyncpg.Connection, addresses: Sequence[str]) -> frozenset[str]:
    """Those of accounts, in lower case. ``addresses``: checksummed."""
    rows = await connection.fetch(_OURS, list(addresses)) if addresses else []
    return frozenset(row["lower"] for row in rows)


async def final_order(
    connection: asyncpg.Connection, tags: Sequence[bytes], venue: str, chain_id: int, owner: str
) -> str | None:
    """An order of the owner that is over for good and has one of the tags."""
    found = await connection.fetchval(_OVER, list(tags), venue, str(chain_id), owner)
    return None if found is None else str(found)


async def facts(connection: asyncpg.Connection, chain_id: int) -> list[PlacedFact]:
    """Those of open orders that stand."""
    return _places(chain_id, await connection.fetch(_FACTS, str(chain_id)))


async def included(connection: asyncpg.Connection, chain_id: int) -> list[PlacedFact]:
    """Transactions of open orders that are in a block."""
    return _places(chain_id, await connection.fetch(_INCLUDED, str(chain_id)))


async def sent_before(
    connection: asyncpg.Connection, chain_id: int, at: datetime
) -> frozenset[str]:
    """Open orders with a transaction that was taken at that time or before, and is in no block."""
    rows = await connection.fetch(_SENT_BEFORE, str(chain_id), at)
    return frozenset(str(row["order_id"]) for row in rows)


async def unknown_since(connection: asyncpg.Connection, chain_id: int) -> int | None:
    """The lowest block with the last thing known of an order that is ``unknown``; None where
    nothing is known of any, or all are known."""
    found: int | None = await connection.fetchval(_UNKNOWN, str(chain_id))
    return found


def _places(chain_id: int, rows: list[asyncpg.Record]) -> list[PlacedFact]:
    return [
        PlacedFact(
            str(row["order_id"]),
            EventPlace(
                chain_id,
                row["block_number"],
                row["block_hash"],
                row["tx_hash"],
                row["log_index"],
            ),
        )
        for row in rows
    ]
