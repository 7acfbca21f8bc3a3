"""The feed as a process with a database: what it records, streams, and goes on with."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.candles import CandleReader
from db.instants import Span, microseconds
from domain.candles import BEST, PERIODS, Tick, fold
from domain.units import parse_decimal, power10
from runtime.channels import candles_tape_room
from runtime.clock import iso_ms, wall_us
from tests.integration.feed_kit import Tape, feeds, listening, sandbox, until
from tests.integration.history_kit import database

ROOM = candles_tape_room("BTC-USD")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as settings:
        yield settings


@pytest.fixture
async def url(embedded_postgres_dsn: str) -> AsyncIterator[str]:
    async with database(embedded_postgres_dsn) as name:
        yield name


async def all_ticks(url: str) -> dict[str, list[Tick]]:
    """Of BTC-USD by venue."""
    connection = await asyncpg.connect(url)
    found: dict[str, list[Tick]] = {}
    rows = await connection.fetch("SELECT * FROM price_ticks WHERE market = 'BTC-USD'")
    for row in rows:
        digits, decimals = parse_decimal(f"{row['mid']:f}")
        tick = Tick(microseconds(row["at"]), digits * power10(18 - decimals))
        found.setdefault(row["venue"], []).append(tick)
    await connection.close()
    return found


def day(tape: Tape) -> dict[str, Any]:
    """The newest forming candle of a day."""
    return dict((tape.newest(ROOM) or {}).get("1d", {}))


async def test_a_feed_that_starts_again_goes_on_with_its_candles(
    embedded_redis_url: str, url: str, venue: dict[str, str], tmp_path: Path
) -> None:
    settings = venue | {"DATABASE_URL": url}
    with feeds(tmp_path) as start:
        async with listening(embedded_redis_url) as (tape, _):
            feed = start(embedded_redis_url, settings)
            await until(lambda: day(tape).get("ticks", 0) >= 8, "candles on the tape")
            assert await feed.terminate() == 0
            before = (await all_ticks(url))[BEST]
            assert len(before) >= 8
        async with listening(embedded_redis_url) as (tape, _):
            feed = start(embedded_redis_url, settings)
            await until(lambda: day(tape).get("ticks", 0) >= len(before) + 8, "it goes on")
            assert await feed.terminate() == 0
    ticks = await all_ticks(url)
    assert {BEST, "dydx", "gmx", "gains"} <= set(ticks)
    connection = await asyncpg.connect(url)
    for name, series in ticks.items():
        assert all(at_us % 250_000 == 0 for at_us, _ in series)
        reader = CandleReader(connection, "BTC-USD", name)
        for period, width_us in PERIODS.items():
            read = await reader.read(period, Span(0, wall_us() + 10**12, 10_000))
            # The venue's own candle goes on in the first one recorded.
            own = [(c.t_us, c.close_e18, c.ticks) for c in read if c.ticks]
            assert own == [(c.t_us, c.close_e18, c.ticks) for c in fold(series, width_us)]
            if name == BEST:
                assert read == fold(series, width_us)
    await connection.close()
    last = fold(ticks[BEST], PERIODS["1d"])[-1]
    shown = day(tape)
    assert shown["t"] == iso_ms(last.t_us)
    # The room is at most a second behind what was recorded in the end, and never ahead.
    assert last.ticks - 5 <= shown["ticks"] <= last.ticks


async def test_what_venues_tell_of_the_time_before_is_loaded(
    embedded_redis_url: str, url: str, venue: dict[str, str], tmp_path: Path
) -> None:
    settings = venue | {"DATABASE_URL": url, "PERP_MARKETS": "BTC-USD"}
    with feeds(tmp_path) as start:
        feed = start(embedded_redis_url, settings)
        connection = await asyncpg.connect(url)

        async def loaded() -> bool:
            with suppress(asyncpg.UndefinedTableError):
                count = await connection.fetchval("SELECT count(*) FROM venue_loads")
                return bool(count == 9)
            return False

        await until(loaded, "all three periods of all venues")
        loads = await connection.fetch("SELECT * FROM venue_loads")
        assert {row["venue"] for row in loads} == {"dydx", "gmx", "gains"}
        for name in ("dydx", "gmx", "gains"):
            reader = CandleReader(connection, "BTC-USD", name)
            for period, least in (("1m", 950), ("5m", 190), ("1h", 700), ("4h", 170), ("1d", 360)):
                read = await reader.read(period, Span(0, wall_us() + 10**12, 10_000))
                assert len(read) >= least, (name, period)
                starts = [candle.t_us for candle in read]
                assert starts == list(range(starts[0], starts[-1] + 1, PERIODS[period]))
        assert await feed.terminate() == 0
        await connection.close()


async def test_prices_go_on_without_a_database(
    embedded_redis_url: str, venue: dict[str, str], tmp_path: Path
) -> None:
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with feeds(tmp_path) as start:
        async with listening(embedded_redis_url) as (tape, _):
            feed = start(embedded_redis_url, venue | away)
            await until(lambda: day(tape).get("ticks", 0) >= 4, "candles on the tape")
            await until(lambda: feed.says("history_lost") == 1, "it is said")
            metrics = await feed.metrics()
            assert metrics['perptape_queue_depth{queue="history"}'] > 0
            assert metrics["perptape_history_writing"] == 0
            assert await feed.terminate() == 0
