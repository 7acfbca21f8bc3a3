"""Impact and execution prices in any market: order, symmetry, bounds."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import execution, impact
from connectors.gmx.economics.checks import OrderType, check_trigger
from connectors.gmx.economics.fixed import FACTOR_ONE, apply_factor
from connectors.gmx.economics.model import MarketConfig, MarketPrices, PriceRange, Signed
from connectors.gmx.economics.refusal import Refused
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
sides = st.booleans()


def impact_usd(market: v.Given, is_long: bool, size: int) -> int:
    units = impact.increase_units(market.prices.index, is_long, size)
    found = impact.position_impact(
        market.config, market.state, market.prices.index, is_long, size, units
    )
    return found.usd_e30


@given(s.markets(), sides, s.sizes)
@settings(deadline=None)
def test_an_increase_executes_on_the_side_of_its_impact(
    market: v.Given, is_long: bool, size: int
) -> None:
    index = market.prices.index
    found = s.unless_refused(
        ("PriceImpactLargerThanOrderSize", "EmptySizeDeltaInTokens"),
        lambda: execution.increase(market.config, market.state, index, is_long, size),
    )
    if found is None:
        return
    limit = apply_factor(size, min(*s.caps(market)))
    assert found.impact_usd_e30 <= limit
    oracle = execution.oracle_price(index, is_long, True)
    if found.impact_usd_e30 < 0:
        better = found.price_usd_e30 < oracle if is_long else found.price_usd_e30 > oracle
        assert not better or found.units < 10**6
    assert found.units * (index.max_usd_e30 if is_long else index.min_usd_e30) <= size or (
        not is_long and (found.units - 1) * index.min_usd_e30 < size
    )


@given(
    s.prices(),
    st.integers(0, 10**9 * USD),
    st.integers(2 * USD, 10**7 * USD),
    st.integers(USD, 10**7 * USD),
    sides,
    st.booleans(),
)
@settings(deadline=None)
def test_negative_impact_grows_with_size(
    prices: MarketPrices, lead: int, size: int, more: int, is_long: bool, in_tokens: bool
) -> None:
    config = replace(s.BASE.config, interest_in_tokens=in_tokens)
    assume(size >= 1000 * prices.index.max_usd_e30)
    assume(more * 100 >= size)
    long_usd, short_usd = (lead, 0) if is_long else (0, lead)
    state = s.with_interest(s.BASE.state, prices.index, long_usd, short_usd, None)
    market = v.Given(config, state, prices)
    small, large = impact_usd(market, is_long, size), impact_usd(market, is_long, size + more)
    assert large < small < 0
    # It grows faster than the size, as far as the power's digits can tell.
    if lead <= 100 * size:
        assert large * size < small * (size + more)


@given(s.configs(in_tokens=False), s.prices(spread=False), st.data(), s.sizes)
@settings(deadline=None)
def test_longs_and_shorts_are_mirror_images(
    config: MarketConfig, prices: MarketPrices, data: st.DataObject, size: int
) -> None:
    one, other = data.draw(s.amounts), data.draw(s.amounts)
    virtual = data.draw(s.virtuals)
    there = s.with_interest(s.BASE.state, prices.index, one, other, virtual)
    mirrored = s.with_interest(
        s.BASE.state, prices.index, other, one, None if virtual is None else -virtual
    )
    assert impact_usd(v.Given(config, there, prices), True, size) == impact_usd(
        v.Given(config, mirrored, prices), False, size
    )


@given(s.configs(in_tokens=False), s.prices(), s.sizes, sides)
@settings(deadline=None)
def test_in_an_empty_market_the_whole_size_is_imbalance(
    config: MarketConfig, prices: MarketPrices, size: int, is_long: bool
) -> None:
    market = v.Given(config, s.BASE.state, prices)
    cost = impact.curve(0, size, False, config.impact_factor_e30, config.impact_exponent_e30)
    assert impact_usd(market, is_long, size) == cost <= 0
    if size < USD:
        assert cost == 0


@given(s.markets(virtual=False), s.virtuals, sides, s.sizes)
@settings(deadline=None)
def test_virtual_inventory_never_makes_it_better(
    market: v.Given, virtual: int | None, is_long: bool, size: int
) -> None:
    index = market.prices.index
    state = replace(
        market.state,
        virtual_position_usd_e30=virtual,
        virtual_position_units=None if virtual is None else virtual // index.mid_usd_e30,
    )
    alone = impact_usd(market, is_long, size)
    shared = impact_usd(market._replace(state=state), is_long, size)
    assert shared <= alone
    if alone >= 0:
        assert shared == alone


@given(s.amounts, s.amounts, st.booleans(), s.factors, s.factors)
@settings(deadline=None)
def test_going_and_coming_back_gains_nothing(
    before: int, after: int, crossed: bool, positive: int, negative: int
) -> None:
    terms = Signed(positive, negative), Signed(2 * FACTOR_ONE, 2 * FACTOR_ONE)
    there = impact.curve(before, after, crossed, *terms)
    back = impact.curve(after, before, crossed, *terms)
    assert there + back <= 0


def test_positive_factor_and_exponent_are_capped_by_the_negative() -> None:
    generous = Signed(9 * 10**19, 3 * 10**19), Signed(2 * FACTOR_ONE, FACTOR_ONE)
    plain = Signed(3 * 10**19, 3 * 10**19), Signed(FACTOR_ONE, FACTOR_ONE)
    there = 5_000 * USD, 1_000 * USD, False
    assert impact.curve(*there, *generous) == impact.curve(*there, *plain) > 0


def test_the_documented_example() -> None:
    """ETH at 1739.495434083952, 50 M long, 45 M short: 1 M more long costs 990 USD, 1 M short gains
    270 USD."""
    index = PriceRange(1739495434083952, 1739495434083952)
    state = s.with_interest(s.BASE.state, index, 50 * 10**6 * USD, 45 * 10**6 * USD, None)
    found = [
        execution.increase(s.BASE.config, state, index, is_long, 10**6 * USD)
        for is_long in (True, False)
    ]
    assert [each.impact_usd_e30 / USD for each in found] == pytest.approx([-990, 270], rel=1e-12)
    assert [each.price_usd_e30 for each in found] == [1741219241132673, 1739965224694619]
    assert found[0].units == 574879347427903469291


@given(s.index_prices, st.integers(0, 10_000), sides, st.booleans())
def test_an_acceptable_price_is_the_stricter_side_of_the_slippage(
    price: int, bps: int, is_long: bool, is_increase: bool
) -> None:
    bound = execution.acceptable_price(price, bps, is_long, is_increase)
    execution.check_acceptable(price, bound, is_long, is_increase)
    execution.check_acceptable(bound, bound, is_long, is_increase)
    buys = execution.is_buy(is_long, is_increase)
    assert (
        bound * 10_000 <= price * (10_000 + bps)
        if buys
        else (bound * 10_000 >= price * (10_000 - bps))
    )
    with pytest.raises(Refused, match="OrderNotFulfillableAtAcceptablePrice"):
        execution.check_acceptable(bound + (1 if buys else -1), bound, is_long, is_increase)


@pytest.mark.parametrize(
    ("order_type", "long_below"),
    [
        (OrderType.LIMIT_INCREASE, True),
        (OrderType.STOP_LOSS_DECREASE, True),
        (OrderType.LIMIT_DECREASE, False),
        (OrderType.STOP_INCREASE, False),
    ],
)
def test_triggers(order_type: OrderType, long_below: bool) -> None:
    index = PriceRange(99, 101)
    increases = order_type in (OrderType.LIMIT_INCREASE, OrderType.STOP_INCREASE)
    for is_long in (True, False):
        price = 101 if increases == is_long else 99
        beyond = price - 1 if long_below == is_long else price + 1
        check_trigger(order_type, index, is_long, price)
        check_trigger(order_type, index, is_long, 2 * price - beyond)
        with pytest.raises(Refused, match=f"orderType={int(order_type)}"):
            check_trigger(order_type, index, is_long, beyond)
    check_trigger(OrderType.MARKET_INCREASE, index, True, 0)
