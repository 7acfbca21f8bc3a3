"""When a venue counts and when not, and what is said of it."""

import pytest

from aggregator.consolidate import Consolidator
from domain.book import MAX_LEVELS
from domain.events import (
    BookAudit,
    BookSnapshot,
    Event,
    Liveness,
    MarketState,
    Trade,
    VenueStatus,
)
from domain.ids import MarketId
from tests.unit.aggregator.world import (
    BTC,
    DYDX,
    ETH,
    GMX,
    START_US,
    S,
    World,
    market,
    snapshot,
)

HALTED = MarketState(BTC, "halted", None, "PAUSED")
CLOSED = MarketState(BTC, "closed")
DOUBT = MarketState(BTC, trusted=False, reason="GARBAGE")
LIVE: tuple[Event, ...] = (VenueStatus("live"), Liveness(1), snapshot())
GAP = VenueStatus("resyncing", "GAP: 3 messages missing")
LOST = VenueStatus("connecting", "CONNECTION_LOST")


@pytest.mark.parametrize(
    ("events", "seconds", "expected"),
    [
        ((), 0, ("connecting", "CONNECTING")),
        ((HALTED,), 0, ("halted", "PAUSED")),
        ((VenueStatus("live"),), 0, ("resyncing", "NO_SNAPSHOT")),
        ((VenueStatus("live"), snapshot()), 0, ("stale", "STALE")),
        ((snapshot(), Liveness(1)), 0, ("live", None)),
        (LIVE, 0, ("live", None)),
        ((*LIVE, HALTED), 0, ("halted", "PAUSED")),
        ((*LIVE, CLOSED), 0, ("closed", "CLOSED")),
        ((*LIVE, HALTED, DOUBT, GAP, LOST), 9, ("halted", "PAUSED")),
        ((*LIVE, HALTED, MarketState(BTC, "open")), 0, ("live", None)),
        ((*LIVE, DOUBT), 0, ("resyncing", "GARBAGE")),
        ((*LIVE, DOUBT, snapshot()), 0, ("live", None)),
        ((*LIVE, DOUBT, GAP), 0, ("resyncing", "GAP")),
        ((*LIVE, GAP), 0, ("resyncing", "GAP")),
        ((*LIVE, GAP), 9, ("resyncing", "GAP")),
        ((*LIVE, GAP, VenueStatus("live")), 0, ("resyncing", "NO_SNAPSHOT")),
        ((*LIVE, GAP, snapshot()), 0, ("live", None)),
        ((*LIVE, GAP, (BTC, True, 1000, 1, 9)), 0, ("resyncing", "GAP")),
        ((*LIVE, LOST), 0, ("connecting", "CONNECTING")),
        ((*LIVE, LOST, VenueStatus("live"), Liveness(2)), 0, ("resyncing", "NO_SNAPSHOT")),
        ((*LIVE, LOST, snapshot()), 0, ("stale", "STALE")),
        ((*LIVE, LOST, *LIVE), 0, ("live", None)),
        (LIVE, 5.1, ("stale", "STALE")),
        ((*LIVE, BookSnapshot(BTC, 2, (), ())), 0, ("live", None)),
    ],
)
def test_state_and_reason(
    events: tuple[Event, ...], seconds: float, expected: tuple[str, str | None]
) -> None:
    world = World()
    world.apply(*events)
    world.wait(seconds)
    found = world.quote()
    assert (found.state, found.reason) == expected
    assert world.said[BTC].live is (
        expected[0] == "live" and events[-1] != BookSnapshot(BTC, 2, (), ())
    )
    if expected[0] != "live":
        assert (found.bid_e18, found.ask_e18, found.bid_size, found.ask_size) == (None,) * 4


def test_a_source_is_stale_five_seconds_after_its_last_proof_and_one_step() -> None:
    world = World()
    world.live()
    world.wait(3)
    world.apply(Liveness(2))
    world.wait(5.0)
    assert world.state() == ("live", None)
    (said,) = world.wait(0.04)
    assert said.quotes[0].state == "stale"
    assert (said.cause, said.received_us) == ("timer", world.wall_us)
    # Book changes are no proof.
    world.apply((BTC, True, 1001, 1, 9))
    assert world.state() == ("stale", "STALE")
    world.apply(Liveness(3))
    assert world.state() == ("live", None)
    assert world.said[BTC].cause == "status"
    assert world.said[BTC].bid_e18 == 1001 * 10**17


def test_a_quiet_market_stays_and_nothing_is_said_twice() -> None:
    world = World()
    world.live()
    assert len(world.flush()) == 1
    height = iter(range(2, 1_000))
    for _ in range(60):
        assert world.wait(1.0, Liveness(next(height)), every_s=1.0) == []
    assert world.state() == ("live", None)
    world.apply((BTC, True, 999, 2, 9), snapshot(), (BTC, True, 990, 7, 9))
    assert world.flush() == []


