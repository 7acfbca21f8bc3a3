"""The market map: every recorded market has an answer, and each trap has a test."""

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from connectors.base.markets import (
    DYDX,
    GAINS,
    GMX,
    NOT_IN_TABLE,
    VENUES,
    AssetClass,
    MarketMap,
    load,
)
from connectors.base.markets_report import Listed, compare, dydx_listed, gains_listed, gmx_listed
from domain.errors import InvariantViolation
from domain.ids import MarketId, VenueId

DATA = Path(__file__).resolve().parents[2] / "data"
WETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
BTC = "0x47904963fc8b2340414262125aF798B9655E58Cd"
ZERO = "0x" + "0" * 40


def _json(path: str) -> Any:
    return json.loads((DATA / path).read_text("utf-8"))


@pytest.fixture(scope="module")
def table() -> MarketMap:
    return load()


def _recorded() -> dict[VenueId, list[Listed]]:
    dydx = {
        item.key: item
        for path in sorted((DATA / "markets").glob("dydx_*.json"))
        for item in dydx_listed(json.loads(path.read_text("utf-8")))
    }
    return {
        DYDX: list(dydx.values()),
        GMX: list(
            gmx_listed(_json("gmx/markets.arbitrum.json"), _json("gmx/tokens.arbitrum.json"))
        ),
        GAINS: list(gains_listed(_json("gains/pairs.sdk-2026-03-25.json"))),
    }


# --- every recorded market ------------------------------------------------------------------------


def test_recorded_lists_are_as_long_as_their_origin_says() -> None:
    recorded = _recorded()
    assert {venue: len(items) for venue, items in recorded.items()} == {
        DYDX: 149,
        GMX: 116,  # 134 markets share 115 index tokens; five swap-only ones have none
        GAINS: 452,
    }


@pytest.mark.parametrize("venue", VENUES)
def test_every_recorded_market_is_in_the_table_one_way_or_the_other(
    table: MarketMap, venue: VenueId
) -> None:
    report = compare(table, venue, _recorded()[venue])
    assert [item for item, reason in report.unmapped if reason == NOT_IN_TABLE] == []
    listed = {item.key.lower() if venue == GMX else item.key for item, _ in report.unmapped}
    assert listed <= set(table.unmapped(venue))
    by_row = set(table.markets(venue))
    assert {market for _, market in report.mapped} == by_row, "rows name recorded keys only"
    assert report.gone == ()


def test_unmapped_lists_hold_recorded_keys_only(table: MarketMap) -> None:
    recorded = {venue: {item.key.lower() for item in items} for venue, items in _recorded().items()}
    tokens = {token["address"].lower() for token in _json("gmx/tokens.arbitrum.json")["tokens"]}
    for venue in VENUES:
        known = recorded[venue] | (tokens if venue == GMX else set())
        assert {key.lower() for key in table.unmapped(venue)} <= known


def test_gmx_rows_carry_recorded_symbols_and_checksummed_addresses(table: MarketMap) -> None:
    symbols = {item.key: item.name for item in _recorded()[GMX]}
    for row in table.rows():
        if GMX in row.entries:
            entry = row.entries[GMX]
            assert entry.key == to_checksum_address(entry.key)
            assert symbols[entry.key] == entry.name


def test_every_lookup_goes_there_and_back(table: MarketMap) -> None:
    for row in table.rows():
        for venue, entry in row.entries.items():
            assert table.canonical(venue, entry.key, entry.name) == row.market
            assert table.reason(venue, entry.key, entry.name) is None
            assert table.venue_key(venue, row.market) == entry.key
        assert row.market == f"{row.base}-{row.quote}"
        assert table.asset_class(row.market) is row.asset_class


def test_a_mapped_key_has_no_reason_and_an_unmapped_one_has(table: MarketMap) -> None:
    for venue, items in _recorded().items():
        for item in items:
            found = table.resolve(venue, item.key, item.name)
            assert (found.market is None) != (found.reason is None)


# --- one market, one asset ------------------------------------------------------------------------


def test_no_line_joins_prices_of_different_units(table: MarketMap) -> None:
    """Prices of the venues are years apart, so only a factor of a hundred tells anything."""
    prices: dict[str, dict[str, str]] = _json("markets/recorded_prices.json")
    compared = 0
    for row in table.rows():
        known = [
            Decimal(prices[venue][entry.key])
            for venue, entry in row.entries.items()
            if entry.key in prices[venue]
        ]
        if len(known) > 1:
            compared += 1
            assert max(known) / min(known) < 100, row.market
    assert compared == 78


def test_gains_asset_class_is_the_class_of_the_line(table: MarketMap) -> None:
    ours = {
        "crypto": AssetClass.CRYPTO,
        "forex": AssetClass.FX,
        "stocks": AssetClass.EQUITY,
        "indices": AssetClass.INDEX,
        "commodities": AssetClass.COMMODITY,
    }
    for pair in _json("gains/pairs.sdk-2026-03-25.json")["pairs"]:
        market = table.canonical(GAINS, pair["pairIndex"], pair["symbol"])
        if market is not None:
            assert table.asset_class(market) is ours[pair["assetClass"]], pair


