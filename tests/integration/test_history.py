"""Ticks and candles in a real Postgres."""

import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from db.candles import CandleReader, parts_before
from db.history import DAY_US, TABLES, TICKS, HistoryStore
from db.instants import Span
from db.migrate import FOLDER, MigrationError, load, migrate
from domain.candles import BEST, MINUTE_US, PERIODS, SECOND_US, Candle, Tick, bucket, fold, widened
from domain.units import E18
from tests.integration.history_kit import KEPT, database, opened, write

START_US = 1_795_392_000_000_000
"""Midnight of some day."""
FAR_US = START_US + 10 * DAY_US


@pytest.fixture
async def url(embedded_postgres_dsn: str) -> AsyncIterator[str]:
    async with database(embedded_postgres_dsn) as name:
        yield name


@pytest.fixture
async def opened_store(url: str) -> AsyncIterator[tuple[asyncpg.Connection, HistoryStore]]:
    connection, store = await opened(url)
    yield connection, store
    await connection.close()


def some_ticks(seed: int, seconds: int, start_us: int = START_US) -> list[Tick]:
    """With gaps of many minutes, and prices that need every digit."""
    rng = random.Random(seed)
    found = []
    for second in range(seconds):
        if second // 700 % 3 != 1:
            for quarter in range(rng.randrange(5)):
                at_us = start_us + second * SECOND_US + quarter * 250_000
                found.append(Tick(at_us, rng.randrange(1, 10**23)))
    return found


async def check(
    connection: asyncpg.Connection, venue: str, ticks: list[Tick], market: str = "BTC-USD"
) -> None:
    """Every period says what the ticks say."""
    reader = CandleReader(connection, market, venue)
    for period, width_us in PERIODS.items():
        read = await reader.read(period, Span(START_US - DAY_US, FAR_US, 100_000))
        assert read == fold(ticks, width_us), period


async def roll_all(store: HistoryStore, now_us: int = FAR_US) -> None:
    while await store.roll_up(now_us):
        pass


