"""Books that stay crossed and prices far from the oracle: out, and in again."""

import pytest

from domain.events import Event, Levels, Liveness, MarketState, OraclePrice, VenueStatus
from tests.unit.aggregator.world import (
    BTC,
    DYDX,
    ETH,
    STEP_NS,
    S,
    World,
    market,
    snapshot,
)

BEAT = Liveness(9)
CROSSED: Levels = ((1000, 1), (1010, 1), (1011, 5))
CROSS = (BTC, True, 1011, 5, 9)
UNCROSS = (BTC, True, 1011, 0, 10)
E18 = 10**18


def opened() -> World:
    world = World()
    world.live()
    world.flush()
    return world


def seconds_until(world: World, state: str, limit_s: float) -> float:
    """How long until the market has this state."""
    start_ns = world.now_ns
    for _ in range(int(limit_s * S / STEP_NS)):
        world.wait(STEP_NS / S)
        world.apply(BEAT)
        if world.state()[0] == state:
            return (world.now_ns - start_ns) / S
    raise AssertionError(f"not {state} after {limit_s} s")


def test_a_crossed_book_is_shown_uncrossed_then_asked_for_again_then_left_out() -> None:
    world = opened()
    world.apply(CROSS)
    found = world.quote()
    assert (found.bid_e18, found.ask_e18, found.dropped) == (1011 * 10**17, None, 1)
    world.wait(1.96, BEAT)
    assert world.core.snapshots_wanted() == []
    world.wait(0.08, BEAT)
    assert world.core.snapshots_wanted() == [(world.source("dydx"), BTC)]
    world.wait(1.88, BEAT)
    assert world.state() == ("live", None)
    (said,) = world.wait(0.12, BEAT)
    assert (said.quotes[0].state, said.quotes[0].reason, said.cause) == (
        "quarantined",
        "CROSSED",
        "timer",
    )
    assert world.core.counts.quarantines == 1
    # While it lasts a snapshot is asked for every five seconds.
    for _ in range(25):
        world.wait(1, BEAT)
    assert len(world.core.snapshots_wanted()) == 5
    world.apply(UNCROSS)
    assert world.state()[0] == "quarantined"
    assert seconds_until(world, "live", 2) == pytest.approx(1.0, abs=0.09)
    world.wait(30, BEAT)
    assert world.core.snapshots_wanted() == []
    assert world.core.counts.quarantines == 1


def test_a_fresh_snapshot_ends_the_crossing_before_it_counts() -> None:
    world = opened()
    world.apply(CROSS)
    world.wait(2.1, BEAT)
    assert len(world.core.snapshots_wanted()) == 1
    world.apply(snapshot())
    world.wait(10, BEAT)
    assert world.core.counts.quarantines == 0
    assert world.state() == ("live", None)


def test_crossings_of_a_block_or_two_are_usual() -> None:
    world = opened()
    for _ in range(60):
        world.apply(CROSS)
        world.wait(0.7, BEAT)
        world.apply(UNCROSS)
        world.wait(0.3, BEAT)
    assert world.core.snapshots_wanted() == []
    assert world.core.counts.quarantines == 0


def test_a_book_that_is_mostly_crossed_is_left_out() -> None:
    world = opened()
    states = set()
    for _ in range(60):
        world.apply(CROSS, BEAT)
        world.wait(0.9)
        world.apply(UNCROSS)
        world.wait(0.1, BEAT)
        states.add(world.state())
    assert ("quarantined", "CROSSED") in states


def test_a_new_book_starts_without_the_guilt_of_the_old() -> None:
    world = opened()
    world.apply(CROSS)
    world.wait(5, BEAT)
    assert world.state() == ("quarantined", "CROSSED")
    world.apply(MarketState(BTC, trusted=False, reason="GARBAGE"))
    assert world.state() == ("resyncing", "GARBAGE")
    world.apply(snapshot())
    assert world.state() == ("live", None)
    world.apply(CROSS)
    world.wait(3.9, BEAT)
    assert world.state() == ("live", None)


def oracle(dollars: float, name: str = BTC) -> OraclePrice:
    return OraclePrice(market(name=name).market, int(dollars * E18), None)


