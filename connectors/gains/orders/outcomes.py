"""Events of the diamond -> what became of orders. Pure.

An order is named by the owner and one of these: ``request:12`` waits for an oracle answer,
``order:3`` rests, ``tp:7`` and ``sl:7`` are the exits of position 7, ``liquidation:7`` its end. The
numbers are the venue's, of two counts that have nothing to do with each other.

What a fee or a trigger belongs to is told by other logs of its transaction, before it: the logs of
a transaction have to come together.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

from connectors.base.orders import ChainLog
from connectors.gains.constants import PERCENT
from connectors.gains.economics.position import CancelReason
from connectors.gains.economics.scales import E8, E10, position_size
from connectors.gains.orders import events as e
from connectors.gains.orders.calls import PendingIndex, TradeIndex, TradeType
from connectors.gains.orders.deployments import CollateralToken, Deployment
from connectors.gains.orders.refusals import cancelled
from domain import exact
from domain.errors import VenueProtocolError
from domain.orders import OrderType, Reason
from domain.outcomes import (
    Cancelled,
    Claimed,
    Costs,
    EventPlace,
    Executed,
    Frozen,
    Resting,
    Updated,
    VenueOutcome,
)
from domain.units import power10

REQUEST, ORDER, TAKE_PROFIT, STOP_LOSS = "request", "order", "tp", "sl"
LIQUIDATION: Final = "liquidation"

DECIMALS: Final = 18
_WHOLE_P: Final = 100 * PERCENT

TIMED_OUT: Final = Reason("TIMEOUT", "no oracle answered, and the request was taken back")
REMOVED: Final = Reason("CANCELLED", "the take profit or stop loss was taken away")
NOTHING: Final = Reason("NOTHING", "the position had no profit to take out")
WITHDRAWN: Final = Reason("CANCELLED", "cancelled by its owner")

_EXITS: Final = {
    e.OrderType.TP_CLOSE: TAKE_PROFIT,
    e.OrderType.SL_CLOSE: STOP_LOSS,
    e.OrderType.LIQ_CLOSE: LIQUIDATION,
}
_ORDERS: Final = (
    e.OrderType.MARKET_OPEN,
    e.OrderType.MARKET_CLOSE,
    e.OrderType.MARKET_PARTIAL_OPEN,
    e.OrderType.MARKET_PARTIAL_CLOSE,
    e.OrderType.UPDATE_LEVERAGE,
    e.OrderType.PNL_WITHDRAWAL,
)
"""Requests that are orders of ours."""


def ref_of(kind: str, index: PendingIndex | TradeIndex) -> str:
    return f"{kind}:{index}"


def price_of(price_e10: int) -> Decimal:
    """Exact."""
    return Decimal(f"{price_e10}E-10")


@dataclass(slots=True)
class _Seen:
    """Of one transaction, until the event it belongs to. By trader, and index where there is."""

    stored: dict[tuple[str, TradeIndex], e.TradeStored] = field(default_factory=dict)
    fees: dict[str, e.FeeCharged] = field(default_factory=dict)
    kept: dict[str, e.FeeCharged] = field(default_factory=dict)
    holding: dict[tuple[str, TradeIndex], e.HoldingCharged] = field(default_factory=dict)


class OutcomeReader:
    """Reads the logs of one chain in their order.

    Whose order a refused trigger was is only known where its request was read before it; else
    nothing is told of it, and the order stands as before.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._transaction = ("", "")
        self._seen = _Seen()
        self._pending: dict[e.RequestId, e.PendingStored] = {}

    def take(self, log: ChainLog, event: e.GainsEvent) -> VenueOutcome | None:
        """What the event says of an order; None where it says nothing, or nothing by itself."""
        transaction = (log.block_hash, log.tx_hash)
        if transaction != self._transaction:
            self._transaction, self._seen = transaction, _Seen()
        place = EventPlace(
            log.chain_id, log.block_number, log.block_hash, log.tx_hash, log.log_index
        )
        match event:
            case e.Requested():
                return _requested(place, event)
            case e.RestingPlaced(trader, index):
                return self._placed(place, trader, index)
            case e.Filled():
                return self._filled(place, event)
            case e.Resized():
                return self._resized(place, event)
            case e.Releveraged():
                return self._releveraged(place, event)
            case e.Withdrawn():
                return self._withdrawn(place, event)
            case e.MarketRefused():
                return self._dropped(place, event.trader, event.request, event.reason)
            case e.TriggerRefused():
                return self._frozen(place, event)
            case _:
                self._remember(event)
                return _changed(place, event)

    def _remember(self, event: e.GainsEvent) -> None:
        match event:
            case e.PendingStored():
                self._pending[event.request] = event
            case e.TradeStored():
                self._seen.stored[event.trader, event.index] = event
            case e.HoldingCharged():
                self._seen.holding[event.trader, event.index] = event
            case e.FeeCharged():
                fees = self._seen.kept if event.governance else self._seen.fees
                fees[event.trader] = event

    def _placed(self, place: EventPlace, trader: str, index: TradeIndex) -> Resting:
        stored = self._seen.stored.get((trader, index))
        kind: OrderType = "limit"
        if stored is not None and stored.trade.trade_type is TradeType.STOP:
            kind = "stop"
        trigger = None if stored is None else price_of(stored.trade.price_e10)
        return Resting(place, trader, ref_of(ORDER, index), kind, False, trigger)

    def _filled(self, place: EventPlace, event: e.Filled) -> Executed | None:
        trade, token = event.trade, self._deployment.by_index(event.trade.collateral_index)
        if token is None:
            return None
        size = position_size(trade.collateral, trade.leverage_e3)
        entry_e10 = event.price_e10 if event.opens else trade.price_e10
        base = _base(token, size, event.collateral_price_e8, entry_e10)
        pnl = None
        if not event.opens:
            raw = Fraction(trade.collateral * event.profit_p, _WHOLE_P)
            pnl = _usd(token, raw, event.collateral_price_e8, "down")
        costs = self._costs(
            token,
            (event.trader, event.index),
            event.collateral_price_e8,
            base,
            event.price_e10 - event.oracle_e10,
            buys=trade.long is event.opens,
        )
        return Executed(
            place=place,
            account=event.trader,
            ref=_ref_of_filled(event),
            price=price_of(event.price_e10),
            size_base=base,
            completes=True,
            costs=costs,
            position_ref=str(event.index),
            pnl_usd=pnl,
        )

    def _resized(self, place: EventPlace, event: e.Resized) -> Executed | Cancelled | None:
        if event.reason is not CancelReason.NONE:
            return self._dropped(place, event.trader, event.request, event.reason)
        token = self._deployment.by_index(event.collateral_index)
        if token is None:
            return None
        # What was sold is the size at its entry, which the event does not have: with the profit it
        # made of it, the size at the fill.
        gain = event.raw_pnl if event.long else -event.raw_pnl
        price_e8 = event.collateral_price_e8
        base = _base(token, event.size + gain, price_e8, event.price_e10)
        costs = self._costs(
            token,
            (event.trader, event.index),
            price_e8,
            base,
            event.price_e10 - event.oracle_e10,
            buys=event.long is event.increase,
        )
        return Executed(
            place=place,
            account=event.trader,
            ref=ref_of(REQUEST, event.request.index),
            price=price_of(event.price_e10),
            size_base=base,
            completes=True,
            costs=costs,
            position_ref=str(event.index),
            pnl_usd=None if event.increase else _usd(token, event.raw_pnl, price_e8, "down"),
        )

    def _releveraged(self, place: EventPlace, event: e.Releveraged) -> Executed | Cancelled:
        if event.reason is not CancelReason.NONE:
            return self._dropped(place, event.trader, event.request, event.reason)
        return Executed(
            place=place,
            account=event.trader,
            ref=ref_of(REQUEST, event.request.index),
            price=Decimal(0),
            size_base=Decimal(0),
            completes=True,
            position_ref=str(event.index),
        )

    def _withdrawn(self, place: EventPlace, event: e.Withdrawn) -> Claimed | Cancelled | None:
        token = self._deployment.by_index(event.collateral_index)
        if token is None:
            return None
        ref = ref_of(REQUEST, event.request.index)
        if not event.amount:
            return Cancelled(place, event.trader, ref, NOTHING, by_user=False)
        amount = _amount(token, event.amount)
        return Claimed(place, event.trader, ref, "profit", token.symbol, amount)

    def _costs(
        self,
        token: CollateralToken,
        position: tuple[str, TradeIndex],
        price_e8: int,
        base: Decimal,
        off_e10: int,
        *,
        buys: bool,
    ) -> Costs:
        fee = self._seen.fees.pop(position[0], None)
        held = self._seen.holding.pop(position, None)
        off = Fraction(off_e10 if buys else -off_e10, E10)
        return Costs(
            fee_usd=None if fee is None else _usd(token, fee.amount, price_e8, "up"),
            impact_usd=exact.decimal(Fraction(base) * off, DECIMALS, "up"),
            funding_usd=None if held is None else _usd(token, held.funding, price_e8, "up"),
            borrowing_usd=None if held is None else _usd(token, held.borrowing, price_e8, "up"),
        )

    def _dropped(
        self, place: EventPlace, trader: str, request: e.RequestId, reason: CancelReason
    ) -> Cancelled:
        kept = self._seen.kept.pop(trader, None)
        token = None if kept is None else self._deployment.by_index(kept.collateral_index)
        amount = None if kept is None or token is None else _amount(token, kept.amount)
        ref = ref_of(REQUEST, request.index)
        return Cancelled(place, trader, ref, cancelled(reason), False, amount)

    def _frozen(self, place: EventPlace, event: e.TriggerRefused) -> Frozen | None:
        pending = self._pending.get(event.request)
        if pending is None:
            return None
        ref = ref_of(_EXITS.get(event.type, ORDER), pending.index)
        return Frozen(place, pending.trader, ref, cancelled(event.reason), needs_update=False)


