"""Funding rates and open interest out of v4_markets: told when they change and not twice."""

from typing import Any

import pytest

from aggregator.consolidate import Consolidator
from connectors.dydx import parse
from connectors.dydx.rates import FundingTable
from domain.errors import InputError
from domain.events import Funding, VenueStatus
from domain.ids import SourceId, VenueId
from tests.unit.connectors.dydx.link import MARKETS, START_NS, Link, market, recorded

A, B = market("A-USD"), market("B-USD")
HOUR_MS = 3_600_000
NEXT_MS = (START_NS // 10**6 // HOUR_MS + 1) * HOUR_MS


def told(link: Link, contents: dict[str, Any]) -> list[Funding]:
    link.events()
    link.data(MARKETS, contents)
    return [event for event in link.events() if isinstance(event, Funding)]


def rows(**row: Any) -> dict[str, Any]:
    return {"trading": {"A-USD": row}}


def price(text: str) -> dict[str, Any]:
    at = {"effectiveAt": "2024-08-17T17:24:36.330Z", "effectiveAtHeight": "1", "marketId": 7}
    return {"oraclePrices": {"A-USD": {"oraclePrice": text, **at}}}


def funding(raw: str, usd: str | None, next_at_ms: int = NEXT_MS) -> Funding:
    return Funding(A.market, raw, 1, next_at_ms, usd, usd)


def test_partial_rows_are_merged_and_only_changes_are_told() -> None:
    link = Link(A).open()
    assert told(link, rows(baseOpenInterest="5100")) == []
    assert told(link, rows(nextFundingRate="-0.0010")) == [funding("-0.001", None)]
    assert told(link, rows(nextFundingRate="-0.001", id="67")) == []
    assert told(link, price("2")) == [funding("-0.001", "10200")]
    assert told(link, price("3")) == []
    assert told(link, rows(baseOpenInterest="5000.50")) == [funding("-0.001", "15001.5")]
    assert told(link, rows(nextFundingRate="0")) == [funding("0", "15001.5")]
    assert told(link, rows(nextFundingRate=None, baseOpenInterest=None)) == []


def test_the_chains_count_is_preferred_to_the_indexers() -> None:
    link = Link(A).open()
    link.data(MARKETS, price("2"))
    assert told(link, rows(nextFundingRate="0", openInterest="7")) == [funding("0", "14")]
    assert told(link, rows(baseOpenInterest="6")) == [funding("0", "12")]
    assert told(link, rows(openInterest="8")) == []


def test_the_next_hour_is_news() -> None:
    link = Link(A).open()
    assert told(link, rows(nextFundingRate="0.1")) == [funding("0.1", None)]
    link.now_ns += 10**9 * 3600
    assert told(link, rows(id="5")) == [funding("0.1", None, NEXT_MS + HOUR_MS)]
    link.now_ns += 10**9 * 3600
    assert told(link, price("2")) == [funding("0.1", None, NEXT_MS + 2 * HOUR_MS)]


def test_one_unreadable_rate_is_noticed() -> None:
    link = Link(A, B).open()
    assert told(link, rows(nextFundingRate="1e-7")) == []
    # The market states are asked for again, nothing else.
    assert link.taken() == [("unsubscribe", MARKETS, "")]
    assert link.session.failure is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-0.0010", "-0.001"), ("0", "0"), ("-0", "0"), ("-0.00", "0"), ("5", "5"), ("-12", "-12")],
)
def test_signed_numbers(text: str, expected: str) -> None:
    assert parse.signed(text) == expected


@pytest.mark.parametrize("text", ["", "-", "--1", "+1", "-.5", "1e-7", "-1e-7", "NaN", "-Infinity"])
def test_what_only_looks_like_a_signed_number_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse.signed(text)


def test_the_recorded_snapshot_tells_every_market() -> None:
    frame = recorded("nautilus_2024/websocket/v4_markets_subscribed.json")
    listed = frame["contents"]["markets"]
    markets = [market(ticker, row["tickSize"], row["stepSize"]) for ticker, row in listed.items()]
    link = Link(markets[0], states=markets)
    link.send("connected")
    link.send("subscribed", channel=MARKETS, contents=frame["contents"])
    found = {event.market: event for event in link.events() if isinstance(event, Funding)}
    assert len(found) == len(listed) == 98
    for ticker, row in listed.items():
        event = found[markets[0].market.__class__(ticker)]
        assert float(event.raw) == float(row["nextFundingRate"])
        interest = row.get("baseOpenInterest", row["openInterest"])
        assert event.oi_long_usd is not None
        assert float(event.oi_long_usd) == pytest.approx(
            float(interest) * float(row["oraclePrice"]), rel=1e-12
        )


def test_the_recorded_update_is_told() -> None:
    frame = recorded("abacus/v4_markets_next_funding_rate_update.json")
    names = ("BTC-USD", "ETH-USD")
    link = Link(*(market(name) for name in names)).open()
    for contents in frame["contents"]:
        link.data(MARKETS, contents)
    found = {event.market: event.raw for event in link.events() if isinstance(event, Funding)}
    assert found == {"BTC-USD": "-0.0085756875", "ETH-USD": "-0.0084455625"}


def test_a_market_without_a_rate_has_no_news() -> None:
    table = FundingTable()
    table.take("A-USD", {"openInterest": "5"})
    assert table.news(A.market, "A-USD", "1", 0) is None
    table.take("A-USD", {"nextFundingRate": "0"})
    assert table.news(A.market, "A-USD", "1", 0) == funding("0", "5", HOUR_MS)
    assert table.news(A.market, "A-USD", "2", 0) is None


def test_the_consolidated_price_has_no_use_for_it() -> None:
    consolidator = Consolidator({VenueId("dydx"): 10**9})
    source = SourceId("dydx:ws:0")
    consolidator.attach(source, VenueId("dydx"), [A])
    consolidator.apply(source, [VenueStatus("live")], 1, 1)
    consolidator.flush(1)
    consolidator.apply(source, [funding("0.1", None)], 2, 2)
    assert consolidator.flush(2) == []
