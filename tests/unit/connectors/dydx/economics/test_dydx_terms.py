"""Sizes and prices in the chain's integers, and the terms of every recorded market."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from connectors.dydx.economics.terms import (
    MarketTerms,
    OracleValue,
    fill_e6,
    notional_e6,
    oracle_value,
    price_of,
    quantums_of,
    size_of,
    subticks_of,
    terms_of,
)
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import D, btc, eth, terms_row
from tests.unit.connectors.dydx.link import recorded


def test_the_worked_numbers_of_btc_and_eth() -> None:
    assert subticks_of(D("89941"), btc()) == 8_994_100_000
    assert quantums_of(D("0.0123"), btc()) == 123_000_000
    assert quantums_of(D("0.01234"), btc(), "down") == 123_000_000
    assert quantums_of(D("0.01234"), btc(), "up") == 124_000_000
    assert fill_e6(123_000_000, 8_994_100_000, btc()) == 1_106_274_300
    assert subticks_of(D("3103.0"), eth()) == 3_103_000_000
    assert quantums_of(D("0.5"), eth()) == 500_000_000
    assert fill_e6(500_000_000, 3_103_000_000, eth()) == 1_551_500_000
    # A client that counts in floats loses a step of these.
    assert quantums_of(D("0.0003"), btc()) == 3_000_000
    assert quantums_of(D("1.001"), eth()) == 1_001_000_000


def test_limits_are_never_worse_than_asked() -> None:
    assert price_of(subticks_of(D("3103.07"), eth(), "down"), eth()) == D("3103.0")
    assert price_of(subticks_of(D("3103.07"), eth(), "up"), eth()) == D("3103.1")
    with pytest.raises(InputError) as refused:
        subticks_of(D("3103.07"), eth())
    assert refused.value.code == "OFF_GRID"
    with pytest.raises(InputError) as refused:
        quantums_of(D("0.00005"), btc())
    assert refused.value.code == "OFF_GRID"


def test_sizes_and_prices_come_back() -> None:
    for size in ("0.0001", "123.4567", "0"):
        assert size_of(quantums_of(D(size), btc()), btc()) == D(size)
    for price in ("1", "89941"):
        assert price_of(subticks_of(D(price), btc()), btc()) == D(price)


@pytest.mark.parametrize(
    "name",
    [
        "nautilus_2024/http/list_perpetual_markets.json",
        "nautilus_2024/http/list_perpetual_markets_v8.json",
        "nautilus_2024/websocket/v4_markets_subscribed.json",
        "ccxt_testnet/perpetual_markets_btc.json",
    ],
)
def test_every_recorded_market_has_terms_on_the_grid_of_its_ticks(name: str) -> None:
    body = recorded(name)
    rows = body.get("contents", body)["markets"]
    for row in rows.values():
        terms = terms_of(row)
        assert price_of(terms.subticks_per_tick, terms) == D(row["tickSize"])
        assert size_of(terms.step_base_quantums, terms) == D(row["stepSize"])
        maintenance = Fraction(terms.initial_margin_ppm * terms.maintenance_fraction_ppm, 10**12)
        assert 0 <= maintenance - Fraction(row["maintenanceMarginFraction"]) <= Fraction(1, 10**6)


def test_the_terms_of_a_row() -> None:
    terms = terms_of(terms_row("APE-USD"))
    assert terms == MarketTerms(
        -6, -9, 1_000_000, 1_000_000, 200_000, 500_000, 5_000_000 * 10**6, 10_000_000 * 10**6
    )
    isolated = recorded("nautilus_2024/websocket/v4_markets_channel_data_v8.json")
    found = terms_of(isolated["contents"]["trading"]["TRY-USD"])
    assert found.isolated
    assert found.default_funding_1h == Decimal(0)
    assert found.initial_margin_ppm == 10_000


def test_a_maintenance_fraction_that_does_not_divide_is_rounded_up() -> None:
    row = terms_row("ETH-USD") | {
        "initialMarginFraction": "0.03",
        "maintenanceMarginFraction": "0.01",
    }
    assert terms_of(row).maintenance_fraction_ppm == 333_334


@pytest.mark.parametrize(
    "change",
    [
        {"initialMarginFraction": "0"}, {"initialMarginFraction": "1.1"},
        {"initialMarginFraction": "0.0000001"}, {"maintenanceMarginFraction": "0.06"},
        {"maintenanceMarginFraction": "-0.01"}, {"maintenanceMarginFraction": "NaN"},
        {"openInterestLowerCap": "2", "openInterestUpperCap": "1"},
        {"openInterestLowerCap": "-1"}, {"stepBaseQuantums": 0}, {"subticksPerTick": -1},
        {"openInterestUpperCap": "1e999999999"},
    ],
    ids=str,
)  # fmt: skip
def test_terms_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        terms_of(terms_row("ETH-USD") | change)


def test_oracle_prices_are_exact_and_fine_enough() -> None:
    assert oracle_value("105000") == OracleValue(105_000 * 10**10, -10)
    assert oracle_value("3264.309572") == OracleValue(32_643_095_720_000, -10)
    assert oracle_value("0.000012345678901") == OracleValue(12_345_678_901, -15)
    assert oracle_value("3264.309572").price == D("3264.309572")


@pytest.mark.parametrize(
    ("quantums", "price", "exponent", "resolution", "expected"),
    [
        (1_000_000_000_000, 123_456_789_123, -5, -16, 123_456_789),
        (-1_000_000_000_000, 123_456_789_123, -5, -16, -123_456_789),
        (0, 123_456_789_123, -5, -16, 0),
        (1, 123_456_789_123, -5, 4, 12_345_678_912_300_000),
        (88, 42, 5, 0, 369_600_000_000_000),
    ],
)
def test_notionals_of_the_chains_own_tests(
    quantums: int, price: int, exponent: int, resolution: int, expected: int
) -> None:
    terms = MarketTerms(resolution, 0, 1, 1, 200_000, 500_000)
    assert notional_e6(quantums, OracleValue(price, exponent), terms) == expected
