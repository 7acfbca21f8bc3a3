"""What speaks against an order before it is signed, in the order the contract looks at it. Pure.

What a request reverts with comes first, then what the oracle answer would be cancelled for: that
costs the fee of a request. Nothing here refuses an exit for its price, its depth or its costs, nor
what waits for what the pool takes now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.base.markets import AssetClass
from connectors.base.orders import ChainFacts, Refusal
from connectors.gains.constants import BLOCK_MS
from connectors.gains.economics import hours
from connectors.gains.economics.closing import Market, slipped
from connectors.gains.economics.fees import FeeShares, min_fee
from connectors.gains.economics.impact import Impact, market_price_e10, opening_impact
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.limits import LeverageLimits, within_exposure
from connectors.gains.economics.opening import OpenRequest, check_open_request
from connectors.gains.economics.position import Trade
from connectors.gains.economics.scales import (
    E3,
    Collateral,
    ContractRefusal,
    position_size,
)
from connectors.gains.orders.calls import (
    DecreasePosition,
    IncreasePosition,
    OpenTrade,
    Single,
    TradeType,
    UpdateOpenOrder,
    UpdateStopLoss,
    UpdateTakeProfit,
)
from connectors.gains.orders.events import OrderType
from connectors.gains.orders.reads import PAUSED, StoredRequest, StoredTrade
from connectors.gains.orders.refusals import code_of, message_of
from domain.exact import ceil_div

UNKNOWN_DEPTH: Final = "UNKNOWN_DEPTH"
_NO_SHARES: Final = FeeShares(0, 0, 0, 0, 0)
"""Who gets a fee decides nothing here."""

EXCLUSIVE: Final = frozenset(
    {
        OrderType.MARKET_CLOSE,
        OrderType.UPDATE_LEVERAGE,
        OrderType.MARKET_PARTIAL_OPEN,
        OrderType.MARKET_PARTIAL_CLOSE,
        OrderType.PNL_WITHDRAWAL,
        OrderType.MANUAL_HOLDING_FEES_REALIZATION,
        OrderType.MANUAL_NEGATIVE_PNL_REALIZATION,
    }
)
"""Only one of these waits for a position at a time."""


@dataclass(frozen=True, slots=True)
class Venue:
    """As read at one block. ``collateral_active``: and what the tables say it is. That a pair is
    listed nobody asks: a pool that is known is of a listed one."""

    activated: int
    collateral_active: bool
    collateral: Collateral
    min_leverage_e3: int
    max_leverage_e3: int


def refusal(name: str) -> Refusal:
    """Of an error of the contract."""
    return Refusal(code_of(name), f"{message_of(name)} ({name})")


# Entries ----------------------------------------------------------------------------------------


def opening(
    call: OpenTrade,
    venue: Venue,
    pool: Pool | None,
    balance: int | None,
    asset_class: AssetClass,
    now_s: int,
) -> Iterator[Refusal]:
    """``pool``: as it is now, None where that is not known. ``balance``: None where the native coin
    is sent, which is the caller's to look at."""
    if pool is None:
        yield _unpriced(asset_class, now_s)
        return
    trade = Trade(
        long=call.long,
        collateral=call.collateral,
        leverage_e3=call.leverage_e3,
        open_price_e10=call.price_e10,
        tp_e10=call.tp_e10,
        sl_e10=call.sl_e10,
        is_counter=call.is_counter,
    )
    request = OpenRequest(
        trade,
        call.max_slippage_e3,
        activated=not venue.activated,
        collateral_active=venue.collateral_active,
    )
    market = Market(venue.collateral, pool.state.pair, pool.state.fees, _NO_SHARES)
    limits = LeverageLimits(venue.min_leverage_e3, venue.max_leverage_e3)
    name = check_open_request(request, market, limits)
    if name is not None:
        yield refusal(name)
    yield from _balance(call.collateral, balance)
    if call.trade_type is TradeType.TRADE:
        yield from _exposure(trade.size, pool, venue.collateral, long=call.long)
        yield from _at_market(
            trade.size, call.price_e10, call.max_slippage_e3, pool, venue.collateral, call.long
        )
    else:
        yield from _trigger_ahead(call, pool)


