"""What the operators say about openings, and who said it: every change has a row in ``audit``."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg

from db.orders import as_json
from domain.ids import VenueId
from domain.risk import Limits

EVERYWHERE: Final = ""
"""In place of a venue."""

_READ: Final = "SELECT venue, openings_stopped_at, max_notional_usd FROM trading_limits"
_STOP: Final = """
INSERT INTO trading_limits (venue, openings_stopped_at) VALUES ($1, $2)
ON CONFLICT (venue) DO UPDATE SET openings_stopped_at =
    CASE WHEN $2::timestamptz IS NULL THEN NULL
    ELSE coalesce(trading_limits.openings_stopped_at, $2) END
"""
_BOUND: Final = """
INSERT INTO trading_limits (venue, max_notional_usd) VALUES ($1, $2)
ON CONFLICT (venue) DO UPDATE SET max_notional_usd = excluded.max_notional_usd
"""
_AUDIT: Final = """
INSERT INTO audit (at, account_id, actor, action, subject, data) VALUES ($1, $2, $3, $4, $5, $6)
"""


class Said(NamedTuple):
    """Who does something, when and why."""

    actor: str
    reason: str
    at: datetime


class LimitRow(NamedTuple):
    venue: str
    openings_stopped_at: datetime | None
    max_notional_usd: Decimal | None


async def rows(connection: asyncpg.Connection) -> list[LimitRow]:
    return [LimitRow(**row) for row in await connection.fetch(_READ)]


async def read(connection: asyncpg.Connection) -> Limits:
    """Those of now."""
    known = {row.venue: row for row in await rows(connection)}
    everywhere = known.pop(EVERYWHERE, LimitRow(EVERYWHERE, None, None))
    return Limits(
        everywhere.openings_stopped_at is not None,
        frozenset(VenueId(row.venue) for row in known.values() if row.openings_stopped_at),
        everywhere.max_notional_usd,
        {
            VenueId(row.venue): row.max_notional_usd
            for row in known.values()
            if row.max_notional_usd is not None
        },
    )


async def stop(connection: asyncpg.Connection, venue: str, said: Said) -> None:
    """Nothing is opened there from now on."""
    async with connection.transaction():
        await connection.execute(_STOP, venue, said.at)
        await audit(connection, said, "stop_openings", venue or "all", {})


async def resume(connection: asyncpg.Connection, venue: str, said: Said) -> None:
    async with connection.transaction():
        await connection.execute(_STOP, venue, None)
        await audit(connection, said, "resume_openings", venue or "all", {})


async def bound(
    connection: asyncpg.Connection, venue: str, most_usd: Decimal | None, said: Said
) -> None:
    """``most_usd``: of one order; None: no limit."""
    async with connection.transaction():
        await connection.execute(_BOUND, venue, most_usd)
        told = {"max_notional_usd": None if most_usd is None else str(most_usd)}
        await audit(connection, said, "limit_openings", venue or "all", told)


async def audit(
    connection: asyncpg.Connection,
    said: Said,
    action: str,
    subject: str,
    data: Mapping[str, object],
    account_id: str | None = None,
) -> None:
    """In a transaction of the caller."""
    told = as_json({**data, "reason": said.reason})
    await connection.execute(_AUDIT, said.at, account_id, said.actor, action, subject, told)
