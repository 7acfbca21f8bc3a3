"""Execution prices, and the comparison with an order's acceptable price.

Source: GMX v2 contracts, position/PositionUtils.sol, order/BaseOrderUtils.sol, v2.2b and v2.2c.
Prices are USD x 1e30 per smallest unit of the index token.
"""

from dataclasses import dataclass
from typing import Final

from connectors.gmx.economics.fixed import (
    apply_factor,
    div_from_zero,
    div_to_zero,
    div_up,
)
from connectors.gmx.economics.impact import (
    cap_positive,
    cap_positive_by_pool,
    decrease_units,
    increase_units,
    position_impact,
)
from connectors.gmx.economics.model import (
    MarketConfig,
    MarketState,
    OpeningConfig,
    OpeningState,
    Position,
    PriceRange,
)
from connectors.gmx.economics.refusal import Refused

ANY_BUY_PRICE: Final = 2**256 - 1
ANY_SELL_PRICE: Final = 0
_BPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class IncreaseExecution:
    """``units``: what the position's size in tokens grows by; impact is not part of it but is kept
    with the position as ``impact_units`` until it is closed. ``price_usd_e30`` has it in."""

    price_usd_e30: int
    impact_usd_e30: int
    impact_units: int
    units: int
    balance_improved: bool


@dataclass(frozen=True, slots=True)
class DecreaseExecution:
    """``impact_usd_e30`` is that of closing, ``pending_usd_e30`` the share of what opening left,
    ``total_usd_e30`` what is settled of both, ``diff_usd_e30`` what a cap took off a negative
    total: it is paid, and claimable later."""

    price_usd_e30: int
    impact_usd_e30: int
    pending_usd_e30: int
    total_usd_e30: int
    diff_usd_e30: int
    units: int
    balance_improved: bool


def is_buy(is_long: bool, is_increase: bool) -> bool:
    """Shape: scalars. Opening a long and closing a short buy the index."""
    return is_long == is_increase


def oracle_price(index: PriceRange, is_long: bool, is_increase: bool) -> int:
    """A buyer pays the maximum, a seller gets the minimum.

    Shape: scalar. Units: USD e30 per unit. Source: Price.pickPrice.
    """
    return index.of(is_buy(is_long, is_increase))


def increase(
    config: OpeningConfig,
    state: OpeningState,
    index: PriceRange,
    is_long: bool,
    size_usd_e30: int,
) -> IncreaseExecution:
    """What opening or enlarging a position by a size executes at.

    Shape: scalar. Units: USD e30.
    Raises: Refused ``PriceImpactLargerThanOrderSize``, ``EmptySizeDeltaInTokens``.
    Source: PositionUtils.getExecutionPriceForIncrease.
    """
    if size_usd_e30 == 0:
        return IncreaseExecution(index.of(is_long), 0, 0, 0, False)
    units = increase_units(index, is_long, size_usd_e30)
    impact = position_impact(config, state, index, is_long, size_usd_e30, units)
    impact_usd = cap_positive(config, impact.usd_e30, size_usd_e30)
    impact_units = (
        div_to_zero(impact_usd, index.max_usd_e30)
        if impact_usd > 0
        else div_from_zero(impact_usd, index.min_usd_e30)
    )
    executed = units + impact_units if is_long else units - impact_units
    if executed < 0:
        raise Refused(
            "PriceImpactLargerThanOrderSize", priceImpactUsd=impact_usd, sizeDeltaUsd=size_usd_e30
        )
    if executed == 0:
        raise Refused("EmptySizeDeltaInTokens")
    price = size_usd_e30 // executed
    return IncreaseExecution(price, impact_usd, impact_units, units, impact.improved)


@dataclass(frozen=True, slots=True)
class DecreasePrice:
    """What a decrease executes at; its impact capped where it is a gain."""

    price_usd_e30: int
    impact_usd_e30: int
    units: int
    balance_improved: bool


def decrease_price(
    config: OpeningConfig,
    state: OpeningState,
    index: PriceRange,
    position: Position,
    size_usd_e30: int,
) -> DecreasePrice:
    """Of ``decrease``, as far as it depends on no more of the market than an opening.

    Shape: scalar; 0 < size <= the position's. Units: USD e30.
    Raises: Refused ``PriceImpactLargerThanOrderSize``, ``NegativeExecutionPrice``.
    Source: PositionUtils.getExecutionPriceForDecrease.
    """
    units = decrease_units(
        position.size_usd_e30, position.size_units, position.is_long, size_usd_e30
    )
    impact = position_impact(config, state, index, position.is_long, -size_usd_e30, -units)
    impact_usd = cap_positive(config, impact.usd_e30, size_usd_e30)
    price = _moved(index.of(not position.is_long), position, size_usd_e30, impact_usd)
    return DecreasePrice(price, impact_usd, units, impact.improved)