async def test_candles_are_the_same_before_while_and_after_they_are_rolled_up(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    best, dydx = some_ticks(1, 4_000), some_ticks(2, 4_000)
    await write(store, "BTC-USD", BEST, best)
    await write(store, "BTC-USD", "dydx", dydx)
    await check(connection, BEST, best)
    assert await store.roll_up(START_US + 20 * MINUTE_US) > 0
    await check(connection, BEST, best)
    await check(connection, "dydx", dydx)
    await roll_all(store)
    assert await connection.fetchval("SELECT count(*) FROM candle_work") == 0
    await check(connection, BEST, best)
    await check(connection, "dydx", dydx)


async def test_late_ticks_open_their_minutes_again(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    every = some_ticks(3, 3_000)
    late = every[100:200]
    rest = [tick for tick in every if tick not in late]
    await write(store, "BTC-USD", BEST, rest)
    await roll_all(store)
    await check(connection, BEST, rest)
    await write(store, "BTC-USD", BEST, late)
    await check(connection, BEST, every)
    await roll_all(store)
    await check(connection, BEST, every)


async def test_a_batch_written_twice_counts_once(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    ticks = some_ticks(4, 600)
    assert await write(store, "BTC-USD", BEST, ticks[:500]) == 500
    assert await write(store, "BTC-USD", BEST, ticks[:500]) == 0
    await roll_all(store)
    assert await write(store, "BTC-USD", BEST, ticks[400:]) == len(ticks) - 500
    await roll_all(store)
    await check(connection, BEST, ticks)


async def test_a_roll_up_waits_for_ticks_that_are_being_written(
    url: str, opened_store: tuple[asyncpg.Connection, HistoryStore]
) -> None:
    connection, store = opened_store
    ticks = some_ticks(5, 120)
    await write(store, "BTC-USD", BEST, ticks[:50])
    other, other_store = await opened(url)
    await other.execute("SET lock_timeout = '200ms'")
    async with connection.transaction():
        await write(store, "BTC-USD", BEST, ticks[50:])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other_store.roll_up(FAR_US)
    await roll_all(other_store)
    await check(other, BEST, ticks)
    await other.close()


async def test_what_an_earlier_process_saw_of_the_forming_candles(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    ticks = some_ticks(6, 30_000)
    await write(store, "BTC-USD", BEST, ticks)
    before_us = START_US + 29_000 * SECOND_US + 750_000
    assert await parts_before(connection, ["BTC-USD"], BEST, before_us) is None
    await roll_all(store)
    parts = await parts_before(connection, ["BTC-USD", "ETH-USD"], BEST, before_us)
    assert parts is not None
    seen = [tick for tick in ticks if tick.at_us < before_us]
    for width_us in PERIODS.values():
        start_us = bucket(before_us, width_us)
        own = [candle for candle in parts["BTC-USD"] if candle.t_us >= start_us]
        expected = fold([tick for tick in seen if tick.at_us >= start_us], width_us)
        assert widened(own, width_us) == expected


async def days_of(store: HistoryStore) -> list[int]:
    """The days that every table has partitions for."""
    found = await store.partitions()
    days = [(day_us - START_US) // DAY_US for day_us in found.values()]
    return [day for day in sorted(set(days)) if days.count(day) == len(TABLES)]


async def test_partitions_are_made_ahead_and_dropped_when_their_time_is_over(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    await write(store, "BTC-USD", BEST, [Tick(START_US + 5_000_000, 7 * E18)])
    await roll_all(store)
    now_us = START_US + 2 * DAY_US + 5_000_000
    await store.maintain(now_us, KEPT)
    assert await days_of(store) == [0, 2, 3, 4]
    await store.maintain(START_US + 3 * DAY_US, KEPT)
    assert await days_of(store) == [2, 3, 4, 5]
    # Candles stay as long as each of them is kept.
    left = await connection.fetch("SELECT period FROM candles ORDER BY t")
    assert {row["period"] for row in left} == {"1m", "5m", "15m", "1h", "4h", "1d"}
    await store.maintain(START_US + 40 * DAY_US, KEPT)
    left = await connection.fetch("SELECT period FROM candles ORDER BY t")
    assert {row["period"] for row in left} == {"5m", "15m", "1h", "4h", "1d"}


async def test_minutes_that_are_open_after_a_long_pause_are_rolled_up_before_their_ticks_go(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    ticks = some_ticks(9, 300)
    await write(store, "BTC-USD", BEST, ticks)
    await store.maintain(START_US + 9 * DAY_US, KEPT)
    assert await connection.fetchval("SELECT count(*) FROM price_ticks") == 0
    reader = CandleReader(connection, "BTC-USD", BEST)
    for period, width_us in PERIODS.items():
        if period != "1s":
            read = await reader.read(period, Span(START_US, FAR_US, 1_000))
            assert read == fold(ticks, width_us), period


async def test_only_one_may_write(
    url: str, opened_store: tuple[asyncpg.Connection, HistoryStore]
) -> None:
    connection, store = opened_store
    other, other_store = await opened(url)
    assert await store.try_lock()
    assert not await other_store.try_lock()
    await connection.close()
    assert await other_store.try_lock()
    await other.close()


async def test_pages_of_a_series(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    ticks = some_ticks(7, 3_000)
    await write(store, "BTC-USD", BEST, ticks)
    await store.roll_up(START_US + 15 * MINUTE_US)
    reader = CandleReader(connection, "BTC-USD", BEST)
    for period in ("1s", "1m", "5m"):
        every: list[Candle] = []
        from_us = START_US
        while page := await reader.read(period, Span(from_us, FAR_US, 7)):
            every += page
            from_us = page[-1].t_us + PERIODS[period]
        assert every == fold(ticks, PERIODS[period])
        every = []
        to_us = FAR_US
        while page := await reader.read(period, Span(0, to_us, 7, newest=True)):
            every = page + every
            to_us = page[0].t_us
        assert every == fold(ticks, PERIODS[period])


# Migrations


async def test_migrations_are_applied_once_and_never_change(url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(url)
    for name, sql in (("0001_a.sql", "CREATE TABLE a (x int)"), ("0002_b.sql", "SELECT 1")):
        (tmp_path / name).write_text(sql)
    assert await migrate(connection, tmp_path) == ["0001_a.sql", "0002_b.sql"]
    assert await migrate(connection, tmp_path) == []
    (tmp_path / "0003_c.sql").write_text("CREATE TABLE c (x int); SELECT 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(connection, tmp_path)
    assert await connection.fetchval("SELECT to_regclass('c')::text") is None
    (tmp_path / "0003_c.sql").unlink()
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x bigint)")
    with pytest.raises(MigrationError) as changed:
        await migrate(connection, tmp_path)
    assert changed.value.code == "MIGRATION_CHANGED"
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE a (x int)")
    (tmp_path / "0002_b.sql").unlink()
    with pytest.raises(MigrationError) as newer:
        await migrate(connection, tmp_path)
    assert newer.value.code == "DATABASE_NEWER"
    await connection.close()


@pytest.mark.parametrize(
    "names", [["1_a.sql"], ["0002_a.sql"], ["0001_a.timescale.sql"], ["0001_a.sql", "0001_b.sql"]]
)
def test_a_folder_that_is_no_history_of_the_schema_is_refused(
    names: list[str], tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError):
        load(tmp_path)


def test_every_table_and_column_is_described() -> None:
    readme = (FOLDER.parent / "db" / "README.md").read_text()
    sql = "".join(path.read_text() for path in FOLDER.glob("*.sql"))
    for name in re.findall(r"CREATE TABLE (\w+)|CREATE VIEW (\w+)", sql):
        if not name[0].startswith("candles_"):
            assert f"`{name[0] or name[1]}`" in readme


async def test_a_day_that_was_dropped_is_made_again_and_what_is_no_price_is_refused(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    ticks = some_ticks(8, 60)
    await write(store, "BTC-USD", BEST, ticks[:20])
    for name in await store.partitions():
        await connection.execute(f"DROP TABLE {name}")
    assert await write(store, "BTC-USD", BEST, ticks) == len(ticks)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await write(store, "BTC-USD", "dydx", [Tick(START_US, 0)])
    with pytest.raises(asyncpg.DataError):
        await store.write({TICKS: [b"not\ta\tline\tof\tticks\n"]}, 1, [START_US])
    await check(connection, BEST, ticks)
