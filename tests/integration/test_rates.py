"""Spreads and funding over time, in a real Postgres."""

import random
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from aggregator.recorder import Chunk, Recorder
from db import rates
from db.history import DAY_US, TICKS, HistoryStore
from db.instants import Span, microseconds
from db.rates import Page
from domain.candles import BEST, MINUTE_US, PERIODS, Tick, bucket
from domain.units import E18
from runtime.clock import iso_ms
from tests.integration.history_kit import KEPT, chunk, database, opened

START_US = 1_795_392_000_000_000
FAR_US = START_US + 10 * DAY_US
EVERY = Span(0, FAR_US, 1_000)
SPREAD_US, FUNDING_US = 10_000_000, 300_000_000

TAB = "\t"


@pytest.fixture
async def opened_store(
    embedded_postgres_dsn: str,
) -> AsyncIterator[tuple[asyncpg.Connection, HistoryStore]]:
    async with database(embedded_postgres_dsn) as url:
        connection, store = await opened(url)
        yield connection, store
        await connection.close()


def spread_chunk(at_us: int, *rows: tuple[str, str, str]) -> Chunk:
    lines = [f"{iso_ms(at_us)}\tBTC-USD\t{TAB.join(row)}\n" for row in rows]
    return Chunk(at_us, len(lines), "".join(lines).encode(), "spread_samples")


def funding_chunk(at_us: int, *rows: Sequence[str]) -> Chunk:
    lines = [f"{iso_ms(at_us)}\tBTC-USD\t{TAB.join(row)}\n" for row in rows]
    return Chunk(at_us, len(lines), "".join(lines).encode(), "funding_samples")


async def write(store: HistoryStore, chunks: Sequence[Chunk]) -> int:
    parts: dict[str, list[bytes]] = {}
    for item in chunks:
        parts.setdefault(item.table, []).append(item.lines)
    minutes = {bucket(item.at_us, MINUTE_US) for item in chunks}
    return await store.write(parts, sum(item.rows for item in chunks), minutes)


async def roll_all(store: HistoryStore) -> None:
    while await store.roll_up(FAR_US):
        pass


def some_spreads(seed: int) -> dict[int, Decimal]:
    """By time, with a gap of an hour."""
    rng = random.Random(seed)
    times = range(START_US, START_US + 3 * PERIODS["1h"], SPREAD_US)
    gap = range(START_US + PERIODS["1h"], START_US + 2 * PERIODS["1h"])
    return {t: Decimal(rng.randrange(-50_000, 100_000)) / 10_000 for t in times if t not in gap}


def expected(samples: dict[int, Decimal], period: str) -> list[tuple[int, Any, Any, Any, int]]:
    found: dict[int, list[Decimal]] = {}
    for at_us, value in samples.items():
        found.setdefault(bucket(at_us, PERIODS[period]), []).append(value)
    return [
        (t_us, sum(values), min(values), max(values), len(values))
        for t_us, values in sorted(found.items())
    ]


async def check(connection: asyncpg.Connection, samples: dict[int, Decimal]) -> None:
    for period in ("5m", "1h", "1d"):
        rows = await rates.spreads(connection, "BTC-USD", Page(period, EVERY))
        read = [
            (microseconds(r["t"]), r["spread_sum"], r["spread_low"], r["spread_high"], r["samples"])
            for r in rows
            if r["venue"] == BEST
        ]
        assert read == expected(samples, period), period
        negated = [(-r["offset_sum"], -r["offset_high"]) for r in rows if r["venue"] == BEST]
        assert negated == [(total, low) for _, total, low, _, _ in expected(samples, period)]


async def test_buckets_of_spreads_are_what_their_samples_say_also_late_and_repeated(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    samples = some_spreads(1)
    chunks = [
        spread_chunk(t, (BEST, f"{v:f}", f"{-v:f}"), ("dydx", "1", "0")) for t, v in samples.items()
    ]
    late = chunks[100:150]
    assert await write(store, [item for item in chunks if item not in late]) == 2 * (720 - 50)
    await roll_all(store)
    assert await write(store, late) == 100
    assert await write(store, late) == 0
    await roll_all(store)
    await check(connection, samples)


async def test_pages_hold_all_venues_of_a_bucket(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    times = range(START_US, START_US + PERIODS["1h"], PERIODS["5m"])
    rows = ((BEST, "1", "0"), ("dydx", "2", "0"), ("gmx", "3", "0"))
    await write(store, [spread_chunk(t, *rows) for t in times])
    await roll_all(store)
    for newest, starts in ((False, times[:5]), (True, times[-5:])):
        page = Page("5m", Span(0, FAR_US, 5, newest))
        found = await rates.spreads(connection, "BTC-USD", page)
        assert [(microseconds(r["t"]), r["venue"]) for r in found] == [
            (t, venue) for t in starts for venue in (BEST, "dydx", "gmx")
        ]
    assert await rates.spreads(connection, "ETH-USD", Page("5m", EVERY)) == []


async def test_buckets_of_funding_keep_pools_and_what_is_not_known(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    book = ("dydx", "", "0.00001", "0.00001", "\\N", "\\N", "10", "10")
    times = range(START_US, START_US + 2 * PERIODS["1h"], FUNDING_US)
    chunks = [
        funding_chunk(t, book, ("gmx", "a", f"0.{n:03}", "0.1", "0.2", "0.3", "\\N", str(n)))
        for n, t in enumerate(times)
    ]
    await write(store, chunks)
    await roll_all(store)
    first, *_, last = await rates.funding(connection, "BTC-USD", Page("1h", EVERY))
    assert (first["venue"], first["pool"], first["long_sum"]) == ("dydx", "", Decimal("0.00012"))
    assert first["borrow_long_sum"] is None
    assert (last["venue"], last["samples"]) == ("gmx", 12)
    assert last["long_sum"] == sum((Decimal(n) / 1000 for n in range(12, 24)), Decimal(0))
    assert (last["oi_long_usd"], last["oi_short_usd"]) == (None, 23)
    _, day = await rates.funding(connection, "BTC-USD", Page("1d", EVERY))
    assert (day["samples"], day["borrow_short_sum"]) == (24, Decimal("7.2"))


async def test_a_rate_that_is_refused_takes_no_tick_with_it(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store

    async def nothing(of: asyncpg.Connection, writing: bool) -> None:
        del of, writing

    recorder = Recorder("postgresql://nobody@127.0.0.1:1/none", dict.fromkeys(KEPT), nothing)
    recorder.put(chunk("BTC-USD", BEST, Tick(START_US, E18)))
    recorder.put(funding_chunk(START_US, ("dydx", "", "no number", *["\\N"] * 5)))
    recorder.put(spread_chunk(START_US, (BEST, "1", "0")))
    await recorder._write_all(store)
    for table, rows in ((TICKS, 1), ("funding_samples", 0), ("spread_samples", 1)):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == rows
