"""Margin of a position at the same size: the contract is told its leverage. Pure.

Source: UpdateLeverageLifecycles: the collateral that belongs to a leverage is collateral * leverage
/ new leverage, rounded down; what is missing is taken in, what is left over sent back.
"""

from math import floor

from connectors.gains.orders.calls import UpdateLeverage
from connectors.gains.orders.entries import Plan
from connectors.gains.orders.reads import StoredTrade
from connectors.gains.orders.tables import Posted
from domain import exact
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg
from domain.units import power10


def change(intent: OrderIntent, leg: OrderLeg, trade: StoredTrade, posted: Posted) -> Plan:
    """Leverages have three decimals, so it is never more than was asked for.

    Raises InputError ``COLLATERAL`` for less than a step of the leverage, or all of the margin, and
    ``NOT_OFFERED`` for the native coin.
    """
    if posted.native:
        raise InputError("NOT_OFFERED", "margin is changed with the token itself")
    asked = exact.fraction(leg.collateral_amount or 0) * power10(posted.token.decimals)
    amount, before = floor(asked), trade.collateral
    size = before * trade.leverage_e3
    if amount <= 0 or (intent.reduces and amount >= before):
        raise InputError("COLLATERAL", "less than a unit of the collateral, or all of it")
    if intent.reduces:
        leverage_e3 = exact.floor_div(size, before - amount)
    else:
        leverage_e3 = exact.ceil_div(size, before + amount)
    if leverage_e3 == trade.leverage_e3:
        raise InputError("COLLATERAL", "less than a step of the leverage")
    taken = 0 if intent.reduces else size // leverage_e3 - before
    return Plan(UpdateLeverage(trade.index, leverage_e3), taken, None)