def test_lines_with_two_names_are_the_reviewed_ones(table: MarketMap) -> None:
    """A line whose venue name differs from the canonical base must be a decision, not a slip."""
    odd: dict[str, list[str]] = defaultdict(list)
    for row in table.rows():
        for venue, entry in row.entries.items():
            plain = {DYDX: entry.name, GMX: f"{entry.name}-USD"}.get(
                venue, entry.name.replace("/", "-")
            )
            if plain != row.market:
                odd[row.market].append(entry.name)
    assert dict(odd) == {
        "AMZN-USD": ["AMZN_1/USD"],
        "GME-USD": ["GME_1/USD"],
        "GOOGL-USD": ["GOOGL_1/USD"],
        "NFLX-USD": ["NFLX_1/USD"],
        "RENDER-USD": ["RNDR/USD"],
        "SPX6900-USD": ["SPX/USD"],
        "TSLA-USD": ["TSLA_1/USD"],
        "XAUT-USD": ["XAUT.v2"],
    }


# --- traps: Gains ---------------------------------------------------------------------------------


def test_btc_is_one_market_at_three_venues(table: MarketMap) -> None:
    assert table.canonical(DYDX, "BTC-USD") == "BTC-USD"
    assert table.canonical(GMX, BTC) == "BTC-USD"
    assert table.canonical(GAINS, 0, "BTC/USD") == "BTC-USD"
    assert table.venue_key(GAINS, MarketId("BTC-USD")) == "0"


def test_gains_pair_under_another_name_is_not_mapped(table: MarketMap) -> None:
    assert table.canonical(GAINS, 0, "ETH/USD") is None
    assert table.reason(GAINS, 0, "ETH/USD") == "name changed: BTC/USD is now ETH/USD"


def test_gains_lookup_without_the_live_name_is_a_bug(table: MarketMap) -> None:
    with pytest.raises(InvariantViolation) as caught:
        table.canonical(GAINS, 0)
    assert caught.value.code == "market_name_missing"


def test_gains_mainnet_kept_every_name_of_2024_and_sepolia_swaps_two(table: MarketMap) -> None:
    names = {item.key: item.name for item in _recorded()[GAINS]}
    old = list(gains_listed(_json("markets/gains_pairs.arbitrum-2024-05-30.json")))
    assert len(old) == 233
    assert all(names[item.key] == item.name for item in old)
    sepolia = list(gains_listed(_json("markets/gains_pairs.sepolia-2025-06-15.json")))
    differ = [item for item in sepolia if names[item.key] != item.name]
    assert differ == [Listed("221", "TNSR/USD"), Listed("222", "ZEUS/USD")]
    assert table.canonical(GAINS, 222, "TNSR/USD") == "TNSR-USD"
    assert table.reason(GAINS, 222, "ZEUS/USD") == "name changed: TNSR/USD is now ZEUS/USD"
    assert table.canonical(GAINS, 221, "TNSR/USD") is None


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (300, "BTCDEGEN/USD"),
        (313, "ETHDEGEN/USD"),
        (314, "SOLDEGEN/USD"),
        (326, "XRPDEGEN/USD"),
        (327, "BNBDEGEN/USD"),
    ],
)
def test_gains_degen_pairs_are_twins(table: MarketMap, index: int, name: str) -> None:
    assert (table.reason(GAINS, index, name) or "").startswith("twin: ")


def test_degen_itself_is_a_token_and_no_twin(table: MarketMap) -> None:
    assert table.canonical(GAINS, 252, "DEGEN/USD") == "DEGEN-USD"
    assert table.canonical(DYDX, "DEGEN-USD") == "DEGEN-USD"


@pytest.mark.parametrize(
    ("base", "dead", "live"),
    [("GOOGL", 60, 82), ("AMZN", 61, 84), ("TSLA", 63, 85), ("GME", 71, 83), ("NFLX", 379, 439)],
)
def test_gains_share_split_leaves_only_the_new_slot(
    table: MarketMap, base: str, dead: int, live: int
) -> None:
    assert table.canonical(GAINS, live, f"{base}_1/USD") == f"{base}-USD"
    assert (table.reason(GAINS, dead, f"{base}/USD") or "").startswith("split: ")


def test_spx_the_token_is_not_spx500_the_index(table: MarketMap) -> None:
    assert table.canonical(GAINS, 308, "SPX/USD") == "SPX6900-USD"
    assert table.canonical(GMX, "0xb736be525A65326513351058427d1f47B0CfB045") == "SPX6900-USD"
    assert table.asset_class(MarketId("SPX6900-USD")) is AssetClass.CRYPTO
    assert table.canonical(GAINS, 436, "SPX500/USD") is None
    assert table.canonical(DYDX, "SPX-USD") == "SPX.DYDX-USD"


