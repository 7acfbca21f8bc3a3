"""The recorder with a Postgres that is slow, dies and comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from aggregator import recorder as module
from aggregator.history import History
from aggregator.recorder import Recorder
from aggregator.sampling import Sample
from db.candles import CandleReader
from db.instants import Span
from domain.candles import BEST, PERIODS, Tick, bucket, fold
from domain.ids import MarketId
from domain.units import E18
from perptape.embedded_postgres import EmbeddedPostgres
from runtime.clock import wall_us
from runtime.settings import Settings
from tests.integration.feed_kit import until
from tests.integration.history_kit import KEPT, chunk, database
from tests.servers import open_folder, prepared, started


@contextmanager
def folder_of_our_own() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
async def url(embedded_postgres_dsn: str) -> AsyncIterator[str]:
    async with database(embedded_postgres_dsn) as name:
        yield name


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[Recorder]:
    async def nothing(connection: asyncpg.Connection, writing: bool) -> None:
        del connection, writing

    recorder = Recorder(url, KEPT, nothing)
    running = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        running.cancel()
        await asyncio.wait({running})
        await recorder.close()


def now_slot() -> int:
    return wall_us() // 250_000 * 250_000


def series(count: int, start_us: int) -> list[Tick]:
    return [Tick(start_us + n * 250_000, (100 + n % 17) * E18) for n in range(count)]


async def count(url: str) -> int:
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM price_ticks"))
        finally:
            await connection.close()
    return -1


async def check(url: str, ticks: list[Tick]) -> None:
    connection = await asyncpg.connect(url)
    reader = CandleReader(connection, "BTC-USD", BEST)
    for period, width_us in PERIODS.items():
        read = await reader.read(period, Span(0, wall_us() + 10**12, 10_000))
        assert read == fold(ticks, width_us), period
    await connection.close()


async def test_a_restart_leaves_no_gap_and_counts_nothing_twice(url: str) -> None:
    ticks = series(400, now_slot() - 100_000_000)
    async with recording(url) as first:
        for tick in ticks[:150]:
            first.put(chunk("BTC-USD", BEST, tick))
        await until(lambda: _holds(url, 150), "the first ticks")
        for tick in ticks[150:200]:
            first.put(chunk("BTC-USD", BEST, tick))
    # Its end wrote the rest. The next one brings some of it again.
    assert await count(url) == 200
    async with recording(url) as second:
        for tick in ticks[180:]:
            second.put(chunk("BTC-USD", BEST, tick))
        await until(lambda: _holds(url, 400), "all ticks")
    await check(url, ticks)


async def _holds(url: str, rows: int) -> bool:
    return await count(url) == rows


async def test_the_one_that_stands_by_takes_over_without_a_gap(url: str) -> None:
    ticks = series(200, now_slot() - 50_000_000)
    async with recording(url) as stand_in:
        async with recording(url) as writer:
            for tick in ticks[:100]:
                stand_in.put(chunk("BTC-USD", BEST, tick))
            for tick in ticks[:60]:
                writer.put(chunk("BTC-USD", BEST, tick))
            await asyncio.sleep(2.5)
        for tick in ticks[100:]:
            stand_in.put(chunk("BTC-USD", BEST, tick))
        await until(lambda: _holds(url, 200), "all ticks")
    await check(url, ticks)


async def test_who_stands_by_knows_what_its_candles_began_with(url: str) -> None:
    history = History(Settings.model_validate({"DATABASE_URL": url}), lambda market, candles: None)
    # Within a minute, and so within a day.
    before = series(9, bucket(wall_us(), PERIODS["1m"]) - 10 * PERIODS["1m"])
    async with recording(url) as writer:
        writer.put(chunk("BTC-USD", BEST, *before))
        await until(lambda: _holds(url, 9), "the first ticks")
        at_us = before[-1].at_us + 250_000
        history._note(at_us, Sample(MarketId("BTC-USD"), {BEST: 500 * E18}))
        running = asyncio.create_task(history.loops["history"]())
        try:
            expected = fold([*before, Tick(at_us, 500 * E18)], PERIODS["1d"])
            shown = history._forming.shown
            await until(lambda: [shown(MarketId("BTC-USD"))["1d"]] == expected, "the whole day")
        finally:
            running.cancel()
            await asyncio.wait({running})
            await history.close()


async def test_the_one_that_stands_by_ends_without_a_loss(url: str) -> None:
    ended = module.DROPPED.labels(why="ended")
    before = ended._value.get()
    ticks = series(2, now_slot() - 1_000_000)
    async with recording(url) as writer:
        writer.put(chunk("BTC-USD", BEST, ticks[0]))
        await until(lambda: _holds(url, 1), "it writes")
        async with recording(url) as stand_in:
            await until(lambda: stand_in._stands_by, "the other waits")
            stand_in.put(chunk("BTC-USD", BEST, ticks[1]))
        assert (await count(url), ended._value.get()) == (1, before)


async def test_what_cannot_be_dropped_does_not_stop_the_writing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise asyncpg.InvalidParameterValueError("refresh window too small")

    monkeypatch.setattr(module.HistoryStore, "maintain", refused)
    async with recording(url) as recorder:
        recorder.put(chunk("BTC-USD", BEST, *series(2, now_slot() - 1_000_000)))
        await until(lambda: _holds(url, 2), "ticks")


async def test_a_postgres_that_is_killed_and_comes_back_misses_nothing() -> None:
    with folder_of_our_own() as folder:
        server = await asyncio.to_thread(prepared, EmbeddedPostgres, folder)
        ticks = series(300, now_slot() - 75_000_000)
        running = started(server, folder)
        process = await asyncio.to_thread(running.__enter__)
        async with recording(server.url) as recorder:
            for tick in ticks[:100]:
                recorder.put(chunk("BTC-USD", BEST, tick))
            await until(lambda: _holds(server.url, 100), "the first ticks")
            process.kill()
            await asyncio.to_thread(running.__exit__, None, None, None)
            for tick in ticks[100:200]:
                recorder.put(chunk("BTC-USD", BEST, tick))
            await asyncio.sleep(1.5)
            (folder / "postgres" / "data" / "postmaster.pid").unlink(missing_ok=True)
            again = started(server, folder)
            await asyncio.to_thread(again.__enter__)
            try:
                for tick in ticks[200:]:
                    recorder.put(chunk("BTC-USD", BEST, tick))
                await until(lambda: _holds(server.url, 300), "all ticks")
                await check(server.url, ticks)
            finally:
                await asyncio.to_thread(again.__exit__, None, None, None)


async def test_beyond_the_bound_the_oldest_go_and_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROWS_BOUND", 50)
    dropped = module.DROPPED.labels(why="full")
    before = dropped._value.get()
    async with recording("postgresql://nobody@127.0.0.1:1/none") as recorder:
        await until(lambda: recorder._trouble is not None, "no database")
        for tick in series(120, now_slot() - 60_000_000):
            recorder.put(chunk("BTC-USD", BEST, tick))
        assert recorder._rows == 50
        assert dropped._value.get() - before == 70


async def test_ticks_older_than_what_is_kept_are_refused(url: str) -> None:
    old = series(3, now_slot() - 3 * 86_400_000_000)
    new = series(2, now_slot() - 1_000_000)
    async with recording(url) as recorder:
        for tick in old + new:
            recorder.put(chunk("BTC-USD", BEST, tick))
        await until(lambda: _holds(url, 2), "the new ones")


async def test_a_batch_that_is_refused_stops_nothing_behind_it(url: str) -> None:
    ticks = series(2, now_slot() - 1_000_000)
    refused = module.DROPPED.labels(why="refused")
    before = refused._value.get()
    async with recording(url) as recorder:
        recorder.put(chunk("BTC-USD", BEST, Tick(ticks[0].at_us, 0)))
        await until(lambda: refused._value.get() == before + 1, "it is counted")
        for tick in ticks:
            recorder.put(chunk("BTC-USD", BEST, tick))
        await until(lambda: _holds(url, 2), "the others")


async def test_a_server_that_hangs_stops_only_the_writing() -> None:
    with folder_of_our_own() as folder:
        server = await asyncio.to_thread(prepared, EmbeddedPostgres, folder)
        running = started(server, folder)
        process = await asyncio.to_thread(running.__enter__)
        ticks = series(40, now_slot() - 20_000_000)
        try:
            async with recording(server.url) as recorder:
                recorder.put(chunk("BTC-USD", BEST, *ticks[:20]))
                await until(lambda: _holds(server.url, 20), "the first ticks")
                # The first of them is who notices that another has ended: stopped first and woken
                # last, so that none of the others is gone in between.
                os.kill(process.pid, signal.SIGSTOP)
                every = [child.pid for child in psutil.Process(process.pid).children()]
                for pid in every:
                    os.kill(pid, signal.SIGSTOP)
                try:
                    recorder.put(chunk("BTC-USD", BEST, *ticks[20:]))
                    await asyncio.sleep(1.5)
                    assert recorder._rows == 20
                finally:
                    for pid in (*every, process.pid):
                        os.kill(pid, signal.SIGCONT)
                await until(lambda: _holds(server.url, 40), "the others")
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
