"""Prices of people as the contracts' integers, without a loss that could cost anything. Pure.

A contract price is USD x 1e30 per smallest unit: one of a token with 18 decimals has 12 places, one
with 8 decimals has 22. The contracts compare integers, so a bound that lies between two of them can
be moved to the next one on its strict side: every price passes or fails as it would against the
bound itself.
"""

from decimal import Decimal
from typing import Final

from connectors.gmx.economics.checks import INCREASES, OrderType
from connectors.gmx.economics.execution import is_buy
from domain import exact
from domain.errors import InputError

MAX_UINT: Final = 2**256 - 1
_USD_DECIMALS: Final = 30


def raw_price(price: Decimal, decimals: int, *, at_most: bool) -> int:
    """A bound of prices: those ``at_most``, or at least, as high pass.

    Shape: scalar, 0 <= ``decimals`` of the index token. Units: USD per token -> USD x 1e30 per
    smallest unit, rounded to the strict side.
    Raises: InputError ``BAD_DECIMAL``, ``BAD_PRICE`` for one that is not positive or that the
    contract's numbers cannot hold.
    """
    bound = exact.fraction(price) * exact.fraction(Decimal(f"1E{_USD_DECIMALS - decimals}"))
    divide = exact.floor_div if at_most else exact.ceil_div
    raw = divide(bound.numerator, bound.denominator)
    if not 0 < raw <= MAX_UINT:
        raise InputError("BAD_PRICE", f"no price of a token with {decimals} decimals: {price}")
    return raw


def price_of(raw: int, decimals: int) -> Decimal:
    """Shape: scalar. Units: USD x 1e30 per smallest unit -> USD per token; exact."""
    return Decimal(f"{raw}E{decimals - _USD_DECIMALS}")


def acceptable_at_most(order_type: OrderType, is_long: bool) -> bool:
    """Whether ``acceptablePrice`` bounds the fill from above, as that of a buyer does."""
    return is_buy(is_long, order_type in INCREASES)


def trigger_at_most(order_type: OrderType, is_long: bool) -> bool:
    """Whether the order is executed at prices up to its trigger, or from it on.

    Raises: InputError ``BAD_ORDER_TYPE`` for one without a trigger.
    Source: BaseOrderUtils.validateOrderTriggerPrice.
    """
    below = {
        OrderType.LIMIT_INCREASE: True,
        OrderType.STOP_LOSS_DECREASE: True,
        OrderType.LIMIT_DECREASE: False,
        OrderType.STOP_INCREASE: False,
    }.get(order_type)
    if below is None:
        raise InputError("BAD_ORDER_TYPE", f"{order_type.name} has no trigger")
    return below == is_long


def usd_e30(amount: Decimal, rounding: exact.Rounding) -> int:
    """Shape: scalar. Units: USD -> USD x 1e30. Raises: InputError ``BAD_DECIMAL``."""
    return units(amount, _USD_DECIMALS, rounding)


def units(amount: Decimal, decimals: int, rounding: exact.Rounding) -> int:
    """Shape: scalar. Units: tokens -> smallest units. Raises: InputError ``BAD_DECIMAL``,
    ``BAD_SIZE`` for a negative one or one that the contract's numbers cannot hold."""
    scaled = exact.fraction(amount) * 10**decimals
    divide = exact.ceil_div if rounding == "up" else exact.floor_div
    raw = divide(scaled.numerator, scaled.denominator)
    if not 0 <= raw <= MAX_UINT:
        raise InputError("BAD_SIZE", f"no amount: {amount!s:.60}")
    return raw


def tightened(trigger: int, oracle: int, executed: int, *, at_most: bool) -> int:
    """A trigger from which the fill is within it, where a fill at ``oracle`` is at ``executed``;
    never looser than it was.

    Shape: scalars, positive. Units: USD x 1e30 per smallest unit, rounded to the strict side.
    """
    if at_most:
        return min(trigger, trigger * oracle // executed)
    return max(trigger, exact.ceil_div(trigger * oracle, executed))
