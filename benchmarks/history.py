"""Ticks to Postgres, against a bare COPY of the same rows into a table of the same form, in turns
on the same server. Two figures: the recorder (from its queue to the commit, with what re-opens
minutes and in batches of its own size), and with it all that comes before, from the quotes on
(sampling, forming candles, formatting). Then one roll-up of a full minute.

Budget: the recorder at least half of the bare COPY. The server is the embedded one, fsync on.
"""

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import uvloop

from aggregator.history import History
from aggregator.recorder import Chunk, Recorder
from aggregator.sampling import SAMPLE_US, Slot
from benchmarks.support import free_port
from db.history import HistoryStore
from db.migrate import migrate
from domain.candles import PERIODS
from domain.ids import MarketId, VenueId
from domain.quote import BestQuote, VenueQuote, best_of
from domain.units import E18
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.process import spawn_arguments
from perptape.service_user import service_user
from runtime.clock import wall_us
from runtime.settings import Settings

MARKETS = 400
SLOTS = 100
ROUNDS = 7
BUDGET = 0.5
VENUES = ("dydx", "gmx", "gains")
KEEP_ALL: dict[str, int | None] = dict.fromkeys(PERIODS)


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a new server that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="perptape-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = EmbeddedPostgres(folder, folder, free_port(), service_user())
        asyncio.run(server.prepare())
        launch = server.launch()
        with (
            (folder / "log").open("wb") as log,
            spawn_arguments(launch) as arguments,
            subprocess.Popen(launch.argv, stdout=log, stderr=log, **arguments) as process,
        ):
            try:
                while not asyncio.run(server.answers()):
                    if process.poll() is not None:
                        raise SystemExit((folder / "log").read_text())
                    time.sleep(0.02)
                yield server.url
            finally:
                process.send_signal(launch.stop_signal)
                process.wait(20)


def quotes_of(slot: int) -> dict[MarketId, BestQuote]:
    """Every market changes at every venue."""
    quotes = {}
    for number in range(MARKETS):
        market = MarketId(f"M{number}-USD")
        mid = (1000 + number + slot) * E18 + (slot * 977 + number) * 10**12
        venues = tuple(
            VenueQuote(
                VenueId(name), "live", None, "book", None, mid - (place + 1) * 10**14,
                mid + (place + 2) * 10**14, None, None, 0,
            )
            for place, name in enumerate(VENUES)
        )  # fmt: skip
        quotes[market] = best_of(market, venues, None, "frame", 0)
    return quotes


def slots_from(start_us: int) -> list[Slot]:
    return [Slot(start_us + n * SAMPLE_US, quotes_of(n)) for n in range(SLOTS)]


async def stream(chunks: list[Chunk]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk.lines


class Bench:
    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._store = HistoryStore(connection)
        self._settings = Settings.model_validate({"DATABASE_URL": url})
        self._url = url

    async def prepare(self) -> None:
        await migrate(self._connection)
        await self._store.prepare()

    def _history(self) -> tuple[History, Recorder]:
        history = History(self._settings, lambda market, candles: None)
        assert history._recorder is not None
        history._recorder._kept_days = KEEP_ALL
        return history, history._recorder

    async def whole(self, slots: list[Slot]) -> tuple[float, list[Chunk]]:
        """Seconds from quotes to commits, and what was written."""
        history, recorder = self._history()
        started = time.perf_counter()
        for slot in slots:
            await history._take(slot)
        written = list(recorder._queue)
        await recorder._write_all(self._store)
        return time.perf_counter() - started, written

    async def recorder(self, chunks: list[Chunk]) -> float:
        _, recorder = self._history()
        started = time.perf_counter()
        for chunk in chunks:
            recorder.put(chunk)
        await recorder._write_all(self._store)
        return time.perf_counter() - started

    async def bare(self, chunks: list[Chunk]) -> float:
        execute = self._connection.execute
        await execute("DROP TABLE IF EXISTS bare")
        await execute("CREATE TABLE bare (LIKE price_ticks INCLUDING ALL)")
        started = time.perf_counter()
        columns = ["at", "market", "venue", "mid"]
        await self._connection.copy_to_table("bare", source=stream(chunks), columns=columns)
        return time.perf_counter() - started

    async def forget(self) -> None:
        await self._connection.execute("TRUNCATE price_ticks, candle_work, candles")

    async def roll_up(self) -> tuple[float, int]:
        started = time.perf_counter()
        minutes = await self._store.roll_up(wall_us() + 10**12)
        return time.perf_counter() - started, minutes


async def measure(url: str) -> None:
    connection = await asyncpg.connect(url)
    bench = Bench(url, connection)
    await bench.prepare()
    start_us = wall_us() // PERIODS["1d"] * PERIODS["1d"]
    slots = slots_from(start_us)
    ratios: dict[str, list[float]] = {"recorder": [], "from quotes": []}
    rates: dict[str, list[float]] = {"bare COPY": [], "recorder": [], "from quotes": []}
    roll_ups = []
    for _ in range(ROUNDS):
        whole_s, chunks = await bench.whole(slots)
        rows = sum(chunk.rows for chunk in chunks)
        roll_ups.append(await bench.roll_up())
        await bench.forget()
        bare_s = await bench.bare(chunks)
        recorder_s = await bench.recorder(chunks)
        count = await connection.fetchval("SELECT count(*) FROM price_ticks")
        if count != rows or rows != MARKETS * SLOTS * (len(VENUES) + 1):
            raise SystemExit(f"{count} of {rows} rows arrived")
        await bench.forget()
        for name, seconds in (
            ("bare COPY", bare_s), ("recorder", recorder_s), ("from quotes", whole_s),
        ):  # fmt: skip
            rates[name].append(rows / seconds)
            if name in ratios:
                ratios[name].append(bare_s / seconds)
    for name, values in rates.items():
        print(f"{name:11}: {statistics.median(values):,.0f} ticks/s, median of {ROUNDS}")
    for name, values in ratios.items():
        middle = statistics.median(values)
        verdict = "within" if middle >= BUDGET else "OVER"
        print(
            f"{name:11}: {middle:.2f} of the bare COPY ({min(values):.2f} to {max(values):.2f}); "
            f"{verdict} the budget of {BUDGET}"
        )
    seconds = statistics.median(seconds / minutes for seconds, minutes in roll_ups)
    print(f"roll-up    : {seconds * 1000:.0f} ms a minute of {MARKETS * 4} series, all periods")
    await connection.close()


def main() -> None:
    with postgres() as url:
        uvloop.run(measure(url))


if __name__ == "__main__":
    main()
