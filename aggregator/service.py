"""The feed role: connectors -> consolidator -> publisher, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import orjson

from aggregator import rooms
from aggregator.consolidate import Consolidator
from aggregator.depth import Depths, Known
from aggregator.funding import FundingBoard
from aggregator.history import History, SayCandles
from aggregator.ladders import Ladder
from aggregator.pricing import Pricer
from aggregator.publisher import Publisher
from aggregator.venue_runner import VenueRunner
from connectors import registry
from connectors.base.protocol import VenueConnector
from domain.events import Event
from domain.ids import MarketId, SourceId, VenueId
from domain.quote import BestQuote, Cause, board_data
from runtime import channels, metrics
from runtime.beside import BesideLost
from runtime.clock import iso_ms, mono_ns, wall_us
from runtime.logs import get_logger
from runtime.settings import Settings
from runtime.tasks import end_all, supervise

ADVANCE_S: Final = 0.04
BOARD_S: Final = 0.1
VENUES_S: Final = 0.1
MARKETS_S: Final = 1.0
LOOK_NS: Final = 50_000_000
LADDERS_S: Final = 0.1
SLICES_LATE: Final = 8
FUNDING_S: Final = channels.FUNDING_MS / 1000 / channels.FUNDING_SHARES
VENUES_REPEAT_NS: Final = 1_000_000_000
FLUSH_MARKETS: Final = 32
"""At a time: a poll or an array changes a hundred at once, and the first need not wait for the
last, nor other venues for all of them."""
PIECE_NS: Final = 1_000_000
LISTING_NS: Final = 5_000_000_000
"""How long after its start a feed waits for the market lists of all venues."""

FLUSH_SECONDS: Final = metrics.Histogram(
    "perptape_flush_seconds",
    "Consolidating and encoding one flush",
    buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
)
COLLECT_SECONDS: Final = metrics.Histogram(
    "perptape_depth_seconds",
    "Collecting what some markets can be priced with",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.05),
)
LADDER_SECONDS: Final = metrics.Histogram(
    "perptape_ladder_seconds",
    "From there to the ladders of some markets",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
AUDITS: Final = metrics.Gauge("perptape_book_audits", "Books compared with REST")
MISMATCHES: Final = metrics.Gauge("perptape_book_audit_mismatches", "... that differed")
QUARANTINES: Final = metrics.Gauge("perptape_quarantines", "Times a market was quarantined")

VENUE_LIVE: Final = metrics.Gauge(
    "perptape_venue_live", "1 while a venue is live, 0 in any other state", ["venue"]
)
VENUE_AGE: Final = metrics.Gauge(
    "perptape_venue_age_seconds", "Time since its last frame; -1 before the first", ["venue"]
)

_log = get_logger(__name__)


Pricing: TypeAlias = Callable[[Mapping[MarketId, Known]], Awaitable[Sequence[Ladder]]]
"""May raise BesideLost."""


class Outlet(Protocol):
    """Where a feed's envelopes go. See ``aggregator.publisher.Publisher``."""

    def publish_quote(self, best: BestQuote) -> None: ...
    def publish_room(
        self, room: str, cause: Cause, received_us: int, data: Mapping[str, Any] | Sequence[Any]
    ) -> bytes: ...
    def publish_state(self, key: str, body: bytes) -> None: ...
    def publish_ladder(self, ladder: Ladder) -> None: ...
    def repeat_ladder(self, market: MarketId) -> None: ...
    def publish_funding(
        self, share: int, changed: Mapping[str, Any], whole: Mapping[str, Any]
    ) -> None: ...
    def is_waiting(self, room: str) -> bool: ...
    def push(self) -> None: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


