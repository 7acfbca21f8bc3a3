"""States, scales, oracle prices and the 24 h change; and the list of markets itself."""

from typing import Any

import pytest

from domain.events import Event, MarketState
from tests.unit.connectors.dydx.link import MARKETS, Link, market, oracles, recorded

A, B = market("A-USD"), market("B-USD")


def said(link: Link, rows: dict[str, Any]) -> list[Event]:
    link.events()
    link.data(MARKETS, {"trading": rows})
    return [event for event in link.events() if isinstance(event, MarketState)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"status": "ACTIVE"}, MarketState(A.market, "open", None, "ACTIVE")),
        ({"status": "PAUSED"}, MarketState(A.market, "halted", None, "PAUSED")),
        ({"status": "NEW_ONE"}, MarketState(A.market, "halted", None, "NEW_ONE")),
        ({"tickSize": "0.1", "stepSize": "0.0010"}, None),
        ({"tickSize": "1E-1"}, None),
        ({"tickSize": "0.01"}, MarketState(A.market, None, False, "SCALE_CHANGED")),
        ({"stepSize": "0.01"}, MarketState(A.market, None, False, "SCALE_CHANGED")),
        (
            {"stepSize": "1", "status": "ACTIVE"},
            MarketState(A.market, "open", False, "SCALE_CHANGED"),
        ),
        ({"baseOpenInterest": "5100", "id": "67", "nextFundingRate": "-0.001"}, None),
        ({"priceChange24H": "5"}, None),
        (
            {"priceChange24H": "5", "oraclePrice": "55"},
            MarketState(A.market, None, None, None, 0.1),
        ),
    ],
    ids=str,
)
def test_market_rows(row: dict[str, Any], expected: MarketState | None) -> None:
    link = Link(A).open()
    assert said(link, {"A-USD": row, "NOT-OURS": {"status": [], "tickSize": 5}}) == (
        [] if expected is None else [expected]
    )


def test_the_change_uses_the_newest_oracle_price() -> None:
    link = Link(A).open()
    at = {"effectiveAt": "2024-08-17T17:24:36.330Z", "effectiveAtHeight": "1", "marketId": 7}
    link.data(MARKETS, {"oraclePrices": {"A-USD": {"oraclePrice": "11", **at}}})
    assert oracles(link.events()) == [("A-USD", 11 * 10**18)]
    link.data(
        MARKETS,
        {
            "oraclePrices": {"A-USD": {"oraclePrice": "12", **at}},
            "trading": {"A-USD": {"priceChange24H": "2"}},
        },
    )
    events = link.events()
    assert MarketState(A.market, change_24h=0.2) in events
    assert "venue_time_ms=1723915476330" in repr(events)


def test_states_of_markets_whose_books_another_connection_carries() -> None:
    link = Link(A, states=(A, B)).open()
    assert said(link, {"B-USD": {"status": "PAUSED"}}) == [
        MarketState(B.market, "halted", None, "PAUSED")
    ]


def test_the_recorded_list_is_the_truth_about_states_and_prices() -> None:
    frame = recorded("nautilus_2024/websocket/v4_markets_subscribed.json")
    rows = frame["contents"]["markets"]
    markets = [market(ticker, row["tickSize"], row["stepSize"]) for ticker, row in rows.items()]
    link = Link(markets[0], states=markets)
    link.send("connected")
    link.send("subscribed", channel=MARKETS, contents=frame["contents"])
    events = link.events()
    states = {item.market: item for item in events if isinstance(item, MarketState)}
    assert len(states) == len(rows) == len(oracles(events)) == 98
    assert sum(item.status == "halted" for item in states.values()) == 2
    assert all(item.trusted is None for item in states.values())
    for ticker, row in rows.items():
        change = states[markets[0].market.__class__(ticker)].change_24h
        now, moved = float(row["oraclePrice"]), float(row["priceChange24H"])
        assert change == pytest.approx(moved / (now - moved), abs=1e-5)
