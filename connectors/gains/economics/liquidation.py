"""When a trade is liquidated, and how far its stop may be."""

from collections.abc import Callable
from typing import Final

from connectors.gains.constants import PERCENT
from connectors.gains.economics.fees import FeeTerms, trade_fee
from connectors.gains.economics.pnl import pnl_p
from connectors.gains.economics.position import Ledger, LiquidationTerms, Trade
from connectors.gains.economics.scales import (
    E3,
    E18,
    WHOLE_P,
    Collateral,
    position_size,
    truncated,
)

LEGACY_THRESHOLD_P: Final = 90 * PERCENT
_STOP_BUFFER_P: Final = 5 * PERCENT
_STEPS: Final = 128


def threshold_p(terms: LiquidationTerms, leverage_e3: int) -> int:
    """Loss that liquidates, in percent of the collateral.

    Source: TradingCommonUtils.getLiqPnlThresholdP, v10.2.
    """
    if not terms.max_spread_p:
        return LEGACY_THRESHOLD_P
    if leverage_e3 <= terms.start_leverage_e3:
        return terms.start_threshold_p
    if leverage_e3 >= terms.end_leverage_e3:
        return terms.end_threshold_p
    return terms.start_threshold_p - (leverage_e3 - terms.start_leverage_e3) * (
        terms.start_threshold_p - terms.end_threshold_p
    ) // (terms.end_leverage_e3 - terms.start_leverage_e3)


def liquidation_price_e10(
    trade: Trade,
    fees: int,
    spread_p: int,
    terms: LiquidationTerms,
    collateral: Collateral,
) -> int:
    """Price at which ``fees`` and the loss reach the threshold; 0 when no price does.

    ``spread_p`` of pair and trader: half of it counts, up to what the terms allow.
    Source: BorrowingFeesUtils.getTradeLiquidationPrice, v10.2.
    """
    delta = collateral.precision_delta
    open_e10 = trade.open_price_e10
    bearable = (
        trade.collateral * threshold_p(terms, trade.leverage_e3) * delta * E3 // WHOLE_P
        - fees * delta * E3
    )
    distance = truncated(open_e10 * bearable, trade.collateral)
    distance = truncated(truncated(distance, trade.leverage_e3), delta)
    distance -= open_e10 * min(spread_p // 2, terms.max_spread_p) // WHOLE_P
    return max(open_e10 - distance if trade.long else open_e10 + distance, 0)


def liquidation_price_of(
    trade: Trade,
    ledger: Ledger,
    terms: LiquidationTerms,
    fee_terms: FeeTerms,
    collateral: Collateral,
    spread_p: int,
    *,
    holding_fees: int,
    extra_fee: int = 0,
    kept_e18: int = E18,
) -> int:
    """What the contract's getter says for a trade with these fees pending.

    Holding fees grow with the pair price, so this is exact at the price they were computed for;
    see ``trigger_price_e10``. No tier lowers the closing fee. ``kept_e18``: share of what is booked
    and pending that stays, of a partial close. Before a trade is opened ``ledger`` and
    ``holding_fees`` are empty and ``extra_fee`` is the opening fee.
    Source: BorrowingFeesUtils.getTradeLiquidationPrice, v10.2.
    """
    closing_fee = trade_fee(
        position_size(trade.collateral, trade.leverage_e3),
        fee_terms.undiscounted(),
        collateral,
        is_counter=trade.is_counter,
    )
    booked = truncated((holding_fees - ledger.realized) * kept_e18, E18)
    return liquidation_price_e10(
        trade, closing_fee + booked + extra_fee, spread_p, terms, collateral
    )


def reached(price_e10: int, liquidation_e10: int, *, long: bool) -> bool:
    """Whether a price liquidates. It is compared without skew."""
    return price_e10 <= liquidation_e10 if long else price_e10 >= liquidation_e10


def limited_stop_e10(trade: Trade, terms: LiquidationTerms, fees: FeeTerms, sl_e10: int) -> int:
    """The stop that is stored when ``sl_e10`` is asked for; 0 is none.

    The loss at the stop may reach the liquidation threshold less 5 % and less the fee rate of
    opening and closing at the leverage, no tier considered. Further away it is moved to that price,
    and removed when nothing is left of it. Checked when a trade opens, when its stop is changed and
    after every change of its size or leverage. Take profits have no bound.
    Source: TradingStorageUtils.limitSlDistance, v10.2.
    """
    if not sl_e10:
        return 0
    fees_p = 2 * fees.rate_p * trade.leverage_e3 // E3
    most_p = threshold_p(terms, trade.leverage_e3) - _STOP_BUFFER_P - fees_p
    loss_p = -pnl_p(trade.open_price_e10, sl_e10, trade.leverage_e3, long=trade.long)
    if most_p <= 0:
        return 0
    if loss_p <= most_p:
        return sl_e10
    distance = trade.open_price_e10 * most_p * E3 // trade.leverage_e3 // WHOLE_P
    return trade.open_price_e10 - distance if trade.long else trade.open_price_e10 + distance


def trigger_price_e10(
    liquidation_at: Callable[[int], int], guess_e10: int, *, long: bool
) -> int | None:
    """The outermost price that really liquidates: where it meets its own liquidation price.

    ``liquidation_at``: the getter's value with holding fees computed for the price it is given.
    None when no such price is found near ``guess_e10``, which may be the getter's current value.
    With holding fees that do not depend on the price it is the getter's value.
    Source: TradingCallbacksUtils.validateTriggerCloseOrderCallback with LIQ_CLOSE, v10.2.
    """

    def hit(price_e10: int) -> bool:
        return price_e10 > 0 and reached(price_e10, liquidation_at(price_e10), long=long)

    at = max(guess_e10, 1)
    for _ in range(_STEPS):
        following = max(liquidation_at(at), 1)
        if following == at:
            break
        at = following
    inner = -1 if long else 1
    step = 0
    while not hit(at + inner * step):
        step = step * 2 or 1
        if step > at:
            return None
    inside = at + inner * step
    step = 1
    while hit(inside - inner * step):
        step *= 2
        if step > inside * 2:
            return None
    outside = inside - inner * step
    while abs(outside - inside) > 1:
        middle = (outside + inside) // 2
        if hit(middle):
            inside = middle
        else:
            outside = middle
    return inside
