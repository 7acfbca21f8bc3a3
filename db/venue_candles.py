"""Candles that venues told, and of which series they were asked for."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from db.instants import instant, microseconds
from domain.candles import PERIODS, Candle, bucket
from domain.units import format_e18
from runtime.clock import iso_ms


class Series(NamedTuple):
    market: str
    venue: str


class Told(NamedTuple):
    """What a venue told for one period of a series, with the periods made of it, as COPY text."""

    series: Series
    period: str
    made: tuple[str, ...]
    candles: int
    lines: bytes


def told_of(series: Series, period: str, candles: Mapping[str, Sequence[Candle]]) -> Told:
    """``candles`` by period, ``period`` among them. Pure."""
    lines = [
        "\t".join((name, *series, iso_ms(candle.t_us), *map(format_e18, candle[1:5])))
        for name, of_period in candles.items()
        for candle in of_period
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    return Told(series, period, tuple(candles), len(candles[period]), text)


_LOADED: Final = "SELECT market, venue, period FROM venue_loads WHERE market = ANY($1)"
_FIRST: Final = """
SELECT '' AS period, min(at) AS t FROM tick_history WHERE market = $1 AND venue = $2
UNION ALL
SELECT period, min(t) FROM candle_history
WHERE market = $1 AND venue = $2 AND period = ANY($3) GROUP BY period
"""
_STAGING: Final = """
CREATE TEMP TABLE IF NOT EXISTS venue_candles_staging (LIKE venue_candles) ON COMMIT DELETE ROWS
"""
_KEEP: Final = """
INSERT INTO venue_candles
SELECT told.* FROM venue_candles_staging AS told
JOIN unnest($1::text[], $2::timestamptz[]) AS cut (period, t) USING (period)
WHERE cut.t IS NULL OR told.t <= cut.t
ON CONFLICT (period, market, venue, t) DO NOTHING
"""
_NOTE: Final = """
INSERT INTO venue_loads (market, venue, period, candles) VALUES ($1, $2, $3, $4)
ON CONFLICT (market, venue, period) DO NOTHING
"""


async def not_loaded(
    connection: asyncpg.Connection, wanted: Sequence[Series], periods: Collection[str]
) -> list[tuple[Series, str]]:
    """Which periods of the series nobody has loaded. Raises what asyncpg raises."""
    rows = await connection.fetch(_LOADED, list({series.market for series in wanted}))
    done = {(row["market"], row["venue"], row["period"]) for row in rows}
    return [
        (series, period) for series in wanted for period in periods if (*series, period) not in done
    ]


async def put(connection: asyncpg.Connection, told: Told) -> None:
    """Keeps what lies before the series was recorded here, up to the candle in which that began,
    and notes that the period is done. Raises what asyncpg raises."""

    async def lines() -> AsyncIterator[bytes]:
        yield told.lines

    async with connection.transaction():
        await connection.execute(_STAGING)
        rows = await connection.fetch(_FIRST, *told.series, list(told.made))
        await connection.copy_to_table("venue_candles_staging", source=lines())
        first = {row["period"]: row["t"] for row in rows}
        cuts = []
        for period in told.made:
            begun = [at for at in (first[""], first.get(period)) if at is not None]
            start_us = microseconds(min(begun)) if begun else None
            cuts.append(None if start_us is None else instant(bucket(start_us, PERIODS[period])))
        await connection.execute(_KEEP, list(told.made), cuts)
        await connection.execute(_NOTE, *told.series, told.period, told.candles)
