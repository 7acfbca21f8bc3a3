"""Ticks to Postgres, against a bare COPY of the same rows into a table of the same form, in turns
on the same server. Two figures: the recorder (from its queue to the commit, with what re-opens
minutes and in batches of its own size), and with it all that comes before, from the quotes on
(sampling, forming candles, formatting, samples of spreads). Then one roll-up of a full minute, and
pages of candles of one series among ten million ticks.

Budget: the recorder at least half of the bare COPY. The server is the embedded one, fsync on.
``--ticks 1000000`` for fewer.
"""

import argparse
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
from db.candles import CandleReader
from db.history import TICKS, HistoryStore
from db.instants import Span, instant
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
TICKS_STORED = 10_000_000
SERIES = 100
PAGE = 1_000
READS = 50
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
        self.store = HistoryStore(connection)
        self._settings = Settings.model_validate({"DATABASE_URL": url})
        self._url = url

    async def prepare(self) -> None:
        await migrate(self._connection)
        await self.store.prepare()

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
        written = [chunk for chunk in recorder._queue if chunk.table == TICKS]
        await recorder._write_all(self.store)
        return time.perf_counter() - started, written

    async def recorder(self, chunks: list[Chunk]) -> float:
        _, recorder = self._history()
        started = time.perf_counter()
        for chunk in chunks:
            recorder.put(chunk)
        await recorder._write_all(self.store)
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
        await self._connection.execute(
            "TRUNCATE price_ticks, candle_work, candles, spread_samples, spreads"
        )

    async def roll_up(self) -> tuple[float, int]:
        started = time.perf_counter()
        minutes = await self.store.roll_up(wall_us() + 10**12)
        return time.perf_counter() - started, minutes


_MANY = """
INSERT INTO price_ticks (at, market, venue, mid)
SELECT $1::timestamptz + n * interval '250 ms', 'M' || series || '-USD', 'best',
       1000 + series + (n * 7919 % 1000) / 100.0
FROM generate_series(1, $2::int) AS series, generate_series(0, $3::int - 1) AS n
"""
_OPEN = """
INSERT INTO candle_work (t)
SELECT DISTINCT date_trunc('minute', at) FROM price_ticks WHERE market = 'M1-USD'
"""


async def fill(connection: asyncpg.Connection, store: HistoryStore, ticks: int) -> int:
    """Puts ticks into the database, rolled up; where they begin."""
    each = ticks // SERIES
    start_us = wall_us() // PERIODS["1d"] * PERIODS["1d"] - PERIODS["1d"]
    days = range(start_us, start_us + each * SAMPLE_US, PERIODS["1d"])
    await store._make_partitions(days)
    started = time.perf_counter()
    await connection.execute(_MANY, instant(start_us), SERIES, each, timeout=900)
    await connection.execute(_OPEN, timeout=60)
    while await store.roll_up(wall_us() + 10**12):
        pass
    await connection.execute("ANALYZE price_ticks, candles", timeout=60)
    seconds = time.perf_counter() - started
    print(f"stored     : {each * SERIES:,} ticks of {SERIES} series, with candles, {seconds:.0f} s")
    return start_us


async def pages(connection: asyncpg.Connection, start_us: int, ticks: int) -> None:
    end_us = start_us + ticks // SERIES * SAMPLE_US
    for period in ("1s", "1m", "1h"):
        seconds = []
        rows = 0
        for read in range(READS):
            reader = CandleReader(connection, f"M{1 + read * 7 % SERIES}-USD", "best")
            # The newest page, and one somewhere before it.
            from_us = start_us + (end_us - start_us) * read // READS
            span = Span(from_us, end_us, PAGE, newest=read % 2 == 0)
            started = time.perf_counter()
            rows += len(await reader.read(period, span))
            seconds.append(time.perf_counter() - started)
        middle, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
        print(
            f"page {period:6}: {middle:.1f} ms, median of {READS} of at most {PAGE} candles "
            f"({rows / READS:.0f} on average), worst {worst:.1f} ms"
        )


async def measure(url: str, ticks: int) -> None:
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
        verdict = ""
        if name == "recorder":
            verdict = f"; {'within' if middle >= BUDGET else 'OVER'} the budget of {BUDGET}"
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{name:11}: {middle:.2f} of the bare COPY ({spread}){verdict}")
    seconds = statistics.median(seconds / minutes for seconds, minutes in roll_ups)
    print(f"roll-up    : {seconds * 1000:.0f} ms a minute of {MARKETS * 4} series, all periods")
    await pages(connection, await fill(connection, bench.store, ticks), ticks)
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=TICKS_STORED)
    ticks: int = parser.parse_args().ticks
    with postgres() as url:
        uvloop.run(measure(url, ticks))


if __name__ == "__main__":
    main()
