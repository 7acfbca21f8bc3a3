"""Profit and loss, the collateral a position must have, and the price at which it has not.

Source: GMX v2 contracts, position/PositionUtils.sol, market/MarketUtils.sol, v2.2b and v2.2c.
``state`` is taken as it stands: as stored it gives what Reader.isPositionLiquidatable says,
brought up to now (carry.accrue) what a liquidation would find.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from connectors.gmx.economics.carry import pool_usd
from connectors.gmx.economics.execution import pending_impact_usd
from connectors.gmx.economics.fees import position_fees
from connectors.gmx.economics.fixed import apply_factor, div_to_zero
from connectors.gmx.economics.impact import (
    cap_positive,
    decrease_units,
    open_interest_units,
    open_interest_usd,
    position_impact,
)
from connectors.gmx.economics.model import (
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    PriceRange,
)

_MAX_RISE_BITS: Final = 20
"""A price a million times today's is as far as a liquidation price is looked for."""


@dataclass(frozen=True, slots=True)
class Pnl:
    """``usd_e30`` is what is paid; a gain shrinks where what the pool can lose is capped."""

    usd_e30: int
    uncapped_usd_e30: int
    units: int


@dataclass(frozen=True, slots=True)
class Health:
    """``reason`` is empty for a healthy position."""

    reason: str
    remaining_usd_e30: int
    min_collateral_usd_e30: int
    min_collateral_for_leverage_usd_e30: int

    @property
    def liquidatable(self) -> bool:
        """Whether anybody may close the position."""
        return bool(self.reason)


def pnl(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    size_usd_e30: int,
) -> Pnl:
    """Of the part of a position that has this size; longs are valued at the minimum, shorts at the
    maximum of the index price.

    Shape: scalar; the position has a size. Units: USD e30, ``units`` of the index token.
    Source: PositionUtils.getPositionPnlUsd.
    """
    is_long = position.is_long
    value = position.size_units * prices.index.of(not is_long)
    uncapped = value - position.size_usd_e30 if is_long else position.size_usd_e30 - value
    total = uncapped
    if total > 0:
        pool_pnl = side_pnl(config, state, prices.index, is_long)
        limit = apply_factor(
            pool_usd(config, state, prices, is_long),
            config.max_pnl_factor_for_traders_e30.of(is_long),
        )
        if 0 < limit < pool_pnl:
            total = total * limit // pool_pnl
    units = decrease_units(position.size_usd_e30, position.size_units, is_long, size_usd_e30)
    return Pnl(
        div_to_zero(total * units, position.size_units),
        div_to_zero(uncapped * units, position.size_units),
        units,
    )


def side_pnl(config: MarketConfig, state: MarketState, index: PriceRange, is_long: bool) -> int:
    """Profit of all longs or all shorts, at the price that makes it the larger.

    Shape: scalar. Units: USD e30. Source: MarketUtils.getPnl (maximized).
    """
    units = open_interest_units(config, state, is_long)
    cost = open_interest_usd(config, state, is_long)
    if units == 0 or cost == 0:
        return 0
    worth = units * index.of(is_long)
    return worth - cost if is_long else cost - worth


def min_collateral_factor(
    config: MarketConfig, state: MarketState, is_long: bool, interest_delta_usd_e30: int = 0
) -> int:
    """Collateral that a position must have per size once it has been changed: it rises with the
    open interest of its side.

    Shape: scalar. Units: e30. Source: MarketUtils.getMinCollateralFactorForOpenInterest,
    PositionUtils.willPositionCollateralBeSufficient.
    """
    interest = open_interest_usd(config, state, is_long) + interest_delta_usd_e30
    per_interest = config.min_collateral_factor_per_interest_e30.of(is_long)
    return collateral_factor(config.min_collateral_factor_e30, per_interest, interest)


