"""Where else an order may go when its venue refuses it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from db.orders import NewOrder
from domain.ids import VenueId
from domain.orders import OrderLeg, Reason

OF_THE_WALLET: Final = frozenset({"ALLOWANCE", "BALANCE", "GAS"})
"""Refusals that no other venue is asked after: the owner is told what is missing."""


def may_move(order: NewOrder, why: Reason) -> bool:
    """Whether this refusal sends an order on. What changes a position has to go where that is, and
    for a payload that was handed out ``TRANSITIONS`` has no ``rerouted``."""
    return order.allow_reroute and order.intent.intent == "open" and why.code not in OF_THE_WALLET


def alternatives(order: NewOrder, routes: Sequence[Mapping[str, Any]]) -> list[OrderLeg]:
    """The other routes of the decision that the order was made of, in their ranking.

    None where the order is a part of a split, because they are of the whole. The bound is that of
    the order, or their own where that is stricter.
    """
    legs = [_leg(row) for row in routes]
    own = next((leg for leg in legs if _place(leg) == _place(order.leg)), None)
    if own is None or own.notional_usd != order.leg.notional_usd:
        return []
    return [_bounded(order, leg) for leg in legs if leg is not own]


def moved(order: NewOrder, why: Reason) -> Reason:
    """As the owner is told."""
    leg = order.leg
    return Reason("REROUTED", f"{leg.venue} on {leg.chain_id}: {why.message}"[:500], why.code)


def _place(leg: OrderLeg) -> tuple[Any, ...]:
    return leg.venue, leg.chain_id, leg.pool, leg.collateral_symbol


def _bounded(order: NewOrder, leg: OrderLeg) -> OrderLeg:
    bounds = [bound for bound in (order.leg.guard_price, leg.guard_price) if bound is not None]
    strictest = min if order.intent.side == "BUY" else max
    return replace(leg, guard_price=strictest(bounds, default=None))


def _leg(row: Mapping[str, Any]) -> OrderLeg:
    """Of a route as it was answered."""
    return OrderLeg(
        VenueId(row["venue"]),
        row["chain_id"],
        row["pool"],
        row["collateral"],
        _decimal(row["collateral_amount"]),
        Decimal(row["size_base"]),
        Decimal(row["notional_usd"]),
        Decimal(row["expected_price"]),
        _decimal(row["guard"]["price"]),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
