"""What can be refused by looking at an order alone, or at an order and the oracle's price.

Source: GMX v2 contracts, order/OrderUtils.sol, order/BaseOrderUtils.sol,
position/PositionUtils.sol, v2.2b and v2.2c.
"""

from enum import IntEnum
from typing import Final

from connectors.gmx.economics.fixed import apply_factor
from connectors.gmx.economics.margin import min_collateral_factor
from connectors.gmx.economics.model import (
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    PriceRange,
)
from connectors.gmx.economics.refusal import Refused


class OrderType(IntEnum):
    """The contracts' numbers."""

    MARKET_SWAP = 0
    LIMIT_SWAP = 1
    MARKET_INCREASE = 2
    LIMIT_INCREASE = 3
    MARKET_DECREASE = 4
    LIMIT_DECREASE = 5
    STOP_LOSS_DECREASE = 6
    LIQUIDATION = 7
    STOP_INCREASE = 8


INCREASES: Final = frozenset(
    (OrderType.MARKET_INCREASE, OrderType.LIMIT_INCREASE, OrderType.STOP_INCREASE)
)
MARKET_TYPES: Final = frozenset(
    (OrderType.MARKET_SWAP, OrderType.MARKET_INCREASE, OrderType.MARKET_DECREASE)
)
_BELOW: Final = frozenset((OrderType.LIMIT_INCREASE, OrderType.STOP_LOSS_DECREASE))
"""Types that a long has triggered by a price at or below, and a short by one at or above."""
_TRIGGERED: Final = _BELOW | {OrderType.LIMIT_DECREASE, OrderType.STOP_INCREASE}


def check_request(
    order_type: OrderType, *, has_receiver: bool = True, valid_from_s: int = 0
) -> None:
    """At creation. Shape: scalars.
    Raises: Refused ``UnexpectedValidFromTime``, ``EmptyReceiver``.
    Source: OrderUtils.createOrder, AccountUtils.validateReceiver."""
    if valid_from_s and order_type in MARKET_TYPES:
        raise Refused("UnexpectedValidFromTime", orderType=int(order_type))
    if not has_receiver:
        raise Refused("EmptyReceiver")


def check_time(order_type: OrderType, valid_from_s: int, now_s: int) -> None:
    """At execution; an order whose time has not come stays open.

    Shape: scalars. Units: seconds. Raises: Refused ``OrderValidFromTimeNotReached``.
    Source: BaseOrderUtils.validateOrderValidFromTime.
    """
    if order_type not in MARKET_TYPES and valid_from_s > now_s:
        raise Refused(
            "OrderValidFromTimeNotReached", validFromTime=valid_from_s, currentTimestamp=now_s
        )


def check_trigger(
    order_type: OrderType, index: PriceRange, is_long: bool, trigger_usd_e30: int
) -> None:
    """At execution; an order that is not triggered stays open.

    Shape: scalars. Units: USD e30 per unit. Raises: Refused ``InvalidOrderPrices``.
    Source: BaseOrderUtils.validateOrderTriggerPrice.
    """
    if order_type not in _TRIGGERED:
        return
    price = index.of((order_type in INCREASES) == is_long)
    below = (order_type in _BELOW) == is_long
    if price <= trigger_usd_e30 if below else price >= trigger_usd_e30:
        return
    raise Refused(
        "InvalidOrderPrices",
        primaryPriceMin=index.min_usd_e30,
        primaryPriceMax=index.max_usd_e30,
        triggerPrice=trigger_usd_e30,
        orderType=int(order_type),
    )


def check_collateral(
    config: MarketConfig, state: MarketState, prices: MarketPrices, position: Position
) -> None:
    """Of an enlarged position, in a state that has it: its collateral alone against its size.

    Shape: scalar. Units: USD e30. Raises: Refused ``InsufficientCollateralUsd``.
    Source: PositionUtils.willPositionCollateralBeSufficient.
    """
    remaining, needed = _collateral(config, state, prices, position)
    if remaining < needed:
        raise Refused("InsufficientCollateralUsd", remainingCollateralUsd=remaining)


def check_decrease(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    size_usd_e30: int,
    withdrawn_units: int = 0,
) -> None:
    """Whether there is such a position, and for a mere withdrawal of collateral (size 0) whether
    what stays is enough. More than there is counts as all there is.

    Shape: scalars. Units: USD e30, smallest units of the collateral token.
    Raises: Refused ``EmptyPosition``, ``InvalidDecreaseOrderSize``, ``UnableToWithdrawCollateral``.
    Source: DecreasePositionUtils.decreasePosition.
    """
    if position.empty:
        raise Refused("EmptyPosition")
    if size_usd_e30 > position.size_usd_e30:
        raise Refused(
            "InvalidDecreaseOrderSize",
            sizeDeltaUsd=size_usd_e30,
            positionSizeInUsd=position.size_usd_e30,
        )
    if size_usd_e30 or not withdrawn_units:
        return
    withdrawn = min(withdrawn_units, position.collateral_units)
    remaining, needed = _collateral(config, state, prices, position, withdrawn)
    if remaining < needed:
        raise Refused("UnableToWithdrawCollateral", estimatedRemainingCollateralUsd=remaining)


def _collateral(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    withdrawn: int = 0,
) -> tuple[int, int]:
    price = prices.token(position.collateral_is_long_token).min_usd_e30
    factor = min_collateral_factor(config, state, position.is_long)
    remaining = (position.collateral_units - withdrawn) * price
    return remaining, apply_factor(position.size_usd_e30, factor)
