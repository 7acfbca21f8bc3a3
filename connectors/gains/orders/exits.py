"""Exits: an intent and its leg as calls that make a position smaller. Pure.

The contract keeps one slippage with a position, 1 % unless another was stored. It binds closes at
market, the take profit and the stop loss alike; a close states it again and leaves it as it was, an
exit that waits sets it.
"""

from math import floor

from connectors.gains.constants import PRICE_MAX_E10
from connectors.gains.economics.inputs import Pool
from connectors.gains.orders.calls import (
    MAX_AMOUNT,
    Batch,
    CloseTrade,
    DecreasePosition,
    Single,
    TradeIndex,
    UpdateClosingSlippage,
    UpdateStopLoss,
    UpdateTakeProfit,
    WithdrawProfit,
)
from connectors.gains.orders.entries import (
    DEFAULT_SLIPPAGE_E3,
    Plan,
    allowance_e3,
    bound_e10,
    share_of,
    trigger_guard,
)
from connectors.gains.orders.guards import MAX_SLIPPAGE_E3, Guard, anchored, guard
from connectors.gains.orders.reads import StoredTrade
from connectors.gains.orders.tables import Posted
from domain import exact
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg
from domain.units import power10


def stored_slippage_e3(trade: StoredTrade) -> int:
    """What closing the position is held to."""
    return trade.max_slippage_e3 or DEFAULT_SLIPPAGE_E3


def exit_guard(intent: OrderIntent, leg: OrderLeg, slippage_e3: int) -> Guard:
    """The bound of a close at market.

    The slippage of a close is stored with the position and binds its exits too, so it is left as it
    is and the expected price moved until the bound is right: nothing else is done with that price.
    """
    buys, bound = intent.side == "BUY", bound_e10(intent, leg)
    if bound is not None:
        return anchored(bound, slippage_e3, up_is_worse=buys)
    expected = PRICE_MAX_E10 if buys else 1
    return guard(expected, slippage_e3, up_is_worse=buys)


def closing(
    intent: OrderIntent, leg: OrderLeg, trade: StoredTrade, posted: Posted, price_e8: int
) -> Plan:
    """At market, all of a position or a part of its collateral; never more than was asked for.

    The stored slippage is stated again in the same transaction: the bound does not depend on what
    else happens to it.
    """
    slippage_e3 = stored_slippage_e3(trade)
    found = exit_guard(intent, leg, slippage_e3)
    share = trade.collateral
    if intent.intent == "decrease":
        share = min(share_of(leg, trade, posted, price_e8, trade.collateral), trade.collateral)
    call: Single = CloseTrade(trade.index, found.expected_e10)
    if share < trade.collateral:
        if share <= 0:
            raise InputError("SIZE", "less than a unit of the collateral")
        call = DecreasePosition(trade.index, share, 0, found.expected_e10)
    return Plan(Batch((UpdateClosingSlippage(trade.index, slippage_e3), call)), 0, found)


def profit(leg: OrderLeg, trade: StoredTrade, posted: Posted) -> Plan:
    """Profit of a position that stays as it is: an amount, or all there is by then. The contract
    pays no more than there is, and takes the fee of a request whatever that comes to.

    Raises InputError ``COLLATERAL`` for less than a unit.
    """
    amount = MAX_AMOUNT
    if leg.collateral_amount is not None:
        asked = exact.fraction(leg.collateral_amount) * power10(posted.token.decimals)
        amount = min(floor(asked), MAX_AMOUNT)
    if amount <= 0:
        raise InputError("COLLATERAL", "less than a unit of the collateral")
    return Plan(WithdrawProfit(trade.index, amount), 0, None)


def check_whole(
    intent: OrderIntent, leg: OrderLeg, trade: StoredTrade, posted: Posted, price_e8: int
) -> None:
    """An exit that waits closes all of a position. Raises InputError ``NOT_OFFERED`` for a part."""
    part = share_of(leg, trade, posted, price_e8, trade.collateral)
    # The size was counted at another moment's price of the collateral.
    if intent.intent == "decrease" and part * 1000 < trade.collateral * 999:
        raise InputError("NOT_OFFERED", "an exit that waits closes all of a position")


def waiting_exit(intent: OrderIntent, leg: OrderLeg, trade: StoredTrade, pool: Pool | None) -> Plan:
    """A take profit or a stop loss, and the slippage that it is held to.

    A limit is a take profit ahead of it by what the impact needs. A stop loss without a bound must
    get out, whatever the price.
    Raises InputError as ``trigger_guard`` does, and ``SHARED_SLIPPAGE`` where the bound of a take
    profit would hold back the stop loss that is there.
    """
    if intent.type == "stop":
        trigger, found = trigger_guard(intent, leg)
        return _waiting(UpdateStopLoss(trade.index, trigger), found)
    stored_e3 = stored_slippage_e3(trade) if trade.sl_e10 else 0
    if intent.type == "limit":
        ahead = _ahead(intent, leg, pool, stored_e3)
        return _waiting(UpdateTakeProfit(trade.index, ahead.expected_e10), ahead)
    trigger, found = trigger_guard(intent, leg)
    if found is not None and found.max_slippage_e3 < stored_e3:
        raise InputError(
            "SHARED_SLIPPAGE",
            "a position has one slippage for closing: this bound would hold back its stop loss",
        )
    return _waiting(UpdateTakeProfit(trade.index, trigger), found)


def waiting_guard(intent: OrderIntent, leg: OrderLeg, pool: Pool | None) -> Guard | None:
    """The bound of an exit that waits; None: any price."""
    return _ahead(intent, leg, pool, 0) if intent.type == "limit" else trigger_guard(intent, leg)[1]


def _waiting(call: UpdateTakeProfit | UpdateStopLoss, found: Guard | None) -> Plan:
    slippage_e3 = MAX_SLIPPAGE_E3 if found is None else found.max_slippage_e3
    return Plan(Batch((UpdateClosingSlippage(call.index, slippage_e3), call)), 0, found)


def _ahead(intent: OrderIntent, leg: OrderLeg, pool: Pool | None, least_e3: int) -> Guard:
    bound = bound_e10(intent, leg)
    if bound is None:
        raise InputError("BAD_LIMIT", "a limit order has a limit_price")
    allowed = max(allowance_e3(intent, leg, pool), least_e3)
    return anchored(bound, allowed, up_is_worse=intent.side == "BUY")


def removed_exit(index: TradeIndex, *, stop_loss: bool) -> UpdateTakeProfit | UpdateStopLoss:
    """A take profit or a stop loss that is to be none."""
    return UpdateStopLoss(index, 0) if stop_loss else UpdateTakeProfit(index, 0)