def decrease(
    config: MarketConfig,
    state: MarketState,
    index: PriceRange,
    position: Position,
    size_usd_e30: int,
) -> DecreaseExecution:
    """What closing a position, or a part of it, executes at.

    Shape: scalar; 0 <= size <= the position's. Units: USD e30.
    Raises: Refused ``PriceImpactLargerThanOrderSize``, ``NegativeExecutionPrice``,
    ``InvalidDecreaseOrderSize``.
    Source: PositionUtils.getExecutionPriceForDecrease.
    """
    if size_usd_e30 > position.size_usd_e30:
        raise Refused(
            "InvalidDecreaseOrderSize",
            sizeDeltaUsd=size_usd_e30,
            positionSizeInUsd=position.size_usd_e30,
        )
    if size_usd_e30 == 0:
        return DecreaseExecution(index.of(not position.is_long), 0, 0, 0, 0, 0, False)
    found = decrease_price(config, state, index, position, size_usd_e30)
    pending_usd = pending_impact_usd(index, position, size_usd_e30)
    # What opening left can lift the sum of two capped gains over the cap again.
    capped = cap_positive(config, found.impact_usd_e30 + pending_usd, size_usd_e30)
    total = cap_positive_by_pool(state, index, capped)
    floor = -apply_factor(size_usd_e30, config.max_impact_factor_e30.negative)
    settled = max(total, floor)
    return DecreaseExecution(
        found.price_usd_e30,
        found.impact_usd_e30,
        pending_usd,
        settled,
        settled - total,
        found.units,
        found.balance_improved,
    )


def pending_impact_usd(index: PriceRange, position: Position, size_usd_e30: int) -> int:
    """The share of the impact that opening left with the position, at today's price and against the
    trader.

    Shape: scalar; the position has a size. Units: USD e30.
    Source: PositionUtils.getProportionalPendingImpactValues.
    """
    pending = position.pending_impact_units
    if pending < 0:
        return div_from_zero(pending * size_usd_e30, position.size_usd_e30) * index.max_usd_e30
    return div_to_zero(pending * size_usd_e30, position.size_usd_e30) * index.min_usd_e30


def check_acceptable(
    price_usd_e30: int, acceptable_usd_e30: int, is_long: bool, is_increase: bool
) -> None:
    """The keeper's comparison; the price is the execution price with its whole impact.

    Shape: scalars. Units: USD e30 per unit.
    Raises: Refused ``OrderNotFulfillableAtAcceptablePrice``.
    Source: BaseOrderUtils.getExecutionPriceForIncrease, getExecutionPriceForDecrease.
    """
    good = (
        price_usd_e30 <= acceptable_usd_e30
        if is_buy(is_long, is_increase)
        else price_usd_e30 >= acceptable_usd_e30
    )
    if not good:
        raise Refused(
            "OrderNotFulfillableAtAcceptablePrice",
            price=price_usd_e30,
            acceptablePrice=acceptable_usd_e30,
        )


def acceptable_price(
    price_usd_e30: int, slippage_bps: int, is_long: bool, is_increase: bool
) -> int:
    """An execution price and what it may at most get worse by, rounded to the stricter side.

    Shape: scalars; 0 <= ``slippage_bps``. Units: USD e30 per unit.
    Source: check_acceptable.
    """
    if is_buy(is_long, is_increase):
        return price_usd_e30 * (_BPS + slippage_bps) // _BPS
    return div_up(price_usd_e30 * max(_BPS - slippage_bps, 0), _BPS)


def _moved(price: int, position: Position, size_usd: int, impact_usd: int) -> int:
    if position.size_units == 0:
        return price
    adjusted = impact_usd if position.is_long else -impact_usd
    if -adjusted > size_usd:
        raise Refused(
            "PriceImpactLargerThanOrderSize", priceImpactUsd=adjusted, sizeDeltaUsd=size_usd
        )
    step = div_to_zero(position.size_usd_e30 * adjusted, position.size_units)
    moved = price + div_to_zero(step, size_usd)
    if moved < 0:
        raise Refused(
            "NegativeExecutionPrice",
            executionPrice=moved,
            price=price,
            positionSizeInUsd=position.size_usd_e30,
            priceImpactUsd=adjusted,
            sizeDeltaUsd=size_usd,
        )
    return moved
