"""Margins against the chain's own test cases, the documentation and recorded accounts."""

import pytest

from connectors.dydx.economics.margin import (
    Position,
    initial_e6,
    initial_ppm,
    max_leverage,
    max_notional_e6,
    position_risk,
    subaccount_risk,
)
from connectors.dydx.economics.terms import MarketTerms, OracleValue, oracle_value, terms_of
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import (
    D,
    btc,
    eth,
    position,
    terms_row,
    usdc,
)


def terms(initial: int, lower: int = 0, upper: int = 0, resolution: int = -6) -> MarketTerms:
    return MarketTerms(resolution, -9, 1, 1, initial, 500_000, lower, upper)


@pytest.mark.parametrize(
    ("lower", "upper", "interest", "expected"),
    [
        (1_000_000, 2_000_000, 0, 200_000),
        (1_000_000, 2_000_000, 1_500_000, 600_000),
        (1_000_000, 2_000_000, 1_234_567, 387_653),
        (1_000_000, 2_000_000, 1_000_000, 200_000),
        (1_000_000, 2_000_000, 2_000_000, 1_000_000),
        (1_000_000, 2_000_000, 2_500_000, 1_000_000),
        (0, 0, 1_500_000, 200_000),
        (1_000_000, 1_000_000, 1_000_000, 200_000),
        (1_000_000, 1_000_000, 1_000_001, 1_000_000),
    ],
)
def test_scaled_fractions_of_the_chains_own_tests(
    lower: int, upper: int, interest: int, expected: int
) -> None:
    assert initial_ppm(terms(200_000, lower, upper), interest) == expected


@pytest.mark.parametrize(
    ("fraction", "notional", "expected"),
    [
        (200_000, 500_000, 100_000),
        (500_000, 1_000_000, 500_000),
        (100_000, 1, 1),
        (567_243, 123_456, 70_030),
    ],
)
def test_initial_margin_rounds_up(fraction: int, notional: int, expected: int) -> None:
    assert initial_e6(notional, fraction) == expected


# price, exponent, resolution, quantums, initial ppm, maintenance fraction ppm, both requirements
@pytest.mark.parametrize(
    ("price", "exponent", "resolution", "quantums", "initial", "fraction", "expected"),
    [
        (5_555, 2, -8, 7_000, 200, 500_000, (7_777, 3_889)),
        (5_555, 0, -4, 7_000, 10_000, 500_000, (38_885_000, 19_442_500)),
        (42, 5, 0, 88, 10_000, 500_000, (3_696_000_000_000, 1_848_000_000_000)),
        (42_000_000, -2, -6, -5_000, 10_000, 500_000, (21_000_000, 10_500_000)),
        (5_555, 0, -6, 7_000, 1_000_000, 1_000_000, (38_885_000, 38_885_000)),
        (5_555, 3, -6, -7_000, 2, 500_000, (77_770, 38_885)),
        (5_555, 0, -6, 7_000, 0, 1_000_000, (0, 0)),
        (0, 1, -6, -7_000, 100, 1_000_000, (0, 0)),
        (123_456, 0, -6, 74_523, 50_000, 600_000, (460_015_575, 276_009_345)),
        (123_456, 0, -6, 74_523, 250_000, 600_000, (2_300_077_872, 1_380_046_724)),
        (
            2**64 - 1, 1, -6, 2**64 - 1, 100, 1_000_000,
            (340282366920938463426481119284349109, 340282366920938463426481119284349109),
        ),
    ],
)  # fmt: skip
def test_requirements_of_the_chains_own_tests(
    price: int,
    exponent: int,
    resolution: int,
    quantums: int,
    initial: int,
    fraction: int,
    expected: tuple[int, int],
) -> None:
    market = MarketTerms(resolution, -9, 1, 1, initial, fraction)
    risk = position_risk(Position(market, quantums, OracleValue(price, exponent), 0))
    assert (risk.initial_e6, risk.maintenance_e6) == expected


@pytest.mark.parametrize(
    ("interest", "lower", "upper", "expected"),
    [
        (408_163_265, 10, 20, 264_599_559),
        (1_000_000_000, 10, 20, 441_000_000),
        (1_123_456_789, 25, 50, 318_042_585),
    ],
)
def test_scaled_requirements_of_the_chains_own_tests(
    interest: int, lower: int, upper: int, expected: int
) -> None:
    market = terms(200_000, lower * 10**12, upper * 10**12)
    risk = position_risk(Position(market, 12_000, OracleValue(36_750, 0), interest))
    assert risk.initial_e6 == expected
    assert risk.maintenance_e6 == 44_100_000


