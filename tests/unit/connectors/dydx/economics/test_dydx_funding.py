"""Premium, rate, bound and payment of funding."""

import pytest

from connectors.dydx.economics.funding import (
    expected_e6,
    impact_notional_usd,
    index_delta,
    max_rate_8h_ppm,
    max_rate_hourly,
    payment_usd,
    premium,
    rate_hourly,
    settlement_e6,
)
from connectors.dydx.economics.terms import MarketTerms, OracleValue, quantums_of
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import D, btc


def terms(initial: int, fraction: int, resolution: int = -6) -> MarketTerms:
    return MarketTerms(resolution, -9, 1, 1, initial, fraction)


def test_the_impact_notional() -> None:
    assert impact_notional_usd(terms(100_000, 500_000)) == D(5000)
    assert impact_notional_usd(terms(20_000, 600_000)) == D(25_000)
    assert impact_notional_usd(terms(30_000, 600_000)) == D("16666.666667")


def test_the_premium_has_a_sign_only_outside_the_book() -> None:
    assert premium(D(101), D(102), D(100)) == D("0.01")
    assert premium(D(98), D(99), D(100)) == D("-0.01")
    assert premium(D(99), D(101), D(100)) == 0
    # Rounded down on both sides.
    assert premium(D(4), D(5), D(3)) == D("0.333333333333333333")
    assert premium(D(1), D(2), D(3)) == D("-0.333333333333333334")
    with pytest.raises(InputError):
        premium(D(0), D(1), D(1))


@pytest.mark.parametrize(
    ("clamp", "initial", "fraction", "expected"),
    [
        (6_000_000, 150_000, 800_000, 180_000),
        (6_000_000, 450_000, 1_000_000, 0),
        (6_000_000, 0, 1_000_000, 0),
        (3_000_000, 1_000_000, 0, 3_000_000),
        (0, 1_000_000, 1_000_000, 0),
        (2**32 - 1, 1_000_000, 0, 2**32 - 1),
        (423_978_721, 745_345, 564_947, 137_481_459),
    ],
)
def test_bounds_of_the_chains_own_tests(
    clamp: int, initial: int, fraction: int, expected: int
) -> None:
    assert max_rate_8h_ppm(terms(initial, fraction), clamp) == expected


def test_the_documented_bounds() -> None:
    assert max_rate_8h_ppm(terms(50_000, 600_000)) == 120_000
    # 75 % of 2 % - 1.2 %
    assert max_rate_hourly(btc()) == D("0.006")


def test_the_hourly_rate() -> None:
    assert rate_hourly(D("0.0008"), btc()) == D("0.0001")
    isolated = btc(isolated=True, default_funding_1h=D("0.0000125"))
    assert rate_hourly(D(0), isolated) == D("0.0000125")
    assert rate_hourly(D("-0.0001"), isolated) == 0
    assert rate_hourly(D(1), btc()) == D("0.006")
    assert rate_hourly(D(-1), btc()) == D("-0.006")


@pytest.mark.parametrize(
    ("resolution", "price", "exponent", "rate", "seconds", "expected"),
    [
        (-12, 1_000, 0, 1_001_999, 28_800, 1_001),
        (-12, 1_000, 0, -1_001_999, 28_800, -1_001),
        (-4, 1_000, 2, -1_001_999, 14_400, -5_009_995_000_000),
        (0, 1_000, -6, -1_001_999, 3_600, -125_249_875),
    ],
)
def test_index_moves_of_the_chains_own_tests(
    resolution: int, price: int, exponent: int, rate: int, seconds: int, expected: int
) -> None:
    market = terms(200_000, 500_000, resolution)
    assert index_delta(rate, seconds, OracleValue(price, exponent), market) == expected


def test_settlements_round_against_the_holder() -> None:
    # The chain's own cases, in ppm there: -6,000,000 and the like.
    assert settlement_e6(30_000, 200) == -6
    assert settlement_e6(-30_000, 200) == 6
    assert settlement_e6(10_000_000, -100) == 1_000
    assert settlement_e6(-5_000_000, -150) == -750
    assert settlement_e6(1, 1) == -1
    assert settlement_e6(-1, 1) == 0
    assert settlement_e6(5, 0) == 0


def test_the_documented_payment() -> None:
    # Long 0.5 BTC, oracle 89,993.8, 0.000002375 an hour.
    paid = payment_usd(D("0.5"), "LONG", D("89993.8"), D("0.000002375"))
    assert paid == D("0.106868")
    received = payment_usd(D("0.5"), "SHORT", D("89993.8"), D("0.000002375"))
    assert received == D("-0.106867")
    assert payment_usd(D("0.5"), "LONG", D("89993.8"), D("0.000002375"), 24) == D("2.564832")
    assert payment_usd(D("0.5"), "LONG", D("89993.8"), D("0.000002375"), 0) == 0
    assert payment_usd(D("0.5"), "LONG", D("89993.8"), D("-0.000002375")) == D("-0.106867")
    with pytest.raises(InputError):
        payment_usd(D("-0.5"), "LONG", D(1), D(1))


def test_the_chain_settles_in_steps_of_its_index() -> None:
    # 19 ppm of eight hours are 0.000002375 an hour; the index moves by 21.37, cut to 21.
    oracle, size = OracleValue(8_999_380_000, -5), quantums_of(D("0.5"), btc())
    moved = index_delta(19, 3_600, oracle, btc())
    assert moved == 21
    assert settlement_e6(size, moved) == expected_e6(size, D("0.000002375"), oracle, btc())
    assert expected_e6(size, D("0.000002375"), oracle, btc()) == -105_000
    assert expected_e6(-size, D("0.000002375"), oracle, btc()) == 105_000
    # Between two ppm the holder gets the worse one: 20 to pay, 19 to receive.
    assert expected_e6(size, D("0.0000024"), oracle, btc()) == -110_000
    assert expected_e6(-size, D("0.0000024"), oracle, btc()) == 105_000
