"""History as the recorder writes it: ticks and samples by COPY, roll-ups, partitions, retention."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

import asyncpg

from db import rates, timescale
from db.instants import instant, microseconds
from domain.candles import MINUTE_US, PERIODS, bucket

LOCK: Final = 0x70657270_0002
"""Advisory, held by the one process that records."""

DAY_US: Final = PERIODS["1d"]
GRACE_US: Final = 2_000_000
"""A minute is rolled up this long after its end: its last batch is in by then, as a rule."""
MINUTES_AT_ONCE: Final = 30
DAYS_AHEAD: Final = 2
_DELETE_ROWS: Final = 50_000

TICKS: Final = "price_ticks"
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    TICKS: ("at", "market", "venue", "mid"),
    **rates.SAMPLES,
}
"""What is written by COPY, with its columns: a partition a day each, kept as long as ticks."""

_PARTITION: Final = re.compile(r"([a-z_]+)_(\d{4})(\d\d)(\d\d)")

_OPEN_MINUTES: Final = """
INSERT INTO candle_work (t) SELECT unnest($1::timestamptz[]) ORDER BY 1
ON CONFLICT (t) DO UPDATE SET changes = candle_work.changes + 1
"""
# DO UPDATE, not DO NOTHING: it holds the row until the ticks are committed, and a roll-up that
# would take it before waits and then sees them.
_TAKE_MINUTE: Final = """
DELETE FROM candle_work
WHERE t = (SELECT t FROM candle_work WHERE t < $1 ORDER BY t LIMIT 1 FOR UPDATE)
RETURNING t
"""
_UPSERT: Final = """
ON CONFLICT (period, market, venue, t) DO UPDATE
SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    ticks = excluded.ticks
WHERE (candles.open, candles.high, candles.low, candles.close, candles.ticks)
    IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.ticks)
"""
_FROM_TICKS: Final = f"""
INSERT INTO candles (period, market, venue, t, open, high, low, close, ticks)
SELECT '1m', market, venue, $1, (array_agg(mid ORDER BY at))[1], max(mid), min(mid),
       (array_agg(mid ORDER BY at DESC))[1], count(*)
FROM price_ticks WHERE at >= $1 AND at < $2 GROUP BY market, venue
{_UPSERT}
"""
_FROM_CANDLES: Final = f"""
INSERT INTO candles (period, market, venue, t, open, high, low, close, ticks)
SELECT $1, market, venue, $3, (array_agg(open ORDER BY t))[1], max(high), min(low),
       (array_agg(close ORDER BY t DESC))[1], sum(ticks)::bigint
FROM candles WHERE period = $2 AND t >= $3 AND t < $4 GROUP BY market, venue
{_UPSERT}
"""
_STAGING: Final = "CREATE TEMP TABLE IF NOT EXISTS {0}_staging (LIKE {0}) ON COMMIT DELETE ROWS"
_FROM_STAGING: Final = "INSERT INTO {0} SELECT * FROM {0}_staging ON CONFLICT DO NOTHING"
_EXPIRE: Final = """
DELETE FROM {0} WHERE period = $1
    AND ctid = ANY(ARRAY(SELECT ctid FROM {0} WHERE period = $1 AND t < $2 LIMIT $3))
