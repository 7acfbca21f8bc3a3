"""Venues against each other: who is out, who is only told to disagree, and when one comes back."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import Levels, Liveness
from tests.unit.aggregator.world import BTC, World, snapshot

VENUES = ("dydx", "gmx", "gains")
TICKS = 1_000_000


def around(mid_ticks: int) -> tuple[Levels, Levels]:
    return ((mid_ticks - 1, 1),), ((mid_ticks + 1, 1),)


class Market(World):
    """Three venues with one market, whose mids are set in ticks."""

    def __init__(self, venues: tuple[str, ...] = VENUES) -> None:
        super().__init__(venues)
        self.venues = venues
        self.stamp = 1
        for venue in venues:
            self.live(venue=venue)

    def mids(self, mids: Mapping[str, int]) -> None:
        """All in one moment, as after a burst."""
        self.stamp += 1
        for venue, ticks in mids.items():
            bids, asks = around(ticks)
            self.apply(snapshot(BTC, bids, asks, self.stamp), venue=venue)
        self.flush()

    def out(self) -> set[str]:
        return {venue for venue in self.venues if self.state(venue) == ("quarantined", "OUTLIER")}

    def rest(self, seconds: int) -> None:
        """Quiet time in which all stay connected."""
        for _ in range(seconds):
            for venue in self.venues:
                self.apply(Liveness(self.now_ns), venue=venue)
            self.wait(1)


@pytest.mark.parametrize(
    ("mids", "out"),
    [
        ((TICKS, TICKS, TICKS), set()),
        # Within the floor of 10 bps, however quiet the others are.
        ((TICKS, TICKS, TICKS + 1_000), set()),
        ((TICKS, TICKS, TICKS + 1_010), {"gains"}),
        ((TICKS, TICKS, TICKS - 1_010), {"gains"}),
        # Within five times what the other two differ.
        ((TICKS, TICKS + 300, TICKS - 1_400), set()),
        ((TICKS, TICKS + 300, TICKS - 1_600), {"gains"}),
        ((TICKS, TICKS * 6 // 5, TICKS), {"gmx"}),
        ((TICKS * 6 // 5, TICKS, TICKS * 6 // 5), {"gmx"}),
    ],
)
def test_of_three_the_one_apart_is_out(mids: tuple[int, ...], out: set[str]) -> None:
    market = Market()
    market.mids(dict(zip(VENUES, mids, strict=True)))
    assert market.out() == out


@pytest.mark.parametrize(("apart", "disagree"), [(5_000, False), (5_010, True), (-5_100, True)])
def test_of_two_both_are_shown_and_it_is_told(apart: int, disagree: bool) -> None:
    market = Market(("dydx", "gmx"))
    market.mids({"dydx": TICKS, "gmx": TICKS + apart})
    assert market.out() == set()
    assert market.said[BTC].disagree is disagree
    market.mids({"gmx": TICKS})
    assert not market.said[BTC].disagree


def test_out_until_ten_seconds_of_agreement() -> None:
    market = Market()
    market.mids(dict.fromkeys(VENUES, TICKS))
    market.mids({"gmx": TICKS * 6 // 5})
    assert market.out() == {"gmx"}
    market.mids({"gmx": TICKS})
    market.rest(9)
    assert market.out() == {"gmx"}
    market.mids({"gmx": TICKS * 6 // 5})
    market.mids({"gmx": TICKS})
    market.rest(9)
    assert market.out() == {"gmx"}
    market.rest(2)
    assert market.out() == set()


def test_who_cannot_be_believed_is_not_asked() -> None:
    market = Market()
    market.mids({"dydx": TICKS, "gmx": TICKS * 6 // 5, "gains": TICKS * 6 // 5})
    assert market.out() == {"dydx"}
    # Without gains two are left, and nothing tells which of them is right.
    for _ in range(20):
        for venue in ("dydx", "gmx"):
            market.apply(Liveness(market.now_ns), venue=venue)
        market.wait(1)
    assert market.state("gains") == ("stale", "STALE")
    assert market.said[BTC].disagree


def best_mids(market: Market) -> tuple[int, int]:
    """Mids in ticks of the venues that have the best bid and the best ask."""
    best = market.said[BTC]
    assert best.bid_e18 is not None
    assert best.ask_e18 is not None
    return best.bid_e18 // 10**17 + 1, best.ask_e18 // 10**17 - 1


@settings(deadline=None, max_examples=60)
@given(
    noise=st.lists(st.integers(-300, 300), min_size=3, max_size=3),
    victim=st.sampled_from(VENUES),
    up=st.booleans(),
)
def test_a_spike_of_one_never_moves_the_best_and_of_two_it_does(
    noise: list[int], victim: str, up: bool
) -> None:
    quiet = {venue: TICKS + ticks for venue, ticks in zip(VENUES, noise, strict=True)}
    spiked = {venue: ticks * (6 if up else 4) // 5 for venue, ticks in quiet.items()}
    rest = [venue for venue in VENUES if venue != victim]

    one = Market()
    one.mids(quiet)
    one.mids({victim: spiked[victim]})
    assert one.out() == {victim}
    assert best_mids(one) == (max(quiet[v] for v in rest), min(quiet[v] for v in rest))

    two = Market()
    two.mids(quiet)
    two.mids({venue: spiked[venue] for venue in rest})
    assert two.out() == {victim}
    assert best_mids(two) == (max(spiked[v] for v in rest), min(spiked[v] for v in rest))
