"""Borrowing, funding and fees in any market."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import carry, fees, impact, swap
from connectors.gmx.economics.fixed import FACTOR_ONE, apply_factor
from connectors.gmx.economics.model import ByToken, MarketState, Position, Sided, Signed
from connectors.gmx.economics.refusal import Refused
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
sides = st.booleans()


@given(s.markets(), st.integers(0, 10**7))
@settings(deadline=None)
def test_funding_collects_no_less_than_it_pays_out(market: v.Given, seconds: int) -> None:
    config, state, prices = market
    now_s = state.funding_updated_at_s + seconds
    found = carry.next_funding(config, state, prices, now_s)
    payers, takers = found.longs_pay, not found.longs_pay
    assert found.fee_per_size.of(takers) == found.claimable_per_size.of(payers) == ByToken(0, 0)
    for in_long_token in (True, False):
        paid = found.fee_per_size.of(payers).of(in_long_token)
        got = found.claimable_per_size.of(takers).of(in_long_token)
        interest = state.open_interest_usd_e30.of(payers).of(in_long_token)
        assert paid * interest >= got * impact.open_interest_usd(config, state, takers)
    high = config.funding.max_factor_e30
    assert abs(found.next_saved_factor_e30) <= max(high.long, high.short)
    if min(impact.open_interest_usd(config, state, side) for side in (True, False)) == 0:
        assert found == carry.NO_FUNDING


@given(s.markets(), st.integers(0, 10**7))
@settings(deadline=None)
def test_carrying_on_twice_to_the_same_second_is_once(market: v.Given, seconds: int) -> None:
    config, state, prices = market
    now_s = max(state.funding_updated_at_s, *_updated(state)) + seconds
    once = carry.accrue(config, state, prices, now_s)
    assert carry.accrue(config, once, prices, now_s) == once
    for is_long in (True, False):
        assert once.cumulative_borrowing_factor_e30.of(
            is_long
        ) >= state.cumulative_borrowing_factor_e30.of(is_long)


def _updated(state: MarketState) -> tuple[int, int]:
    return state.borrowing_updated_at_s.long, state.borrowing_updated_at_s.short


def test_the_documented_kink() -> None:
    """45 % a year up to a usage of 85 %, 90 % above: 27 % at 60 %, 55.5 % at 90 %."""
    market = v.named("empty")
    year_s = 365 * 86_400
    terms = replace(
        market.config.borrowing.short,
        base_factor_e30=45 * 10**28 // year_s,
        above_optimal_factor_e30=90 * 10**28 // year_s,
    )
    config = replace(market.config, borrowing=Sided(terms, terms))
    pool = carry.pool_usd(config, market.state, market.prices, False)
    reservable = apply_factor(pool, config.open_interest_reserve_factor_e30.short)
    for usage, expected in ((60, 0.27), (90, 0.555), (85, 0.3825), (0, 0)):
        state = s.with_interest(
            market.state, market.prices.index, 0, reservable * usage // 100, None
        )
        rate = carry.borrowing_factor_per_second(config, state, market.prices, False)
        assert rate * year_s / FACTOR_ONE == pytest.approx(expected, rel=1e-9)


def test_without_an_optimal_usage_the_older_curve_applies() -> None:
    market = v.named("balanced")
    terms = replace(market.config.borrowing.short, optimal_usage_factor_e30=0)
    config = replace(market.config, borrowing=Sided(terms, terms))
    reserved = carry.reserved_usd(config, market.state, market.prices, False)
    pool = carry.pool_usd(config, market.state, market.prices, False)
    rate = carry.borrowing_factor_per_second(config, market.state, market.prices, False)
    assert rate == apply_factor(reserved * FACTOR_ONE // pool, terms.factor_e30) > 0


def test_an_empty_pool_has_no_borrowing_rate() -> None:
    market = v.named("balanced")
    state = replace(market.state, pool_units=ByToken(0, 0))
    with pytest.raises(Refused, match="UnableToGetBorrowingFactorEmptyPoolUsd"):
        carry.borrowing_factor_per_second(market.config, state, market.prices, True)


@pytest.mark.parametrize("longs_pay", [True, False])
def test_funding_holds_falls_and_turns(longs_pay: bool) -> None:
    market = v.named("long-heavy, 9 h, spread 2 bp")
    sign = 1 if longs_pay else -1
    terms = replace(
        market.config.funding, threshold_stable_e30=10**29, threshold_decrease_e30=10**28
    )
    config = replace(market.config, funding=terms)
    saved = sign * 10**21

    def after(skew_bps: int, seconds: int) -> int:
        heavy, light = 10**7 * USD, 10**7 * USD * (10_000 - skew_bps) // (10_000 + skew_bps)
        long_usd, short_usd = (heavy, light) if longs_pay else (light, heavy)
        state = s.with_interest(market.state, market.prices.index, long_usd, short_usd, None)
        state = replace(state, saved_funding_factor_e30=saved)
        now_s = state.funding_updated_at_s + seconds
        return carry.next_funding(config, state, market.prices, now_s).next_saved_factor_e30

    assert sign * after(2_000, 100) > abs(saved)
    assert after(500, 100) == saved
    assert sign * after(50, 100) == abs(saved) - 100 * terms.decrease_factor_e30
    assert after(50, 10**9) == sign
    assert sign * after(-2_000, 100) < abs(saved)
    assert sign * after(-2_000, 10**9) == -terms.max_factor_e30.of(not longs_pay)


def test_funding_in_proportion_where_it_does_not_adapt() -> None:
    market = v.named("long-heavy", "BTC")
    terms = replace(market.config.funding, increase_factor_e30=0)
    config = replace(market.config, funding=terms)
    found = carry.next_funding(config, market.state, market.prices, 1_795_000_300)
    # 12 M of 24 M.
    assert found.longs_pay
    assert found.next_saved_factor_e30 == 0
    assert found.factor_per_second_e30 == min(terms.factor_e30 // 2, terms.max_factor_e30.long)


def test_a_balanced_market_that_does_not_adapt_has_a_rate_of_nothing() -> None:
    market = v.named("balanced")
    terms = replace(market.config.funding, increase_factor_e30=0)
    config = replace(market.config, funding=terms)
    found = carry.next_funding(config, market.state, market.prices, 1_795_000_300)
    assert (found.longs_pay, found.factor_per_second_e30) == (True, 0)


def test_the_increase_of_funding_has_a_floor() -> None:
    market = v.named("long-heavy", "BTC")
    terms = replace(market.config.funding, min_increase_rate_e30=10**20)
    config = replace(market.config, funding=terms)
    found = carry.next_funding(config, market.state, market.prices, 1_795_000_223)
    assert found.next_saved_factor_e30 == 10 * 10**20


def test_a_market_of_one_token_counts_its_sums_once() -> None:
    """Stored sums are counted for both tokens: half of each, which makes the whole once."""
    market = v.named("balanced")
    config = replace(market.config, single_token=True)
    usd = ByToken(10**7 * USD, 10**7 * USD)
    units = ByToken(10**22, 10**22)
    state = replace(
        market.state,
        pool_units=units,
        open_interest_usd_e30=Sided(usd, ByToken(5 * 10**6 * USD, 5 * 10**6 * USD)),
        open_interest_units=Sided(units, units),
    )
    assert impact.open_interest_usd(config, state, True) == 10**7 * USD
    prices = replace(market.prices, short_token=market.prices.long_token)
    assert carry.pool_usd(config, state, prices, True) == 10**22 * 3 * 10**15 // 2
    now = carry.accrue(config, state, prices, state.funding_updated_at_s + 3600)
    rate = carry.next_funding(config, state, prices, state.funding_updated_at_s + 3600)
    paid = now.funding_fee_per_size.long.long_token - state.funding_fee_per_size.long.long_token
    moved = now.funding_fee_per_size.long.short_token - state.funding_fee_per_size.long.short_token
    assert moved == paid
    # What all longs pay is the rate times their size.
    owed = paid * 10**7 * USD // 10**45 * (3 * 10**15)
    assert owed == pytest.approx(rate.factor_per_second_e30 * 3600 * 10**7, rel=1e-6)


@given(
    sides,
    st.integers(0, 10**9 * USD),
    st.integers(0, FACTOR_ONE // 2),
    st.integers(0, FACTOR_ONE // 2),
    st.integers(0, FACTOR_ONE // 2),
    st.integers(0, 10**27),
)
@settings(deadline=None)
def test_discounts_take_off_no_more_than_the_larger_one(
    improved: bool, size: int, rebate: int, share: int, pro: int, ui: int
) -> None:
    market = v.named("balanced")
    referral = apply_factor(rebate, share)
    terms = fees.Terms(rebate, referral, pro, ui)
    price = market.prices.short_token
    position = Position(True, False)
    args = market.config, market.state, position, price, size, improved
    plain, found = fees.position_fees(*args), fees.position_fees(*args, terms)
    fee = plain.position_fee_units
    assert found.discount_units == max(apply_factor(fee, referral), apply_factor(fee, pro))
    assert found.total_units == fee - found.discount_units + found.ui_units
    assert found.protocol_units + found.affiliate_units + found.discount_units == fee
    assert found.receiver_units + found.pool_units == found.protocol_units


def test_referral_terms_and_ui_fee() -> None:
    """A rebate of 10 % of the fee, half of it for the trader."""
    assert fees.referral_terms(1_000, 5_000) == (10**29, 5 * 10**28)
    assert fees.ui_fee_factor(10**28, 10**27) == 10**27
    assert fees.ui_fee_factor(10**26, 10**27) == 10**26


def test_a_liquidation_pays_a_fee_of_its_own() -> None:
    market = v.named("balanced")
    args = market.config, market.state, Position(True, False), market.prices.short_token
    plain = fees.position_fees(*args, 10_000 * USD, False)
    found = fees.position_fees(*args, 10_000 * USD, False, is_liquidation=True)
    assert found.liquidation_usd_e30 == 20 * USD
    assert found.total_units - plain.total_units == 20 * 10**6


@given(st.booleans(), st.integers(0, 10**13), st.integers(0, 10**27))
@settings(deadline=None)
def test_a_swap_gives_no_more_than_the_oracle_and_the_impact_pool(
    in_long_token: bool, usd: int, ui_fee: int
) -> None:
    market = v.named("long-heavy, 9 h, spread 2 bp")
    state = replace(market.state, swap_impact_pool_units=ByToken(10**15, 10**6))
    price_in = market.prices.token(in_long_token)
    price_out = market.prices.token(not in_long_token)
    units = usd * 10**24 // price_in.max_usd_e30
    found = swap.swap(market.config, state, market.prices, in_long_token, units, ui_fee)
    plain = found.after_fees_units * price_in.min_usd_e30 // price_out.max_usd_e30
    bonus = state.swap_impact_pool_units
    worth = bonus.of(in_long_token) * price_in.min_usd_e30 // price_out.max_usd_e30 + 1
    assert 0 <= found.out_units <= plain + bonus.of(not in_long_token) + worth
    assert found.after_fees_units == (
        units - found.fee_for_receiver_units - found.fee_for_pool_units - found.ui_fee_units
    )


def test_swaps_beyond_the_pool_are_refused() -> None:
    market = v.named("balanced")
    with pytest.raises(Refused, match="UsdDeltaExceedsPoolValue"):
        swap.swap(*market, True, 10**23)
    steep = replace(market.config.swap, impact_factor_e30=Signed(0, 10**24))
    config = replace(market.config, swap=steep)
    with pytest.raises(Refused, match="SwapPriceImpactExceedsAmountIn"):
        swap.swap(config, market.state, market.prices, True, 10**21)
