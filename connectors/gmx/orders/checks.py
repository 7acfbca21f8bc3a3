"""What speaks against an order before it is signed, from what the chain and the pool say now. Pure.

The contracts would refuse or cancel all of it, and a cancelled order has cost its keeper's fee.
Nothing here refuses an exit for its price, its depth or its costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base.orders import Refusal
from connectors.gmx.economics.checks import MARKET_TYPES, check_trigger
from connectors.gmx.economics.execution import check_acceptable
from connectors.gmx.economics.fees import position_fee_usd
from connectors.gmx.economics.fixed import apply_factor
from connectors.gmx.economics.impact import increase_units, open_interest_usd
from connectors.gmx.economics.margin import collateral_factor
from connectors.gmx.economics.model import PriceRange
from connectors.gmx.economics.pricing import GmxInputs
from connectors.gmx.economics.quote import Unquotable, all_in
from connectors.gmx.economics.refusal import Refused
from connectors.gmx.orders.calls import CreateOrder
from connectors.gmx.orders.reader import StoredPosition
from connectors.gmx.orders.reverts import code_of, hint_of

UNKNOWN_DEPTH = "UNKNOWN_DEPTH"


@dataclass(frozen=True, slots=True)
class Limits:
    """What governance demands of an opening, as read from the DataStore. ``is_long_token``: which
    of the pool's tokens the collateral is."""

    min_collateral_usd_e30: int
    min_size_usd_e30: int
    min_collateral_factor_e30: int
    min_collateral_factor_per_interest_e30: int
    is_long_token: bool


def opening(
    order: CreateOrder, held: StoredPosition | None, limits: Limits, pool: GmxInputs | None
) -> Iterator[Refusal]:
    """Of an entry. ``pool``: as it is now, None where that is not known."""
    before = held.size_usd_e30 if held is not None else 0
    if not order.size_usd_e30:
        # More margin is never wrong, whatever the pool takes.
        if not before:
            yield Refusal("POSITION_GONE", "there is no such position any more")
        return
    if before + order.size_usd_e30 < limits.min_size_usd_e30:
        yield _refusal("MinPositionSize")
    if pool is None:
        yield Refusal(UNKNOWN_DEPTH, "nobody knows what the pool would take now")
        return
    if order.order_type in MARKET_TYPES:
        yield from _market(order, pool)
    yield from _collateral(order, held, limits, pool)


def _market(order: CreateOrder, pool: GmxInputs) -> Iterator[Refusal]:
    terms = pool.terms
    found = all_in(terms.config, terms.state, pool.prices, order.is_long, order.size_usd_e30)
    if isinstance(found, Unquotable):
        yield _refusal(found.reason)
        return
    try:
        check_acceptable(found.price_usd_e30, order.acceptable_usd_e30, order.is_long, True)
    except Refused as error:
        yield Refusal(code_of(error.refusal.name), str(error.refusal))


def _collateral(
    order: CreateOrder, held: StoredPosition | None, limits: Limits, pool: GmxInputs
) -> Iterator[Refusal]:
    """Whether what is posted carries the position, were it to be closed at once. What an older part
    of it owes is not known here, and of two closing fees the lower is taken: nothing is refused
    that the contracts would take."""
    config, state, index = pool.terms.config, pool.terms.state, pool.prices.index
    price = pool.prices.token(limits.is_long_token).min_usd_e30
    size, units = order.size_usd_e30, increase_units(index, order.is_long, order.size_usd_e30)
    posted = order.collateral_units
    if held is not None:
        size, units = size + held.size_usd_e30, units + held.size_units
        posted += held.collateral_units
    worth = units * index.of(not order.is_long)
    pnl = worth - size if order.is_long else size - worth
    fees = min(position_fee_usd(config, order.size_usd_e30, better) for better in (True, False))
    fees += min(position_fee_usd(config, size, better) for better in (True, False))
    remaining = posted * price + pnl - fees
    interest = open_interest_usd(config, state, order.is_long) + order.size_usd_e30
    factor = collateral_factor(
        limits.min_collateral_factor_e30, limits.min_collateral_factor_per_interest_e30, interest
    )
    if remaining < limits.min_collateral_usd_e30:
        yield _refusal("InsufficientCollateralUsd")
    elif remaining <= 0 or remaining < apply_factor(size, factor):
        yield _refusal("LiquidatablePosition")


def trigger_side(order: CreateOrder, index: PriceRange) -> Iterator[Refusal]:
    """Of an order that is to wait: one whose trigger is passed already would be executed at once.
    ``index``: the price to come from, which for exits of an entry that waits is its trigger."""
    try:
        check_trigger(order.order_type, index, order.is_long, order.trigger_usd_e30)
    except Refused:
        return
    name = order.order_type.name.lower()
    yield Refusal("TRIGGER_SIDE", f"{name}: its trigger is passed already")


def _refusal(name: str) -> Refusal:
    return Refusal(code_of(name), f"{hint_of(name)} ({name})")