@pytest.mark.parametrize(
    ("bids", "asks", "dollars", "state"),
    [
        # the mid of the book is 100.5
        (((1000, 1),), ((1010, 1),), 100.5, "live"),
        (((1000, 1),), ((1010, 1),), 95.8, "live"),
        (((1000, 1),), ((1010, 1),), 95.7, "quarantined"),
        (((1000, 1),), ((1010, 1),), 105.7, "live"),
        (((1000, 1),), ((1010, 1),), 105.8, "quarantined"),
        (((1050, 1),), ((1050_0, 1),), 100, "quarantined"),
        (((1049, 1),), ((1051, 1),), 100, "live"),
        (((950, 1),), ((950, 9),), 100, "live"),
        # with one side there is one price to judge
        (((1000, 1),), (), 100.5, "live"),
        ((), ((1010, 1),), 100.5, "live"),
        ((), ((10, 1),), 100.5, "quarantined"),
        (((1000, 1),), ((10, 5),), 100.5, "quarantined"),
        (((9000, 5),), ((1010, 1),), 100.5, "quarantined"),
        ((), (), 100.5, "live"),
    ],
)
def test_a_price_outside_five_percent_of_the_oracle_is_left_out_at_once(
    bids: Levels, asks: Levels, dollars: float, state: str
) -> None:
    world = opened()
    world.apply(oracle(dollars), snapshot(bids=bids, asks=asks))
    found = world.quote()
    assert (found.state, found.reason) == (state, "OUTLIER" if state == "quarantined" else None)
    assert world.core.counts.quarantines == (state == "quarantined")


def test_ten_seconds_of_agreement_bring_it_back_and_each_relapse_starts_them_anew() -> None:
    world = opened()
    world.apply(oracle(200))
    assert world.state() == ("quarantined", "OUTLIER")
    world.wait(30, BEAT)
    assert world.state() == ("quarantined", "OUTLIER")
    world.apply(oracle(100))
    world.wait(9.8, BEAT)
    assert world.state() == ("quarantined", "OUTLIER")
    world.apply(oracle(200))
    world.wait(0.2, BEAT)
    world.apply(oracle(100))
    assert seconds_until(world, "live", 11) == pytest.approx(10.0, abs=0.09)
    assert world.core.counts.quarantines == 1


def test_time_without_anything_to_compare_is_no_agreement() -> None:
    world = opened()
    world.apply(oracle(200))
    world.flush()
    world.apply(oracle(100))
    world.wait(3, BEAT)
    world.apply(VenueStatus("resyncing", "GAP"))
    world.wait(20, BEAT)
    world.apply(VenueStatus("live"), snapshot())
    assert seconds_until(world, "live", 11) == pytest.approx(10.0, abs=0.09)


def two_sources(dollars: float) -> World:
    """The oracle price comes from another connection than the book."""
    world = opened()
    world.core.attach(world.source("dydx", 1), DYDX, [market(name=ETH)])
    world.apply(VenueStatus("live"), Liveness(1), snapshot(ETH), number=1)
    world.apply(oracle(dollars), number=1)
    return world


@pytest.mark.parametrize(
    "news",
    [snapshot(bids=((2001, 1),), asks=((2010, 1),)), (BTC, True, 1900, 1, 2)],
    ids=["touch", "behind"],
)
def test_the_oracle_price_of_a_stale_source_is_not_used(news: Event) -> None:
    world = two_sources(100)
    world.wait(5.1, BEAT)
    assert world.state(name=ETH) == ("stale", "STALE")
    world.apply(snapshot(bids=((2000, 1),), asks=((2010, 1),)))
    assert world.state() == ("live", None)
    world.apply(BEAT, number=1)
    world.wait(0.04)
    world.apply(news)
    assert world.state() == ("quarantined", "OUTLIER")


@pytest.mark.parametrize("how", ["lost", "detached"])
def test_the_oracle_price_of_a_source_that_is_gone_is_not_used(how: str) -> None:
    world = two_sources(100)
    if how == "lost":
        world.apply(VenueStatus("connecting", "CONNECTION_LOST"), number=1)
    else:
        world.core.detach(world.source("dydx", 1), world.wall_us)
    world.apply(snapshot(bids=((2000, 1),), asks=((2010, 1),)))
    assert world.state() == ("live", None)
