"""Spreads and funding at regular times."""

from typing import Any

from aggregator.standing import FUNDING_US, SPREAD_US, Due, Standing, spreads
from domain.candles import BEST
from domain.events import Funding, PoolQuote
from domain.ids import MarketId, VenueId
from domain.quote import BestQuote, VenueQuote, best_of
from domain.units import E18

NOW_US = 1_795_392_000_000_000
BTC = MarketId("BTC-USD")
DYDX, GMX = VenueId("dydx"), VenueId("gmx")


def venue(name: VenueId, bid: int | None, ask: int | None, *pools: str) -> VenueQuote:
    quotes = tuple(PoolQuote(BTC, pool, E18, E18, None, None, None) for pool in pools)
    live = bid is not None or ask is not None
    return VenueQuote(
        name, "live" if live else "stale", None, "oracle" if pools else "book", None,
        None if bid is None else bid * E18, None if ask is None else ask * E18, None, None, NOW_US,
        pools=quotes,
    )  # fmt: skip


def best(*quotes: VenueQuote) -> BestQuote:
    return best_of(BTC, quotes, None, "frame", NOW_US)


def funding(raw: str, hours: int = 1, pool: str | None = None, **more: Any) -> Funding:
    return Funding(BTC, raw, hours, None, None, None, pool, **more)


def test_each_time_comes_once_also_when_its_beginning_was_missed() -> None:
    standing = Standing()
    assert standing.due(NOW_US + 250_000) == Due(NOW_US, NOW_US)
    assert standing.due(NOW_US + 500_000) == Due(None, None)
    assert standing.due(NOW_US + SPREAD_US + 750_000) == Due(NOW_US + SPREAD_US, None)
    assert standing.due(NOW_US) == Due(None, None)
    assert standing.due(NOW_US + FUNDING_US) == Due(NOW_US + FUNDING_US, NOW_US + FUNDING_US)


def test_widths_and_how_far_a_mid_is_from_the_best_one() -> None:
    quotes = venue(DYDX, 9_999, 10_001), venue(GMX, 9_996, 10_000), venue(VenueId("gains"), 1, None)
    assert list(spreads(best(*quotes))) == [
        ("BTC-USD", BEST, "1.0001", "0"),
        ("BTC-USD", "dydx", "2.0000", "0.5000"),
        ("BTC-USD", "gmx", "4.0008", "-1.5001"),
    ]


def test_without_a_mid_there_is_none() -> None:
    assert list(spreads(best(venue(DYDX, 100, None)))) == []
    assert list(spreads(best(venue(DYDX, None, None)))) == []


def test_funding_is_of_live_venues_and_pools_that_are_quoted() -> None:
    standing = Standing()
    standing.offer(DYDX, funding("0.0000125"))
    standing.offer(DYDX, funding("0.00008", 8))
    standing.offer(GMX, funding("0.0003", 1, "a", short_raw="0.0001", borrow_long_raw="0.0002"))
    standing.offer(GMX, funding("0.0009", 1, "gone"))
    quotes = venue(DYDX, 100, 101), venue(GMX, 100, 101, "a", "b")
    assert list(standing.funding(best(*quotes))) == [
        ("BTC-USD", "dydx", "", "0.00001", "0.00001", "\\N", "\\N", "\\N", "\\N"),
        ("BTC-USD", "gmx", "a", "0.0003", "0.0001", "0.0002", "\\N", "\\N", "\\N"),
    ]
    assert list(standing.funding(best(venue(DYDX, None, None)))) == []
