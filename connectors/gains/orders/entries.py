"""Entries: an intent and its leg as calls of the diamond. Pure; ``exits`` has the others.

Prices of people bound the contract's integers, so they are rounded against the trader's harm: what
a buyer pays down, what a seller gets up. Sizes and collateral are rounded down.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import Final

from connectors.base.orders import Place, Update
from connectors.gains.constants import PRICE_MAX_E10
from connectors.gains.economics.impact import market_price_e10, opening_impact
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import (
    E3,
    E8,
    E10,
    E18,
    SLIPPAGE_WHOLE,
    ContractRefusal,
    position_size,
)
from connectors.gains.orders.calls import (
    Batch,
    IncreasePosition,
    OpenTrade,
    Single,
    TradeType,
    UpdateOpenOrder,
)
from connectors.gains.orders.guards import MAX_SLIPPAGE_E3, Guard, anchored, guard
from connectors.gains.orders.outcomes import price_of
from connectors.gains.orders.reads import StoredTrade
from connectors.gains.orders.tables import Posted
from domain import exact
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import OrderIntent, OrderLeg, PriceGuard
from domain.units import power10

GUARD_FIELD: Final = "maxSlippageP"
DEFAULT_SLIPPAGE_E3: Final = E3
"""Of a close, where none is stored: 1 %."""

_HEADROOM: Final = 2
"""How many times today's impact a limit order allows for: it will be another when it triggers."""
_BPS_TO_E3: Final = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """``posted``: base units of the collateral that it takes from its owner. ``guard``: None where
    no bound stands in the call."""

    call: Single | Batch
    posted: int
    guard: Guard | None


def check_offered(intent: OrderIntent) -> None:
    """Raises InputError ``NOT_OFFERED``."""
    if intent.post_only:
        raise InputError("NOT_OFFERED", "Gains has no book to rest in: no post_only")
    waits = intent.type != "market"
    if intent.time_in_force == "GTT" or (waits and intent.time_in_force != "GTC"):
        raise InputError("NOT_OFFERED", f"orders of Gains do not end: no {intent.time_in_force}")


def told(found: Guard | None, side: OrderSide) -> PriceGuard:
    """As people read it; None: any price."""
    if found is None:
        any_price = PRICE_MAX_E10 if side == "BUY" else 0
        found = Guard(0, MAX_SLIPPAGE_E3, any_price)
    return PriceGuard(GUARD_FIELD, price_of(found.worst_e10), str(found.max_slippage_e3))


def e10(price: Decimal, *, up: bool) -> int:
    """Raises InputError ``BAD_PRICE`` for what the contract cannot hold."""
    scaled = exact.fraction(price) * E10
    found = ceil(scaled) if up else floor(scaled)
    if not 0 < found <= PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price the contract holds: {price!s:.40}")
    return found


def bound_e10(intent: OrderIntent, leg: OrderLeg) -> int | None:
    """The stricter of the leg's bound and the user's limit; None where there is neither."""
    bounds = [price for price in (leg.guard_price, intent.limit_price) if price is not None]
    if not bounds:
        return None
    buys = intent.side == "BUY"
    return e10(min(bounds) if buys else max(bounds), up=not buys)


def trigger_guard(intent: OrderIntent, leg: OrderLeg) -> tuple[int, Guard | None]:
    """The trigger, and the bound from there; None: any price.

    Raises InputError ``BAD_TRIGGER`` where there is none, ``BAD_LIMIT`` for a limit that is passed
    before the trigger is, ``BAD_PRICE``.
    """
    if intent.trigger_price is None:
        raise InputError("BAD_TRIGGER", "the order has no trigger_price")
    buys, bound = intent.side == "BUY", bound_e10(intent, leg)
    trigger = e10(intent.trigger_price, up=not buys)
    if bound is None:
        return trigger, None
    if bound < trigger if buys else bound > trigger:
        raise InputError("BAD_LIMIT", "the limit is passed before the trigger is")
    found = guard(trigger, MAX_SLIPPAGE_E3, bound, up_is_worse=buys)
    return found.expected_e10, found


