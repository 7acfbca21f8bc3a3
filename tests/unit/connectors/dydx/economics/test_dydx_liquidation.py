"""Liquidation and bankruptcy against the documentation and the chain's own test cases."""

from decimal import Decimal

import pytest

from connectors.dydx.economics.liquidation import (
    bankruptcy_price,
    bankruptcy_quote_e6,
    leverage,
    liquidation_price,
)
from connectors.dydx.economics.margin import Position, subaccount_risk
from connectors.dydx.economics.terms import MarketTerms, OracleValue
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import D, btc, eth, position, usdc


def near(found: Decimal | None, expected: str) -> bool:
    return found is not None and abs(found - D(expected)) < D("0.00001")


def test_the_documented_isolated_prices() -> None:
    # 1,000 USDC, short 3 ETH at 3,000, maintenance 5 %: 10,000 / 3.15.
    short = position(eth(100_000, 500_000), "-3", "3000")
    assert near(liquidation_price(usdc("10000"), short), "3174.603174603")
    # Long 0.5 BTC, oracle 90,000, equity 5,000, maintenance 1.2 %.
    long = position(btc(), "0.5", "90000")
    assert near(liquidation_price(usdc("5000") - usdc("45000"), long), "80971.659919")


def test_the_documented_cross_prices() -> None:
    # Short 1.5 ETH at 3,000 beside 1,000 STRK at 1.75 with 10 %: 5,325 / 1.575.
    strk = MarketTerms(-6, -9, 1, 1, 200_000, 500_000)
    others = [position(strk, "1000", "1.75")]
    short = position(eth(100_000, 500_000), "-1.5", "3000")
    balance = usdc("1000") + usdc("4500") - usdc("1750")
    assert near(liquidation_price(balance, short, others), "3380.952380952")
    # Short 10 ETH at 3,100 beside 0.2 BTC at 90,000, equity 4,000.
    balance = usdc("4000") + usdc("31000") - usdc("18000")
    found = liquidation_price(
        balance, position(eth(), "-10", "3100"), [position(btc(), "0.2", "90000")]
    )
    assert near(found, "3437.154150197")


def test_both_neighbours_of_the_boundary() -> None:
    long = position(btc(), "0.5", "90000")
    balance = usdc("-40000")
    price = liquidation_price(balance, long)
    assert price is not None
    value = int(price * 10**10)
    at, safer = (
        subaccount_risk(balance, [Position(btc(), long.quantums, OracleValue(v, -10), 0)])
        for v in (value, value + 1)
    )
    assert at.liquidatable
    assert not safer.liquidatable


def test_the_price_lies_on_the_grid_of_the_oracle() -> None:
    coarse = Position(btc(), 5_000_000_000, OracleValue(90_000, 0), 0)
    assert liquidation_price(usdc("-40000"), coarse) == D("80971")
    short = Position(btc(), -5_000_000_000, OracleValue(90_000, 0), 0)
    # 50,000 / 0.506 = 98,814.23
    assert liquidation_price(usdc("50000"), short) == D("98815")


def test_positions_that_are_never_and_always_liquidated() -> None:
    paid = position(btc(), "0.5", "90000")
    assert liquidation_price(usdc("0"), paid) is None
    assert bankruptcy_price(usdc("0"), paid) is None
    # A margin of the whole value: no price helps a long that owes anything.
    whole = position(btc(1_000_000, 1_000_000), "0.5", "90000")
    price = liquidation_price(usdc("-1"), whole)
    assert price is not None
    assert price > D("1e30")
    assert liquidation_price(usdc("-1"), position(btc(), "-0.5", "90000")) == 0
    with pytest.raises(InputError) as refused:
        liquidation_price(usdc("1"), position(btc(), "0", "90000"))
    assert refused.value.code == "NO_POSITION"


def test_bankruptcy_lies_behind_liquidation() -> None:
    long, short = position(btc(), "0.5", "90000"), position(btc(), "-0.5", "90000")
    gone = bankruptcy_price(usdc("-40000"), long)
    assert near(gone, "80000")
    assert gone is not None
    assert gone < D(80_000)  # at 80,000 there is exactly nothing left
    gone = bankruptcy_price(usdc("50000"), short)
    assert near(gone, "100000")
    assert gone is not None
    assert gone > D(100_000)


BTC = MarketTerms(-8, -8, 1, 1, 200_000, 500_000)
ETH = MarketTerms(-9, -9, 1, 1, 200_000, 500_000)


def held(market: MarketTerms, quantums: int) -> Position:
    price = 5_000_000_000 if market is BTC else 300_000_000
    return Position(market, quantums, OracleValue(price, -5), 0)


# USDC balance, closed quantums of the last position, positions, quote quantums
@pytest.mark.parametrize(
    ("balance", "closed", "positions", "expected"),
    [
        ("-4501", -10_000_000, [(BTC, 10_000_000)], 4_501_000_000),
        ("5499", 10_000_000, [(BTC, -10_000_000)], -5_499_000_000),
        ("-5000", -10_000_000, [(BTC, 10_000_000)], 5_000_000_000),
        ("-5000", -5_000_000, [(BTC, 10_000_000)], 2_500_000_000),
        ("5000", 5_000_000, [(BTC, -10_000_000)], -2_500_000_000),
        ("-5100", -10_000_000, [(BTC, 10_000_000)], 5_100_000_000),
        ("4900", 10_000_000, [(BTC, -10_000_000)], -4_900_000_000),
        ("-490", -100_000_000, [(BTC, 400_000), (ETH, 100_000_000)], 294_000_000),
        ("510", 100_000_000, [(BTC, -400_000), (ETH, -100_000_000)], -306_000_000),
        ("110", 100_000_000, [(BTC, 400_000), (ETH, -100_000_000)], -306_000_000),
        ("-13", -21_347, [(BTC, 100_000_000)], 2_776),
        ("13", 21_347, [(BTC, -100_000_000)], -2_775),
        ("1", -100_000_000, [(BTC, 100_000_000)], -1_000_000),
    ],
)
def test_bankruptcy_of_the_chains_own_tests(
    balance: str, closed: int, positions: list[tuple[MarketTerms, int]], expected: int
) -> None:
    listed = [held(*item) for item in positions]
    total = subaccount_risk(usdc(balance), listed)
    assert bankruptcy_quote_e6(total, listed[-1], closed) == expected


@pytest.mark.parametrize("closed", [0, 10_000_000, -100_000_001])
def test_what_is_no_reduction_is_refused(closed: int) -> None:
    listed = [held(BTC, 100_000_000)]
    with pytest.raises(InputError) as refused:
        bankruptcy_quote_e6(subaccount_risk(usdc("-4501"), listed), listed[0], closed)
    assert refused.value.code == "BAD_CLOSE"


def test_leverage() -> None:
    listed = [position(eth(), "-10", "3100"), position(btc(), "0.2", "90000")]
    total = subaccount_risk(usdc("17000"), listed)
    assert leverage(total, listed) == D("12.25")
    assert leverage(subaccount_risk(usdc("17001"), listed), listed) == D("12.25")
    assert leverage(subaccount_risk(usdc("13000"), listed), listed) is None
