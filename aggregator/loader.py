"""Loads what venues tell of the time before a series was recorded here: once a series, in the
background, one request a second, first for the markets that most look at. Only the feed that writes
the history does it."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import asyncpg

from connectors.base.history import LOADED, VenueHistory
from db.venue_candles import Series, Told, not_loaded, put, told_of
from domain.candles import PERIODS, Candle, bucket, widened
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, VenueId
from runtime import metrics
from runtime.clock import wall_us
from runtime.logs import get_logger
from runtime.tasks import Backoff

DAY_US: Final = PERIODS["1d"]
BACK_US: Final[Mapping[str, int]] = {
    "1m": 1000 * PERIODS["1m"],
    "1h": 30 * DAY_US,
    "1d": 365 * DAY_US,
}
"""How far back each period is asked for."""

MADE: Final[Mapping[str, tuple[str, ...]]] = {"1m": ("5m", "15m"), "1h": ("4h",), "1d": ()}
"""Periods made of the one asked for."""

PACE_S: Final = 1.0
"""Between two requests of any venue: a page is some 30 ms of work, and prices come first."""
MAJORS: Final = ("BTC-USD", "ETH-USD", "SOL-USD")
"""What most look at has its turn first."""
ASKED_AT_ONCE: Final = 50
TOLD_BOUND: Final = 8
"""Answers that wait for the database; then nothing more is asked."""
WAIT_S: Final = 0.5
ATTEMPTS: Final = 4
RETRY_FIRST_S: Final = 5.0
RETRY_CAP_S: Final = 120.0
DOUBT: Final = 2
"""A venue whose newest candle is so many times the price seen here means something else by it."""

CANDLES_TOLD: Final = metrics.Counter(
    "perptape_history_venue_candles_total", "Candles that a venue told", ["venue"]
)
NOT_TOLD: Final = metrics.Counter(
    "perptape_history_venue_failures_total", "Requests for them that failed", ["venue", "code"]
)
_log = get_logger(__name__)


class Job(NamedTuple):
    series: Series
    period: str
    attempts: int = 0


class Loader:
    """``want`` every series once; ``run`` for ever; ``exchange`` now and then, with the connection
    that writes. ``kept_days`` by period: older candles are not asked for."""

    def __init__(
        self, venues: Mapping[VenueId, VenueHistory], kept_days: Mapping[str, int | None]
    ) -> None:
        self._venues = venues
        self._back_us = {
            period: min(BACK_US[period], (kept_days[period] or 3650) * DAY_US) for period in LOADED
        }
        self._prices: dict[Series, int] = {}
        self._new: deque[Series] = deque()
        self._jobs: dict[VenueId, deque[Job]] = {venue: deque() for venue in venues}
        self._told: deque[Told] = deque()
        self._turn = asyncio.Lock()

    def want(self, market: MarketId, venue: str, price_e18: int) -> None:
        """``price_e18``: what it costs there now."""
        # Asked for every tick: a plain tuple is the quicker key.
        if (market, venue) not in self._prices and venue in self._venues:
            series = Series(market, venue)
            self._prices[series] = price_e18
            self._new.append(series)

    async def exchange(self, connection: asyncpg.Connection) -> None:
        """Finds out what has to be loaded, and writes what was. Raises what asyncpg raises."""
        asked = [self._new[place] for place in range(min(ASKED_AT_ONCE, len(self._new)))]
        if asked:
            missing = await not_loaded(connection, asked, LOADED)
            for _ in asked:
                self._new.popleft()
            for series, period in missing:
                self._jobs[VenueId(series.venue)].append(Job(series, period))
            for jobs in self._jobs.values():
                for job in [job for job in jobs if job.series.market in MAJORS][::-1]:
                    jobs.remove(job)
                    jobs.appendleft(job)
        for _ in range(len(self._told)):
            told = self._told[0]
            await put(connection, told)
            # Only now: a lost connection has it written again.
            self._told.popleft()
            CANDLES_TOLD.labels(venue=told.series.venue).inc(told.candles)

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for venue, history in self._venues.items():
                group.create_task(self._ask(venue, history))

    async def close(self) -> None:
        """After ``run`` was cancelled."""
        for history in self._venues.values():
            await history.close()

    async def _ask(self, venue: VenueId, history: VenueHistory) -> None:
        jobs = self._jobs[venue]
        backoff = Backoff(RETRY_FIRST_S, RETRY_CAP_S)
        while True:
            if not jobs or len(self._told) >= TOLD_BOUND:
                await asyncio.sleep(WAIT_S)
                continue
            job = jobs.popleft()
            async with self._turn:
                await asyncio.sleep(PACE_S)
            try:
                self._told.append(await self._load(history, job))
            except (VenueUnavailable, VenueProtocolError) as error:
                NOT_TOLD.labels(venue=venue, code=error.code).inc()
                if job.attempts + 1 < ATTEMPTS:
                    jobs.append(job._replace(attempts=job.attempts + 1))
                else:
                    _log.warning(
                        "history_not_told", venue=venue, market=job.series.market,
                        period=job.period, reason=f"{error.code}: {error.message}",
                    )  # fmt: skip
                wait_s = getattr(error, "retry_after_s", None) or 0.0
                await asyncio.sleep(max(backoff.next_s(), wait_s))
            else:
                backoff.reset()

    async def _load(self, history: VenueHistory, job: Job) -> Told:
        width_us = PERIODS[job.period]
        to_us = bucket(wall_us(), width_us) + width_us
        from_us = bucket(to_us - self._back_us[job.period], width_us)
        found = await history.candles(MarketId(job.series.market), job.period, from_us, to_us)
        once = {candle.t_us: candle for candle in found if from_us <= candle.t_us < to_us}
        candles = [once[t_us] for t_us in sorted(once)]
        if candles and not self._plausible(job.series, candles[-1]):
            _log.error(
                "history_doubtful", venue=job.series.venue, market=job.series.market,
                period=job.period, why="its candles are of another price",
            )  # fmt: skip
            candles = []
        return await asyncio.to_thread(_told, job, candles)

    def _plausible(self, series: Series, newest: Candle) -> bool:
        seen = self._prices[series]
        return newest.low_e18 <= seen * DOUBT and newest.high_e18 * DOUBT >= seen


def _told(job: Job, candles: Sequence[Candle]) -> Told:
    made = {job.period: candles}
    for period in MADE[job.period]:
        # The first bucket may have begun before what was told.
        start_us = bucket(candles[0].t_us - 1, PERIODS[period]) if candles else 0
        wide = widened(candles, PERIODS[period])
        made[period] = [candle for candle in wide if candle.t_us > start_us]
    return told_of(job.series, job.period, made)
