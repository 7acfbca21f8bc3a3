"""Liquidation, capacity and refusals of increases in any market."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import carry, impact, margin
from connectors.gmx.economics.capacity import capacity, check_open_interest, check_reserves
from connectors.gmx.economics.fixed import FACTOR_ONE, apply_factor
from connectors.gmx.economics.model import ByToken, Position, PriceRange, Sided, Signed
from connectors.gmx.economics.refusal import Refused
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
sides = st.booleans()


def test_profit_is_capped_where_the_pool_would_lose_too_much() -> None:
    market = v.named("balanced")
    config = replace(market.config, max_pnl_factor_for_traders_e30=Sided(10**28, 10**28))
    position = s.held(True, 10**6 * USD, market.prices.index)
    prices = replace(market.prices, index=PriceRange(4 * 10**15, 4 * 10**15))
    found = margin.pnl(config, market.state, prices, position, position.size_usd_e30)
    everybody = margin.side_pnl(config, market.state, prices.index, True)
    limit = apply_factor(carry.pool_usd(config, market.state, prices, True), 10**28)
    assert everybody > limit
    assert found.usd_e30 == found.uncapped_usd_e30 * limit // everybody < found.uncapped_usd_e30


def test_a_side_without_tokens_has_no_profit() -> None:
    market = v.named("balanced")
    nothing = Sided(ByToken(0, 0), ByToken(0, 0))
    state = replace(market.state, open_interest_units=nothing)
    assert margin.side_pnl(market.config, state, market.prices.index, False) == 0


def test_gains_of_closing_offset_a_loss_of_opening_up_to_their_cap() -> None:
    market = v.named("balanced")
    index = market.prices.index
    config = replace(
        market.config,
        max_impact_factor_e30=Signed(0, 5 * 10**27),
        max_impact_factor_for_liquidations_e30=FACTOR_ONE,
    )
    state = s.with_interest(market.state, index, 10**7 * USD, 0, None)
    found = [
        margin.health(
            config, state, market.prices, s.held(True, 10**5 * USD, index, pending)
        ).remaining_usd_e30
        for pending in (0, -USD // index.max_usd_e30)
    ]
    assert found[0] - found[1] == pytest.approx(USD)


@given(
    sides,
    st.booleans(),
    st.booleans(),
    st.integers(10 * USD, 10**6 * USD),
    st.integers(1, 90),
    st.integers(-10, 10),
)
@settings(deadline=None, max_examples=60)
def test_the_liquidation_price_is_where_it_turns(
    is_long: bool, in_long_token: bool, moves: bool, size: int, leverage: int, pending_bps: int
) -> None:
    market = v.named("long-heavy, 9 h, spread 2 bp")
    config = replace(market.config, max_impact_factor_for_liquidations_e30=10**27)
    index = market.prices.index
    collateral = size // leverage // market.prices.token(in_long_token).min_usd_e30
    pending = size * pending_bps // 10_000 // index.max_usd_e30
    cumulative = market.state.cumulative_borrowing_factor_e30.of(is_long)
    position = Position(
        is_long,
        in_long_token,
        size,
        impact.increase_units(index, is_long, size),
        collateral,
        pending,
        cumulative,
        market.state.funding_fee_per_size.of(is_long).of(in_long_token),
    )
    given_market = config, market.state, market.prices
    healthy, bad = margin.liquidation_price(*given_market, position, long_token_is_index=moves)

    def liquidatable(price: int) -> bool:
        there = PriceRange(price, price)
        prices = replace(
            market.prices, index=there, long_token=there if moves else market.prices.long_token
        )
        return margin.health(config, market.state, prices, position).liquidatable

    if healthy is not None:
        assert not liquidatable(healthy)
    if bad is not None:
        assert liquidatable(bad)
    if healthy is not None and bad is not None and bad > 1:
        assert bad - healthy == (-1 if is_long else 1)


def test_positions_that_no_price_can_save_or_endanger() -> None:
    market = v.named("empty")
    state = s.with_interest(market.state, market.prices.index, 10**6 * USD, 10**6 * USD, None)
    given_market = market.config, state, market.prices
    here = market.prices.index.mid_usd_e30
    # Its collateral is more of the index than it is short of: a rise only makes it safer.
    short = Position(False, True, 1000 * USD, 10**17, 10**18)
    pair = margin.liquidation_price(*given_market, short, long_token_is_index=True)
    assert pair == (here, None)
    # What it won will not be worth what it owes for borrowing.
    owing = replace(state, cumulative_borrowing_factor_e30=Sided(0, 2 * FACTOR_ONE))
    broke = replace(short, collateral_is_long_token=False, collateral_units=10**6)
    pair = margin.liquidation_price(
        market.config, owing, market.prices, broke, long_token_is_index=True
    )
    assert pair == (None, here)
    rich = Position(True, False, 10 * USD, 10**16, 10**12)
    pair = margin.liquidation_price(*given_market, rich, long_token_is_index=True)
    assert pair == (here, None)


@pytest.mark.parametrize(
    ("collateral_usd", "reason"),
    [(0, "min collateral"), (5, "min collateral for leverage"), (50, "")],
)
def test_reasons_of_a_liquidation(collateral_usd: int, reason: str) -> None:
    market = v.named("balanced")
    position = Position(False, False, 1000 * USD, 333333333333333333, (collateral_usd + 0) * 10**6)
    assert margin.health(*market, position).reason == reason
    unchecked = margin.health(*market, position, check_min_collateral=False)
    assert unchecked.reason == ("< 0" if collateral_usd == 0 else reason)


def test_required_collateral_rises_with_open_interest() -> None:
    market = v.named("balanced")
    config = market.config
    plain = margin.min_collateral_factor(config, market.state, True)
    assert plain == config.min_collateral_factor_e30
    # 6e-11 per USD: above 83.3 M USD it is more than half a percent.
    more = margin.min_collateral_factor(config, market.state, True, 85 * 10**6 * USD)
    assert more == 100 * 10**6 * 6 * 10**19


@given(s.markets(), sides)
@settings(deadline=None)
def test_capacity_is_what_the_checks_let_through(market: v.Given, is_long: bool) -> None:
    config, state, prices = market
    room = capacity(config, state, prices, is_long)
    if (
        min(
            room.interest_left_usd_e30,
            room.reserve_left_usd_e30,
            room.interest_reserve_left_usd_e30,
        )
        < 0
    ):
        assert room.available_usd_e30 == 0
        return

    def take(size: int) -> None:
        units = impact.increase_units(prices.index, is_long, size)
        usd, tokens = state.open_interest_usd_e30, state.open_interest_units
        more_usd = ByToken(0, usd.of(is_long).short_token + size)
        more_units = ByToken(0, tokens.of(is_long).short_token + units)
        after = replace(
            state,
            open_interest_usd_e30=(
                Sided(more_usd, usd.short) if is_long else Sided(usd.long, more_usd)
            ),
            open_interest_units=(
                Sided(more_units, tokens.short) if is_long else Sided(tokens.long, more_units)
            ),
        )
        check_open_interest(config, after, is_long)
        check_reserves(config, after, prices, is_long)

    take(room.available_usd_e30)
    with pytest.raises(Refused):
        take(room.available_usd_e30 + prices.index.max_usd_e30 + 1)


def test_the_reserve_checks_name_what_is_missing() -> None:
    market = v.named("balanced")
    tight = replace(market.config, reserve_factor_e30=Sided(0, 0))
    with pytest.raises(Refused, match=r"InsufficientReserve\("):
        check_reserves(tight, market.state, market.prices, True)
    tight = replace(market.config, open_interest_reserve_factor_e30=Sided(0, 0))
    with pytest.raises(Refused, match=r"InsufficientReserveForOpenInterest\("):
        check_reserves(tight, market.state, market.prices, False)


@pytest.mark.parametrize(
    ("size_usd", "collateral_usd", "change", "name"),
    [
        (1000, 100, {"max_collateral_sum_units": ((0, 0), (0, 0))}, "MaxCollateralSumExceeded"),
        (1000, 5, {"min_collateral_factor_e30": 0}, "LiquidatablePosition"),
        (10**7, 10**6, {"reserve_factor_e30": (0, 0)}, "InsufficientReserve"),
        (0, 100, {}, "InvalidPositionSizeValues"),
    ],
)
def test_further_refusals_of_an_increase(
    size_usd: int, collateral_usd: int, change: v.Row, name: str
) -> None:
    market = v.named("balanced")
    if name == "LiquidatablePosition":
        change = {**change, "min_collateral_usd_e30": 10 * USD}
    else:
        change = {
            key: Sided(*(ByToken(*x) if isinstance(x, tuple) else x for x in value))
            for key, value in change.items()
        }
    market = market._replace(config=replace(market.config, **change))
    with pytest.raises(Refused, match=f"^{name}"):
        s.opened(market, True, size_usd * USD, collateral_usd * 10**6)


def test_collateral_that_does_not_cover_the_fees() -> None:
    market = v.named("balanced")
    with pytest.raises(Refused) as caught:
        s.opened(market, True, 10**6 * USD, 10**6)
    assert str(caught.value.refusal) == (
        "InsufficientCollateralAmount(collateralAmount=0, collateralDeltaAmount=-599000000)"
    )
