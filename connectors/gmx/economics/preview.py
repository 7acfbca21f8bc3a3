"""Whether the contracts would refuse an order, and with which error, before it is sent.

Source: GMX v2 contracts, order/OrderUtils.sol, order/ExecuteOrderUtils.sol, v2.2b and v2.2c.
"""

from dataclasses import dataclass

from connectors.gmx.economics.carry import accrue
from connectors.gmx.economics.checks import (
    INCREASES,
    OrderType,
    check_decrease,
    check_request,
    check_time,
    check_trigger,
)
from connectors.gmx.economics.execution import check_acceptable, decrease
from connectors.gmx.economics.fees import NO_TERMS, Terms
from connectors.gmx.economics.gas import GasConfig, check_fee, minimum_fee_wei, minimum_gas
from connectors.gmx.economics.model import MarketConfig, MarketPrices, MarketState, Position
from connectors.gmx.economics.refusal import Refusal, Refused
from connectors.gmx.economics.trades import (
    close_position,
    increase_position,
    withdraw_collateral,
)
from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Order:
    """An increase or a decrease. ``collateral_units``: paid in, or withdrawn; market orders have no
    trigger. ``swaps_output``: decreasePositionSwapType is not 0."""

    order_type: OrderType
    size_usd_e30: int
    collateral_units: int
    acceptable_usd_e30: int
    trigger_usd_e30: int = 0
    execution_fee_wei: int = 0
    valid_from_s: int = 0
    has_receiver: bool = True
    swap_path_length: int = 0
    swaps_output: bool = False
    callback_gas: int = 0


def request_refusal(config: GasConfig, gas_price_wei: int, order: Order) -> Refusal | None:
    """Of createOrder. Shape: scalar. Units: wei. Raises: InputError ``BAD_ORDER_TYPE``.
    Source: OrderUtils.createOrder, BaseOrderUtils.validateNonEmptyOrder."""
    gas = minimum_gas(
        config,
        "increase" if _is_increase(order) else "decrease",
        swap_path_length=order.swap_path_length,
        swaps_output=order.swaps_output,
        callback_gas=order.callback_gas,
    )
    try:
        check_request(
            order.order_type, has_receiver=order.has_receiver, valid_from_s=order.valid_from_s
        )
        check_fee(minimum_fee_wei(gas, gas_price_wei), order.execution_fee_wei)
        if not (order.size_usd_e30 or order.collateral_units):
            raise Refused("EmptyOrder")
    except Refused as error:
        return error.refusal
    return None


def execution_refusal(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    position: Position,
    order: Order,
    now_s: int,
    terms: Terms = NO_TERMS,
) -> Refusal | None:
    """Of the keeper's execution, if the market were then as it is given. ``position`` is an empty
    one where there is none. Of a partial decrease, whether its costs can be paid is not looked at.

    Shape: scalar. Units: as of the order and of the market.
    Raises: InputError ``BAD_ORDER_TYPE``. Source: ExecuteOrderUtils.executeOrder.
    """
    increases = _is_increase(order)
    size, acceptable = order.size_usd_e30, order.acceptable_usd_e30
    try:
        check_trigger(order.order_type, prices.index, position.is_long, order.trigger_usd_e30)
        check_time(order.order_type, order.valid_from_s, now_s)
        if increases:
            increase_position(
                config,
                state,
                prices,
                position,
                size,
                order.collateral_units,
                acceptable,
                now_s,
                terms,
            )
            return None
        if order.order_type is not OrderType.MARKET_DECREASE:
            size = min(size, position.size_usd_e30)
        if not size:
            withdraw_collateral(
                config, state, prices, position, order.collateral_units, now_s, terms
            )
        elif size == position.size_usd_e30:
            close_position(config, state, prices, position, acceptable, now_s, terms)
        else:
            now = accrue(config, state, prices, now_s)
            check_decrease(config, now, prices, position, size)
            price = decrease(config, now, prices.index, position, size).price_usd_e30
            check_acceptable(price, acceptable, position.is_long, False)
    except Refused as error:
        return error.refusal
    return None


def _is_increase(order: Order) -> bool:
    if order.order_type in INCREASES:
        return True
    if order.order_type in (
        OrderType.MARKET_DECREASE,
        OrderType.LIMIT_DECREASE,
        OrderType.STOP_LOSS_DECREASE,
    ):
        return False
    raise InputError("BAD_ORDER_TYPE", f"no order on a position: {order.order_type!r}")
