"""Resting orders, take profits, stop losses and liquidations: when they execute and at what."""

from enum import Enum
from typing import Final, NamedTuple

from connectors.gains.economics.closing import (
    Market,
    closing_impact,
    closing_slippage_e3,
    payout,
    position_liquidation_e10,
    slipped,
)
from connectors.gains.economics.fees import liquidation_fee, trade_fee
from connectors.gains.economics.impact import (
    Impact,
    market_price_e10,
    oracle_from_market_e10,
)
from connectors.gains.economics.limits import Exposure, LeverageLimits
from connectors.gains.economics.liquidation import reached
from connectors.gains.economics.opening import Opened, opened
from connectors.gains.economics.pnl import pnl_p
from connectors.gains.economics.position import (
    CancelReason,
    LiquidationTerms,
    Position,
    Trade,
)

_NO_IMPACT: Final = Impact(0, 0, 0, 0, 0, 0)


class Trigger(Enum):
    """Orders that a keeper executes when a candle says so."""

    LIMIT_OPEN = "LIMIT_OPEN"
    STOP_OPEN = "STOP_OPEN"
    TP_CLOSE = "TP_CLOSE"
    SL_CLOSE = "SL_CLOSE"
    LIQ_CLOSE = "LIQ_CLOSE"


class Candle(NamedTuple):
    """Oracle prices e10 since the order could first execute; ``current`` is the price now.

    Where the feed has two prices these are marks, and index prices for liquidations.
    """

    open: int
    high: int
    low: int
    current: int


class TriggeredOpen(NamedTuple):
    """``oracle_e10``: what it executes at before impact. ``exact``: at its trigger price."""

    reason: CancelReason
    oracle_e10: int
    exact: bool
    opened: Opened


class TriggeredClose(NamedTuple):
    """See ``TriggeredOpen``. ``fill_e10`` of a liquidation is its oracle price."""

    reason: CancelReason
    oracle_e10: int
    exact: bool
    impact: Impact
    fill_e10: int
    profit_p: int
    fee: int
    liquidation_e10: int
    payout: int


def triggered_open(
    trigger: Trigger,
    trade: Trade,
    candle: Candle,
    market: Market,
    terms: LiquidationTerms,
    *,
    max_slippage_e3: int,
    exposure: Exposure | None = None,
    limits: LeverageLimits | None = None,
) -> TriggeredOpen:
    """A limit or stop order against a candle.

    It executes at its trigger when the candle of market prices crosses that, else at the candle's
    open if that is past it. A miss overrides every other reason.
    Raises ContractRefusal ``BelowMin`` or ``AboveMax``, ValueError for another trigger.
    Source: TradingCallbacksUtils._validateTriggerOpenOrderCallback, v10.2.
    """
    if trigger not in (Trigger.LIMIT_OPEN, Trigger.STOP_OPEN):
        raise ValueError(f"{trigger} opens nothing")
    standing_p = market.pair.standing_p
    at_e10 = trade.open_price_e10
    exact = (
        market_price_e10(candle.low, standing_p)
        <= at_e10
        <= market_price_e10(candle.high, standing_p)
    )
    oracle_e10 = oracle_from_market_e10(at_e10, standing_p) if exact else candle.open
    result = opened(
        trade,
        oracle_e10,
        market,
        terms,
        current_e10=candle.current,
        max_slippage_e3=max_slippage_e3,
        exposure=exposure,
        limits=limits,
    )
    reason = result.reason
    if not exact:
        open_e10 = market_price_e10(candle.open, standing_p)
        wanted_up = (trigger is Trigger.STOP_OPEN) is trade.long
        if open_e10 < at_e10 if wanted_up else open_e10 > at_e10:
            reason = CancelReason.NOT_HIT
    return TriggeredOpen(reason, oracle_e10, exact, result)


def triggered_close(
    trigger: Trigger, position: Position, candle: Candle, market: Market, *, holding_fees: int
) -> TriggeredClose:
    """A take profit, stop loss or liquidation against a candle.

    Take profits and stops go by market prices, liquidations by the oracle's. The slippage is judged
    against the trigger, so a stop can be refused in a gap. ``holding_fees``: pending at the current
    price. Raises ContractRefusal ``BelowMin`` or ``AboveMax``, ValueError for another trigger.
    Source: TradingCallbacksUtils._validateTriggerCloseOrderCallback, v10.2.
    """
    if trigger not in (Trigger.TP_CLOSE, Trigger.SL_CLOSE, Trigger.LIQ_CLOSE):
        raise ValueError(f"{trigger} closes nothing")
    trade, liquidating = position.trade, trigger is Trigger.LIQ_CLOSE
    liquidation_e10 = position_liquidation_e10(position, market, holding_fees=holding_fees)
    standing_p = 0 if liquidating else market.pair.standing_p
    at_e10 = {
        Trigger.TP_CLOSE: trade.tp_e10,
        Trigger.SL_CLOSE: trade.sl_e10,
        Trigger.LIQ_CLOSE: liquidation_e10,
    }[trigger]
    open_e10, high_e10, low_e10 = (
        market_price_e10(price, standing_p) for price in (candle.open, candle.high, candle.low)
    )
    exact = at_e10 > 0 and low_e10 <= at_e10 <= high_e10
    oracle_e10 = oracle_from_market_e10(at_e10, standing_p) if exact else candle.open
    impact, fill_e10 = _NO_IMPACT, oracle_e10
    if not liquidating:
        impact, _ = closing_impact(oracle_e10, position, market, holding_fees=holding_fees)
        fill_e10 = impact.price_e10
    reason = CancelReason.NONE
    if not (exact or _past(trigger, open_e10, at_e10, long=trade.long)):
        reason = CancelReason.NOT_HIT
    elif not liquidating and slipped(
        fill_e10, at_e10, closing_slippage_e3(position.info), up_is_worse=not trade.long
    ):
        reason = CancelReason.SLIPPAGE
    profit_p = pnl_p(trade.open_price_e10, fill_e10, trade.leverage_e3, long=trade.long)
    fee = (
        liquidation_fee(trade.collateral, market.fees)
        if liquidating
        else trade_fee(trade.size, market.fees, market.collateral, is_counter=trade.is_counter)
    )
    paid = payout(
        position,
        profit_p,
        fee,
        holding_fees,
        market,
        oracle_e10=oracle_e10,
        liquidation_e10=liquidation_e10,
    )
    return TriggeredClose(
        reason, oracle_e10, exact, impact, fill_e10, profit_p, fee, liquidation_e10, paid
    )


def _past(trigger: Trigger, open_e10: int, at_e10: int, *, long: bool) -> bool:
    if trigger is Trigger.LIQ_CLOSE:
        return reached(open_e10, at_e10, long=long)
    if not at_e10:
        return False
    above = (trigger is Trigger.TP_CLOSE) is long
    return open_e10 >= at_e10 if above else open_e10 <= at_e10
