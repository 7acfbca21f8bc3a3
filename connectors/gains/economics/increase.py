"""Adding to a position."""

from dataclasses import dataclass, replace

from connectors.gains.economics.closing import (
    Market,
    closing_impact,
    net_value,
    position_liquidation_e10,
    slipped,
)
from connectors.gains.economics.fees import trade_fee
from connectors.gains.economics.impact import Impact, opening_impact
from connectors.gains.economics.ledger import with_holding_fees, with_trading_fee
from connectors.gains.economics.limits import (
    Exposure,
    LeverageLimits,
    counter_trade,
    within_exposure,
)
from connectors.gains.economics.liquidation import limited_stop_e10, reached
from connectors.gains.economics.pnl import (
    MOST_LEVERAGE_E3,
    effective_leverage_e3,
    pnl_p,
    raw_pnl,
)
from connectors.gains.economics.position import (
    V10,
    CancelReason,
    LiquidationTerms,
    Position,
    Trade,
)
from connectors.gains.economics.scales import E3, position_size, rounded_up

_NOTHING = Impact(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Increase:
    """Results in the order the contract has them. ``old_size_with_pnl``: size at the fill price.

    ``size_delta``, ``new_size`` are those after the new leverage was cut off to e3. ``returned``:
    collateral of a counter trade beyond the skew, ``added`` and ``added_leverage_e3`` what is left.
    """

    added: int
    added_leverage_e3: int
    size_delta: int
    old_size: int
    new_size: int
    new_collateral: int
    new_leverage_e3: int
    impact: Impact = _NOTHING
    existing_pnl: int = 0
    old_size_with_pnl: int = 0
    new_open_price_e10: int = 0
    fee: int = 0
    old_liquidation_e10: int = 0
    new_liquidation_e10: int = 0
    effective_leverage_e3: int = 0
    counter_valid: bool = False
    excess: int = 0
    returned: int = 0


def increase(
    position: Position,
    market: Market,
    current_e10: int,
    *,
    collateral: int,
    leverage_e3: int,
    terms: LiquidationTerms,
    holding_fees: int,
) -> Increase:
    """What the oracle answer ``current_e10`` makes of an increase.

    Size grows by ``collateral`` x ``leverage_e3``, or with no collateral by that much leverage of
    what is there. ``terms``: of the pair now, which the trade takes over. ``holding_fees``: pending
    at the price. Nothing is filled in beyond the sizes where the new leverage leaves no increase.
    Units: base units, price e10. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: IncreasePositionSizeUtils.prepareCallbackValues, v10.2.
    """
    trade = position.trade
    sized = _sized(trade, market, current_e10, collateral, leverage_e3)
    if sized.new_size < sized.old_size:
        return sized
    size = sized.new_size - sized.old_size
    impact = opening_impact(current_e10, size, market.collateral, market.pair, long=trade.long)
    fill_e10 = impact.price_e10
    existing_pnl = raw_pnl(
        pnl_p(trade.open_price_e10, fill_e10, trade.leverage_e3, long=trade.long),
        trade.collateral,
    )
    fee = trade_fee(size, market.fees, market.collateral, is_counter=trade.is_counter)
    with_pnl = sized.old_size + (existing_pnl if trade.long else -existing_pnl)
    weighted = with_pnl * trade.open_price_e10 + size * fill_e10
    # Rounded against the trader: a long's entry up, a short's down.
    whole = with_pnl + size
    open_e10 = rounded_up(weighted, 1, whole) if trade.long else weighted // whole
    grown = position.resized(sized.new_collateral, sized.new_leverage_e3, open_e10)
    return replace(
        sized,
        size_delta=size,
        impact=impact,
        existing_pnl=existing_pnl,
        old_size_with_pnl=with_pnl,
        new_open_price_e10=open_e10,
        fee=fee,
        old_liquidation_e10=position_liquidation_e10(position, market, holding_fees=holding_fees),
        new_liquidation_e10=position_liquidation_e10(
            replace(grown, liquidation=terms),
            market,
            holding_fees=holding_fees,
            extra_fee=fee,
        ),
        effective_leverage_e3=leverage_after(
            grown, market, current_e10, holding_fees=holding_fees, extra_fee=fee
        ),
    )


def _sized(
    trade: Trade, market: Market, current_e10: int, collateral: int, leverage_e3: int
) -> Increase:
    """The sizes, those of a counter trade cut to what is left of the skew."""
    only_leverage = not collateral
    size = position_size(trade.collateral if only_leverage else collateral, leverage_e3)
    valid, excess, returned = False, 0, 0
    if trade.is_counter:
        valid, excess = counter_trade(
            size, market.pair, market.collateral, current_e10, long=trade.long
        )
        if excess and only_leverage:
            leverage_e3 -= rounded_up(excess, E3, trade.collateral)
        elif excess:
            returned = rounded_up(excess, E3, leverage_e3)
            collateral -= returned
        size = position_size(trade.collateral if only_leverage else collateral, leverage_e3)
    old_size = trade.size
    new_collateral = trade.collateral + collateral
    new_leverage_e3 = (
        trade.leverage_e3 + leverage_e3
        if only_leverage
        else (old_size + size) * E3 // new_collateral
    )
    return Increase(
        added=collateral,
        added_leverage_e3=leverage_e3,
        size_delta=size,
        old_size=old_size,
        new_size=position_size(new_collateral, new_leverage_e3),
        new_collateral=new_collateral,
        new_leverage_e3=new_leverage_e3,
        counter_valid=valid,
        excess=excess,
        returned=returned,
    )


def leverage_after(
    position: Position,
    market: Market,
    current_e10: int,
    *,
    holding_fees: int,
    extra_fee: int,
) -> int:
    """Effective leverage of a changed trade if it were closed now, with a fee more to pay.

    The stored size in tokens is still that of before the change.
    Source: TradingCommonUtils.getTradeNewEffectiveLeverage, v10.2.
    """
    trade = position.trade
    impact, _ = closing_impact(current_e10, position, market, holding_fees=holding_fees)
    fee = trade_fee(trade.size, market.fees, market.collateral, is_counter=trade.is_counter)
    value = net_value(
        position,
        pnl_p(trade.open_price_e10, impact.price_e10, trade.leverage_e3, long=trade.long),
        fee + extra_fee,
        holding_fees,
        market,
    )
    return effective_leverage_e3(
        trade.collateral, trade.leverage_e3, trade.open_price_e10, current_e10, value
    )


def check_increase_request(
    position: Position,
    *,
    collateral: int,
    leverage_e3: int,
    expected_e10: int,
    max_slippage_e3: int,
) -> str | None:
    """Name of the error that a request of an increase reverts with; None when it is taken.

    The contract also asks for a least leverage, a constant of its own.
    Source: IncreasePositionSizeUtils.validateRequest, v10.2.
    """
    if position.info.contracts_version < V10:
        return "NotAuthorized"
    if not leverage_e3 or not expected_e10 or not max_slippage_e3:
        return "InvalidIncreasePositionSizeInput"
    # With collateral the new leverage lies between the old one and what is added.
    if not collateral and position.trade.leverage_e3 + leverage_e3 > MOST_LEVERAGE_E3:
        return "WrongLeverage"
    return None


def increase_reason(
    position: Position,
    values: Increase,
    market: Market,
    current_e10: int,
    *,
    expected_e10: int | None = None,
    max_slippage_e3: int = 0,
    exposure: Exposure | None = None,
    limits: LeverageLimits | None = None,
) -> CancelReason:
    """Why the increase is not made; what is not given is taken to be kept.

    Source: IncreasePositionSizeUtils.validateCallback, v10.2.
    """
    trade, long = position.trade, position.trade.long
    if values.new_size <= values.old_size:
        return CancelReason.WRONG_TRADE
    if expected_e10 is not None and slipped(
        values.impact.price_e10, expected_e10, max_slippage_e3, up_is_worse=long
    ):
        return CancelReason.SLIPPAGE
    if trade.tp_e10 and (current_e10 >= trade.tp_e10 if long else current_e10 <= trade.tp_e10):
        return CancelReason.TP_REACHED
    if trade.sl_e10 and (current_e10 <= trade.sl_e10 if long else current_e10 >= trade.sl_e10):
        return CancelReason.SL_REACHED
    if reached(current_e10, values.old_liquidation_e10, long=long) or reached(
        current_e10, values.new_liquidation_e10, long=long
    ):
        return CancelReason.LIQ_REACHED
    if exposure is not None and not within_exposure(
        exposure, market.pair, market.collateral, values.size_delta, current_e10, long=long
    ):
        return CancelReason.EXPOSURE_LIMITS
    effective_e3 = values.effective_leverage_e3
    if limits is not None and effective_e3 > limits.max_e3:
        return CancelReason.MAX_LEVERAGE
    if trade.is_counter and (
        not values.counter_valid or (limits is not None and effective_e3 > limits.counter_max_e3)
    ):
        return CancelReason.COUNTER_TRADE_CANCELED
    return CancelReason.NONE


def increased(
    position: Position,
    values: Increase,
    market: Market,
    terms: LiquidationTerms,
    *,
    holding_fees: int,
) -> Position:
    """The position after an increase that was made.

    Source: IncreasePositionSizeUtils.updateTradeSuccess, v10.2.
    """
    trade = replace(
        position.trade,
        collateral=values.new_collateral,
        leverage_e3=values.new_leverage_e3,
        open_price_e10=values.new_open_price_e10,
        position_token_e18=position.trade.position_token_e18 + values.impact.position_token_e18,
    )
    trade = replace(trade, sl_e10=limited_stop_e10(trade, terms, market.fees, trade.sl_e10))
    # Pending fees are those of the old size, so they are realized before the new one is stored.
    ledger = with_holding_fees(position.ledger, position.trade.collateral, holding_fees)
    return Position(
        trade,
        replace(position.info, last_increase_block=market.pair.block),
        with_trading_fee(ledger, values.new_collateral, values.fee),
        terms,
    )
