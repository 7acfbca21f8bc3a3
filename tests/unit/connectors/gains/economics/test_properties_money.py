"""What holds of profit, fees, what is booked and liquidation for every input."""

from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.gains.economics.fees import FeeShares, FeeTerms, split_fee, trade_fee
from connectors.gains.economics.ledger import (
    downscaled,
    with_holding_fees,
    with_trading_fee,
    with_virtual_collateral,
)
from connectors.gains.economics.liquidation import reached, trigger_price_e10
from connectors.gains.economics.pnl import pnl_p, raw_pnl, trade_value
from connectors.gains.economics.position import Ledger
from connectors.gains.economics.scales import (
    WHOLE_P,
    Collateral,
)

USDC = Collateral(6, 99_991_354)
prices = st.integers(1, 10**17)
decimals = st.sampled_from([6, 8, 18])
leverages = st.integers(1_000, 1_000_000)


@settings(deadline=None)
@given(prices, prices, leverages)
def test_profit_of_one_side_is_loss_of_the_other(opened: int, now: int, leverage: int) -> None:
    long = pnl_p(opened, now, leverage, long=True)
    short = pnl_p(opened, now, leverage, long=False)
    assert min(long, short) == max(-max(long, short), -WHOLE_P)
    assert long >= -WHOLE_P
    assert short >= -WHOLE_P


@settings(deadline=None)
@given(st.integers(1, 10**24), st.integers(-WHOLE_P, 100 * WHOLE_P), decimals)
def test_value_is_collateral_and_profit(amount: int, profit: int, places: int) -> None:
    collateral = Collateral(places, 10**8)
    value = trade_value(amount, profit, 0, collateral)
    assert abs(value - (amount + raw_pnl(profit, amount))) <= 1
    assert trade_value(amount, profit, value, collateral) == 0
    assert trade_value(amount, profit, 10**40, collateral) == 0


@settings(deadline=None)
@given(st.integers(0, 10**24), st.integers(0, 10**12), st.integers(0, 100_000))
def test_parts_of_a_fee_never_exceed_it(total: int, progress: int, referral: int) -> None:
    shares = FeeShares(5_000, 24_500, 4_000, 56_500, 15_000)
    for market_order in (True, False):
        parts = split_fee(
            total,
            shares,
            market_order=market_order,
            referral_override_e3=referral,
            referrer_progress_p=progress,
        )
        assert 0 <= total - sum(parts[1:]) <= 6
    assert split_fee(total, shares, market_order=True).referral == 0


@settings(deadline=None)
@given(st.integers(0, 10**24), st.integers(0, 10**24), st.booleans())
def test_fees_grow_with_size_from_the_least_on(size: int, more: int, counter: bool) -> None:
    terms = FeeTerms(600_000_000, 0, 1_250_000, 400, 850)
    least = trade_fee(0, terms, USDC, is_counter=counter)
    small = trade_fee(size, terms, USDC, is_counter=counter)
    assert least <= small <= trade_fee(size + more, terms, USDC, is_counter=counter)
    assert small <= trade_fee(size, terms.undiscounted(), USDC)


amounts = st.integers(0, 10**20)
ledgers = st.builds(Ledger, amounts, st.integers(-(10**20), 10**20), amounts, amounts, amounts)


@settings(deadline=None)
@given(ledgers, st.integers(1, 10**20), st.integers(-(10**19), 10**19), amounts)
def test_realizing_a_fee_costs_exactly_that(
    booked: Ledger, collateral: int, holding: int, fee: int
) -> None:
    whole = with_virtual_collateral(booked, collateral)
    assert whole.available(collateral) >= 0
    held = with_holding_fees(whole, collateral, holding)
    assert held.realized == whole.realized - holding
    assert held.available(collateral) >= 0
    charged = with_trading_fee(held, collateral, fee)
    assert charged.realized == held.realized - fee
    assert charged.available(collateral) >= 0


@settings(deadline=None)
@given(ledgers, st.integers(1, 10**20), st.data())
def test_what_a_partial_close_leaves_is_rounded_against_the_trader(
    booked: Ledger, whole: int, data: Any
) -> None:
    removed = data.draw(st.integers(0, whole))
    left = downscaled(booked, removed, whole, whole)
    share = Fraction(whole - removed, whole)
    assert left.realized_fees >= booked.realized_fees * share
    assert left.realized_pnl <= booked.realized_pnl * share
    assert left.realized_fees - booked.realized_fees * share < 1
    assert booked.realized_pnl * share - left.realized_pnl < 1
    assert left.available(whole) >= 0


# Liquidation -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.integers(10**9, 10**15),
    st.integers(-(10**13), 10**13),
    st.fractions(Fraction(-1, 5), Fraction(1, 5)),
    st.booleans(),
)
def test_the_trigger_is_the_outermost_price_that_liquidates(
    fixed: int, extra: int, slope: Fraction, long: bool
) -> None:
    """Holding fees in proportion to the price move the liquidation price in proportion."""

    def at(price: int) -> int:
        return max(fixed + extra + int(slope * price), 0)

    found = trigger_price_e10(at, fixed, long=long)
    assume(fixed + extra > 10)
    assert found is not None
    outside = found + 1 if long else found - 1
    assert reached(found, at(found), long=long)
    assert outside == 0 or not reached(outside, at(outside), long=long)
