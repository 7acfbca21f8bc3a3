"""Decreases, closes and withdrawals in any market."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import carry, execution, impact
from connectors.gmx.economics.checks import check_decrease
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.economics.fixed import FACTOR_ONE, apply_factor
from connectors.gmx.economics.model import ByToken, Position, PriceRange, Signed
from connectors.gmx.economics.refusal import Refused
from connectors.gmx.economics.trades import close_position, withdraw_collateral
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
sides = st.booleans()


@given(s.markets(), sides, s.sizes, st.integers(-(10**18), 10**18), st.integers(1, 1000))
@settings(deadline=None)
def test_bounds_of_a_decrease(
    market: v.Given, is_long: bool, size: int, pending: int, part: int
) -> None:
    index = market.prices.index
    position = s.held(is_long, size, index, pending)
    assume(position.size_units)
    longs, shorts = (
        impact.open_interest_usd(market.config, market.state, side) + size for side in (True, False)
    )
    virtual = market.state.virtual_position_usd_e30
    state = s.with_interest(market.state, index, longs, shorts, virtual)
    delta = max(size * part // 1000, 1)
    found = s.unless_refused(
        (
            "PriceImpactLargerThanOrderSize",
            "NegativeExecutionPrice",
            "UsdDeltaExceedsLongOpenInterest",
            "UsdDeltaExceedsShortOpenInterest",
        ),
        lambda: execution.decrease(market.config, state, index, position, delta),
    )
    if found is None:
        return
    assert found.impact_usd_e30 <= apply_factor(delta, min(*s.caps(market)))
    assert -found.total_usd_e30 <= apply_factor(delta, market.config.max_impact_factor_e30.negative)
    assert found.total_usd_e30 <= max(0, state.impact_pool_units * index.min_usd_e30)
    assert found.total_usd_e30 <= apply_factor(delta, min(*s.caps(market)))
    assert found.diff_usd_e30 >= 0
    if found.diff_usd_e30:
        assert (
            found.total_usd_e30 - found.diff_usd_e30 == found.impact_usd_e30 + found.pending_usd_e30
        )
    assert 0 <= found.units <= position.size_units


def test_a_decrease_of_more_than_there_is() -> None:
    market = v.named("balanced")
    position = s.held(True, 1000 * USD, market.prices.index)
    with pytest.raises(Refused, match="InvalidDecreaseOrderSize") as caught:
        execution.decrease(
            market.config, market.state, market.prices.index, position, 1000 * USD + 1
        )
    assert caught.value.code == "ORDER_REFUSED"


def test_gains_of_opening_and_closing_share_one_cap() -> None:
    """1 bp of a size of 100,000 USD at most: 5 USD from opening, and more than 10 from closing."""
    market = v.named("balanced")
    index = market.prices.index
    config = replace(market.config, max_impact_factor_e30=Signed(10**26, 5 * 10**27))
    state = s.with_interest(market.state, index, 10**7 * USD, 0, None)
    position = s.held(True, 10**5 * USD, index, 5 * USD // index.min_usd_e30)
    found = execution.decrease(config, state, index, position, position.size_usd_e30)
    assert found.pending_usd_e30 == pytest.approx(5 * USD)
    assert found.impact_usd_e30 == found.total_usd_e30 == 10 * USD


def test_an_impact_that_turns_the_price_negative_is_named_as_it_moves_it() -> None:
    """A short of 1,000 USD from 3,000 closes at 2,000 less 3,000."""
    market = v.named("balanced")
    config = replace(
        market.config,
        impact_factor_e30=Signed(10**26, 10**26),
        max_impact_factor_e30=Signed(FACTOR_ONE, FACTOR_ONE),
    )
    position = s.held(False, 1000 * USD, market.prices.index)
    index = PriceRange(2 * 10**15, 2 * 10**15)
    state = s.with_interest(market.state, index, 0, 10**6 * USD, None)
    with pytest.raises(Refused, match="NegativeExecutionPrice") as caught:
        execution.decrease(config, state, index, position, position.size_usd_e30)
    assert dict(caught.value.refusal.arguments)["priceImpactUsd"] == -1000 * USD


def test_what_a_cap_takes_off_the_impact_is_paid_and_claimable() -> None:
    """A pending impact of -1,000 USD on a size of 10,000 USD: 50 USD is settled, 950 is kept."""
    market = v.named("balanced")
    price = market.prices.index.min_usd_e30
    position = replace(
        s.held(True, 10_000 * USD, market.prices.index),
        pending_impact_units=-1_000 * USD // price,
        collateral_units=2_000 * 10**6,
    )
    at_open = carry.accrue(*market, s.NOW_S)
    position = replace(position, borrowing_factor_e30=at_open.cumulative_borrowing_factor_e30.long)
    position = replace(position, funding_fee_per_size=at_open.funding_fee_per_size.long.short_token)
    done = close_position(*market, position, ANY_SELL_PRICE, s.NOW_S)
    assert done.execution.total_usd_e30 == -50 * USD
    assert done.claimable_units == pytest.approx(950 * 10**6, rel=1e-3)
    paid = done.paid.short_token
    cost = done.fees.total_units + 50 * 10**6 + done.claimable_units
    assert 0 <= 2_000 * 10**6 - cost - paid <= 1


@given(
    sides,
    st.booleans(),
    st.integers(2 * USD, 10**6 * USD),
    st.integers(1, 50),
    st.integers(-300, 300),
    st.integers(0, 10**6),
)
@settings(deadline=None)
def test_a_close_pays_out_no_more_than_there_is(
    is_long: bool, in_long_token: bool, size: int, leverage: int, moved_bps: int, held_s: int
) -> None:
    market = v.named("balanced")
    token = market.prices.token(in_long_token)
    collateral = size // leverage // token.min_usd_e30
    try:
        done = s.opened(market, is_long, size, collateral, in_long_token)
        index = market.prices.index
        price = index.min_usd_e30 * (10_000 + moved_bps) // 10_000
        index = PriceRange(price, price)
        then = replace(market.prices, index=index, long_token=index)
        closed = close_position(
            market.config,
            done.state,
            then,
            done.position,
            ANY_SELL_PRICE if is_long else ANY_BUY_PRICE,
            s.NOW_S + held_s,
        )
    except Refused:
        return
    paid = (
        closed.paid.long_token * then.long_token.max_usd_e30
        + closed.paid.short_token * then.short_token.max_usd_e30
    )
    worth = done.position.collateral_units * then.token(in_long_token).max_usd_e30
    assert min(closed.paid.long_token, closed.paid.short_token) >= 0
    assert paid <= worth + max(closed.pnl.usd_e30, 0) + max(closed.execution.total_usd_e30, 0)


def test_a_close_that_cannot_pay_its_costs() -> None:
    market = v.named("balanced")
    position = replace(s.held(True, 10_000 * USD, market.prices.index), collateral_units=10**6)
    cheaper = replace(market.prices, index=PriceRange(29 * 10**14, 29 * 10**14))
    position = replace(
        position,
        borrowing_factor_e30=market.state.cumulative_borrowing_factor_e30.long,
        funding_fee_per_size=market.state.funding_fee_per_size.long.short_token,
    )
    now_s = market.state.funding_updated_at_s
    with pytest.raises(Refused, match=r"InsufficientFundsToPayForCosts\(.*step=pnl"):
        close_position(market.config, market.state, cheaper, position, ANY_SELL_PRICE, now_s)


def losing_long(collateral_units: int) -> tuple[v.Given, Position]:
    """10,000 USD of BTC from 100,000, now at 99,000, that owes nothing for the past."""
    market = v.named("long-heavy", "BTC")
    position = replace(
        s.held(True, 10_000 * USD, market.prices.index),
        collateral_units=collateral_units,
        borrowing_factor_e30=market.state.cumulative_borrowing_factor_e30.long,
        funding_fee_per_size=market.state.funding_fee_per_size.long.short_token,
    )
    cheaper = PriceRange(99 * 10**25, 99 * 10**25)
    prices = replace(market.prices, index=cheaper, long_token=cheaper)
    return market._replace(prices=prices), position


def test_what_is_still_owed_counts_in_the_token_of_the_profit() -> None:
    market, position = losing_long(10**9)
    market = market._replace(config=replace(market.config, impact_factor_e30=Signed(0, 0)))
    now_s = market.state.funding_updated_at_s
    closed = close_position(*market, position, ANY_SELL_PRICE, now_s)
    cost = 10**9 - closed.paid.short_token
    # A millionth of a dollar is less than one unit of BTC, and nobody pays it.
    short_of = replace(position, collateral_units=cost - 1)
    assert close_position(*market, short_of, ANY_SELL_PRICE, now_s).paid == ByToken(0, 0)
    poor = replace(position, collateral_units=10**6)
    with pytest.raises(Refused) as caught:
        close_position(*market, poor, ANY_SELL_PRICE, now_s)
    # A loss of 100 USD, and a collateral of 1.
    satoshi = market.prices.long_token.min_usd_e30
    assert dict(caught.value.refusal.arguments) == {
        "remainingCostUsd": 99 * USD // satoshi * satoshi,
        "step": "pnl",
    }


def test_a_withdrawal_leaves_enough_after_loss_and_fees() -> None:
    """50 USD have to stay of 10,000: the loss is 100, the fee for closing 4."""
    market, position = losing_long(1_000 * 10**6)
    now_s = market.state.funding_updated_at_s
    left = withdraw_collateral(*market, position, 846 * 10**6, now_s)
    assert left == replace(
        position,
        collateral_units=154 * 10**6,
        claimable_funding_per_size=market.state.claimable_funding_per_size.long,
    )
    with pytest.raises(Refused) as caught:
        withdraw_collateral(*market, position, 846 * 10**6 + 1, now_s)
    assert str(caught.value.refusal) == (
        "LiquidatablePosition(reason=min collateral for leverage, "
        f"remainingCollateralUsd={50 * USD - 10**24}, minCollateralUsd=0, "
        f"minCollateralUsdForLeverage={50 * USD})"
    )


def test_a_withdrawal_that_leaves_enough() -> None:
    market = v.named("balanced")
    position = s.held(True, 10_000 * USD, market.prices.index)
    position = replace(position, collateral_units=1_000 * 10**6)
    # Half a percent of the size has to stay.
    check_decrease(*market, position, 0, 950 * 10**6)
    with pytest.raises(Refused, match="estimatedRemainingCollateralUsd=49999999"):
        check_decrease(*market, position, 0, 950 * 10**6 + 1)
