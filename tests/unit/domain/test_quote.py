"""The best over venues, and the two shapes in which it is published."""

import pytest

from domain.ids import MarketId, VenueId
from domain.quote import BestQuote, VenueQuote, VenueState, best_of, board_data, price_data

MARKET = MarketId("BTC-USD")
UNIT = 10**18


def quote(
    venue: str, bid: int | None = None, ask: int | None = None, state: VenueState = "live"
) -> VenueQuote:
    """Prices in whole dollars; the size of a side is its price / 10."""
    return VenueQuote(
        VenueId(venue),
        state,
        None if state == "live" else state.upper(),
        "book",
        None,
        None if bid is None else bid * UNIT,
        None if ask is None else ask * UNIT,
        None if bid is None else str(bid / 10),
        None if ask is None else str(ask / 10),
        7,
    )


def best(*quotes: VenueQuote) -> BestQuote:
    return best_of(MARKET, quotes, 0.01, "frame", 5)


@pytest.mark.parametrize(
    ("quotes", "bid_venue", "ask_venue", "crossed"),
    [
        ((), None, None, False),
        ((quote("a"),), None, None, False),
        ((quote("a", 9, 11), quote("b", 9, 11)), "a", "a", False),
        ((quote("a", 9, 11), quote("b", 10, 12)), "b", "a", False),
        ((quote("a", 9, None), quote("b", 8, 12)), "a", "b", False),
        ((quote("a", 9, 10), quote("b", 10, 12)), "b", "a", False),
        ((quote("a", 9, 10), quote("b", 11, 12)), "b", "a", True),
        ((quote("a", 9, 10, "stale"), quote("b", 5, 20)), "b", "b", False),
        ((quote("a", 9, 10, "quarantined"), quote("b", 8, None, "live")), "b", None, False),
    ],
)
def test_best_of(
    quotes: tuple[VenueQuote, ...], bid_venue: str | None, ask_venue: str | None, crossed: bool
) -> None:
    found = best(*quotes)
    assert (found.bid.venue if found.bid else None) == bid_venue
    assert (found.ask.venue if found.ask else None) == ask_venue
    assert found.crossed is crossed
    assert found.live is (bid_venue is not None or ask_venue is not None)


@pytest.mark.parametrize(
    ("bid_e18", "ask_e18", "mid", "spread_bps"),
    [
        (97_012_500_000_000_000_000_000, 97_013 * UNIT, "97012.75", 0.0515),
        (10 * UNIT, 9 * UNIT, "9.5", -1052.6316),
        (5, 7, "0.000000000000000006", 3333.3333),
        (5 * UNIT, None, None, None),
        (None, 5 * UNIT, None, None),
    ],
)
def test_mid_and_spread(
    bid_e18: int | None, ask_e18: int | None, mid: str | None, spread_bps: float | None
) -> None:
    found = best(quote("a")._replace(bid_e18=bid_e18, ask_e18=ask_e18))
    assert (found.mid, found.spread_bps) == (mid, spread_bps)


def test_the_published_shapes() -> None:
    found = best(quote("dydx", 90, 100), quote("gmx", 91, 95, "stale"), quote("gains", 89, 99))
    assert price_data(found) == {
        "bid": "90",
        "bid_venue": "dydx",
        "bid_size": "9.0",
        "ask": "99",
        "ask_venue": "gains",
        "ask_size": "9.9",
        "mid": "94.5",
        "spread_bps": 952.381,
        "crossed": False,
        "quality": {
            "venues": 2,
            "excluded": [{"venue": "gmx", "reason": "STALE"}],
            "disagree": False,
            "confidence_bps": 52.9101,
            "age_ms": {"dydx": 0, "gains": 0},
        },
        "venues": {
            venue: {
                "bid": bid,
                "ask": ask,
                "kind": "book",
                "pool": None,
                "price_us": 7,
                "state": state,
                "dropped_levels": 0,
            }
            for venue, bid, ask, state in (
                ("dydx", "90", "100", "live"),
                ("gmx", "91", "95", "stale"),
                ("gains", "89", "99", "live"),
            )
        },
    }
    assert board_data(found) == {
        "bid": "90",
        "ask": "99",
        "bid_venue": "dydx",
        "ask_venue": "gains",
        "spread_bps": 952.381,
        "crossed": False,
        "change_24h": 0.01,
    }
    empty = price_data(best())
    assert empty["quality"] == {
        "venues": 0, "excluded": [], "disagree": False, "confidence_bps": None, "age_ms": {},
    }  # fmt: skip
    assert [empty[key] for key in ("bid", "bid_venue", "ask", "mid", "spread_bps")] == [None] * 5


@pytest.mark.parametrize(
    ("quotes", "confidence_bps"),
    [
        ([quote("a", 100, 102), quote("b", 100, 102)], 0),
        # Mids of 101 and 103 around the 102 of the best bid and ask.
        ([quote("a", 100, 102), quote("b", 102, 104)], 98.0392),
        ([quote("a", 100, 102), quote("b", 101, 103), quote("c", 102, 104)], 98.0392),
        ([quote("a", 100, 102), quote("b", 200, 204, "stale")], None),
        ([quote("a", 100, 102), quote("b", 101)], None),
        ([quote("a", 100, 102)], None),
        ([quote("a", 100), quote("b", 101)], None),
    ],
)
def test_confidence_is_half_the_width_that_holds_every_mid(
    quotes: list[VenueQuote], confidence_bps: float | None
) -> None:
    assert best(*quotes).confidence_bps == confidence_bps


def test_ages_are_of_the_moment_of_the_news() -> None:
    fresh, old = quote("a", 1, 2)._replace(price_us=9_000), quote("b", 1, 2)._replace(price_us=500)
    away = quote("c", 1, 2, "stale")
    said = best(fresh, old, away)
    assert said._replace(received_us=9_999).age_ms == {"a": 0, "b": 9}
    # A clock that was set back makes no price younger than new.
    assert said._replace(received_us=400).age_ms == {"a": 0, "b": 0}
    # Of no moment known the newest price is new.
    assert said._replace(received_us=0).age_ms == {"a": 0, "b": 8}