# Entries ----------------------------------------------------------------------------------------


def trade_type(intent: OrderIntent) -> TradeType:
    """Of an entry."""
    if intent.type == "market":
        return TradeType.TRADE
    return TradeType.STOP if intent.type == "stop" else TradeType.LIMIT


def entry_guard(intent: OrderIntent, leg: OrderLeg, pool: Pool | None) -> Guard:
    """``openPrice`` and ``maxSlippageP`` of an entry, or what an increase has of the kind.

    The contract compares the fill, with spread and impact, with the trigger of a resting order. So
    a limit order triggers ahead of its limit by what is left for them.
    Raises InputError as ``trigger_guard`` does.
    """
    buys = intent.side == "BUY"
    if intent.type in ("stop", "take_profit"):
        trigger, found = trigger_guard(intent, leg)
        return found or guard(trigger, MAX_SLIPPAGE_E3, up_is_worse=buys)
    bound = bound_e10(intent, leg)
    if intent.type == "limit" and bound is not None:
        return anchored(bound, allowance_e3(intent, leg, pool), up_is_worse=buys)
    return market_guard(leg.expected_price, bound, buys=buys)


def market_guard(expected: Decimal, bound: int | None, *, buys: bool) -> Guard:
    """Around the expected price, as wide as the bound allows. Raises InputError ``BAD_PRICE``."""
    return guard(e10(expected, up=not buys), MAX_SLIPPAGE_E3, bound, up_is_worse=buys)


def allowance_e3(intent: OrderIntent, leg: OrderLeg, pool: Pool | None) -> int:
    """Slippage that the spread and the order's own impact are expected to need, of the price that
    triggers; where nobody knows the pool, the trader's own figure."""
    if pool is None:
        return max(int(intent.slippage_bps * _BPS_TO_E3), 1)
    buys, state = intent.side == "BUY", pool.state
    size = state.collateral.from_usd_e18(floor(exact.fraction(leg.notional_usd) * E18))
    try:
        market = market_price_e10(pool.mark_e10, state.pair.standing_p)
        fill = opening_impact(
            pool.mark_e10, size, state.collateral, state.pair, long=buys
        ).price_e10
    except ContractRefusal as error:
        raise InputError("IMPACT", f"the size is too large for the pool: {error.code}") from None
    worse = max(fill - market if buys else market - fill, 0)
    return min(max(exact.ceil_div(worse * SLIPPAGE_WHOLE, market) * _HEADROOM, 1), MAX_SLIPPAGE_E3)