@pytest.mark.parametrize("step_us", [3_600_000_000, -3_600_000_000])
def test_a_step_of_the_wall_clock_changes_nothing(step_us: int) -> None:
    world = World()
    world.live()
    world.flush()
    world.wait(2, Liveness(2), every_s=0.5)
    world.wall_us += step_us
    assert world.wait(4.9) == []
    assert [best.quotes[0].state for best in world.wait(0.2)] == ["stale"]


def test_only_the_touch_moves_its_time_and_its_quote() -> None:
    world = World()
    world.live()
    world.flush()
    world.wall_us += 5
    world.apply((BTC, True, 990, 7, 9))
    assert world.flush() == []
    world.wall_us += 5
    world.apply((BTC, True, 1000, 7, 10))
    (said,) = world.flush()
    assert (said.cause, said.received_us) == ("frame", START_US + 10)
    assert said.quotes[0].price_us == START_US + 10
    assert said.bid is not None
    assert (said.bid.bid_e18, said.bid.bid_size) == (100 * 10**18, "0.007")


def test_a_burst_is_said_once() -> None:
    world = World(markets=(BTC, ETH))
    world.live(BTC, ETH)
    for stamp in range(50):
        world.apply((BTC, True, 1001, 1 + stamp % 3, stamp))
    assert sorted(best.market for best in world.flush()) == [BTC, ETH]
    assert world.flush() == []


def test_the_best_of_two_venues_and_what_is_left_when_one_fails() -> None:
    world = World(("dydx", "gmx"))
    world.live()
    world.live(venue="gmx")
    world.apply(snapshot(bids=((1002, 1),)), venue="gmx")
    world.flush()
    best = world.said[BTC]
    assert best.bid is not None
    assert best.ask is not None
    assert (best.bid.venue, best.ask.venue) == (GMX, DYDX)
    assert [quote.venue for quote in best.quotes] == [DYDX, GMX]
    world.apply(LOST, venue="gmx")
    world.flush()
    best = world.said[BTC]
    assert best.bid is not None
    assert best.bid.venue == DYDX
    # The age of one venue is not the age of another.
    world.apply(*LIVE, venue="gmx")
    world.wait(5.1, Liveness(2), venue="gmx")
    assert [quote.state for quote in world.said[BTC].quotes] == ["stale", "live"]


def test_a_market_is_listed_once_however_many_sources_it_had() -> None:
    world = World()
    world.live()
    world.flush()
    world.core.detach(world.source("dydx"), world.wall_us)
    assert world.state() == ("connecting", "CONNECTING")
    world.core.attach(world.source("dydx", 1), DYDX, [market(tick="0.5")])
    world.apply(*LIVE, number=0)
    assert world.state() == ("connecting", "CONNECTING")
    world.apply(*LIVE, number=1)
    assert world.said[BTC].market == BTC
    assert world.quote().bid_e18 == 500 * 10**18
    assert len(world.said[BTC].quotes) == 1


def test_a_new_source_of_a_market_starts_without_the_book_of_the_old() -> None:
    world = World()
    world.live()
    assert world.state() == ("live", None)
    world.core.attach(world.source("dydx", 1), DYDX, [market()])
    assert world.state() == ("connecting", "CONNECTING")
    world.apply((BTC, True, 1005, 1, 9), number=0)
    world.apply(VenueStatus("live"), Liveness(1), number=1)
    assert world.state() == ("resyncing", "NO_SNAPSHOT")
    world.apply(snapshot(), number=1)
    assert world.state() == ("live", None)


def test_equal_prices_go_by_the_order_of_venues_not_of_their_arrival() -> None:
    core = Consolidator({DYDX: S, GMX: S})
    for venue in (GMX, DYDX):
        source = World.source(venue)
        core.attach(source, venue, [market(venue)])
        core.apply(source, LIVE, 1, 1)
    (best,) = core.flush(1)
    assert best.bid is not None
    assert best.ask is not None
    assert [quote.venue for quote in best.quotes] == [DYDX, GMX]
    assert (best.bid.venue, best.ask.venue) == (DYDX, DYDX)


