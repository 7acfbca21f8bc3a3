"""What venues tell of the time before, in a real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from aggregator import loader as module
from aggregator.loader import Loader
from db.candles import CandleReader
from db.history import HistoryStore
from db.instants import Span
from domain.candles import PERIODS, Candle, Tick, bucket, fold, joined
from domain.errors import VenueUnavailable
from domain.ids import MarketId, VenueId
from domain.units import E18
from runtime.clock import wall_us
from tests.integration.feed_kit import until
from tests.integration.history_kit import KEPT, database, opened, write

BTC, GMX = MarketId("BTC-USD"), VenueId("gmx")
MINUTE, HOUR = PERIODS["1m"], PERIODS["1h"]


class Told:
    """A venue that tells a price of 100, and what it was asked."""

    def __init__(self, price: int = 100) -> None:
        self.price = price
        self.asked: list[str] = []
        self.failures = 0

    async def candles(
        self, market: MarketId, period: str, from_us: int, to_us: int
    ) -> Sequence[Candle]:
        self.asked.append(f"{market} {period}")
        if self.failures:
            self.failures -= 1
            raise VenueUnavailable("HTTP_500", "no")
        low, middle, high = (price * E18 for price in (self.price - 9, self.price, self.price + 9))
        return [
            Candle(t_us, middle, high, low, middle, 0)
            for t_us in range(from_us, to_us, PERIODS[period])
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def opened_store(
    embedded_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[asyncpg.Connection, HistoryStore]]:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    monkeypatch.setattr(module, "PACE_S", 0.0)
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.01)
    async with database(embedded_postgres_dsn) as url:
        connection, store = await opened(url)
        yield connection, store
        await connection.close()


@asynccontextmanager
async def loading(venue: Told) -> AsyncIterator[Loader]:
    loader = Loader({GMX: venue}, KEPT)
    running = asyncio.create_task(loader.run())
    try:
        yield loader
    finally:
        running.cancel()
        await asyncio.wait({running})


async def load(loader: Loader, connection: asyncpg.Connection, periods: int = 3) -> None:
    async def loaded() -> bool:
        await loader.exchange(connection)
        return bool(await connection.fetchval("SELECT count(*) FROM venue_loads") == periods)

    await until(loaded, "everything is loaded")


async def read(connection: asyncpg.Connection, period: str) -> list[Candle]:
    return await CandleReader(connection, BTC, GMX).read(period, Span(0, wall_us() * 2, 5_000))


async def test_the_venues_candles_lead_up_to_what_was_recorded(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, store = opened_store
    # Recorded since the middle of an hour three hours ago.
    start_us = bucket(wall_us(), HOUR) - 3 * HOUR + 30 * MINUTE + 15_000_000
    ticks = [Tick(start_us + n * 20_000_000, (200 + n % 7) * E18) for n in range(360)]
    await write(store, BTC, GMX, ticks)
    await store.roll_up(start_us + HOUR)
    async with loading(Told()) as loader:
        loader.want(BTC, GMX, 150 * E18)
        await load(loader, connection)
    for period, width_us in PERIODS.items():
        own = fold(ticks, width_us)
        found = await read(connection, period)
        if period == "1s":
            assert found == own
            continue
        first = next(n for n, candle in enumerate(found) if candle.ticks)
        assert first > 0 or period == "4h"
        assert all(candle.close_e18 == 100 * E18 for candle in found[:first])
        told = Candle(own[0].t_us, 100 * E18, 109 * E18, 91 * E18, 100 * E18, 0)
        assert found[first] == joined(told, own[0])
        assert found[first + 1 :] == own[1:]
    page = await CandleReader(connection, BTC, GMX).read(
        "1m", Span(0, start_us - 10 * MINUTE, 5, newest=True)
    )
    assert [candle.ticks for candle in page] == [0] * 5


async def test_every_series_is_asked_for_once(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, _ = opened_store
    venue = Told()
    async with loading(venue) as loader:
        loader.want(BTC, GMX, 100 * E18)
        loader.want(BTC, GMX, 100 * E18)
        loader.want(BTC, "dydx", 100 * E18)
        await load(loader, connection)
    assert venue.asked == ["BTC-USD 1m", "BTC-USD 1h", "BTC-USD 1d"]
    count = await connection.fetchval("SELECT count(*) FROM venue_candles")
    async with loading(venue) as loader:
        loader.want(BTC, GMX, 100 * E18)
        loader.want(MarketId("ETH-USD"), GMX, 100 * E18)
        await load(loader, connection, 6)
    assert venue.asked[3:] == ["ETH-USD 1m", "ETH-USD 1h", "ETH-USD 1d"]
    assert await connection.fetchval("SELECT count(*) FROM venue_candles") == 2 * count


async def test_what_most_look_at_comes_first(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, _ = opened_store
    venue = Told()
    loader = Loader({GMX: venue}, KEPT)
    for name in ("ADA-USD", "ETH-USD", "XRP-USD", "BTC-USD"):
        loader.want(MarketId(name), GMX, 100 * E18)
    await loader.exchange(connection)
    markets = [job.series.market for job in loader._jobs[GMX]]
    assert markets[:6] == ["ETH-USD"] * 3 + ["BTC-USD"] * 3
    assert [job.period for job in loader._jobs[GMX]][:3] == ["1m", "1h", "1d"]


async def test_what_fails_is_asked_again(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, _ = opened_store
    venue = Told()
    venue.failures = 2
    async with loading(venue) as loader:
        loader.want(BTC, GMX, 100 * E18)
        await load(loader, connection)
    assert len(venue.asked) == 5


async def test_candles_of_another_price_are_not_taken(
    opened_store: tuple[asyncpg.Connection, HistoryStore],
) -> None:
    connection, _ = opened_store
    async with loading(Told(price=100_000)) as loader:
        loader.want(BTC, GMX, 100 * E18)
        await load(loader, connection)
    assert await connection.fetchval("SELECT count(*) FROM venue_candles") == 0
    assert await connection.fetchval("SELECT sum(candles) FROM venue_loads") == 0
