"""An intent and its leg as orders of the contracts, still without their keepers' fees. Pure.

A price of people bounds the contracts' integers as ``prices.raw_price`` says. An entry and its
exits are separate orders: each waits by itself, and the exits go when the position is closed.
"""

from decimal import Decimal
from typing import Final

from connectors.gmx.economics.checks import INCREASES, MARKET_TYPES, OrderType
from connectors.gmx.economics.execution import ANY_BUY_PRICE, ANY_SELL_PRICE
from connectors.gmx.orders.calls import CreateOrder
from connectors.gmx.orders.prices import (
    MAX_UINT,
    acceptable_at_most,
    price_of,
    raw_price,
    trigger_at_most,
    units,
    usd_e30,
)
from connectors.gmx.orders.reader import StoredPosition
from connectors.gmx.orders.tables import Collateral, Tables, TradedPool
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg, PriceGuard

GUARD_FIELD: Final = "acceptablePrice"

_ENTRIES: Final = {
    "market": OrderType.MARKET_INCREASE,
    "limit": OrderType.LIMIT_INCREASE,
    "take_profit": OrderType.LIMIT_INCREASE,
    "stop": OrderType.STOP_INCREASE,
}
_EXITS: Final = {
    "market": OrderType.MARKET_DECREASE,
    "limit": OrderType.LIMIT_DECREASE,
    "take_profit": OrderType.LIMIT_DECREASE,
    "stop": OrderType.STOP_LOSS_DECREASE,
}


def order_type(intent: OrderIntent) -> OrderType:
    """Raises: InputError ``NOT_OFFERED`` for what GMX has not."""
    if intent.post_only:
        raise InputError("NOT_OFFERED", "GMX has no book to rest in: no post_only")
    waits = intent.type != "market"
    if intent.time_in_force == "GTT" or (waits and intent.time_in_force != "GTC"):
        raise InputError("NOT_OFFERED", f"orders of GMX do not end: no {intent.time_in_force}")
    return (_EXITS if intent.reduces else _ENTRIES)[intent.type]


def is_long(intent: OrderIntent) -> bool:
    return intent.position_side == "LONG"


def guard(intent: OrderIntent, leg: OrderLeg, decimals: int) -> PriceGuard:
    """The stricter of the leg's bound and the user's limit.

    Raises: InputError ``BAD_PRICE``.
    """
    return price_guard(acceptable(intent, leg, decimals), decimals)


def price_guard(raw: int, decimals: int) -> PriceGuard:
    """``acceptablePrice`` as it is shown."""
    return PriceGuard(GUARD_FIELD, price_of(raw, decimals), str(raw))


def acceptable(intent: OrderIntent, leg: OrderLeg, decimals: int) -> int:
    """``acceptablePrice``, USD x 1e30 per smallest unit. Raises: InputError ``BAD_PRICE``."""
    at_most = acceptable_at_most(order_type(intent), is_long(intent))
    bounds = [price for price in (leg.guard_price, intent.limit_price) if price is not None]
    strictest = min if at_most else max
    return bound(strictest(bounds, default=None), decimals, at_most=at_most)


def bound(price: Decimal | None, decimals: int, *, at_most: bool) -> int:
    """A bound as the contracts take it; None says any price. Raises: InputError ``BAD_PRICE``."""
    if price is None:
        return any_price(at_most=at_most)
    return raw_price(price, decimals, at_most=at_most)


def any_price(*, at_most: bool) -> int:
    """The bound that every price passes."""
    return ANY_BUY_PRICE if at_most else ANY_SELL_PRICE


def trigger(intent: OrderIntent, decimals: int) -> int:
    """``triggerPrice``: of a limit order its limit; 0 of a market order.

    Raises: InputError ``BAD_PRICE``.
    """
    kind = order_type(intent)
    price = intent.limit_price if intent.type == "limit" else intent.trigger_price
    if kind in MARKET_TYPES or price is None:
        return 0
    return raw_price(price, decimals, at_most=trigger_at_most(kind, is_long(intent)))


def entry(tables: Tables, intent: OrderIntent, leg: OrderLeg, owner: str) -> CreateOrder:
    """An opening, and what enlarges a position. Its size is the notional, rounded down.

    Raises: InputError.
    """
    pool = tables.pool(leg.pool)
    collateral = tables.collateral(pool, leg.collateral_symbol)
    return CreateOrder(
        receiver=owner.lower(),
        market=pool.market,
        collateral_token=collateral.token.address,
        order_type=order_type(intent),
        is_long=is_long(intent),
        size_usd_e30=0 if intent.changes_margin else _size(leg),
        collateral_units=_posted(leg, collateral),
        acceptable_usd_e30=acceptable(intent, leg, pool.decimals),
        trigger_usd_e30=trigger(intent, pool.decimals),
        execution_fee_wei=0,
        unwrap_native=collateral.native,
    )