def _requested(place: EventPlace, event: e.Requested) -> Resting | None:
    if event.type not in _ORDERS:
        return None
    reduces = event.type in (e.OrderType.MARKET_CLOSE, e.OrderType.MARKET_PARTIAL_CLOSE)
    return Resting(place, event.trader, ref_of(REQUEST, event.request.index), "market", reduces)


def _changed(place: EventPlace, event: e.GainsEvent) -> VenueOutcome | None:
    match event:
        case e.RestingUpdated(trader, index, trigger_e10):
            ref = ref_of(ORDER, index)
            return Updated(place, trader, ref, trigger_price=price_of(trigger_e10))
        case e.RestingCancelled(trader, index):
            return Cancelled(place, trader, ref_of(ORDER, index), WITHDRAWN, True)
        case e.ExitSet(trader, index, stop_loss, price_e10):
            ref = ref_of(STOP_LOSS if stop_loss else TAKE_PROFIT, index)
            if not price_e10:
                return Cancelled(place, trader, ref, REMOVED, True)
            kind: OrderType = "stop" if stop_loss else "take_profit"
            return Resting(place, trader, ref, kind, True, price_of(price_e10))
        case e.TimedOut(request):
            ref = ref_of(REQUEST, request.index)
            return Cancelled(place, request.user, ref, TIMED_OUT, True)
    return None


