"""Taking from a position: a share of it with its collateral, or leverage alone."""

from dataclasses import dataclass, replace

from connectors.gains.economics.closing import (
    Market,
    closing_impact,
    closing_slippage_e3,
    net_value,
    position_liquidation_e10,
    slipped,
)
from connectors.gains.economics.fees import min_fee, trade_fee
from connectors.gains.economics.impact import Impact
from connectors.gains.economics.ledger import (
    downscaled,
    with_holding_fees,
    with_trading_fee,
)
from connectors.gains.economics.liquidation import limited_stop_e10, reached
from connectors.gains.economics.pnl import pnl_p
from connectors.gains.economics.position import CancelReason, Ledger, Position
from connectors.gains.economics.scales import (
    E10,
    E18,
    WHOLE_P,
    position_size,
    rounded_up,
    truncated,
)
from connectors.gains.economics.windows import WindowVolume, added_volume


@dataclass(frozen=True, slots=True)
class Decrease:
    """Results in the order the contract has them. ``sent``: to the trader, negative = to the vault.

    ``total_available``: what the contract holds of the collateral, ``available``: of what is sent;
    both are 0 until settled.
    """

    only_leverage: bool
    removed: int
    size_delta: int
    old_size: int
    impact: Impact
    existing_p: int
    partial_raw_pnl: int
    partial_net_pnl: int
    fee: int
    sent: int
    pnl_to_realize: int
    new_collateral: int
    new_leverage_e3: int
    old_liquidation_e10: int
    new_liquidation_e10: int
    total_available: int = 0
    available: int = 0


def decrease(
    position: Position,
    market: Market,
    current_e10: int,
    *,
    collateral: int,
    leverage_e3: int,
    holding_fees: int,
) -> Decrease:
    """What the oracle answer ``current_e10`` makes of a decrease by ``collateral`` or, without it,
    by ``leverage_e3``.

    ``holding_fees``: pending at the price. Unless ``decrease_reason`` has one against it,
    ``settled`` completes the result.
    Units: base units, price e10. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: DecreasePositionSizeUtils.prepareCallbackValues, v10.2.
    """
    trade, whole = position.trade, position.trade.size
    only_leverage = leverage_e3 > 0
    size = position_size(
        trade.collateral if only_leverage else collateral,
        leverage_e3 if only_leverage else trade.leverage_e3,
    )
    impact, _ = closing_impact(current_e10, position, market, holding_fees=holding_fees, size=size)
    existing_p = pnl_p(trade.open_price_e10, impact.price_e10, trade.leverage_e3, long=trade.long)
    raw = truncated(truncated(existing_p * trade.collateral * size, whole), WHOLE_P)
    value = net_value(position, existing_p, 0, holding_fees, market)
    net = truncated((value - trade.collateral) * size, whole)
    fee = trade_fee(size, market.fees, market.collateral, is_counter=trade.is_counter)
    sent = collateral + net - fee
    to_realize = raw - max(sent, 0) if only_leverage else 0
    values = Decrease(
        only_leverage=only_leverage,
        removed=collateral,
        size_delta=size,
        old_size=whole,
        impact=impact,
        existing_p=existing_p,
        partial_raw_pnl=raw,
        partial_net_pnl=net,
        fee=fee,
        sent=sent,
        pnl_to_realize=to_realize,
        new_collateral=trade.collateral - collateral,
        new_leverage_e3=trade.leverage_e3 - leverage_e3,
        old_liquidation_e10=position_liquidation_e10(position, market, holding_fees=holding_fees),
        new_liquidation_e10=0,
    )
    return replace(
        values,
        new_liquidation_e10=position_liquidation_e10(
            position.resized(values.new_collateral, values.new_leverage_e3),
            market,
            holding_fees=holding_fees,
            extra_fee=fee - to_realize if only_leverage else 0,
            kept_e18=E18 if only_leverage else (whole - size) * E18 // whole,
        ),
    )


def _realized(position: Position, holding_fees: int) -> Ledger:
    """Pending fees are those of the old size, so they are realized before the new one is stored."""
    return with_holding_fees(position.ledger, position.trade.collateral, holding_fees)


