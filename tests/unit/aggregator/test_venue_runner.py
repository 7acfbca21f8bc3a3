"""The market list over time: what is new starts, what changed its scales starts anew."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence

import pytest_asyncio

from aggregator.rooms import venue_report
from aggregator.venue_runner import VenueRunner
from connectors.base.protocol import (
    Failure,
    Frame,
    HttpReply,
    HttpTransport,
    Source,
    VenueRules,
)
from domain.errors import VenueUnavailable
from domain.events import BookSnapshot, Event, Liveness, OraclePrice, VenueStatus
from domain.ids import MarketId, SourceId
from domain.market import Market
from runtime.clock import mono_ns, wall_us
from tests.unit.aggregator.world import BTC, DYDX, ETH, S, World, market

E18 = 10**18


class PollSession:
    """Books of ``markets`` at 100/101 and oracle prices of ``states``, every 20 ms."""

    def __init__(self, markets: Sequence[Market], states: Sequence[Market]) -> None:
        self.markets, self.states = markets, states
        self.failure: Failure | None = None
        self.healthy = True
        self.resynced: list[MarketId] = []
        self._out: list[str] = []
        self._events: list[Event] = []

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        assert isinstance(frame, HttpReply)
        self._events += [VenueStatus("live"), Liveness(mono_ns)]
        for item in self.markets:
            unit = E18 // item.tick.unit_e18
            levels = ((100 * unit, 1),), ((101 * unit, 1),)
            self._events.append(BookSnapshot(item.market, mono_ns, *levels))
        self._events += [OraclePrice(item.market, 100 * E18, None) for item in self.states]

    def advance(self, mono_ns: int) -> None:
        self._out.append("/")

    def resync(self, market: MarketId, mono_ns: int) -> None:
        self.resynced.append(market)

    def events(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def outgoing(self) -> list[str]:
        drained, self._out = self._out, []
        return drained

    def next_deadline_ns(self) -> int:
        return mono_ns() + S // 50


class Venue:
    """A venue of one market a connection; the first carries the oracle prices of all."""

    venue = DYDX
    rules = VenueRules(max_age_ns=5 * S)

    def __init__(self) -> None:
        self.listed: list[Market] = []
        self.trouble: Exception | None = VenueUnavailable("UNREACHABLE", "nobody there")
        self.asked: list[list[str]] = []
        self.sessions: dict[str, PollSession] = {}

    async def load_markets(self) -> Sequence[Market]:
        if self.trouble is not None:
            raise self.trouble
        return self.listed

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        self.asked.append([item.market for item in markets])
        return [
            self._source([item], markets if place == 0 else ())
            for place, item in enumerate(markets)
        ]

    def _source(self, markets: Sequence[Market], states: Sequence[Market]) -> Source:
        name = SourceId(f"dydx:{len(self.sessions)}")
        session = self.sessions[name] = PollSession(markets, states)

        async def fetch(_path: str) -> bytes:
            return b""

        return Source(name, HttpTransport(fetch), lambda _ns: session, tuple(markets))

    async def close(self) -> None:
        pass


class Running:
    """The runner's own readings of the list fail until a test lets them; ``refresh`` stands for
    them."""

    def __init__(self, names: frozenset[str] | None = None) -> None:
        self.venue = Venue()
        self.world = World(markets=())
        self.core = self.world.core
        self.core.detach(self.world.source("dydx"), 0)
        self.runner = VenueRunner(self.venue, self.core, self.core.apply, names)
        self.task = self.start()

    def start(self) -> "asyncio.Task[None]":
        self.task = asyncio.create_task(self.runner.run())
        return self.task

    def refresh(self, *listed: Market) -> None:
        """A reading of the list, without the half minute between two."""
        self.runner._reconcile(listed)

    async def until(self, *live: str, last: Callable[[], bool] = lambda: True) -> None:
        """Until exactly these markets are listed and live."""
        while True:
            await asyncio.sleep(0.005)
            self.core.advance(wall_us(), mono_ns())
            self.world.now_ns = mono_ns()
            self.world.flush()
            states = {
                name: best.quotes[0].state for name, best in self.world.said.items() if best.quotes
            }
            if states == dict.fromkeys(live, "live") and last():
                return


@pytest_asyncio.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


def both(tick: str = "0.1") -> list[Market]:
    return [market(name=BTC), market(name=ETH, tick=tick)]


async def test_what_is_new_is_added_and_what_is_gone_is_dropped(running: Running) -> None:
    running.refresh(market(name=BTC))
    await running.until(BTC)
    running.refresh(*both())
    await running.until(BTC, ETH)
    assert running.venue.asked == [[BTC], [ETH]]
    running.refresh(market(name=ETH))
    await running.until(ETH)
    running.refresh(*both())
    await running.until(BTC, ETH)
    assert venue_report(running.core, DYDX, None).markets == 2


async def test_a_list_that_says_the_same_starts_nothing(running: Running) -> None:
    running.refresh(*both())
    await running.until(BTC, ETH)
    halted = [market(name=BTC), Market(DYDX, ETH, ETH, both()[1].tick, both()[1].step, "halted")]
    for listed in (both(), both("0.10"), halted):
        running.refresh(*listed)
    assert running.venue.asked == [[BTC, ETH]]


async def test_new_scales_start_the_venue_anew_and_lose_nothing_of_the_others(
    running: Running,
) -> None:
    running.refresh(*both())
    await running.until(BTC, ETH)
    old = set(running.venue.sessions)
    running.refresh(market(name=BTC, tick="0.5"), market(name=ETH))
    await running.until(BTC, ETH)
    assert running.world.said[BTC].bid_e18 == 100 * E18
    assert venue_report(running.core, DYDX, None).state == "live"
    # Oracle prices of a market come from another connection: it must know all markets too.
    current = set(running.venue.sessions) - old
    states = {item.market for name in current for item in running.venue.sessions[name].states}
    assert states == {BTC, ETH}
    carried = [item for name in current for item in running.venue.sessions[name].markets]
    assert {item.market: item.tick.increment for item in carried} == {BTC: "0.5", ETH: "0.1"}
    row = next(row for row in running.core.rows_of(DYDX) if row.market.market == ETH)
    await running.until(
        BTC,
        ETH,
        last=lambda: row.oracle_source is not None and row.oracle_source.source_id in current,
    )


async def test_a_market_under_a_new_symbol_starts_anew(running: Running) -> None:
    running.refresh(*both())
    await running.until(BTC, ETH)
    running.refresh(dataclasses.replace(both()[0], symbol="XBT-USD"), both()[1])
    await running.until(BTC, ETH)
    assert running.venue.asked == [[BTC, ETH], [BTC, ETH]]


async def test_only_the_markets_asked_for_are_run() -> None:
    running = Running(frozenset({ETH}))
    running.refresh(*both())
    await running.until(ETH)
    assert running.venue.asked == [[ETH]]
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)


async def test_without_a_list_the_trouble_is_told_until_it_ends(running: Running) -> None:
    while running.runner.trouble is None:
        await asyncio.sleep(0.005)
    report = venue_report(running.core, DYDX, running.runner.trouble)
    assert (report.state, report.reason) == ("connecting", "UNREACHABLE: nobody there")
    running.venue.listed, running.venue.trouble = both(), None
    await running.until(BTC, ETH)
    assert running.runner.trouble is None


async def test_a_runner_that_crashed_leaves_no_dead_connection_behind(running: Running) -> None:
    running.venue.listed, running.venue.trouble = both(), None
    await running.until(BTC, ETH)
    running.task.cancel()
    await asyncio.gather(running.task, return_exceptions=True)
    assert list(running.core.sources_of(DYDX)) == []
    running.start()
    await running.until(BTC, ETH)
    assert venue_report(running.core, DYDX, None).state == "live"


async def test_a_wish_for_a_snapshot_reaches_the_right_connection(running: Running) -> None:
    running.refresh(*both())
    await running.until(BTC, ETH)
    running.runner.resync(SourceId("dydx:1"), ETH)
    running.runner.resync(SourceId("gmx:0"), BTC)
    assert [session.resynced for session in running.venue.sessions.values()] == [[], [ETH]]
