"""Where TimescaleDB keeps the history: whether it can, and what the recorder sees to. Not run yet
against a TimescaleDB."""

from collections.abc import Mapping
from typing import Final

import asyncpg

from db import rates
from db.instants import instant, microseconds
from domain.candles import MINUTE_US, PERIODS, bucket

AGGREGATES: Final[Mapping[str, str]] = {
    **{f"candles_{period}": period for period in PERIODS if period != "1s"},
    "spreads_5m": "5m",
    "spreads_1h": "1h",
    "spreads_1d": "1d",
    "funding_1h": "1h",
    "funding_1d": "1d",
}
"""Continuous aggregates with their periods; what one is made of stands before it."""

_OLDEST_VERSION: Final = (2, 9)
"""The first in which an aggregate can be made of another."""
_DAY_US: Final = PERIODS["1d"]

# Loaded as well: where it is only installed, creating it ends the connection.
_LOADED: Final = """
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
    AND EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')
"""
_VERSION: Final = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
_LICENSE: Final = "SELECT current_setting('timescaledb.license', true)"
_REFRESH: Final = "CALL refresh_continuous_aggregate('{}', '{}'::timestamptz, '{}'::timestamptz)"
_DROP: Final = "SELECT drop_chunks($1::text::regclass, older_than => $2::timestamptz)"


async def is_usable(connection: asyncpg.Connection) -> bool:
    """Whether the server has TimescaleDB in an edition and version with the aggregates that are
    needed. Creates the extension where that is allowed; outside of a transaction, because it can be
    created only once on a connection."""
    if not await connection.fetchval(_LOADED):
        return False
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except asyncpg.InsufficientPrivilegeError:
        return False
    version: str = await connection.fetchval(_VERSION)
    major, minor = (int(part) for part in version.split(".")[:2])
    # The Apache edition has none.
    return (major, minor) >= _OLDEST_VERSION and await connection.fetchval(_LICENSE) != "apache"


async def refresh(
    connection: asyncpg.Connection, now_us: int, kept_days: Mapping[str, int | None]
) -> None:
    """Makes of the ticks that are there what no policy makes any more: those that came after its
    window, and the last before a server was away for longer. To be done before ticks are dropped.
    Raises what asyncpg raises."""
    oldest = await connection.fetchval("SELECT min(at) FROM price_ticks")
    if oldest is None:
        return
    # Chunks end at midnight: from the first one on nothing of any bucket is missing.
    start_us = bucket(microseconds(oldest), _DAY_US)
    for period, days in kept_days.items():
        if period != "1s" and days is not None:
            start_us = max(start_us, bucket(now_us - days * _DAY_US, _DAY_US) + _DAY_US)
    for name, period in AGGREGATES.items():
        end_us = bucket(now_us - MINUTE_US, PERIODS[period])
        if start_us < end_us:
            times = (instant(us).isoformat() for us in (start_us, end_us))
            # It commits in between, which only a simple query lets it.
            await connection.execute(_REFRESH.format(name, *times))


async def drop_chunks(
    connection: asyncpg.Connection, now_us: int, kept_days: Mapping[str, int | None]
) -> None:
    """Whole chunks of what is past keeping; ticks and samples go with ``1s``. Raises what asyncpg
    raises."""
    kept_like = {"price_ticks": "1s", **dict.fromkeys(rates.SAMPLES, "1s"), **AGGREGATES}
    for table, period in kept_like.items():
        days = kept_days[period]
        if days is not None:
            await connection.execute(_DROP, table, instant(now_us - days * _DAY_US))
