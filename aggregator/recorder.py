"""Ticks and samples to Postgres: a bounded queue, batches by COPY, one writer among all feeds.

Nothing here is waited for by prices. While Postgres is slow or away the queue fills; beyond its
bound the oldest ticks go, counted. A batch whose commit was not heard of is written again, which
the key of a tick makes harmless. A feed that is not the writer keeps its newest ticks and, when it
becomes the writer, brings those that the one before did not.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from db.history import DAY_US, TICKS, HistoryStore
from db.migrate import MigrationError, migrate
from domain.candles import MINUTE_US, bucket
from runtime import metrics
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from runtime.redis import cause_of
from runtime.tasks import Backoff

ROWS_BOUND: Final = 500_000
"""About 25 MB: 80 seconds of the most that 400 markets of four series can give."""
BATCH_ROWS: Final = 20_000
WRITE_S: Final = 1.0
ROLL_UP_S: Final = 5.0
MAINTAIN_S: Final = 3600.0
LOCK_RETRY_S: Final = 1.0
CONNECT_S: Final = 2.0
COMMAND_S: Final = 30.0
DRAIN_S: Final = 0.6
"""For the last batch of a feed that ends; the supervisor does not wait much longer."""

RECORDED: Final = metrics.Counter("perptape_history_ticks_total", "Ticks written to Postgres")
DROPPED: Final = metrics.Counter(
    "perptape_history_dropped_total",
    "Ticks not written: the queue was full, older than what is kept, refused, or the feed ended",
    ["why"],
)
REPEATED: Final = metrics.Counter("perptape_history_repeated_total", "Ticks that were there before")
WRITE_ERRORS: Final = metrics.Counter("perptape_history_errors_total", "Lost database sessions")
BATCH_SECONDS: Final = metrics.Histogram(
    "perptape_history_batch_seconds", "One batch to its commit", buckets=metrics.LATENCY_BUCKETS
)
LEAD: Final = metrics.Gauge("perptape_history_writing", "1 while this feed writes history")

_FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    MigrationError,
)

_log = get_logger(__name__)


class Chunk(NamedTuple):
    """Rows of one time and of one of ``db.history.TABLES``, as lines of COPY text."""

    at_us: int
    rows: int
    lines: bytes
    table: str = TICKS


class Recorder:
    """``put`` from the loop that runs ``run``. ``on_turn`` gets the connection and whether this is
    the writer: after every turn of writing and rolling up, and while it stands by. ``kept_days``
    by period, None for ever."""

    def __init__(
        self,
        url: str,
        kept_days: Mapping[str, int | None],
        on_turn: Callable[[asyncpg.Connection, bool], Awaitable[None]],
    ) -> None:
        self._url = url
        self._kept_days = kept_days
        self._on_turn = on_turn
        self._queue: deque[Chunk] = deque()
        self._hand: list[Chunk] = []
        self._rows = 0
        self._high_water = 0
        self._writing = self._stands_by = False
        self._trouble: str | None = None
        metrics.QUEUE_BOUND.labels(queue="history").set(ROWS_BOUND)
        metrics.QUEUE_DEPTH.labels(queue="history").set_function(lambda: self._rows)
        metrics.QUEUE_HIGH_WATER.labels(queue="history").set_function(lambda: self._high_water)

    def put(self, chunk: Chunk) -> None:
        self._queue.append(chunk)
        self._rows += chunk.rows
        while self._rows > ROWS_BOUND and self._queue:
            oldest = self._queue.popleft()
            self._rows -= oldest.rows
            # Who does not write drops nothing: the writer has them.
            if self._writing or self._trouble is not None:
                DROPPED.labels(why="full").inc(oldest.rows)
        self._high_water = max(self._high_water, self._rows)

    async def run(self) -> None:
        """For ever."""
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                async with self._session() as (connection, store):
                    await self._work(connection, store, backoff)
            except _FAILURES as error:
                WRITE_ERRORS.inc()
                self._stands_by = False
                if cause_of(error) != self._trouble:
                    self._trouble = cause_of(error)
                    _log.warning("history_lost", error=self._trouble, waiting=self._rows)
            await asyncio.sleep(backoff.next_s())

    async def close(self) -> None:
        """After ``run`` was cancelled: the last ticks, if Postgres takes them at once."""
        if self._stands_by:
            return  # Another feed has them.
        if self._trouble is None and self._rows:
            with contextlib.suppress(*_FAILURES):
                async with asyncio.timeout(DRAIN_S):
                    connection = await self._connect()
                    try:
                        store = HistoryStore(connection)
                        await store.prepare()
                        await self._write_all(store)
                    finally:
                        connection.terminate()
        DROPPED.labels(why="ended").inc(self._rows)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._url,
            timeout=CONNECT_S,
            command_timeout=COMMAND_S,
            server_settings={"application_name": "perptape-history", "lock_timeout": "5000"},
        )

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[asyncpg.Connection, HistoryStore]]:
        connection = await self._connect()
        try:
            for name in await migrate(connection):
                _log.info("migrated", name=name)
            store = HistoryStore(connection)
            await store.prepare()
            while not await store.try_lock():
                if not self._stands_by:
                    self._stands_by = True
                    self._trouble = None
                    _log.info("history_stands_by", why="another feed writes it")
                await self._on_turn(connection, False)
                await asyncio.sleep(LOCK_RETRY_S)
            self._writing, self._stands_by = True, False
            LEAD.set(1)
            yield connection, store
        finally:
            self._writing = False
            LEAD.set(0)
            connection.terminate()

    async def _work(
        self, connection: asyncpg.Connection, store: HistoryStore, backoff: Backoff
    ) -> None:
        maintain_ns = roll_up_ns = 0
        while True:
            started_ns = mono_ns()
            if started_ns >= maintain_ns:
                try:
                    await store.maintain(wall_us(), self._kept_days)
                except (asyncpg.PostgresError, TimeoutError) as error:
                    # Often somebody reads what should go; writing does not wait for that.
                    _log.warning("history_retention_waits", error=cause_of(error))
                maintain_ns = started_ns + int(MAINTAIN_S * 1e9)
            await self._write(store, self._rows)
            if started_ns >= roll_up_ns:
                await store.roll_up(wall_us())
                roll_up_ns = started_ns + int(ROLL_UP_S * 1e9)
            await self._on_turn(connection, True)
            backoff.reset()
            if self._trouble is not None:
                self._trouble = None
                _log.info("history_back")
            await asyncio.sleep(max(0.05, WRITE_S - (mono_ns() - started_ns) / 1e9))

    async def _write_all(self, store: HistoryStore) -> None:
        while self._hand or self._queue:
            await self._write(store, self._rows)

    async def _write(self, store: HistoryStore, most: int) -> None:
        """So many rows and the rest of their batch: what comes meanwhile has its turn later, or a
        slow server would never get to anything else."""
        while (self._hand or self._queue) and most > 0:
            most -= BATCH_ROWS
            self._take()
            if self._hand:
                started_ns = mono_ns()
                await self._commit(store, self._hand)
                BATCH_SECONDS.observe((mono_ns() - started_ns) / 1e9)
                self._rows -= sum(chunk.rows for chunk in self._hand)
                self._hand = []

    async def _commit(self, store: HistoryStore, batch: Sequence[Chunk]) -> None:
        rows = sum(chunk.rows for chunk in batch)
        minutes = {bucket(chunk.at_us, MINUTE_US) for chunk in batch}
        tables: dict[str, list[Chunk]] = {}
        for chunk in batch:
            tables.setdefault(chunk.table, []).append(chunk)
        parts = {table: [chunk.lines for chunk in chunks] for table, chunks in tables.items()}
        try:
            new = await store.write(parts, rows, minutes)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            if len(tables) > 1:
                for chunks in tables.values():
                    await self._commit(store, chunks)
                return
            # Writing it again would stop everything behind it.
            _log.error("history_refused", error=cause_of(error), table=batch[0].table, rows=rows)
            DROPPED.labels(why="refused").inc(rows)
        else:
            RECORDED.inc(new)
            REPEATED.inc(rows - new)

    def _take(self) -> None:
        """Fills the hand, which is kept until it is known to be written."""
        held = sum(chunk.rows for chunk in self._hand)
        # What a late tick belongs to is made again from all of its parts: none may be gone.
        kept = min((days for days in self._kept_days.values() if days is not None), default=None)
        oldest_us = 0 if kept is None else wall_us() - kept * DAY_US + DAY_US // 2
        while self._queue and (not held or held + self._queue[0].rows <= BATCH_ROWS):
            chunk = self._queue.popleft()
            if chunk.at_us < oldest_us:
                self._rows -= chunk.rows
                DROPPED.labels(why="old").inc(chunk.rows)
                continue
            self._hand.append(chunk)
            held += chunk.rows