def increasing(
    call: IncreasePosition,
    trade: StoredTrade | None,
    venue: Venue,
    requests: Sequence[StoredRequest],
    pool: Pool | None,
    balance: int,
    asset_class: AssetClass,
    now_s: int,
) -> Iterator[Refusal]:
    if venue.activated:
        yield refusal("Paused")
    yield from _position(trade, requests)
    if pool is None:
        yield _unpriced(asset_class, now_s)
    if trade is None or pool is None:
        return
    added = position_size(call.collateral or trade.collateral, call.leverage_e3)
    size = position_size(trade.collateral, trade.leverage_e3) + added
    if size * E3 // (trade.collateral + call.collateral) > venue.max_leverage_e3:
        yield refusal("WrongLeverage")
    yield from _balance(call.collateral, balance)
    yield from _exposure(added, pool, venue.collateral, long=trade.long)
    yield from _at_market(
        added, call.expected_price_e10, call.max_slippage_e3, pool, venue.collateral, trade.long
    )


def _balance(needed: int, balance: int | None) -> Iterator[Refusal]:
    if balance is not None and balance < needed:
        yield Refusal("BALANCE", f"{needed - balance} base units of the collateral are missing")


def _exposure(size: int, pool: Pool, collateral: Collateral, *, long: bool) -> Iterator[Refusal]:
    """Tested when the oracle has answered, not by the request."""
    state = pool.state
    if not within_exposure(state.exposure, state.pair, collateral, size, pool.mark_e10, long=long):
        yield Refusal("DEPTH", "the pool's open interest would be beyond its limit")


def _at_market(
    size: int, expected_e10: int, slippage_e3: int, pool: Pool, collateral: Collateral, long: bool
) -> Iterator[Refusal]:
    try:
        fill = _fill(size, pool, collateral, long=long)
    except ContractRefusal as error:
        yield refusal(error.code)
        return
    if slipped(fill.price_e10, expected_e10, slippage_e3, up_is_worse=long):
        yield refusal_of_guard()


def refusal_of_guard() -> Refusal:
    return Refusal("PRICE_GUARD", "the fill would be worse than the order's bound now")


def _fill(size: int, pool: Pool, collateral: Collateral, *, long: bool) -> Impact:
    return opening_impact(pool.mark_e10, size, collateral, pool.state.pair, long=long)


def _unpriced(asset_class: AssetClass, now_s: int) -> Refusal:
    """A pool has depth only while the venue's own flag says that its market is open; the calendar,
    which knows no holiday to come, only explains why there is none."""
    if not hours.is_open(asset_class, now_s):
        return Refusal("MARKET_CLOSED", "outside of the market's hours no oracle answers")
    return Refusal(UNKNOWN_DEPTH, "nobody knows what the pool would take now")


def _trigger_ahead(call: OpenTrade, pool: Pool) -> Iterator[Refusal]:
    """A stop whose trigger is passed would be executed at once, at whatever the price is. A limit
    would too, but at a better price than it asked for."""
    market_e10 = market_price_e10(pool.mark_e10, pool.state.pair.standing_p)
    passed = market_e10 >= call.price_e10 if call.long else market_e10 <= call.price_e10
    if call.trade_type is TradeType.STOP and passed:
        yield Refusal("TRIGGER_SIDE", "the trigger is passed already")


# Changes ----------------------------------------------------------------------------------------


def _position(trade: StoredTrade | None, requests: Sequence[StoredRequest]) -> Iterator[Refusal]:
    if trade is None or trade.trade_type is not TradeType.TRADE:
        yield refusal("DoesntExist")
        return
    if any(found.trade == trade.index and found.type in EXCLUSIVE for found in requests):
        yield refusal("ConflictingPendingOrder")


