"""The market map and dYdX: tickers that mean two things, and the rule for those without a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.markets import DYDX, GAINS, GMX, NOT_IN_TABLE, AssetClass, MarketMap, load
from domain.errors import InvariantViolation
from domain.ids import MarketId, VenueId

TABLE = load()


@pytest.fixture(scope="module")
def table() -> MarketMap:
    return TABLE


def test_dydx_trump_is_maga_and_not_official_trump(table: MarketMap) -> None:
    assert table.canonical(DYDX, "TRUMP-USD") is None
    assert table.canonical(GAINS, 328, "TRUMP/USD") == "TRUMP-USD"
    assert table.venue_key(DYDX, MarketId("TRUMP-USD")) is None


def test_dydx_token_and_share_of_one_symbol(table: MarketMap) -> None:
    assert (table.reason(DYDX, "GME-USD") or "").startswith("ambiguous: ")
    assert table.asset_class(MarketId("GME-USD")) is AssetClass.EQUITY


def test_dydx_sc_is_not_the_sc_of_gains(table: MarketMap) -> None:
    assert table.canonical(DYDX, "SC-USD") is None
    assert table.canonical(GAINS, 204, "SC/USD") == "SC-USD"


def test_renamed_tokens_are_not_merged_with_their_successors(table: MarketMap) -> None:
    assert table.canonical(DYDX, "MATIC-USD") == "MATIC-USD"
    assert table.canonical(GAINS, 269, "POL/USD") == "POL-USD"
    assert table.canonical(DYDX, "FTM-USD") == "FTM-USD"
    assert table.canonical(GAINS, 332, "S/USD") == "S-USD"
    assert table.canonical(DYDX, "MKR-USD") == "MKR-USD"
    assert table.canonical(GAINS, 417, "SKY/USD") == "SKY-USD"
    assert (table.reason(DYDX, "RNDR-USD") or "").startswith("renamed: ")
    assert table.canonical(DYDX, "RENDER-USD") == "RENDER-USD"
    assert table.canonical(GAINS, 142, "RNDR/USD") == "RENDER-USD"


@pytest.mark.parametrize(
    "ticker",
    [
        "BUFFI,UNISWAP_V3,0X4C1B1302220D7DE5C22B495E78B72F2DD2457D45-USD",
        "NEW,RAYDIUM,7GCIHGDB8FE6KNJN2MYTKZZCRJQY3T9GHDC8UHYMW2HR-USD",
        "TEST-USD",
        "TRUMPWIN-USD",
    ],
)
def test_odd_dydx_tickers_are_unmapped(table: MarketMap, ticker: str) -> None:
    assert table.canonical(DYDX, ticker) is None


def test_dydx_lira_is_a_currency_pair(table: MarketMap) -> None:
    assert table.canonical(DYDX, "TRY-USD") == "TRY-USD"
    assert table.asset_class(MarketId("TRY-USD")) is AssetClass.FX


def test_rule_maps_a_plain_ticker_to_itself(table: MarketMap) -> None:
    assert table.canonical(DYDX, "ZIG-USD") == "ZIG-USD"
    assert table.canonical(DYDX, "R-USD") == "R-USD"
    assert table.venue_key(GAINS, MarketId("ZIG-USD")) is None
    assert MarketId("ZIG-USD") not in table.markets(DYDX), "rows only; live lists bring the rest"


@pytest.mark.parametrize(
    "base",
    ["HYPE", "TSLA", "EUR", "1000PEPE", "1MBABYDOGE", "KPEPE", "NEIRO", "LUNA", "AMD", "SPX"],
)
def test_rule_gives_a_doubtful_symbol_a_name_of_the_venue(table: MarketMap, base: str) -> None:
    market = table.canonical(DYDX, f"{base}-USD")
    assert market == f"{base}.DYDX-USD"
    assert all(row.market != market for row in table.rows())


@pytest.mark.parametrize(
    "ticker", ["zig-USD", "ZIG-EUR", "ZIG-USD\n", "", "A" * 21 + "-USD", "A,B,0X1-USD"]
)
def test_rule_refuses_what_is_no_plain_ticker(table: MarketMap, ticker: str) -> None:
    found = table.resolve(DYDX, ticker)
    assert (found.market, found.reason) == (None, NOT_IN_TABLE)


def test_digits_in_a_name_are_no_scale(table: MarketMap) -> None:
    assert table.canonical(DYDX, "1INCH-USD") == "1INCH-USD"
    assert table.canonical(DYDX, "1CAT-USD") == "1CAT-USD"


@given(st.from_regex(r"[A-Z0-9]{2,10}-USD", fullmatch=True))
def test_rule_never_joins_another_venue(ticker: str) -> None:
    market = TABLE.canonical(DYDX, ticker)
    if market is not None and market not in TABLE.markets(DYDX):
        assert all(TABLE.venue_key(venue, market) is None for venue in (GMX, GAINS))


def test_rule_joins_no_row_that_lacks_dydx(table: MarketMap) -> None:
    for row in table.rows():
        if DYDX not in row.entries:
            assert table.canonical(DYDX, row.market) != row.market


def test_venue_without_a_column_is_a_bug(table: MarketMap) -> None:
    with pytest.raises(InvariantViolation):
        table.canonical(VenueId("hyperliquid"), "BTC")
