"""Recorded values and frames -> domain values, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.dydx import parse
from domain.errors import InputError
from domain.ids import MarketId
from tests.unit.connectors.dydx.link import market, recorded

ETH = MarketId("ETH-USD")
MALFORMED = (InputError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


def rows_of(name: str) -> dict[str, Any]:
    body = recorded(name)
    rows: dict[str, Any] = body.get("contents", body)["markets"]
    return rows


@pytest.mark.parametrize(
    ("name", "count", "open_count"),
    [
        ("nautilus_2024/http/list_perpetual_markets.json", 125, 123),
        ("nautilus_2024/http/list_perpetual_markets_empty_oracle_price.json", 101, 98),
        ("nautilus_2024/http/list_perpetual_markets_v8.json", 1, 1),
        ("nautilus_2024/websocket/v4_markets_subscribed.json", 98, 96),
        ("ccxt_testnet/perpetual_markets_btc.json", 1, 1),
        ("abacus/v4_markets_subscribed.json", 3, 3),
        ("abacus/v4_markets_subscribed_r1.json", 3, 3),
        ("abacus/v4_markets_subscribed_with_initializing_status.json", 33, 3),
    ],
)
def test_every_recorded_market_is_read(name: str, count: int, open_count: int) -> None:
    rows = rows_of(name)
    markets = [parse.market(raw, MarketId(ticker), "chain") for ticker, raw in rows.items()]
    assert len(markets) == count
    assert sum(found.status == "open" for found in markets) == open_count
    for found, (ticker, raw) in zip(markets, rows.items(), strict=True):
        assert found.symbol == ticker
        assert found.chain_ids == ("chain",)
        assert Decimal(found.tick.increment) == Decimal(raw["tickSize"])
        assert Decimal(found.step.increment) == Decimal(raw["stepSize"])
        assert found.max_leverage is not None
        exact = 1 / Decimal(raw["initialMarginFraction"])
        assert 0 <= exact - Decimal(found.max_leverage) < Decimal("0.01")


@pytest.mark.parametrize(
    "change",
    [
        {"tickSize": "0"}, {"tickSize": None}, {"stepSize": "-1"}, {"stepSize": "x"},
        {"initialMarginFraction": "x"}, {"initialMarginFraction": None}, {"status": []},
        {"tickSize": "1e99999999"}, {"initialMarginFraction": "1e-999999999999"},
    ],
    ids=str,
)  # fmt: skip
def test_a_market_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    raw = rows_of("nautilus_2024/http/list_perpetual_markets_v8.json").popitem()[1]
    with pytest.raises(MALFORMED):
        parse.market(raw | change, ETH, "chain")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("ACTIVE", "open"), ("PAUSED", "halted"), ("CANCEL_ONLY", "halted"),
        ("POST_ONLY", "halted"), ("INITIALIZING", "halted"), ("FINAL_SETTLEMENT", "halted"),
        ("SOMETHING_NEW", "halted"), ("active", "halted"),
    ],
)  # fmt: skip
def test_only_active_markets_are_open(status: str, state: str) -> None:
    assert parse.market_status(status) == state


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("nautilus_2024/websocket/v4_trades.json", 2),
        ("nautilus_2024/websocket/trade_deleveraged.json", None),
        ("abacus/v4_trades_subscribed.json", None),
        ("abacus/v4_trades_channel_data.json", 1),
        ("abacus/v4_trades_channel_batch_data.json", None),
        ("ccxt_testnet/trades_btc.json", 1),
    ],
)
def test_every_recorded_trade_is_read(name: str, count: int | None) -> None:
    body = recorded(name)
    contents = body.get("contents", body)
    parts = contents if isinstance(contents, list) else [contents]
    raws = [raw for part in parts for raw in part["trades"]]
    trades = [parse.trade(raw, ETH) for raw in raws]
    assert trades
    assert count in (None, len(trades))
    for found, raw in zip(trades, raws, strict=True):
        assert (found.trade_id, found.side) == (raw["id"], raw["side"])
        assert Decimal(found.price) == Decimal(raw["price"])
        assert Decimal(found.size) == Decimal(raw["size"])


def test_a_deleveraging_price_is_off_the_grid_and_kept_exactly() -> None:
    raws = recorded("nautilus_2024/websocket/trade_deleveraged.json")["contents"]["trades"]
    prices = [parse.trade(raw, ETH).price for raw in raws if raw["type"] == "DELEVERAGED"]
    assert prices == ["2340.7442700369913687"]


TRADE = {
    "id": "t", "side": "BUY", "price": "5.50", "size": "0.10",
    "createdAt": "2024-07-24T19:12:35.705Z",
}  # fmt: skip


def test_numbers_of_a_trade_are_minimal() -> None:
    found = parse.trade(TRADE, ETH)  # type: ignore[arg-type]
    assert (found.price, found.size, found.time_us) == ("5.5", "0.1", 1_721_848_355_705_000)


@pytest.mark.parametrize(
    "change",
    [
        {"side": "buy"}, {"side": None}, {"price": "-1"}, {"price": 5}, {"price": "1e5"},
        {"price": "0"}, {"size": "0"}, {"size": "0.000"}, {"size": "NaN"}, {"id": 7},
        {"createdAt": "never"}, {"createdAt": "2024-07-24T19:12:35"}, {"createdAt": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_trade_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        parse.trade(TRADE | change, ETH)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "tick", "step", "best", "depth"),
    [
        (
            "nautilus_2024/websocket/v4_orderbook_snapshot.json",
            "0.1", "0.001", ("3393.2", "3393.5"), (100, 100),
        ),
        ("abacus/v4_orderbook_ape_subscribed.json", "0.001", "1", ("2", "1"), (2, 2)),
        ("ccxt_testnet/orderbook_btc_trimmed.json", "1", "0.0001", None, (1, 1)),
    ],
)  # fmt: skip
def test_every_recorded_book_is_read(
    name: str, tick: str, step: str, best: tuple[str, str] | None, depth: tuple[int, int]
) -> None:
    body = recorded(name)
    listed = market(tick=tick, step=step)
    book = body.get("contents", body)
    bids, asks = parse.levels(book, listed)
    assert (len(bids), len(asks)) == depth
    for side, name in ((bids, "bids"), (asks, "asks")):
        for (ticks, steps), raw in zip(side, book[name], strict=True):
            assert Decimal(listed.tick.format(ticks)) == Decimal(raw["price"])
            assert Decimal(listed.step.format(steps)) == Decimal(raw["size"])
    bid, ask = parse.best_of(book, listed)
    assert bid is not None
    assert ask is not None
    assert best in (None, (listed.tick.format(bid), listed.tick.format(ask)))


@pytest.mark.parametrize(
    "book",
    [
        {}, {"bids": []}, {"bids": None, "asks": []}, {"bids": [["1", "1"]], "asks": []},
        {"bids": [{"price": "0", "size": "1"}], "asks": []},
        {"bids": [{"price": "-1", "size": "1"}], "asks": []},
        {"bids": [{"price": "1", "size": "NaN"}], "asks": []},
        {"bids": [{"price": "1.05", "size": "1"}], "asks": []},
        {"bids": [], "asks": [{"price": 1, "size": 2}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_book_that_makes_no_sense_is_refused(book: Any) -> None:
    with pytest.raises(MALFORMED):
        parse.levels(book, market())


def test_the_best_of_an_empty_side_is_none() -> None:
    book: Any = {"bids": [], "asks": [{"price": "5", "size": "0"}, {"price": "6", "size": "1"}]}
    assert parse.best_of(book, market()) == (None, 60)


@pytest.mark.parametrize(
    ("change", "oracle", "fraction"),
    [
        ("10", "110", 0.1), ("-10", "90", -0.1), ("0", "5", 0.0), ("5", "5", None),
        ("6", "5", None), ("NaN", "5", None), ("-Infinity", "5", None), ("1", "3", 0.5),
    ],
)  # fmt: skip
def test_the_change_of_24_hours(change: str, oracle: str, fraction: float | None) -> None:
    assert parse.change_24h(change, oracle) == fraction


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2024-12-02T18:45:33.548Z", 1_733_165_133_548_000),
        ("2024-12-02T18:45:33Z", 1_733_165_133_000_000),
        ("2024-12-02T19:45:33.000001+01:00", 1_733_165_133_000_001),
    ],
)
def test_times(text: str, us: int) -> None:
    assert parse.time_us(text) == us


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.02069413882", 20_694_138_820_000_000), ("97013", 97_013 * 10**18), ("0.0", None),
     ("0." + "0" * 18 + "1", None), ("-1", None), ("1e5", None), ("", None)],
)  # fmt: skip
def test_oracle_prices(text: str, value: int | None) -> None:
    if value is not None:
        assert parse.price_e18(text) == value
    else:
        with pytest.raises(InputError):
            parse.price_e18(text)