def test_fb_was_replaced_by_meta(table: MarketMap) -> None:
    assert table.canonical(GAINS, 81, "META/USD") == "META-USD"
    assert (table.reason(GAINS, 59, "FB/USD") or "").startswith("renamed: ")


def test_delisted_gains_pairs_are_unmapped_but_for_the_one_in_both_lists(table: MarketMap) -> None:
    pairs = _json("gains/pairs.sdk-2026-03-25.json")["pairs"]
    delisted = [pair for pair in pairs if pair["delisted"]]
    assert len(delisted) == 145
    mapped = [
        pair["symbol"]
        for pair in delisted
        if table.canonical(GAINS, pair["pairIndex"], pair["symbol"])
    ]
    assert mapped == ["IP/USD"]


def test_scaled_gains_tokens_without_a_recorded_price_are_not_merged(table: MarketMap) -> None:
    assert (table.reason(GAINS, 244, "SATS/USD") or "").startswith("scaled: ")
    assert (table.reason(GAINS, 246, "MOG/USD") or "").startswith("scaled: ")
    assert table.canonical(GAINS, 134, "PEPE/USD") == "PEPE-USD"


def test_currency_pairs_keep_their_quote(table: MarketMap) -> None:
    assert table.canonical(GAINS, 21, "EUR/USD") == "EUR-USD"
    assert table.canonical(GAINS, 22, "USD/JPY") == "USD-JPY"
    assert table.canonical(GAINS, 117, "GBP/JPY") == "GBP-JPY"
    assert table.asset_class(MarketId("USD-JPY")) is AssetClass.FX


def test_unknown_gains_pair_is_not_guessed(table: MarketMap) -> None:
    assert table.reason(GAINS, 481, "NEW/USD") == NOT_IN_TABLE
    assert table.reason(GAINS, 999, "BTC/USD") == NOT_IN_TABLE


# --- traps: GMX -----------------------------------------------------------------------------------


def test_gmx_addresses_are_compared_without_regard_to_case(table: MarketMap) -> None:
    assert table.canonical(GMX, WETH.lower()) == "ETH-USD"
    assert table.canonical(GMX, WETH) == "ETH-USD"
    assert table.venue_key(GMX, MarketId("ETH-USD")) == WETH


def test_gmx_swap_only_pools_have_no_market(table: MarketMap) -> None:
    assert (table.reason(GMX, ZERO) or "").startswith("swap-only: ")


def test_gmx_pools_of_one_index_token_are_one_market(table: MarketMap) -> None:
    pools = _json("gmx/markets.arbitrum.json")["markets"]
    names = {
        pool["name"].split(" ")[0]
        for pool in pools
        if table.canonical(GMX, pool["indexToken"]) == "BTC-USD"
    }
    assert names == {"BTC/USD"}
    assert sum(pool["indexToken"] == BTC for pool in pools) == 3


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f", "collateral"),  # WBTC.b
        ("0x6c84a8f1c29108F47a79964b5Fe888D4f4D0dE40", "collateral"),  # tBTC
        ("0x5979D7b546E38E414F7E9822514be443A4800529", "collateral"),  # wstETH
        ("0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "collateral"),  # USDC
        ("0x74885b4D524d497261259B38900f54e6dbAd2210", "deprecated"),  # APE_deprecated
        ("0xcF558864c6B130Ce76d20641D008ebd4871eDED0", "deprecated"),  # XAUT of 6 decimals
        ("0x1f3407Ea067DfBDF6dEb6bBFdA4869215fB0ab77", "no market"),  # OM
        ("0x620aC65BE29066Bb9D1E92C65b35B9fD321Fb963", "ambiguous"),  # NATGAS
    ],
)
def test_gmx_twins_and_leftovers_are_unmapped(table: MarketMap, token: str, why: str) -> None:
    assert (table.reason(GMX, token) or "").startswith(f"{why}: ")


def test_unlisted_gmx_markets_are_never_mapped(table: MarketMap) -> None:
    for pool in _json("gmx/markets.arbitrum.json")["markets"]:
        if not pool["isListed"]:
            assert table.canonical(GMX, pool["indexToken"]) is None, pool["name"]


def test_gold_of_gmx_is_neither_spot_gold_nor_the_gold_token(table: MarketMap) -> None:
    gold = table.canonical(GMX, "0xc48d782c5C54157d37d2Fa4E6BA27E8cf57Da956")
    token = table.canonical(GMX, "0x7624cccCc59361D583F28BEC40D37e7771d2ef5D")
    spot = table.canonical(GAINS, 90, "XAU/USD")
    assert (gold, token, spot) == ("GOLD-USD", "XAUT-USD", "XAU-USD")


def test_unknown_gmx_token_is_not_guessed(table: MarketMap) -> None:
    assert table.reason(GMX, "0x004B506865409877C9fA29bfb1ebA929984B9bbC") == NOT_IN_TABLE