def collateral_factor(minimum_e30: int, per_interest_e30: int, interest_usd_e30: int) -> int:
    """``min_collateral_factor`` of its parts; the interest is that after the change.

    Shape: scalar. Units: e30. Source: MarketUtils.getMinCollateralFactorForOpenInterest.
    """
    return max(minimum_e30, apply_factor(interest_usd_e30, per_interest_e30))


def health(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    *,
    for_liquidation: bool = True,
    check_min_collateral: bool = True,
) -> Health:
    """What would remain of the collateral if the position were closed, against what it must have.
    Positive impact does not count, negative only up to its own cap; the liquidation fee is not
    deducted, and the fee is that of the balance which closing leaves. The state has the position in
    its open interest.

    Shape: scalar; the position has a size. Units: USD e30.
    Raises: Refused ``UsdDeltaExceeds..OpenInterest`` where the state has not.
    Source: PositionUtils.isPositionLiquidatable.
    """
    size, is_long = position.size_usd_e30, position.is_long
    collateral = prices.token(position.collateral_is_long_token)
    impact = position_impact(config, state, prices.index, is_long, -size, -position.size_units)
    floor = -apply_factor(size, config.max_impact_factor_for_liquidations_e30)
    settled = cap_positive(config, impact.usd_e30, size)
    settled += pending_impact_usd(prices.index, position, size)
    settled = min(max(settled, floor), 0)
    fees = position_fees(config, state, position, collateral, size, impact.improved)
    remaining = (
        (position.collateral_units - fees.total_units) * collateral.min_usd_e30
        + pnl(config, state, prices, position, size).usd_e30
        + settled
    )
    factor = (
        config.min_collateral_factor_for_liquidation_e30
        if for_liquidation
        else config.min_collateral_factor_e30
    )
    needed = apply_factor(size, factor)
    minimum = config.min_collateral_usd_e30 if check_min_collateral else 0
    reason = ""
    if check_min_collateral and remaining < minimum:
        reason = "min collateral"
    elif remaining <= 0:
        reason = "< 0"
    elif remaining < needed:
        reason = "min collateral for leverage"
    return Health(reason, remaining, minimum, needed)


def liquidation_price(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    *,
    long_token_is_index: bool,
) -> tuple[int | None, int | None]:
    """The neighbouring index prices between which the position turns liquidatable, all else equal:
    (last healthy one, first liquidatable one). ``long_token_is_index``: the pool's long token is
    the index or its wrapper, and its price moves along.

    The first is None for a position that no move of the price can make healthy; the second for one
    that no move can endanger.
    Shape: two scalars; the position has a size. Units: USD e30 per unit.
    Source: health; the boundary is exact, found by halving.
    """

    def bad(price: int) -> bool:
        index = PriceRange(price, price)
        moved = replace(
            prices, index=index, long_token=index if long_token_is_index else prices.long_token
        )
        return health(config, state, moved, position).liquidatable

    here = prices.index.mid_usd_e30
    return _fall(bad, here) if position.is_long else _rise(bad, here)


def _fall(bad: Callable[[int], bool], here: int) -> tuple[int | None, int | None]:
    """Of a long: prices below the boundary are bad."""
    healthy = here
    while bad(healthy):
        healthy *= 2
        if healthy >> _MAX_RISE_BITS > here:
            return None, here
    if not bad(1):
        return healthy, None
    low = 1
    while healthy - low > 1:
        middle = (healthy + low) // 2
        low, healthy = (middle, healthy) if bad(middle) else (low, middle)
    return healthy, low


def _rise(bad: Callable[[int], bool], here: int) -> tuple[int | None, int | None]:
    """Of a short: prices above the boundary are bad."""
    if bad(1):
        return None, here
    high = max(here, 2)
    while not bad(high):
        high *= 2
        if high >> _MAX_RISE_BITS > here:
            return here, None
    healthy = 1
    while high - healthy > 1:
        middle = (healthy + high) // 2
        healthy, high = (healthy, middle) if bad(middle) else (middle, high)
    return healthy, high
