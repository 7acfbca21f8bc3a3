"""Spreads and funding over time: what the recorder samples, how it is rolled up, pages of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from db.instants import Span, instant
from domain.candles import MINUTE_US, PERIODS, bucket

SAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "spread_samples": ("at", "market", "venue", "spread_bps", "offset_bps"),
    "funding_samples": (
        "at", "market", "venue", "pool", "per_hour", "short_per_hour", "borrow_long_per_hour",
        "borrow_short_per_hour", "oi_long_usd", "oi_short_usd",
    ),
}  # fmt: skip
"""Columns by table."""

FUNDING_SAMPLE_US: Final = 5 * MINUTE_US
"""Funding is sampled at times that this divides."""

_SPREADS: Final = """
INSERT INTO spreads (period, market, venue, t, spread_sum, spread_low, spread_high, offset_sum,
                     offset_low, offset_high, samples)
SELECT $1, market, venue, $2, {columns}
FROM {source} GROUP BY market, venue
ON CONFLICT (period, market, t, venue) DO UPDATE
SET spread_sum = excluded.spread_sum, spread_low = excluded.spread_low,
    spread_high = excluded.spread_high, offset_sum = excluded.offset_sum,
    offset_low = excluded.offset_low, offset_high = excluded.offset_high,
    samples = excluded.samples
"""
_SPREADS_FROM_SAMPLES: Final = _SPREADS.format(
    columns="sum(spread_bps), min(spread_bps), max(spread_bps), sum(offset_bps), min(offset_bps),"
    " max(offset_bps), count(*)",
    source="spread_samples WHERE at >= $2 AND at < $3",
)
_SPREADS_FROM_SPREADS: Final = _SPREADS.format(
    columns="sum(spread_sum), min(spread_low), max(spread_high), sum(offset_sum),"
    " min(offset_low), max(offset_high), sum(samples)::bigint",
    source="spreads WHERE period = $4 AND t >= $2 AND t < $3",
)
_FUNDING: Final = """
INSERT INTO funding_rates (period, market, venue, pool, t, long_sum, short_sum, borrow_long_sum,
                           borrow_short_sum, oi_long_usd, oi_short_usd, samples)
SELECT $1, market, venue, pool, $2, {columns}
FROM {source} GROUP BY market, venue, pool
ON CONFLICT (period, market, t, venue, pool) DO UPDATE
SET long_sum = excluded.long_sum, short_sum = excluded.short_sum,
    borrow_long_sum = excluded.borrow_long_sum, borrow_short_sum = excluded.borrow_short_sum,
    oi_long_usd = excluded.oi_long_usd, oi_short_usd = excluded.oi_short_usd,
    samples = excluded.samples
"""
_FUNDING_FROM_SAMPLES: Final = _FUNDING.format(
    columns="sum(per_hour), sum(short_per_hour), sum(borrow_long_per_hour),"
    " sum(borrow_short_per_hour), (array_agg(oi_long_usd ORDER BY at DESC))[1],"
    " (array_agg(oi_short_usd ORDER BY at DESC))[1], count(*)",
    source="funding_samples WHERE at >= $2 AND at < $3",
)
_FUNDING_FROM_RATES: Final = _FUNDING.format(
    columns="sum(long_sum), sum(short_sum), sum(borrow_long_sum), sum(borrow_short_sum),"
    " (array_agg(oi_long_usd ORDER BY t DESC))[1],"
    " (array_agg(oi_short_usd ORDER BY t DESC))[1], sum(samples)::bigint",
    source="funding_rates WHERE period = $4 AND t >= $2 AND t < $3",
)


async def roll_up(connection: asyncpg.Connection, minute_us: int) -> None:
    """Makes the buckets around a minute again, each from all that is in it."""
    await _bucket(connection, _SPREADS_FROM_SAMPLES, minute_us, "5m")
    await _bucket(connection, _SPREADS_FROM_SPREADS, minute_us, "1h", "5m")
    await _bucket(connection, _SPREADS_FROM_SPREADS, minute_us, "1d", "1h")
    if minute_us % FUNDING_SAMPLE_US == 0:
        await _bucket(connection, _FUNDING_FROM_SAMPLES, minute_us, "1h")
        await _bucket(connection, _FUNDING_FROM_RATES, minute_us, "1d", "1h")


async def _bucket(
    connection: asyncpg.Connection, sql: str, at_us: int, period: str, *finer: str
) -> None:
    start_us = bucket(at_us, PERIODS[period])
    end_us = start_us + PERIODS[period]
    await connection.execute(sql, period, instant(start_us), instant(end_us), *finer)


# Pages ------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """Which buckets are asked for: all venues of ``span.limit`` of them."""

    period: str
    span: Span


_BUCKETS: Final = """
SELECT DISTINCT t FROM {view}
WHERE period = $1 AND market = $2 AND t >= $3 AND t < $4 ORDER BY t {order} LIMIT $5
"""
_ROWS: Final = (
    "SELECT * FROM {view} WHERE period = $1 AND market = $2 AND t = ANY($3) ORDER BY {by}"
)


async def spreads(connection: asyncpg.Connection, market: str, page: Page) -> Sequence[Any]:
    """Rows of ``spread_history`` by time and venue. Raises what asyncpg raises."""
    return await _rows(connection, "spread_history", "t, venue", market, page)


async def funding(connection: asyncpg.Connection, market: str, page: Page) -> Sequence[Any]:
    """Rows of ``funding_history`` by time, venue and pool. Raises what asyncpg raises."""
    return await _rows(connection, "funding_history", "t, venue, pool", market, page)


async def _rows(
    connection: asyncpg.Connection, view: str, by: str, market: str, page: Page
) -> Sequence[Any]:
    span = page.span
    times = await connection.fetch(
        _BUCKETS.format(view=view, order="DESC" if span.newest else ""),
        page.period, market, instant(span.from_us), instant(span.to_us), span.limit,
    )  # fmt: skip
    rows: Sequence[Any] = await connection.fetch(
        _ROWS.format(view=view, by=by), page.period, market, [row["t"] for row in times]
    )
    return rows
