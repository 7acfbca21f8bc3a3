"""No venue is passed over that offers more, and more venues never mean a worse price."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import MarketId, VenueId
from domain.quote import VenueQuote, VenueState, best_of

STATES: list[VenueState] = ["live", "live", "live", "stale", "quarantined", "resyncing", "halted"]
PRICES = st.none() | st.integers(1, 40).map(lambda ticks: ticks * 10**16)


@st.composite
def venue_quotes(draw: st.DrawFn, venue: str) -> VenueQuote:
    state = draw(st.sampled_from(STATES))
    bid, ask = draw(PRICES), draw(PRICES)
    return VenueQuote(VenueId(venue), state, None, "book", None, bid, ask, "1", "1", 1)


ALL = st.tuples(*(venue_quotes(venue) for venue in ("dydx", "gmx", "gains", "other")))
MARKET = MarketId("BTC-USD")


@settings(deadline=None, max_examples=150)
@given(ALL)
def test_the_best_is_never_worse_than_any_eligible_venue(quotes: tuple[VenueQuote, ...]) -> None:
    best = best_of(MARKET, quotes, None, "frame", 1)
    bids = [q.bid_e18 for q in quotes if q.state == "live" and q.bid_e18 is not None]
    asks = [q.ask_e18 for q in quotes if q.state == "live" and q.ask_e18 is not None]
    assert best.bid_e18 == max(bids, default=None)
    assert best.ask_e18 == min(asks, default=None)
    assert best.crossed == (bool(bids and asks) and max(bids) > min(asks))
    # Equal prices: the first in venue order.
    if best.bid:
        assert best.bid is next(
            q for q in quotes if q.state == "live" and q.bid_e18 == best.bid_e18
        )
    if best.ask:
        assert best.ask is next(
            q for q in quotes if q.state == "live" and q.ask_e18 == best.ask_e18
        )
    if bids and asks:
        assert best.mid is not None
        assert Fraction(best.mid) * 10**18 == Fraction(max(bids) + min(asks), 2)
    else:
        assert best.mid is None
        assert best.spread_bps is None


@settings(deadline=None, max_examples=150)
@given(ALL)
def test_another_venue_never_makes_it_worse(quotes: tuple[VenueQuote, ...]) -> None:
    fewer = best_of(MARKET, quotes[:-1], None, "frame", 1)
    more = best_of(MARKET, quotes, None, "frame", 1)
    if fewer.bid_e18 is not None:
        assert more.bid_e18 is not None
        assert more.bid_e18 >= fewer.bid_e18
    if fewer.ask_e18 is not None:
        assert more.ask_e18 is not None
        assert more.ask_e18 <= fewer.ask_e18
