"""Candles as readers get them: what was rolled up, of minutes that are still open what their ticks
say, and before a series was recorded what its venue told."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import asyncpg

from db.instants import Span, instant, microseconds
from domain.candles import (
    BEST,
    MINUTE_US,
    PERIODS,
    Candle,
    Tick,
    bucket,
    fold,
    joined,
    widened,
)
from domain.units import parse_decimal, power10

TICKS_A_SECOND: Final = 4
"""At most, of one series: the recorder samples every 250 ms."""

_TICKS: Final = """
SELECT at, mid::text AS mid FROM tick_history
WHERE market = $1 AND venue = $2 AND at >= $3 AND at < $4 ORDER BY at {order} LIMIT $5
"""
_OPEN: Final = "SELECT t FROM open_minutes WHERE t >= $1 AND t < $2 ORDER BY t"
_CANDLES: Final = """
SELECT t, open::text AS open, high::text AS high, low::text AS low, close::text AS close, ticks
FROM candle_history
WHERE period = $1 AND market = $2 AND venue = $3 AND t >= $4 AND t < $5 ORDER BY t {order} LIMIT $6
"""
_TOLD: Final = """
SELECT t, open::text AS open, high::text AS high, low::text AS low, close::text AS close, 0 AS ticks
FROM venue_candles
WHERE period = $1 AND market = $2 AND venue = $3 AND t >= $4 AND t < $5 ORDER BY t {order} LIMIT $6
"""


def _e18(text: str) -> int:
    digits, decimals = parse_decimal(text)
    return digits * power10(18 - decimals)


def _candle(row: asyncpg.Record) -> Candle:
    return Candle(
        microseconds(row["t"]),
        _e18(row["open"]),
        _e18(row["high"]),
        _e18(row["low"]),
        _e18(row["close"]),
        int(row["ticks"]),
    )


class CandleReader:
    """Reads of one series at one moment, on a connection of the caller. Raises what asyncpg
    raises."""

    def __init__(self, connection: asyncpg.Connection, market: str, venue: str) -> None:
        self._connection = connection
        self._market = market
        self._venue = venue

    async def read(self, period: str, span: Span) -> list[Candle]:
        """By time."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            if period == "1s":
                return await self._seconds(span)
            recorded = await self._recorded(period, span)
            if self._venue == BEST:
                return recorded
            found = {candle.t_us: candle for candle in recorded}
            for told in await self._stored(_TOLD, period, span):
                # Both only where recording began: the venue knows what was before.
                own = found.get(told.t_us)
                found[told.t_us] = told if own is None else joined(told, own)
            return _cut([found[t_us] for t_us in sorted(found)], span)

    async def _seconds(self, span: Span) -> list[Candle]:
        width_us = PERIODS["1s"]
        start_us = -(-span.from_us // width_us) * width_us
        end_us = -(-span.to_us // width_us) * width_us
        # The last second of the cut may be a part of itself: it is beyond the limit then.
        most = TICKS_A_SECOND * (span.limit + 1)
        ticks = await self._ticks(Span(start_us, end_us, most, span.newest))
        return _cut(fold(ticks, width_us), span)

    async def _recorded(self, period: str, span: Span) -> list[Candle]:
        width_us = PERIODS[period]
        found = {c.t_us: c for c in await self._stored(_CANDLES, period, span)}
        # A bucket begins before the end of the range and may go on behind it.
        rows = await self._connection.fetch(
            _OPEN, instant(span.from_us), instant(span.to_us + width_us)
        )
        minutes = {microseconds(row["t"]) for row in rows}
        first_us, last_us = span.from_us, span.to_us - 1
        if len(found) >= span.limit:
            first_us, last_us = (min(found), last_us) if span.newest else (first_us, max(found))
        for t_us in sorted({bucket(minute, width_us) for minute in minutes}):
            if first_us <= t_us <= last_us:
                within = [minute for minute in minutes if bucket(minute, width_us) == t_us]
                for candle in await self._made(t_us, width_us, within):
                    found[t_us] = candle
        return _cut([found[t_us] for t_us in sorted(found)], span)

    async def _made(self, t_us: int, width_us: int, open_minutes: Iterable[int]) -> list[Candle]:
        """The candle of one bucket from its minutes."""
        again = set(open_minutes)
        whole = Span(t_us, t_us + width_us, width_us // MINUTE_US)
        stored = await self._stored(_CANDLES, "1m", whole)
        minutes = [candle for candle in stored if candle.t_us not in again]
        for minute in again:
            span = Span(minute, minute + MINUTE_US, TICKS_A_SECOND * 60)
            minutes += fold(await self._ticks(span), MINUTE_US)
        return widened(minutes, width_us)

    async def _stored(self, sql: str, period: str, span: Span) -> list[Candle]:
        rows = await self._connection.fetch(
            sql.format(order="DESC" if span.newest else ""),
            period, self._market, self._venue, instant(span.from_us), instant(span.to_us),
            span.limit,
        )  # fmt: skip
        return [_candle(row) for row in rows]

    async def _ticks(self, span: Span) -> list[Tick]:
        rows = await self._connection.fetch(
            _TICKS.format(order="DESC" if span.newest else ""),
            self._market, self._venue, instant(span.from_us), instant(span.to_us), span.limit,
        )  # fmt: skip
        return [Tick(microseconds(row["at"]), _e18(row["mid"])) for row in rows]


def _cut(candles: list[Candle], span: Span) -> list[Candle]:
    return candles[-span.limit :] if span.newest else candles[: span.limit]


_BEFORE: Final = """
SELECT market, t, open::text AS open, high::text AS high, low::text AS low, close::text AS close,
       ticks
FROM candle_history
WHERE period = $1 AND venue = $2 AND market = ANY($3) AND t >= $4 AND t < $5
"""
_TICKS_BEFORE: Final = """
SELECT market, at, mid::text AS mid FROM tick_history
WHERE venue = $1 AND market = ANY($2) AND at >= $3 AND at < $4
"""


async def parts_before(
    connection: asyncpg.Connection, markets: Sequence[str], venue: str, before_us: int
) -> Mapping[str, list[Candle]] | None:
    """What the day holds up to a time, by market: the widest candles that are over, then finer
    ones, then single ticks. None while a minute of it is not rolled up yet."""
    minute_us = bucket(before_us, MINUTE_US)
    if await connection.fetchval(_OPEN, instant(0), instant(minute_us)) is not None:
        return None
    found: dict[str, list[Candle]] = {}
    names = [name for name in PERIODS if name != "1s"]
    for finer, coarser in pairwise(names):
        start_us = bucket(before_us, PERIODS[coarser])
        end_us = bucket(before_us, PERIODS[finer])
        rows = await connection.fetch(
            _BEFORE, finer, venue, markets, instant(start_us), instant(end_us)
        )
        for row in rows:
            found.setdefault(row["market"], []).append(_candle(row))
    rows = await connection.fetch(
        _TICKS_BEFORE, venue, markets, instant(minute_us), instant(before_us)
    )
    for row in rows:
        price = _e18(row["mid"])
        tick = Candle(microseconds(row["at"]), price, price, price, price, 1)
        found.setdefault(row["market"], []).append(tick)
    return found
