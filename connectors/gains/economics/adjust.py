"""Changes that leave the size of a position as it is: another leverage, and profit taken out."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from connectors.gains.economics.closing import (
    Market,
    closing_impact,
    net_value,
    position_liquidation_e10,
)
from connectors.gains.economics.fees import cancel_fee, min_fee, trade_fee
from connectors.gains.economics.impact import Impact
from connectors.gains.economics.increase import leverage_after
from connectors.gains.economics.ledger import with_trading_fee, with_virtual_collateral
from connectors.gains.economics.limits import LeverageLimits
from connectors.gains.economics.liquidation import limited_stop_e10, reached
from connectors.gains.economics.pnl import pnl_p
from connectors.gains.economics.position import CancelReason, Position


@dataclass(frozen=True, slots=True)
class Releverage:
    """``collateral_delta`` goes to the trader when ``raised``, else comes from there.

    ``effective_leverage_e3``, ``total_available``, ``available``: of raises only.
    """

    raised: bool
    collateral_delta: int
    new_leverage_e3: int
    new_collateral: int
    old_liquidation_e10: int
    new_liquidation_e10: int
    fee: int
    effective_leverage_e3: int = 0
    total_available: int = 0
    available: int = 0


class Withdrawal(NamedTuple):
    """``withdrawable``: profit after all fees, negative is none. ``fee``: charged either way."""

    impact: Impact
    profit_p: int
    withdrawable: int
    withdrawn: int
    fee: int


def collateral_at(position: Position, leverage_e3: int) -> int:
    """Collateral of a trade at another leverage.

    Source: UpdateLeverageLifecycles._getNewCollateralAmount, v10.2.
    """
    return position.trade.collateral * position.trade.leverage_e3 // leverage_e3


def check_leverage_request(position: Position, market: Market, leverage_e3: int) -> str | None:
    """Name of the error that a request for another leverage reverts with; None when it is taken.

    Source: UpdateLeverageLifecycles._validateRequest, v10.2.
    """
    if leverage_e3 <= 0 or leverage_e3 == position.trade.leverage_e3:
        return "WrongLeverage"
    if collateral_at(position, leverage_e3) < min_fee(market.fees, market.collateral):
        return "InsufficientCollateral"
    return None


def releverage(
    position: Position,
    market: Market,
    current_e10: int,
    *,
    leverage_e3: int,
    holding_fees: int,
) -> Releverage:
    """What the oracle answer ``current_e10`` makes of a change of leverage.

    ``holding_fees``: pending at the price; they stay pending.
    Units: base units, price e10. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: UpdateLeverageLifecycles._prepareCallbackValues, v10.2.
    """
    trade = position.trade
    raised = leverage_e3 > trade.leverage_e3
    collateral = collateral_at(position, leverage_e3)
    fee = cancel_fee(market.fees, market.shares, market.collateral)
    changed = position.resized(collateral, leverage_e3)
    delta = abs(collateral - trade.collateral)
    total = position.ledger.available(trade.collateral) if raised else 0
    return Releverage(
        raised=raised,
        collateral_delta=delta,
        new_leverage_e3=leverage_e3,
        new_collateral=collateral,
        old_liquidation_e10=position_liquidation_e10(position, market, holding_fees=holding_fees),
        new_liquidation_e10=position_liquidation_e10(
            changed, market, holding_fees=holding_fees, extra_fee=fee
        ),
        fee=fee,
        effective_leverage_e3=leverage_after(
            changed, market, current_e10, holding_fees=holding_fees, extra_fee=fee
        )
        if raised
        else 0,
        total_available=total,
        available=min(delta, total),
    )


def releverage_reason(
    position: Position,
    values: Releverage,
    current_e10: int,
    limits: LeverageLimits | None = None,
) -> CancelReason:
    """Why the leverage is not changed; without ``limits`` they are taken to be kept.

    Source: UpdateLeverageLifecycles._validateCallback, v10.2.
    """
    long = position.trade.long
    if reached(current_e10, values.old_liquidation_e10, long=long) or reached(
        current_e10, values.new_liquidation_e10, long=long
    ):
        return CancelReason.LIQ_REACHED
    if limits is None or not values.raised:
        return CancelReason.NONE
    if values.effective_leverage_e3 > limits.max_e3:
        return CancelReason.MAX_LEVERAGE
    if position.trade.is_counter and values.effective_leverage_e3 > limits.counter_max_e3:
        return CancelReason.COUNTER_TRADE_CANCELED
    return CancelReason.NONE


def releveraged(position: Position, values: Releverage, market: Market) -> Position:
    """The position after a change of leverage that was made.

    Source: UpdateLeverageLifecycles._handleCallback, v10.2.
    """
    trade = replace(
        position.trade,
        collateral=values.new_collateral,
        leverage_e3=values.new_leverage_e3,
    )
    sl_e10 = limited_stop_e10(trade, position.liquidation, market.fees, trade.sl_e10)
    ledger = position.ledger
    if values.raised:
        ledger = with_virtual_collateral(ledger, values.new_collateral)
    ledger = with_trading_fee(ledger, values.new_collateral, values.fee)
    return replace(position, trade=replace(trade, sl_e10=sl_e10), ledger=ledger)


def withdraw(
    position: Position,
    market: Market,
    current_e10: int,
    *,
    amount: int,
    holding_fees: int,
) -> Withdrawal:
    """Profit taken out of an open trade, at most what it is worth above its collateral.

    ``holding_fees``: pending at the price. Units: base units, price e10. Raises ContractRefusal
    ``BelowMin`` or ``AboveMax``.
    Source: TradeManagementCallbacksUtils.executePnlWithdrawalCallback, v10.2.
    """
    trade = position.trade
    impact, _ = closing_impact(current_e10, position, market, holding_fees=holding_fees)
    profit_p = pnl_p(trade.open_price_e10, impact.price_e10, trade.leverage_e3, long=trade.long)
    fee = trade_fee(trade.size, market.fees, market.collateral, is_counter=trade.is_counter)
    withdrawable = net_value(position, profit_p, fee, holding_fees, market) - trade.collateral
    return Withdrawal(
        impact,
        profit_p,
        withdrawable,
        min(amount, max(withdrawable, 0)),
        cancel_fee(market.fees, market.shares, market.collateral),
    )


def withdrawn(position: Position, values: Withdrawal) -> Position:
    """The position after a withdrawal, which is also charged for when nothing was withdrawn."""
    ledger = replace(position.ledger, realized_pnl=position.ledger.realized_pnl - values.withdrawn)
    return replace(position, ledger=with_trading_fee(ledger, position.trade.collateral, values.fee))


def refused(position: Position, market: Market) -> Position:
    """The position after a close or change that the oracle answer did not make: it is charged for.

    Source: TradingCallbacksUtils.closeTradeMarketCallback, handleCanceled of the updates, v10.2.
    """
    fee = cancel_fee(market.fees, market.shares, market.collateral)
    ledger = with_trading_fee(position.ledger, position.trade.collateral, fee)
    return replace(position, ledger=ledger)


def liquidated_by_fee(
    position: Position, market: Market, current_e10: int, *, fee: int, holding_fees: int
) -> bool:
    """Whether charging ``fee`` to an open trade liquidates it: then it is closed and pays nothing.

    ``position``: as it was before the fee; ``holding_fees``: those that are still pending.
    Source: FundingFeesUtils.realizeTradingFeesOnOpenTrade, v10.2.
    """
    liquidation_e10 = position_liquidation_e10(
        position, market, holding_fees=holding_fees, extra_fee=fee
    )
    return reached(current_e10, liquidation_e10, long=position.trade.long)