def test_the_documented_scaling_and_its_leverage() -> None:
    mid_cap = terms(50_000, usdc("40000000"), usdc("100000000"))
    assert initial_ppm(mid_cap, usdc("70000000")) == 525_000
    assert max_leverage(mid_cap, usdc("70000000")) == D("1.90")
    assert max_leverage(mid_cap, usdc("40000000")) == D("20")
    assert max_leverage(mid_cap, usdc("100000000")) == D("1")
    assert max_leverage(terms(30_000), 0) == D("33.33")
    with pytest.raises(InputError):
        max_leverage(terms(0), 0)


def test_a_users_own_fraction_counts_only_when_higher() -> None:
    oracle = oracle_value("3000")
    asked = [
        position_risk(Position(eth(50_000), 10**9, oracle, 0, custom)).initial_e6
        for custom in (0, 20_000, 100_000)
    ]
    assert asked == [usdc("150"), usdc("150"), usdc("300")]
    maintained = position_risk(Position(eth(50_000), 10**9, oracle, 0, 100_000)).maintenance_e6
    assert maintained == usdc("90")


def test_a_recorded_isolated_subaccount() -> None:
    # 20 APE long, 0.00929 USDC owed; the indexer: equity 18.53811708, free 14.828635664.
    ape = terms_of(terms_row("APE-USD"))
    held = position(ape, "20", "0.927370354")
    risk = subaccount_risk(usdc("-0.00929"), [held])
    assert risk.net_e6 == usdc("18.538117")
    assert risk.initial_e6 == usdc("3.709482")
    assert risk.free_e6 == usdc("14.828635")
    assert risk.maintenance_e6 == usdc("1.854741")
    assert risk.may_add_risk
    assert not risk.liquidatable


def test_the_indexer_is_optimistic_above_the_lower_cap() -> None:
    # 12.5M APE at 0.6 are 7.5M, half of the way from 5M to 10M: 60 % instead of 20 %.
    ape = terms_of(terms_row("APE-USD"))
    risk = subaccount_risk(usdc("10"), [position(ape, "20", "0.6", 12_500_000 * 10**6)])
    assert risk.initial_e6 == usdc("7.2")
    assert risk.maintenance_e6 == usdc("1.2")


def test_a_cross_subaccount_adds_up() -> None:
    # Short 10 ETH at 3,100 and long 0.2 BTC at 90,000, equity 4,000.
    held = [position(eth(), "-10", "3100"), position(btc(), "0.2", "90000")]
    risk = subaccount_risk(usdc("4000") + usdc("31000") - usdc("18000"), held)
    assert risk.net_e6 == usdc("4000")
    assert risk.initial_e6 == usdc("980")
    assert risk.maintenance_e6 == usdc("372") + usdc("216")
    assert risk.free_e6 == usdc("3020")


def test_liquidatable_means_below_not_at() -> None:
    held = position(btc(200_000, 500_000), "0.1", "50000")
    at, below = (subaccount_risk(usdc("-4500") - one, [held]) for one in (0, 1))
    assert at.net_e6 == at.maintenance_e6 == usdc("500")
    assert not at.liquidatable
    assert below.liquidatable
    assert not subaccount_risk(-1, []).liquidatable


def test_an_isolated_market_shares_with_nobody() -> None:
    alone = position(btc(isolated=True), "0.1", "50000")
    nothing = position(eth(), "0", "3000")
    assert subaccount_risk(usdc("100"), [alone, nothing]).net_e6 == usdc("5100")
    with pytest.raises(InputError) as refused:
        subaccount_risk(usdc("100"), [alone, position(eth(), "1", "3000")])
    assert refused.value.code == "ISOLATED_WITH_OTHERS"


def test_the_largest_position() -> None:
    for free in (1, 7, 999, usdc("151.957356")):
        for fraction in (20_000, 33_333, 525_000, 1_000_000):
            most = max_notional_e6(free, fraction)
            assert initial_e6(most, fraction) <= free < initial_e6(most + 1, fraction)
    assert max_notional_e6(0, 20_000) == max_notional_e6(-5, 20_000) == 0