"""
_ROLLED: Final = ("candles", "venue_candles", "spreads", "funding_rates")


async def _chunks(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class HistoryStore:
    """Writes through one connection, whose schema is up to date. Raises what asyncpg raises."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._days: set[int] = set()
        self._timescale = False

    async def prepare(self) -> None:
        table = await self._connection.fetchval("SELECT to_regclass('candle_work')::text")
        self._timescale = table is None

    async def try_lock(self) -> bool:
        """Whether this connection is the one that records, for as long as it lasts."""
        return bool(await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK))

    async def write(
        self, parts: Mapping[str, Sequence[bytes]], rows: int, minutes: Iterable[int]
    ) -> int:
        """Rows of ``TABLES`` as lines of COPY text and the minutes they are in; returns how many of
        them were not there before. All or nothing, and harmless when repeated."""
        opened = sorted(set(minutes))
        for again in (False, True):
            try:
                await self._straight(parts, opened)
                return rows
            except asyncpg.CheckViolationError:
                if again:
                    raise
                # Its day may be gone that was there before.
                self._days.clear()
            except asyncpg.UniqueViolationError:
                break
        # A batch whose commit was not heard of, or one of another recorder before this one.
        new = 0
        async with self._connection.transaction():
            for table, lines in parts.items():
                await self._connection.execute(_STAGING.format(table))
                await self._copy(f"{table}_staging", table, lines)
                done: str = await self._connection.execute(_FROM_STAGING.format(table))
                new += int(done.rpartition(" ")[2])
            await self._open(opened)
        return new

    async def _straight(self, parts: Mapping[str, Sequence[bytes]], minutes: Sequence[int]) -> None:
        await self._make_partitions(minutes)
        async with self._connection.transaction():
            for table, lines in parts.items():
                await self._copy(table, table, lines)
            await self._open(minutes)

    async def _copy(self, target: str, table: str, parts: Sequence[bytes]) -> None:
        await self._connection.copy_to_table(target, source=_chunks(parts), columns=TABLES[table])

    async def _open(self, minutes: Sequence[int]) -> None:
        if not self._timescale:
            await self._connection.execute(_OPEN_MINUTES, [instant(t) for t in minutes])

    async def roll_up(self, now_us: int) -> int:
        """Makes the candles of minutes that are over, oldest first; how many were done. Each is
        made from all its ticks, so doing it again gives the same."""
        if self._timescale:
            return 0
        before = instant(bucket(now_us - GRACE_US, MINUTE_US))
        for done in range(MINUTES_AT_ONCE):
            async with self._connection.transaction():
                minute = await self._connection.fetchval(_TAKE_MINUTE, before)
                if minute is None:
                    return done
                await self._connection.execute(_FROM_TICKS, minute, minute + timedelta(minutes=1))
                await self._widen(microseconds(minute))
                await rates.roll_up(self._connection, microseconds(minute))
        return MINUTES_AT_ONCE

    async def _widen(self, minute_us: int) -> None:
        names = [name for name in PERIODS if name != "1s"]
        for finer, coarser in pairwise(names):
            width_us = PERIODS[coarser]
            start_us = bucket(minute_us, width_us)
            await self._connection.execute(
                _FROM_CANDLES, coarser, finer, instant(start_us), instant(start_us + width_us)
            )

    async def maintain(self, now_us: int, kept_days: Mapping[str, int | None]) -> None:
        """Partitions for the days to come, none for those past keeping. ``kept_days`` by period,
        None for ever; ticks and samples are kept as long as ``1s``."""
        if self._timescale:
            await timescale.refresh(self._connection, now_us, kept_days)
            await timescale.drop_chunks(self._connection, now_us, kept_days)
        else:
            today_us = bucket(now_us, DAY_US)
            await self._make_partitions([today_us + n * DAY_US for n in range(DAYS_AHEAD + 1)])
            await self._drop_partitions(now_us, kept_days["1s"])
        rolled = ("venue_candles",) if self._timescale else _ROLLED
        for period, days in kept_days.items():
            if period != "1s" and days is not None:
                limit = instant(now_us - days * DAY_US)
                for table in rolled:
                    done, expire = "DELETE 1", _EXPIRE.format(table)
                    while done != "DELETE 0":
                        done = await self._connection.execute(expire, period, limit, _DELETE_ROWS)

    async def _drop_partitions(self, now_us: int, kept_days: int | None) -> None:
        if kept_days is None:
            return
        limit_us = now_us - kept_days * DAY_US - DAY_US
        over = {name: at for name, at in (await self.partitions()).items() if at <= limit_us}
        # After a long pause there may be minutes among them that nothing was made of yet.
        while over and await self.roll_up(max(over.values()) + DAY_US + GRACE_US):
            pass
        for name, day_us in over.items():
            await self._connection.execute(f"DROP TABLE IF EXISTS {name}")
            self._days.discard(day_us)

    async def partitions(self) -> Mapping[str, int]:
        """Name and first microsecond of every day of a table."""
        rows = await self._connection.fetch(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = ANY($1::text[]::regclass[]) ORDER BY relname",
            list(TABLES),
        )
        found = {}
        for row in rows:
            if match := _PARTITION.fullmatch(row["relname"]):
                year, month, day = map(int, match.groups()[1:])
                start = instant(0).replace(year=year, month=month, day=day)
                found[row["relname"]] = microseconds(start)
        return found

    async def _make_partitions(self, times: Iterable[int]) -> None:
        if self._timescale:
            return
        for day_us in sorted({bucket(at_us, DAY_US) for at_us in times} - self._days):
            first, last = instant(day_us), instant(day_us + DAY_US)
            for table in TABLES:
                await self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table}_{first:%Y%m%d} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{first.isoformat()}') TO ('{last.isoformat()}')"
                )
            self._days.add(day_us)