def settled(position: Position, values: Decrease, *, holding_fees: int) -> Decrease:
    """With what the contract works out once pending holding fees are realized: ``sent`` to the
    vault, and what it holds of it itself.

    Source: DecreasePositionSizeUtils.prepareSuccessCallbackValues, v10.2.
    """
    held, before = position.trade.collateral, _realized(position, holding_fees)
    total = before.available(held)
    if not values.only_leverage:
        missing = rounded_up(held - total, values.size_delta, values.old_size)
        return replace(
            values,
            total_available=total,
            available=values.removed - missing - values.fee,
        )
    sent = values.sent
    if sent < 0:
        # Only raw negative PnL goes to the vault, less what went there before.
        owed = (
            values.partial_raw_pnl
            + truncated(before.realized_pnl * values.size_delta, values.old_size)
            + rounded_up(
                before.manual_negative_pnl + before.transferred_negative_pnl,
                values.size_delta,
                values.old_size,
            )
        )
        sent = max(min(owed, 0), -total)
    return replace(values, sent=sent, total_available=total)


def decrease_reason(
    position: Position,
    values: Decrease,
    current_e10: int,
    *,
    expected_e10: int | None = None,
) -> CancelReason:
    """Why the decrease is not made; slippage is judged where ``expected_e10`` is given.

    Source: DecreasePositionSizeUtils.validateCallback, v10.2.
    """
    long = position.trade.long
    if reached(current_e10, values.old_liquidation_e10, long=long) or reached(
        current_e10, values.new_liquidation_e10, long=long
    ):
        return CancelReason.LIQ_REACHED
    if expected_e10 is not None and slipped(
        values.impact.price_e10,
        expected_e10,
        closing_slippage_e3(position.info),
        up_is_worse=not long,
    ):
        return CancelReason.SLIPPAGE
    if not values.only_leverage and values.sent < 0:
        return CancelReason.WRONG_TRADE
    return CancelReason.NONE


def check_decrease_request(
    position: Position, market: Market, *, collateral: int, leverage_e3: int, expected_e10: int
) -> str | None:
    """Name of the error that a request of a decrease reverts with; None when it is taken.

    The contract also asks for a least leverage that is left, a constant of its own.
    Source: DecreasePositionSizeUtils.validateRequest, v10.2.
    """
    if (collateral > 0) is (leverage_e3 > 0):
        return "InvalidDecreasePositionSizeInput"
    if leverage_e3 >= position.trade.leverage_e3:
        return "WrongLeverage"
    if not expected_e10:
        return "ZeroValue"
    if position.trade.collateral - collateral < min_fee(market.fees, market.collateral):
        return "InsufficientCollateral"
    return None


def decreased(
    position: Position, values: Decrease, market: Market, *, holding_fees: int
) -> Position:
    """The position after a decrease that was made; ``values`` are settled.

    Source: DecreasePositionSizeUtils.updateTradeSuccess, v10.2.
    """
    trade = replace(
        position.trade,
        collateral=values.new_collateral,
        leverage_e3=values.new_leverage_e3,
        position_token_e18=position.trade.position_token_e18 - values.impact.position_token_e18,
    )
    sl_e10 = limited_stop_e10(trade, position.liquidation, market.fees, trade.sl_e10)
    ledger = _realized(position, holding_fees)
    if values.only_leverage:
        ledger = replace(
            ledger,
            realized_pnl=ledger.realized_pnl + values.pnl_to_realize,
            transferred_negative_pnl=ledger.transferred_negative_pnl + max(-values.sent, 0),
        )
        ledger = with_trading_fee(ledger, values.new_collateral, values.fee)
    else:
        ledger = downscaled(ledger, values.size_delta, values.old_size, values.new_collateral)
    return replace(position, trade=replace(trade, sl_e10=sl_e10), ledger=ledger)


def decrease_volume(
    position: Position,
    values: Decrease,
    market: Market,
    negative_multiplier_e10: int = E10,
) -> WindowVolume:
    """What a decrease adds to the windows. Source: TradingCommonUtils._updateOi, v10.2."""
    return added_volume(
        market.collateral.usd_e18(values.size_delta),
        long=position.trade.long,
        opening=False,
        positive_pnl=values.existing_p > 0,
        negative_multiplier_e10=negative_multiplier_e10,
    )