def closing(
    call: Single,
    trade: StoredTrade | None,
    activated: int,
    requests: Sequence[StoredRequest],
    pool: Pool | None,
    collateral: Collateral,
) -> Iterator[Refusal]:
    """Of a close at market, whole or in part. ``pool`` says what must at least be left."""
    if activated == PAUSED:
        yield refusal("Paused")
    yield from _position(trade, requests)
    if isinstance(call, DecreasePosition) and trade is not None and pool is not None:
        left = trade.collateral - call.collateral
        if left < min_fee(pool.state.fees, collateral):
            yield refusal("InsufficientCollateral")


def withdrawing(
    trade: StoredTrade | None,
    activated: int,
    requests: Sequence[StoredRequest],
    pool: Pool | None,
) -> Iterator[Refusal]:
    """Of profit. A request that finds none costs its fee all the same: at a price that is known to
    bring none it is not asked for. What fees leave of it the contract tells."""
    if activated == PAUSED:
        yield refusal("Paused")
    yield from _position(trade, requests)
    if trade is None or pool is None:
        return
    gained = market_price_e10(pool.mark_e10, pool.state.pair.standing_p) - trade.price_e10
    if (gained if trade.long else -gained) <= 0:
        yield Refusal("NOTHING", "the position has no profit to take out")


def releveraging(
    posted: int,
    trade: StoredTrade | None,
    activated: int,
    requests: Sequence[StoredRequest],
    balance: int,
) -> Iterator[Refusal]:
    """Of a change of margin. ``posted``: what it takes in."""
    if activated:
        yield refusal("Paused")
    yield from _position(trade, requests)
    yield from _balance(posted, balance)


def exit_waiting(
    call: UpdateTakeProfit | UpdateStopLoss,
    trade: StoredTrade | None,
    activated: int,
    pool: Pool | None,
) -> Iterator[Refusal]:
    """The contract does not look at the side: an exit on the wrong one is executed at once."""
    if activated:
        yield refusal("Paused")
    if trade is None or trade.trade_type is not TradeType.TRADE:
        yield refusal("DoesntExist")
        return
    if pool is None:
        return
    market_e10 = market_price_e10(pool.mark_e10, pool.state.pair.standing_p)
    stop = isinstance(call, UpdateStopLoss)
    at_e10 = call.sl_e10 if isinstance(call, UpdateStopLoss) else call.tp_e10
    below = stop is trade.long
    if at_e10 and (at_e10 >= market_e10 if below else at_e10 <= market_e10):
        yield refusal("TradeSlInvalid" if stop else "TradeTpInvalid")


def resting_update(
    call: UpdateOpenOrder, order: StoredTrade | None, activated: int
) -> Iterator[Refusal]:
    if activated:
        yield refusal("Paused")
    if order is None or order.trade_type is TradeType.TRADE:
        yield Refusal("ORDER_GONE", "no such order rests any more")
        return
    at_e10 = call.trigger_e10
    if call.tp_e10 and (call.tp_e10 <= at_e10 if order.long else call.tp_e10 >= at_e10):
        yield refusal("TradeTpInvalid")
    if call.sl_e10 and (call.sl_e10 >= at_e10 if order.long else call.sl_e10 <= at_e10):
        yield refusal("TradeSlInvalid")


def resting_cancel(order: StoredTrade | None, activated: int) -> Iterator[Refusal]:
    if activated == PAUSED:
        yield refusal("Paused")
    if order is None or order.trade_type is TradeType.TRADE:
        yield Refusal("ORDER_GONE", "no such order rests any more")


def request_cancel(
    request: StoredRequest | None,
    activated: int,
    facts: ChainFacts,
    timeout_blocks: int,
    block: int,
) -> Iterator[Refusal]:
    """``block``: what the diamond has for the number of now."""
    if activated == PAUSED:
        yield refusal("Paused")
    if request is None:
        yield refusal("NoOrder")
        return
    missing = request.created_block + timeout_blocks - block
    if missing > 0:
        from_s = facts.block_time_s + ceil_div(missing * BLOCK_MS[facts.chain_id], 1000)
        told = f"{message_of('WaitTimeout')}: {missing} more blocks"
        yield Refusal("TOO_EARLY", told, from_s)