def sized(intent: OrderIntent, leg: OrderLeg, decimals: int, price_e8: int) -> tuple[int, int]:
    """(collateral, leverage e3) of what is added, ``decimals`` of the collateral: neither the size
    nor what is posted exceeds what was asked for.

    A leverage that was asked for is cut to three decimals, and less collateral posted where that is
    enough; else it is the least that reaches the size. Raises InputError ``COLLATERAL``.
    """
    unit = power10(decimals)
    if leg.collateral_amount is None or price_e8 <= 0:
        raise InputError("COLLATERAL", "no collateral, or none that has a price")
    most = floor(exact.fraction(leg.collateral_amount) * unit)
    size = floor(exact.fraction(leg.notional_usd) * unit * E8 / price_e8)
    if most <= 0 or size <= 0:
        raise InputError("COLLATERAL", "less than a unit of the collateral")
    leverage_e3 = exact.ceil_div(size * E3, most)
    if intent.leverage is not None:
        leverage_e3 = floor(exact.fraction(intent.leverage) * E3)
    if leverage_e3 <= 0:
        raise InputError("LEVERAGE", "a leverage of less than 0.001")
    return min(most, size * E3 // leverage_e3), leverage_e3


def opening(
    request: Place, pair_index: int, posted: Posted, price_e8: int, pool: Pool | None
) -> Plan:
    """Raises InputError."""
    intent, leg = request.intent, request.leg
    found = entry_guard(intent, leg, pool)
    collateral, leverage_e3 = sized(intent, leg, posted.token.decimals, price_e8)
    tp_e10, sl_e10 = brackets_e10(intent)
    call = OpenTrade(
        trader=request.owner,
        pair_index=pair_index,
        leverage_e3=leverage_e3,
        long=intent.side == "BUY",
        collateral_index=posted.token.index,
        trade_type=trade_type(intent),
        collateral=collateral,
        price_e10=found.expected_e10,
        max_slippage_e3=found.max_slippage_e3,
        tp_e10=tp_e10,
        sl_e10=sl_e10,
        native=posted.native,
    )
    return Plan(call, collateral, found)


def brackets_e10(intent: OrderIntent) -> tuple[int, int]:
    """Take profit and stop loss, 0 for none; to the next price the contract has that is nearer to
    the entry."""
    long, exits = intent.position_side == "LONG", intent.brackets
    tp = 0 if exits.take_profit is None else e10(exits.take_profit, up=not long)
    return tp, 0 if exits.stop_loss is None else e10(exits.stop_loss, up=long)


def increase(
    request: Place, trade: StoredTrade, posted: Posted, price_e8: int, pool: Pool | None
) -> Plan:
    """Raises InputError ``NOT_OFFERED`` for what would have to wait."""
    intent, leg = request.intent, request.leg
    if intent.type != "market" or posted.native:
        raise InputError("NOT_OFFERED", "a position grows at market, with the token itself")
    if brackets_e10(intent) != (0, 0):
        raise InputError("NOT_OFFERED", "exits of a position are orders of their own")
    found = entry_guard(intent, leg, pool)
    collateral, leverage_e3 = added(intent, leg, trade, posted, price_e8)
    call = IncreasePosition(
        trade.index, collateral, leverage_e3, found.expected_e10, found.max_slippage_e3
    )
    return Plan(call, collateral, found)


def added(
    intent: OrderIntent, leg: OrderLeg, trade: StoredTrade, posted: Posted, price_e8: int
) -> tuple[int, int]:
    """(collateral, leverage e3) of an increase. Raises InputError as ``sized`` does."""
    if leg.collateral_amount is None:
        # Nothing is posted, so what grows is the leverage.
        return 0, share_of(leg, trade, posted, price_e8, trade.leverage_e3)
    return sized(intent, leg, posted.token.decimals, price_e8)


def share_of(leg: OrderLeg, trade: StoredTrade, posted: Posted, price_e8: int, whole: int) -> int:
    """Of ``whole``, the part that ``leg.size_base`` is of a position; rounded down."""
    size = position_size(trade.collateral, trade.leverage_e3)
    base = (
        exact.fraction(size * price_e8)
        * E10
        / (power10(posted.token.decimals) * E8 * trade.price_e10)
    )
    if base <= 0:
        raise InputError("POSITION", "the position has no size")
    return floor(exact.fraction(leg.size_base) * whole / base)


def update(request: Update, trade: StoredTrade, pool: Pool | None) -> Plan:
    """Of a resting entry: its prices; what it trades stays as it is.

    Raises InputError ``ORDER_GONE``, or ``NOT_UPDATABLE`` for an entry of another type.
    """
    if trade.trade_type is TradeType.TRADE:
        raise InputError("ORDER_GONE", "the order was executed")
    if trade.trade_type is not trade_type(request.intent):
        raise InputError("NOT_UPDATABLE", "a limit does not become a stop, nor a stop a limit")
    found = entry_guard(request.intent, request.leg, pool)
    tp_e10, sl_e10 = brackets_e10(request.intent)
    call = UpdateOpenOrder(trade.index, found.expected_e10, tp_e10, sl_e10, found.max_slippage_e3)
    return Plan(call, 0, found)