def _ref_of_filled(event: e.Filled) -> str:
    if event.old_index is None:
        return ref_of(REQUEST, event.request.index)
    if event.opens:
        return ref_of(ORDER, event.old_index)
    kind = _EXITS.get(event.type)
    if kind is None:
        raise VenueProtocolError("BAD_EVENT", f"{event.type.name} is nothing that is triggered")
    return ref_of(kind, event.index)


def _base(token: CollateralToken, size: int, price_e8: int, entry_e10: int) -> Decimal:
    """What a size is of the base at an entry; see ``economics.quote``.

    Raises VenueProtocolError ``BAD_EVENT`` for an entry at nothing.
    """
    if entry_e10 <= 0:
        raise VenueProtocolError("BAD_EVENT", "a fill without a price")
    usd = Fraction(size * price_e8, power10(token.decimals) * E8)
    return exact.decimal(usd * E10 / entry_e10, DECIMALS, "down")


def _usd(
    token: CollateralToken, amount: int | Fraction, price_e8: int, rounding: exact.Rounding
) -> Decimal:
    value = Fraction(amount) * price_e8 / (power10(token.decimals) * E8)
    return exact.decimal(value, DECIMALS, rounding)


def _amount(token: CollateralToken, amount: int) -> Decimal:
    return Decimal(f"{amount}E-{token.decimals}")
