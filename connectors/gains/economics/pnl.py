"""Profit of a trade: percent, value, and what of it reaches the trader."""

from typing import Final, NamedTuple

from connectors.gains.economics.scales import (
    E3,
    WHOLE_P,
    Collateral,
    position_size,
    truncated,
)

MOST_LEVERAGE_E3: Final = 2**24 - 1
"""What 24 bits hold."""


def pnl_p(open_price_e10: int, price_e10: int, leverage_e3: int, *, long: bool) -> int:
    """Profit in percent of the collateral, not below -100; 0 for an entry price of 0.

    Source: TradingCommonUtils.getPnlPercent, v10.2.
    """
    if not open_price_e10:
        return 0
    gain = price_e10 - open_price_e10 if long else open_price_e10 - price_e10
    return max(truncated(truncated(gain * WHOLE_P * leverage_e3, open_price_e10), E3), -WHOLE_P)


def raw_pnl(profit_p: int, collateral_amount: int) -> int:
    """Profit in base units, without fees. Source: getTradeUnrealizedRawPnlCollateral, v10.2."""
    return truncated(profit_p * collateral_amount, WHOLE_P)


def trade_value(collateral_amount: int, profit_p: int, fees: int, collateral: Collateral) -> int:
    """Net value in base units, not below 0.

    ``fees``: closing fee, pending holding fees and realized fees, less realized PnL.
    Source: TradingCommonUtils.getTradeValuePure, v10.2.
    """
    delta = collateral.precision_delta
    fine = collateral_amount * delta
    value = (fine + truncated(fine * profit_p, WHOLE_P)) // delta - fees
    return max(value, 0)


def effective_leverage_e3(
    collateral_amount: int,
    leverage_e3: int,
    open_price_e10: int,
    price_e10: int,
    value: int,
) -> int:
    """Size at the current price against net value.

    Source: TradingCommonUtils.getTradeNewEffectiveLeverage, v10.2.
    """
    if not value:
        return MOST_LEVERAGE_E3
    size_now = position_size(collateral_amount, leverage_e3) * price_e10 // open_price_e10
    return min(size_now * E3 // value, MOST_LEVERAGE_E3)


class Valuation(NamedTuple):
    """A trade as it stands. ``market``: at the market price, ``exit``: at the price a close would
    fill at. ``unrealized`` is ``market_pnl`` less fees to come and with PnL already realized,
    ``net`` what a close would leave above or below the collateral, realized fees included."""

    market_p: int
    market_pnl: int
    exit_p: int
    exit_pnl: int
    unrealized: int
    value: int
    net: int
    liquidated: bool


def valuation(
    collateral_amount: int,
    leverage_e3: int,
    open_price_e10: int,
    market_e10: int,
    exit_e10: int,
    *,
    long: bool,
    closing_fee: int,
    holding_fees: int,
    realized_pnl: int,
    realized_fees: int,
    threshold_p: int,
    collateral: Collateral,
) -> Valuation:
    """Profit of a trade at two prices.

    ``threshold_p``: loss that liquidates. A trade past it is worth nothing, but keeps its raw PnL.
    Source: getPnlPercent and getTradeValueCollateral of TradingCommonUtils, v10.2; the figures are
    those of @gainsnetwork/sdk getComprehensivePnl.
    """
    market_p = pnl_p(open_price_e10, market_e10, leverage_e3, long=long)
    exit_p = pnl_p(open_price_e10, exit_e10, leverage_e3, long=long)
    pending = closing_fee + holding_fees
    market_pnl = raw_pnl(market_p, collateral_amount)
    liquidated = market_p <= -threshold_p
    value = (
        0
        if liquidated
        else trade_value(
            collateral_amount, exit_p, pending - realized_pnl + realized_fees, collateral
        )
    )
    return Valuation(
        market_p=market_p,
        market_pnl=market_pnl,
        exit_p=exit_p,
        exit_pnl=raw_pnl(exit_p, collateral_amount),
        unrealized=market_pnl - pending + realized_pnl,
        value=value,
        net=value - collateral_amount,
        liquidated=liquidated,
    )
