"""Opening a trade: the checks when it is requested, and when the oracle has answered."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from connectors.gains.economics.closing import Market, slipped
from connectors.gains.economics.fees import cancel_fee, min_opening_collateral, trade_fee
from connectors.gains.economics.impact import Impact, opening_impact, opening_loss_p
from connectors.gains.economics.limits import (
    MAX_OPENING_LOSS_P,
    Exposure,
    LeverageLimits,
    opened_counter_trade,
    within_exposure,
)
from connectors.gains.economics.liquidation import limited_stop_e10, liquidation_price_of, reached
from connectors.gains.economics.position import (
    CancelReason,
    Ledger,
    LiquidationTerms,
    Trade,
)
from connectors.gains.economics.scales import ContractRefusal, position_size


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An order to be sent; its state of the venue where that is known."""

    trade: Trade
    max_slippage_e3: int
    activated: bool = True
    pair_listed: bool = True
    collateral_active: bool = True


class Opened(NamedTuple):
    """``trade``: as it would be stored, with its fill as entry and its stop limited. ``reason``
    NONE: it is.

    ``returned``: collateral that goes back, of a counter trade larger than the skew.
    """

    reason: CancelReason
    trade: Trade
    impact: Impact
    fee: int
    liquidation_e10: int
    returned: int


def check_open_request(request: OpenRequest, market: Market, limits: LeverageLimits) -> str | None:
    """Name of the error that ``openTrade`` reverts with; None when it is taken.

    The checks are in the contract's order, where the token transfer, which is not looked at here,
    stands before TradePairNotListed. Limits of open interest and skew are only looked at when the
    oracle has answered. The price impact is that at the order's own price.
    TradeOpenPriceZero never shows: BelowMin comes first.
    Units: base units, price e10, leverage and slippage e3.
    Source: TradingInteractionsUtils._openTrade, TradingStorageUtils._validateTrade, v10.2.
    """
    trade = request.trade
    if not request.activated:
        return "Paused"
    if trade.collateral < min_opening_collateral(market.fees, market.collateral):
        return "InsufficientCollateral"
    if not limits.min_e3 <= trade.leverage_e3 <= limits.max_e3:
        return "WrongLeverage"
    if trade.is_counter and trade.leverage_e3 > limits.counter_max_e3:
        return "WrongTradeType"
    size = position_size(trade.collateral, trade.leverage_e3)
    try:
        impact = opening_impact(
            trade.open_price_e10, size, market.collateral, market.pair, long=trade.long
        )
    except ContractRefusal as refusal:
        return refusal.code
    if opening_loss_p(impact, trade.leverage_e3, long=trade.long) > MAX_OPENING_LOSS_P:
        return "PriceImpactTooHigh"
    return _stored_check(request, size)


def _stored_check(request: OpenRequest, size: int) -> str | None:
    trade, price_e10 = request.trade, request.trade.open_price_e10
    if not request.pair_listed:
        return "TradePairNotListed"
    if not size:
        return "TradePositionSizeZero"
    if not request.collateral_active:
        return "InvalidCollateralIndex"
    if trade.tp_e10 and (trade.tp_e10 <= price_e10 if trade.long else trade.tp_e10 >= price_e10):
        return "TradeTpInvalid"
    if trade.sl_e10 and (trade.sl_e10 >= price_e10 if trade.long else trade.sl_e10 <= price_e10):
        return "TradeSlInvalid"
    return None if request.max_slippage_e3 else "MaxSlippageZero"


def opened(
    trade: Trade,
    oracle_e10: int,
    market: Market,
    terms: LiquidationTerms,
    *,
    current_e10: int,
    max_slippage_e3: int,
    exposure: Exposure | None = None,
    limits: LeverageLimits | None = None,
) -> Opened:
    """What an oracle answer makes of an order.

    ``oracle_e10``: what it executes at before impact; ``current_e10``: the price now, which differs
    for triggered orders only. Without ``exposure`` or ``limits`` those are taken to be kept.
    Units: price e10, slippage e3 percent. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: TradingCallbacksUtils._openTradePrep, v10.2.
    """
    returned, counter_valid = 0, True
    if trade.is_counter:
        counter_valid, returned = opened_counter_trade(
            trade, market.pair, market.fees, market.collateral, current_e10
        )
    left = trade.collateral - returned
    size = position_size(left, trade.leverage_e3)
    impact = opening_impact(oracle_e10, size, market.collateral, market.pair, long=trade.long)
    fee = trade_fee(size, market.fees, market.collateral, is_counter=trade.is_counter)
    # Where a counter trade leaves nothing, the contract looks at it as it was asked for.
    stored = replace(
        trade,
        collateral=left or trade.collateral,
        open_price_e10=impact.price_e10,
        position_token_e18=impact.position_token_e18,
    )
    liquidation_e10 = liquidation_price_of(
        stored,
        Ledger(),
        terms,
        market.fees,
        market.collateral,
        market.pair.total_spread_p,
        holding_fees=0,
        extra_fee=fee,
    )
    reason = _open_reason(trade, oracle_e10, impact, current_e10, max_slippage_e3, liquidation_e10)
    if reason is CancelReason.NONE:
        reason = _limit_reason(trade, size, impact, market, current_e10, exposure, limits)
    if reason is CancelReason.NONE and not counter_valid:
        reason = CancelReason.COUNTER_TRADE_CANCELED
    sl_e10 = limited_stop_e10(stored, terms, market.fees, trade.sl_e10)
    return Opened(reason, replace(stored, sl_e10=sl_e10), impact, fee, liquidation_e10, returned)


def _open_reason(
    trade: Trade,
    oracle_e10: int,
    impact: Impact,
    current_e10: int,
    max_slippage_e3: int,
    liquidation_e10: int,
) -> CancelReason:
    long, fill_e10 = trade.long, impact.price_e10
    if slipped(fill_e10, trade.open_price_e10, max_slippage_e3, up_is_worse=long):
        return CancelReason.SLIPPAGE
    if trade.tp_e10 and (fill_e10 >= trade.tp_e10 if long else fill_e10 <= trade.tp_e10):
        return CancelReason.TP_REACHED
    if trade.sl_e10 and (oracle_e10 <= trade.sl_e10 if long else oracle_e10 >= trade.sl_e10):
        return CancelReason.SL_REACHED
    if reached(current_e10, liquidation_e10, long=long):
        return CancelReason.LIQ_REACHED
    return CancelReason.NONE


def _limit_reason(
    trade: Trade,
    size: int,
    impact: Impact,
    market: Market,
    current_e10: int,
    exposure: Exposure | None,
    limits: LeverageLimits | None,
) -> CancelReason:
    if exposure is not None and not within_exposure(
        exposure, market.pair, market.collateral, size, current_e10, long=trade.long
    ):
        return CancelReason.EXPOSURE_LIMITS
    if opening_loss_p(impact, trade.leverage_e3, long=trade.long) > MAX_OPENING_LOSS_P:
        return CancelReason.PRICE_IMPACT
    if limits is not None and trade.leverage_e3 > limits.max_e3:
        return CancelReason.MAX_LEVERAGE
    return CancelReason.NONE


def cancelled_collateral(trade: Trade, market: Market) -> tuple[int, int]:
    """(collateral returned, fee kept) of a market order that the oracle answer cancelled.

    Source: TradingCallbacksUtils.openTradeMarketCallback, v10.2.
    """
    fee = cancel_fee(market.fees, market.shares, market.collateral)
    return trade.collateral - fee, fee
