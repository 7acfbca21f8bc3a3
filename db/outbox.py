"""What the executor has to look at, until it has; and what it could not deal with."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg


class Entry(NamedTuple):
    id: int
    order_id: str
    version: int


_ANY_WAITS: Final = "SELECT EXISTS (SELECT FROM outbox WHERE relayed_at IS NULL)"
_WAITING: Final = """
SELECT id, order_id, version FROM outbox WHERE relayed_at IS NULL
ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
# Of an order only the newest is told again.
_LOST: Final = """
SELECT id, order_id, version FROM outbox
WHERE done_at IS NULL AND relayed_at < now() - $2::interval
ORDER BY relayed_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_RELAYED: Final = "UPDATE outbox SET relayed_at = now() WHERE id = ANY($1)"
_OLDEST: Final = """
SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM outbox WHERE relayed_at IS NULL
"""
_FORGET: Final = """
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE done_at < now() - $1::interval LIMIT $2)
"""


async def any_waits(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval(_ANY_WAITS))


async def waiting(connection: asyncpg.Connection, count: int) -> list[Entry]:
    """Within a transaction: nobody else takes them until it ends."""
    return _entries(await connection.fetch(_WAITING, count))


async def lost(connection: asyncpg.Connection, count: int, after: timedelta) -> list[Entry]:
    """Relayed so long ago that the stream must have lost them. Within a transaction, as above."""
    return _entries(await connection.fetch(_LOST, count, after))


async def relayed(connection: asyncpg.Connection, entries: list[Entry]) -> None:
    await connection.execute(_RELAYED, [entry.id for entry in entries])


async def oldest_s(connection: asyncpg.Connection) -> float:
    """Age of the oldest entry that waits; 0 for none."""
    age: float = await connection.fetchval(_OLDEST)
    return age


async def forget(connection: asyncpg.Connection, after: timedelta, count: int) -> None:
    """Deletes what was done so long ago, at most so many."""
    await connection.execute(_FORGET, after, count)


def _entries(rows: list[asyncpg.Record]) -> list[Entry]:
    return [Entry(row["id"], str(row["order_id"]), row["version"]) for row in rows]


# Dead letters -------------------------------------------------------------------------------------


class DeadLetter(NamedTuple):
    """``deliveries``: how often it was tried. ``version``: of the order then. ``replayed_at``: also
    when the chain turned out to have the order."""

    id: int
    order_id: str
    version: int
    deliveries: int
    code: str
    message: str
    created_at: datetime
    replayed_at: datetime | None


_COLUMNS: Final = "id, order_id, version, deliveries, code, message, created_at, replayed_at"
_BURY: Final = """
INSERT INTO dead_letters (order_id, version, deliveries, code, message, created_at)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM dead_letters WHERE replayed_at IS NULL ORDER BY id DESC LIMIT $1
"""
_SHOW: Final = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = $1"
_REPLAY: Final = """
UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL RETURNING order_id
"""
_LIVES: Final = """
UPDATE dead_letters SET replayed_at = $2
WHERE id = (SELECT max(id) FROM dead_letters WHERE order_id = $1)
"""


async def bury(
    connection: asyncpg.Connection,
    order_id: str,
    version: int,
    deliveries: int,
    code: str,
    message: str,
    now: datetime,
) -> int:
    number: int = await connection.fetchval(
        _BURY, order_id, version, deliveries, code, message[:500], now
    )
    return number


async def dead_letters(connection: asyncpg.Connection, count: int) -> list[DeadLetter]:
    """Those that nobody replayed, the newest first."""
    return [_letter(row) for row in await connection.fetch(_LIST, count)]


async def dead_letter(connection: asyncpg.Connection, number: int) -> DeadLetter | None:
    row = await connection.fetchrow(_SHOW, number)
    return None if row is None else _letter(row)


async def take_dead(connection: asyncpg.Connection, number: int, now: datetime) -> str | None:
    """The order of a letter that is replayed now, for the first time; else None."""
    found = await connection.fetchval(_REPLAY, number, now)
    return None if found is None else str(found)


async def lives(connection: asyncpg.Connection, order_id: str, since: datetime | None) -> None:
    """The chain has an order that is dead, so that nobody has to replay it; None: not any more."""
    await connection.execute(_LIVES, order_id, since)


def _letter(row: asyncpg.Record) -> DeadLetter:
    number, order_id, *rest = row
    return DeadLetter(number, str(order_id), *rest)