class Feed:
    """Joins the parts on one event loop. Events are applied at once and flushed when the loop has
    taken in all frames that were waiting, so that a burst is consolidated once. ``depths`` are
    those of the connectors and the consolidator; every ``ladder_ms`` each market has its turn, and
    ``pricing`` makes ladders of them.

    ``outlet`` makes the outlet; it is given what to call when readers may know nothing.
    """

    def __init__(
        self,
        connectors: Sequence[VenueConnector],
        consolidator: Consolidator,
        depths: Depths,
        outlet: Callable[[Callable[[], None]], Outlet],
        market_filter: frozenset[str] | None,
        history: Callable[[SayCandles], History] | None = None,
        pricing: Pricing | None = None,
        ladder_ms: int = channels.LADDER_MS,
    ) -> None:
        self._consolidator = consolidator
        self._depths = depths
        self._pricing = pricing
        self._round_ns = ladder_ms * 1_000_000
        self._funding = FundingBoard(consolidator)
        self._publisher = outlet(self._publish_everything)
        self._runners = [VenueRunner(c, consolidator, self.sink, market_filter) for c in connectors]
        self._history = None if history is None else history(self._say_candles)
        self._flush_due = False
        self._board: dict[str, BestQuote] = {}
        self._reports: dict[VenueId, tuple[rooms.VenueReport, int]] = {}
        self._venues_said_ns = 0
        self._started_ns = mono_ns()
        self._not_listed = market_filter or frozenset()
        counts = self._consolidator.counts
        AUDITS.set_function(lambda: counts.audits)
        MISMATCHES.set_function(lambda: counts.audit_mismatches)
        QUARANTINES.set_function(lambda: counts.quarantines)

    def sink(
        self, source_id: SourceId, events: Sequence[Event], received_us: int, now_ns: int
    ) -> None:
        """What drivers call with every frame's events."""
        self._consolidator.apply(source_id, events, received_us, now_ns)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        started_ns = mono_ns()
        now_us = wall_us()
        for best in self._consolidator.flush(started_ns, FLUSH_MARKETS):
            self._publisher.publish_quote(best)
            self._board[best.market] = best
            self._depths.notice(best)
            if self._history is not None:
                self._history.offer(best, now_us)
        # Not with the next turn of the loop: others may have a lot to do in this one.
        self._publisher.push()
        if self._consolidator.has_news:
            self._flush_soon()
        for market, rows in rooms.trade_rows(self._consolidator.trades()).items():
            self._publisher.publish_room(channels.trades_room(market), "frame", 0, rows)
        for venue, funding in self._consolidator.fundings():
            if self._history is not None:
                self._history.offer_funding(venue, funding)
        for source_id, market in self._consolidator.snapshots_wanted():
            for runner in self._runners:
                runner.resync(source_id, market)
        FLUSH_SECONDS.observe((mono_ns() - started_ns) / 1e9)

    def _publish_everything(self) -> None:
        """A new epoch: readers know nothing of it yet."""
        self._consolidator.forget_said()
        self._depths.forget_said()
        self._funding.forget_said()
        self._board.clear()
        if self._history is not None:
            self._history.say_again()
        self._venues_said_ns = 0
        self._say_markets()
        self._say_venues()
        self._flush_soon()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set or a bug ends one of the loops."""
        loops: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "publisher": self._publisher.run,
            "advance": self._advance,
            "board": self._say_board,
            "depth": self._collect_depth,
            "funding": self._say_funding,
            "venues": self._keep_venues,
            "markets": self._keep_markets,
            **({} if self._history is None else self._history.loops),
            **{str(runner.venue): runner.run for runner in self._runners},
        }
        if self._pricing is not None:
            loops["ladders"] = partial(self._say_ladders, self._pricing)
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
        tasks += [asyncio.create_task(supervise(name, loop)) for name, loop in loops.items()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end_all(tasks)
            if self._history is not None:
                await self._history.close()
            await self._publisher.close()
            for runner in self._runners:
                await runner.close()

    async def _advance(self) -> None:
        while True:
            await asyncio.sleep(ADVANCE_S)
            self._consolidator.advance(wall_us(), mono_ns())
            self._flush_soon()

    async def _say_board(self) -> None:
        """The ``prices`` room: what changed, at most ten times a second."""
        while True:
            await asyncio.sleep(BOARD_S)
            # Rows are gathered here while the last envelope waits: it has some that this has not.
            if not self._board or self._publisher.is_waiting(channels.PRICES_ROOM):
                continue
            changed, self._board = self._board, {}
            newest = max(changed.values(), key=lambda best: best.received_us)
            self._publisher.publish_room(
                channels.PRICES_ROOM,
                newest.cause,
                newest.received_us,
                {market: board_data(best) for market, best in changed.items()},
            )

    async def _collect_depth(self) -> None:
        """A slice of the markets after the other."""
        due_ns = mono_ns()
        while True:
            started_ns = mono_ns()
            markets = self._depths.due()
            standing = self._depths.collect(markets, started_ns)
            for market in (*standing, *self._depths.halfway()):
                self._publisher.repeat_ladder(market)
            COLLECT_SECONDS.observe((mono_ns() - started_ns) / 1e9)
            # Before any market is listed there is no round.
            pause_ns = self._round_ns // self._depths.slices if markets else LOOK_NS
            # A late slice does not make the round longer: keys have to live until the next one.
            due_ns = max(due_ns + pause_ns, mono_ns() - SLICES_LATE * pause_ns)
            await asyncio.sleep(max(0, due_ns - mono_ns()) / 1e9)

    async def _say_ladders(self, pricing: Pricing) -> None:
        """The ``ladder`` rooms: of what was collected since the last time."""
        while True:
            await asyncio.sleep(LADDERS_S)
            found = self._depths.take()
            if not found:
                continue
            started_ns = mono_ns()
            try:
                ladders = await pricing(found)
            except BesideLost as error:
                _log.warning("ladders_lost", reason=str(error))
                self._depths.forget_said()
                continue
            LADDER_SECONDS.observe((mono_ns() - started_ns) / 1e9)
            turn_ns = mono_ns()
            for ladder in ladders:
                self._publisher.publish_ladder(ladder)
                # Frames need not wait for all of them, nor each of them for frames.
                if mono_ns() - turn_ns > PIECE_NS:
                    await asyncio.sleep(0)
                    turn_ns = mono_ns()

    async def _say_funding(self) -> None:
        """The ``funding`` room, a share of the markets after the other."""
        while True:
            await asyncio.sleep(FUNDING_S)
            share = self._funding.share
            # Rows that changed wait in the envelope that another would replace.
            if not self._publisher.is_waiting(channels.funding_key(share)):
                self._publisher.publish_funding(share, *self._funding.turn())

    def _say_candles(self, market: MarketId, candles: Mapping[str, Any]) -> None:
        self._publisher.publish_room(channels.candles_tape_room(market), "timer", 0, candles)

    async def _keep_venues(self) -> None:
        while True:
            await asyncio.sleep(VENUES_S)
            self._say_venues()

    async def _keep_markets(self) -> None:
        while True:
            await asyncio.sleep(MARKETS_S)
            self._say_markets()

    def _say_markets(self) -> None:
        """Not while lists are still coming in: what an earlier feed told is more than a part."""
        complete = all(runner.listed for runner in self._runners)
        if not complete and mono_ns() < self._started_ns + LISTING_NS:
            return
        rows = rooms.market_rows(self._consolidator)
        missing = self._not_listed.difference(row["market"] for row in rows)
        if missing and complete:
            _log.error("markets_not_listed", markets=sorted(missing), why="no venue has them")
        self._not_listed = frozenset()
        if rows:
            self._publisher.publish_state(channels.MARKETS_STATE, orjson.dumps(rows))

    def _say_venues(self) -> None:
        """The ``venues`` room: on every change of state and once a second."""
        now_us = wall_us()
        changed = False
        for runner in self._runners:
            report = rooms.venue_report(self._consolidator, runner.venue, runner.trouble)
            before, since_us = self._reports.get(runner.venue, (None, now_us))
            changed |= not rooms.same_trouble(before, report)
            if not rooms.same_state(before, report):
                since_us = now_us
            self._reports[runner.venue] = (report, since_us)
            VENUE_LIVE.labels(venue=runner.venue).set(report.state == "live")
            seen_us = report.last_frame_us
            age_s = -1.0 if seen_us is None else max(0, now_us - seen_us) / 1e6
            VENUE_AGE.labels(venue=runner.venue).set(age_s)
        if not changed and mono_ns() - self._venues_said_ns < VENUES_REPEAT_NS:
            return
        self._venues_said_ns = mono_ns()
        data: dict[str, Any] = {
            venue: {
                "state": report.state,
                "reason": report.reason,
                "since": iso_ms(since_us),
                "markets": report.markets,
                "last_frame_us": report.last_frame_us,
            }
            for venue, (report, since_us) in self._reports.items()
        }
        body = self._publisher.publish_room(channels.VENUES_ROOM, "status", now_us, data)
        self._publisher.publish_state(channels.VENUES_STATE, body)


def publishing(connectors: Sequence[VenueConnector], settings: Settings) -> Feed:
    """The feed that writes to Redis. Raises SettingsError."""
    publisher = partial(Publisher, settings.require_redis_url())
    core = Consolidator({c.venue: c.rules.max_age_ns for c in connectors})
    depths = Depths(core, connectors)
    history = partial(History, settings)
    return Feed(
        connectors,
        core,
        depths,
        publisher,
        settings.market_filter,
        history,
        Pricer(settings.service_fee_bps).price,
    )


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs the feed until ``stop``. Raises SettingsError for what no restart can mend."""
    await publishing(registry.build(settings), settings).run(stop)
