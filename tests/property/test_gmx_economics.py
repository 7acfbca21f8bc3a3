"""GMX prices of any pool: floats agree with the contract's integers, larger sizes cost more."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.economics import LadderArrays
from connectors.gmx.economics.model import ByToken, MarketConfig, PriceRange, Signed
from connectors.gmx.economics.pricing import ECONOMICS, GmxInputs
from domain.costs import OrderSide, PricedPool, UnpricedPool
from tests.unit.connectors.gmx.economics import openings as o
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
SIDES: tuple[OrderSide, OrderSide] = ("BUY", "SELL")


def same(
    exact: PricedPool | UnpricedPool,
    ladder: LadderArrays,
    place: tuple[int, int, int],
    pool: GmxInputs,
    beyond_tick: float,
) -> None:
    """Within the tick of the contracts, and ``beyond_tick`` of the price where it has more digits.
    Where an impact is a whole number of the token's smallest units but for the last digits of the
    contract's power, the fills may differ by that unit."""
    assert ladder.reason is not None
    if isinstance(exact, UnpricedPool):
        assert ladder.reason[place] == exact.reason
        assert np.isnan([values[place] for values in ladder[:4]]).all()
        return
    assert ladder.reason[place] is None
    unit, index = 10.0**-pool.terms.decimals, pool.prices.index
    price, size = float(exact.price), float(exact.notional_usd)
    error = abs(ladder.price[place] - price)
    fills = size / ladder.price[place] - size / price
    assert error <= 1e-30 / unit + beyond_tick * price or abs(fills) < 1.5 * unit
    worst_bps = 1.001e4 * error / (index.mid_usd_e30 * 1e-30 / unit) + 1e-7
    assert abs(ladder.impact_bps[place] - float(exact.impact_bps)) <= worst_bps
    assert abs(ladder.spread_bps[place] - float(exact.spread_bps)) <= 1e-9
    assert abs(ladder.fee_bps[place] - float(exact.fee_bps)) <= 1e-9


def agree(
    pools: Sequence[GmxInputs], sizes_usd: Sequence[Decimal], beyond_tick: float = 1e-11
) -> None:
    ladder = ECONOMICS.ladder(pools, np.array([float(size) for size in sizes_usd]))
    for side_place, side in enumerate(SIDES):
        for pool_place, pool in enumerate(pools):
            for size_place, size in enumerate(sizes_usd):
                exact = ECONOMICS.price("pool", pool, side, size)
                same(exact, ladder, (side_place, pool_place, size_place), pool, beyond_tick)


def test_ladders_agree_with_the_contracts_states() -> None:
    sizes = [Decimal(f"{size:.9f}") for size in np.geomspace(0.5, 2e8, 60)]
    agree(o.STATES, sizes)
    agree(o.STATES, [Decimal(10) ** power for power in range(3, 9)])


@st.composite
def pools(draw: st.DrawFn, config: MarketConfig | None = None) -> GmxInputs:
    low = draw(st.integers(10**12, 10**18))
    index = PriceRange(low, low + low * draw(st.integers(0, 100)) // 10_000)
    interest = st.integers(0, 10**8).map(lambda usd: usd * USD)
    virtual = draw(st.one_of(st.none(), st.integers(-(10**8), 10**8)))
    state = s.with_interest(
        s.BASE.state, index, draw(interest), draw(interest), virtual and virtual * USD
    )
    state = replace(state, pool_units=ByToken(10**12 * USD // low, 10**18))
    prices = replace(s.BASE.prices, index=index, long_token=index)
    return o.inputs(v.Given(draw(s.configs()) if config is None else config, state, prices), 18)


@given(
    st.lists(pools(), min_size=1, max_size=4),
    st.lists(st.integers(100, 10**8).map(Decimal), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_ladders_of_any_pools_agree(pools: list[GmxInputs], sizes_usd: list[Decimal]) -> None:
    agree(pools, sizes_usd)


@given(pools(s.BASE.config), st.sampled_from(SIDES), st.integers(10, 10**7), st.integers(1, 10**7))
@settings(deadline=None)
def test_more_costs_more(inputs: GmxInputs, side: OrderSide, size: int, more: int) -> None:
    """Where gains are no larger than losses, and of one exponent."""
    found = [ECONOMICS.price(None, inputs, side, Decimal(usd)) for usd in (size, size + more)]
    small, large = found
    if isinstance(small, UnpricedPool) or isinstance(large, UnpricedPool):
        # What does not take the small one does not take the large one either.
        assert isinstance(large, UnpricedPool)
        return
    worse = large.price - small.price if side == "BUY" else small.price - large.price
    # A unit of the price, and one of the token's smallest units for either size.
    assert worse >= -small.price * Decimal("1e-11")
    assert large.fee_bps >= small.fee_bps


def test_a_small_trade_in_a_large_imbalance_agrees() -> None:
    """The impact is the difference of two powers that have all but their last digits in common."""
    factor, square = 10**21, 2 * 10**30
    config = replace(
        s.BASE.config,
        impact_factor_e30=Signed(factor, factor),
        impact_exponent_e30=Signed(square, square),
    )
    index = PriceRange(10**12, 10**12)
    given = [
        o.inputs(
            v.Given(
                replace(config, interest_in_tokens=in_tokens),
                replace(
                    s.with_interest(s.BASE.state, index, long_usd, short_usd, None),
                    pool_units=ByToken(10**30, 10**20),
                ),
                replace(s.BASE.prices, index=index, long_token=index),
            ),
            18,
        )
        for in_tokens in (True, False)
        for long_usd, short_usd in (
            (98_765_432 * USD + 7, 0),
            (0, 98_765_432 * USD + 7),
            (98_765_432 * USD + 7, 12_345_678 * USD),
        )
    ]
    agree(given, [Decimal(size) for size in (100, 137, 1_000, 9_999, 100_000)], 1e-13)


def test_gains_are_capped_by_losses() -> None:
    config = replace(s.BASE.config, impact_factor_e30=Signed(10**21, 10**20))
    state = s.with_interest(s.BASE.state, s.BASE.prices.index, 0, 10**7 * USD, None)
    given = o.inputs(v.Given(config, state, s.BASE.prices), 18)
    found = ECONOMICS.price(None, given, "BUY", Decimal(10**6))
    assert isinstance(found, PricedPool)
    capped = replace(config, impact_factor_e30=Signed(10**20, 10**20))
    same_pool = o.inputs(v.Given(capped, state, s.BASE.prices), 18)
    assert found.impact_bps == pytest.approx(
        ECONOMICS.price(None, same_pool, "BUY", Decimal(10**6)).impact_bps  # type: ignore[union-attr]
    )
