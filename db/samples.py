"""Sample data for a sandbox: what is there already is never mixed with what is made up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from db import accounts
from db.instants import microseconds


class First(NamedTuple):
    """The oldest tick of a series. ``mid``: exact, as text."""

    at_us: int
    mid: str


_FIRST: Final = """
SELECT at, mid::text AS mid FROM tick_history
WHERE market = $1 AND venue = $2 ORDER BY at LIMIT 1
"""
_TOLD: Final = "SELECT EXISTS (SELECT FROM venue_candles WHERE market = $1 AND venue = $2)"


async def first_tick(connection: asyncpg.Connection, market: str, venue: str) -> First | None:
    """Raises what asyncpg raises."""
    row = await connection.fetchrow(_FIRST, market, venue)
    return None if row is None else First(microseconds(row["at"]), row["mid"])


async def is_told(connection: asyncpg.Connection, market: str, venue: str) -> bool:
    """Whether the venue itself told candles of the time before. Raises what asyncpg raises."""
    return bool(await connection.fetchval(_TOLD, market, venue))


async def ensure_accounts(
    connection: asyncpg.Connection, addresses: Sequence[str], now: datetime
) -> None:
    """Raises what asyncpg raises."""
    async with connection.transaction():
        for address in addresses:
            await accounts.ensure(connection, address, accounts.EVERY_CHAIN, now)