def test_what_is_unlisted_leaves_at_once_and_may_come_back() -> None:
    world = World(("dydx", "gmx"), (BTC, ETH))
    for venue in ("dydx", "gmx"):
        world.live(BTC, ETH, venue=venue)
    world.apply((BTC, True, 1011, 5, 9))  # crossed, which would be looked after
    world.flush()
    world.core.unlist(DYDX, BTC, world.wall_us)
    assert [quote.venue for quote in world.flush()[0].quotes] == [GMX]
    world.core.unlist(GMX, BTC, world.wall_us)
    world.core.unlist(GMX, BTC, world.wall_us)
    (gone,) = world.flush()
    assert (gone.quotes, gone.bid, gone.ask) == ((), None, None)
    assert list(world.core.listed()) == [ETH]
    world.wait(10, Liveness(2))
    assert world.core.snapshots_wanted() == []
    world.apply((BTC, True, 1, 1, 1), snapshot(), HALTED, MarketState(MarketId("X-USD"), "open"))
    assert world.flush() == []
    assert world.core.counts.unknown_markets == 3
    world.core.attach(world.source("dydx", 1), DYDX, [market()])
    world.apply(*LIVE, number=1)
    assert world.state() == ("live", None)


@pytest.mark.parametrize(
    ("bid", "ask", "differs"),
    [(1000, 1010, False), (1001, 1009, False), (1003, 1010, True), (1000, 1007, True),
     (None, 1010, True), (1000, None, True), (None, None, True)],
)  # fmt: skip
def test_an_audit_that_differs_asks_for_a_snapshot(
    bid: int | None, ask: int | None, differs: bool
) -> None:
    world = World()
    world.live()
    world.flush()
    world.apply(BookAudit(BTC, bid, ask))
    assert world.core.snapshots_wanted() == ([(world.source("dydx"), BTC)] if differs else [])
    assert world.core.snapshots_wanted() == []
    assert (world.core.counts.audits, world.core.counts.audit_mismatches) == (1, differs)
    assert world.state() == ("live", None)


def test_audits_ask_at_most_every_five_seconds_and_only_about_a_book_in_use() -> None:
    world = World()
    asked = 0
    world.apply(BookAudit(BTC, 1, 2))
    world.live()
    world.flush()
    for _ in range(100):
        world.wait(0.2, Liveness(1))
        world.apply(Liveness(2), BookAudit(BTC, 900, 1100))
        asked += len(world.core.snapshots_wanted())
    assert asked == 4
    world.apply(DOUBT, BookAudit(BTC, 900, 1100))
    assert world.core.counts.audits == 100


def trade(number: int) -> Trade:
    return Trade(BTC, f"t{number}", "100", "1", "BUY", 5)


def test_trades_are_told_once_each_in_order() -> None:
    world = World()
    world.apply(*(trade(n) for n in (1, 2, 1)))
    world.apply(trade(2), trade(3), Trade(MarketId("X-USD"), "t9", "1", "1", "BUY", 5))
    assert [item.trade.trade_id for item in world.core.trades()] == ["t1", "t2", "t3"]
    assert world.core.trades() == []
    world.apply(*(trade(n) for n in range(500)))
    assert len(world.core.trades()) == 497


def test_everything_is_told_again_when_what_was_said_is_forgotten() -> None:
    world = World(("dydx", "gmx"), (BTC, ETH))
    world.live(BTC, ETH)
    first = {best.market: best.quotes for best in world.flush()}
    world.core.forget_said()
    assert {best.market: best.quotes for best in world.flush()} == first
    assert world.flush() == []


def test_the_change_of_24_hours_is_news_of_its_own() -> None:
    world = World()
    world.live()
    world.flush()
    world.apply(MarketState(BTC, change_24h=0.01))
    assert [best.change_24h for best in world.flush()] == [0.01]
    world.apply(MarketState(BTC, change_24h=0.01))
    assert world.flush() == []


def test_a_flood_of_levels_costs_the_book_and_asks_for_another() -> None:
    world = World()
    world.live()
    world.flush()
    world.apply(*((BTC, True, ticks, 1, 9) for ticks in range(1, MAX_LEVELS + 10)))
    assert world.state() == ("resyncing", "BOOK_TOO_DEEP")
    assert world.core.snapshots_wanted() == [(world.source("dydx"), BTC)]
    world.apply(snapshot())
    assert world.state() == ("live", None)


def test_events_of_an_unknown_source_are_ignored() -> None:
    world = World()
    world.apply(*LIVE, trade(1), number=7)
    assert world.state() == ("connecting", "CONNECTING")
    assert world.core.trades() == []


def test_a_flush_takes_those_that_have_waited_longest() -> None:
    world = World(("dydx",), (BTC, ETH))
    world.core.flush(world.now_ns)
    world.apply(*LIVE)
    world.apply(snapshot(ETH))
    assert [best.market for best in world.core.flush(world.now_ns, 1)] == [BTC]
    assert world.core.has_news
    assert [best.market for best in world.core.flush(world.now_ns, 1)] == [ETH]
    assert not world.core.has_news