def exits_of(intent: OrderIntent, pool: TradedPool, opened: CreateOrder) -> tuple[CreateOrder, ...]:
    """Take profit and stop loss of what an entry opens, as large as that: at any price once they
    are triggered, because a position that should be closed is worse than a bad fill.

    Raises: InputError ``BAD_PRICE``.
    """
    brackets = intent.brackets
    wanted = (
        (OrderType.LIMIT_DECREASE, brackets.take_profit),
        (OrderType.STOP_LOSS_DECREASE, brackets.stop_loss),
    )
    return tuple(
        CreateOrder(
            receiver=opened.receiver,
            market=opened.market,
            collateral_token=opened.collateral_token,
            order_type=kind,
            is_long=opened.is_long,
            size_usd_e30=opened.size_usd_e30,
            collateral_units=0,
            acceptable_usd_e30=any_price(at_most=acceptable_at_most(kind, opened.is_long)),
            trigger_usd_e30=raw_price(
                price, pool.decimals, at_most=trigger_at_most(kind, opened.is_long)
            ),
            execution_fee_wei=0,
            unwrap_native=opened.unwrap_native,
            auto_cancel=True,
        )
        for kind, price in wanted
        if price is not None
    )


def exit_order(
    tables: Tables, intent: OrderIntent, leg: OrderLeg, owner: str, held: StoredPosition
) -> CreateOrder:
    """What reduces or closes a position. Raises: InputError, ``SIZE`` for more than there is."""
    pool = tables.pool(leg.pool)
    collateral = tables.collateral(pool, leg.collateral_symbol)
    kind = order_type(intent)
    return CreateOrder(
        receiver=owner.lower(),
        market=pool.market,
        collateral_token=collateral.token.address,
        order_type=kind,
        is_long=is_long(intent),
        size_usd_e30=exit_size(intent, leg, pool, held),
        collateral_units=_withdrawn(intent, leg, collateral),
        acceptable_usd_e30=acceptable(intent, leg, pool.decimals),
        trigger_usd_e30=trigger(intent, pool.decimals),
        execution_fee_wei=0,
        unwrap_native=collateral.native,
        auto_cancel=kind not in MARKET_TYPES,
    )


def exit_size(intent: OrderIntent, leg: OrderLeg, pool: TradedPool, held: StoredPosition) -> int:
    """A position's size in USD is what it was opened at, so a part of it is the part of its tokens,
    rounded down; all of it is the very number that is stored. One that waits for its trigger
    closes whatever there is by then: the contracts cut it down.

    Units: USD e30. Raises: InputError ``SIZE``.
    """
    if intent.changes_margin:
        return 0
    if closes_all(intent):
        return held.size_usd_e30 if order_type(intent) in MARKET_TYPES else MAX_UINT
    wanted = units(leg.size_base, pool.decimals, "down")
    if wanted > held.size_units:
        raise InputError("SIZE", f"{leg.size_base} is more than the position has")
    if wanted == held.size_units:
        return held.size_usd_e30
    size = held.size_usd_e30 * wanted // held.size_units
    if not size:
        raise InputError("MIN_SIZE", "the size comes to nothing")
    return size


def closes_all(intent: OrderIntent) -> bool:
    """Whatever the position is by then."""
    return intent.intent == "close" and intent.size_base is None and intent.notional_usd is None


def _withdrawn(intent: OrderIntent, leg: OrderLeg, collateral: Collateral) -> int:
    """Of an exit that trades nothing. Raises: InputError ``COLLATERAL``."""
    if not intent.changes_margin:
        return 0
    return _posted(leg, collateral)


def _posted(leg: OrderLeg, collateral: Collateral) -> int:
    """Raises: InputError ``COLLATERAL`` for less than a unit of a change of margin."""
    amount = units(leg.collateral_amount or Decimal(0), collateral.token.decimals, "down")
    if not amount and not leg.notional_usd:
        raise InputError("COLLATERAL", "less than a unit of the collateral")
    return amount


def enlarges(kind: OrderType) -> bool:
    return kind in INCREASES


def _size(leg: OrderLeg) -> int:
    size = usd_e30(leg.notional_usd, "down")
    if not size:
        raise InputError("MIN_SIZE", "the size comes to nothing")
    return size
