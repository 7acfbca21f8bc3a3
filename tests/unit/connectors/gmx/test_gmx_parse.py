"""Recorded bodies -> domain values, and what is refused."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import pytest

from connectors.gmx import parse
from domain.units import format_e18
from tests.unit.connectors.gmx.kit import BTC, ETH, ETH_USDC, START_S, recorded, ticker

TICKERS = "prices-tickers.arbitrum.json"
TOKENS = "tokens.arbitrum.json"
RECORDED_US = 1_783_345_315 * 1_000_000
NOW_US = START_S * 1_000_000


@pytest.mark.parametrize(
    ("symbol", "raw", "decimals", "usd"),
    [
        ("ETH", "1739495434083952", 18, "1739.495434083952"),
        ("BTC", "615363870277724850000000000", 8, "61536.387027772485"),
        ("SOL", "79991981774467252500000", 9, "79.9919817744672525"),
        ("DOGE", "747867812088409725000", 8, "0.0747867812088409725"),
        ("USDC", "999687860291087900000000", 6, "0.9996878602910879"),
        ("PEPE", "2623317", 18, "0.000002623317"),
    ],
)
def test_prices_of_every_scale_are_exact(symbol: str, raw: str, decimals: int, usd: str) -> None:
    rows = recorded(TICKERS)
    found = next(row for row in rows if row["tokenSymbol"] == symbol)
    token = parse.tokens(recorded(TOKENS))[found["tokenAddress"].lower()]
    assert (found["minPrice"], token.decimals, token.symbol) == (raw, decimals, symbol)
    exact_e18 = Decimal(usd) * 10**18
    assert parse.bid_e18(int(raw), decimals) == exact_e18.to_integral_value(ROUND_FLOOR)
    assert parse.ask_e18(int(raw), decimals) == exact_e18.to_integral_value(ROUND_CEILING)


def test_a_token_of_24_decimals_has_six_of_price() -> None:
    near = next(
        t for t in parse.tokens(recorded(TOKENS)).values() if (t.symbol, t.decimals) == ("NEAR", 24)
    )
    assert format_e18(parse.bid_e18(2_345_678, near.decimals)) == "2.345678"


def test_every_recorded_ticker_is_read() -> None:
    rows, tokens = recorded(TICKERS), parse.tokens(recorded(TOKENS))
    tickers = parse.tickers(rows, RECORDED_US)
    assert len(tickers) == len(rows) == 125
    for row in rows:
        key = row["tokenAddress"].lower()
        found, token = tickers[key], tokens[key]
        assert found is not None
        assert found.time_s == row["timestamp"]
        scale = Decimal(10) ** (30 - token.decimals)
        low, high = Decimal(row["minPrice"]) / scale, Decimal(row["maxPrice"]) / scale
        bid, ask = (
            parse.bid_e18(found.min_price, token.decimals),
            parse.ask_e18(found.max_price, token.decimals),
        )
        assert 0 < bid <= ask
        assert 0 <= low * 10**18 - bid < 1
        assert 0 <= ask - high * 10**18 < 1


BAD_VALUES: list[Any] = [
    None, True, 7, 1.5, "", "0", "-5", "1.5", "1e5", "NaN", "Infinity", "0x10", " 5", "1_000",
    "\u0661", "9" * 51, "9" * 100_000, [], {},
]  # fmt: skip


@pytest.mark.parametrize("field", ["minPrice", "maxPrice"])
@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: ascii(value)[:12])
def test_a_price_that_makes_no_sense_costs_its_token_only(field: str, value: Any) -> None:
    rows = [ticker(ETH) | {field: value}, ticker(BTC)]
    found = parse.tickers([{"timestamp": START_S} | row for row in rows], NOW_US)
    assert found[ETH.lower()] is None
    assert found[BTC.lower()] is not None


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": value}
        for value in (None, True, 0, -1, "1783345314", 1.5, START_S * 1000, START_S + 16, 10**300)
    ]
    + [{"minPrice": "3", "maxPrice": "2"}],
    ids=lambda change: str(change)[:40],
)
def test_a_ticker_that_contradicts_itself_or_time_is_unreadable(change: dict[str, Any]) -> None:
    good = {"timestamp": START_S}
    found = parse.tickers([ticker(ETH) | good | change, ticker(BTC) | good], NOW_US)
    assert found[ETH.lower()] is None


@pytest.mark.parametrize(
    ("low", "known"), [("2000" + "0" * 12, True), ("2000" + "0" * 11 + "1", False), ("0", False)]
)
def test_two_tickers_of_one_token_must_say_the_same(low: str, known: bool) -> None:
    for rows in ([ticker(ETH), ticker(ETH.lower(), low)], [ticker(ETH, low), ticker(ETH)]):
        dated = [{"timestamp": START_S} | row for row in (*rows, ticker(BTC))]
        found = parse.tickers(dated, NOW_US)
        assert (found[ETH.lower()] is not None) == known


@pytest.mark.parametrize(
    "body",
    [
        None, {}, [], "x", 7, [None], [[]], [{}], [{"tokenAddress": 7}], [{"tokenAddress": ETH}],
        {"tickers": [ticker()]}, [ticker()] * 2001,
    ],
    ids=lambda body: str(body)[:30],
)  # fmt: skip
def test_a_list_without_any_ticker_is_refused(body: Any) -> None:
    with pytest.raises(parse.MALFORMED):
        parse.tickers(body, NOW_US)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"NaN", b"1e999", b"[" * 5000, b"\xff", b"\xef\xbb\xbf[]", b'"' + b"x" * 10**7],
    ids=lambda body: repr(body[:12]),
)
def test_bodies_that_are_no_json_are_refused(body: bytes) -> None:
    with pytest.raises(parse.MALFORMED):
        parse.json_body(body)


@pytest.mark.parametrize(
    ("usd", "price", "size"),
    [
        (20_000_000, "2000", "10000"), (0, "2000", "0"), (1, "3", "0.333333"),
        (123_456_789, "1", "123456000"), (7, "0.0000026", "2692300"), (1, "60000", "0.0000166666"),
    ],
)  # fmt: skip
def test_sizes_are_cut_to_six_digits(usd: int, price: str, size: str) -> None:
    price_e18 = int(Decimal(price) * 10**18)
    assert parse.size(usd * 10**30, price_e18) == size


def test_dust_is_no_size() -> None:
    assert parse.size(1, 10**18) == "0"


# Lists ----------------------------------------------------------------------------------------


def test_recorded_lists_are_read() -> None:
    tokens = parse.tokens(recorded(TOKENS))
    assert len(tokens) == 127
    assert all(token.unique for token in tokens.values())
    pools = [parse.pool(row) for row in parse.market_rows(recorded("markets.arbitrum.json"))]
    assert len({pool.market_token for pool in pools}) == 134
    assert sum(pool.listed for pool in pools) == 132


@pytest.mark.parametrize("decimals", [None, True, -1, 31, "18", 18.0, 10**9], ids=str)
def test_a_token_without_sane_decimals_is_left_out(decimals: Any) -> None:
    rows = [
        {"symbol": "A", "address": ETH, "decimals": decimals},
        {"symbol": "B", "address": BTC, "decimals": 8},
    ]
    assert list(parse.tokens({"tokens": rows})) == [BTC.lower()]


def test_a_symbol_of_two_tokens_is_not_unique() -> None:
    rows = [{"symbol": "A", "address": key, "decimals": 8} for key in (ETH, BTC)]
    assert not any(token.unique for token in parse.tokens({"tokens": rows}).values())


@pytest.mark.parametrize(
    "change",
    [
        {"marketToken": "0x70"}, {"marketToken": None}, {"marketToken": ETH_USDC.swapcase()},
        {"marketToken": ETH_USDC.replace("d95", "D95")}, {"indexToken": 7}, {"isListed": "yes"},
        {"isListed": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_pool_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    row: Any = {"marketToken": ETH_USDC, "indexToken": ETH, "isListed": True}
    assert parse.pool(row).market_token == ETH_USDC
    assert parse.pool(row | {"marketToken": ETH_USDC.lower()}).market_token == ETH_USDC
    with pytest.raises(parse.MALFORMED):
        parse.pool(row | change)


INFO: dict[str, Any] = recorded("synthetic-markets-info.json")["markets"][0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, (False, 2 * 10**37, 18 * 10**36)),
        ({"isDisabled": True}, (True, 2 * 10**37, 18 * 10**36)),
        ({"isListed": False}, (True, 2 * 10**37, 18 * 10**36)),
        ({"availableLiquidityLong": "-12"}, (False, 0, 18 * 10**36)),
        ({"availableLiquidityLong": None}, (False, None, 18 * 10**36)),
        ({"availableLiquidityLong": "0", "new": [1]}, (False, 0, 18 * 10**36)),
    ],
)
def test_what_a_pool_still_takes(change: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = parse.pool_infos({"markets": [INFO | change]})[ETH_USDC.lower()]
    assert (found.disabled, found.long_usd_e30, found.short_usd_e30) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"isDisabled": None}, {"isDisabled": 0}, {"isListed": "true"}, {"marketToken": None},
        {"availableLiquidityLong": 5}, {"availableLiquidityShort": "1.5"},
        {"availableLiquidityShort": "--1"}, {"availableLiquidityShort": "9" * 61},
    ],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_an_info_that_makes_no_sense_is_left_out(change: dict[str, Any]) -> None:
    other = INFO | {"marketToken": BTC}
    assert list(parse.pool_infos({"markets": [INFO | change, other]})) == [BTC.lower()]
    with pytest.raises(ValueError, match="no readable"):
        parse.pool_infos({"markets": [INFO | change]})


def test_day_changes() -> None:
    rows: list[Any] = [
        {"tokenSymbol": "ETH", "open": 2000, "close": 2100.0},
        {"tokenSymbol": "BTC", "open": 60000.0, "close": 59400},
        {"tokenSymbol": "TWICE", "open": 1, "close": 2},
        {"tokenSymbol": "TWICE", "open": 1, "close": 3},
    ]
    values: tuple[Any, ...] = (None, "1", True, 0, -1, [], 10**400)
    rows += [{"tokenSymbol": f"BAD{n}", "open": bad, "close": 1} for n, bad in enumerate(values)]
    rows += [{"tokenSymbol": "TINY", "open": 5e-324, "close": 1e300}, {"open": 1, "close": 1}, 7]
    assert parse.day_changes(rows) == {"ETH": 0.05, "BTC": -0.01, "BAD6": -1.0}
