"""Closing a trade: its fill in two passes, its fee and what the trader gets."""

from dataclasses import dataclass
from typing import NamedTuple

from connectors.gains.economics.fees import FeeShares, FeeTerms, trade_fee
from connectors.gains.economics.impact import (
    Impact,
    PairState,
    cumulative_impact_p,
    fixed_spread_p,
    skew_impact_p,
)
from connectors.gains.economics.liquidation import liquidation_price_of, reached
from connectors.gains.economics.pnl import pnl_p, trade_value
from connectors.gains.economics.position import V9_2, V10, CancelReason, Position, TradeInfo
from connectors.gains.economics.scales import (
    E3,
    E10,
    E18,
    SLIPPAGE_WHOLE,
    Collateral,
    position_size,
    price_after_impact_e10,
)
from connectors.gains.economics.windows import WindowVolume, added_volume

_DEFAULT_SLIPPAGE_E3 = E3


@dataclass(frozen=True, slots=True)
class Market:
    """A pair in one collateral with the terms of the trader asked about."""

    collateral: Collateral
    pair: PairState
    fees: FeeTerms
    shares: FeeShares


class Close(NamedTuple):
    """``payout``: to the trader; 0 when the oracle price is past the liquidation price."""

    impact: Impact
    profit_p: int
    fee: int
    liquidation_e10: int
    payout: int
    volume: WindowVolume


def net_value(
    position: Position, profit_p: int, fee: int, holding_fees: int, market: Market
) -> int:
    """Value of a whole trade after a fee, pending holding fees and what is booked on it.

    Source: TradingCommonUtils.getTradeValueCollateral, v10.2.
    """
    return trade_value(
        position.trade.collateral,
        profit_p,
        fee + holding_fees - position.ledger.realized,
        market.collateral,
    )


def closing_impact(
    oracle_e10: int,
    position: Position,
    market: Market,
    *,
    holding_fees: int,
    size: int | None = None,
    use_volume: bool = True,
) -> tuple[Impact, int]:
    """Fill of closing ``size`` of a trade, all of it by default, and the trade's net value that
    decided on the protection factor.

    The first pass takes the PnL for negative. Where the value it leaves, after the closing fee of
    the whole trade and everything booked and pending, exceeds the collateral, the second pass
    computes the volume impact as of a profitable close.
    Units: price e10. Raises ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: TradingCommonUtils.getTradeClosingPriceImpact, v10.2.
    """
    trade, info, state = position.trade, position.info, market.pair
    if info.contracts_version < V9_2:
        return Impact(0, 0, 0, 0, 0, oracle_e10), 0
    whole = trade.size
    size = whole if size is None else size
    up = not trade.long
    token_e18 = size * trade.position_token_e18 // whole
    spread_p = fixed_spread_p(state.total_spread_p, up=up)
    skew_p = 0 if info.contracts_version < V10 else skew_impact_p(state, token_e18, up=up)
    volume_p = value = 0
    if use_volume:
        size_usd = market.collateral.usd_e18(size)

        def volume_impact(*, positive: bool) -> int:
            return cumulative_impact_p(
                size_usd,
                state,
                long=trade.long,
                opening=False,
                positive_pnl=positive,
                last_increase_block=info.last_increase_block,
            )

        first_e10 = price_after_impact_e10(
            oracle_e10, spread_p + volume_impact(positive=False) + skew_p
        )
        value = net_value(
            position,
            pnl_p(trade.open_price_e10, first_e10, trade.leverage_e3, long=trade.long),
            trade_fee(whole, market.fees, market.collateral, is_counter=trade.is_counter),
            holding_fees,
            market,
        )
        volume_p = volume_impact(positive=value > trade.collateral)
    total_p = spread_p + volume_p + skew_p
    price_e10 = price_after_impact_e10(oracle_e10, total_p)
    return Impact(token_e18, spread_p, volume_p, skew_p, total_p, price_e10), value


def slipped(fill_e10: int, expected_e10: int, slippage_e3: int, *, up_is_worse: bool) -> bool:
    """Whether a fill is worse than expected by more than the slippage; exactly that much is not."""
    most = expected_e10 * slippage_e3 // SLIPPAGE_WHOLE
    return fill_e10 > expected_e10 + most if up_is_worse else fill_e10 < expected_e10 - most


def closing_slippage_e3(info: TradeInfo) -> int:
    """The stored one; 1 % where none is."""
    return info.max_slippage_e3 or _DEFAULT_SLIPPAGE_E3


def close_reason(fill_e10: int, expected_e10: int, position: Position) -> CancelReason:
    """Of a market close. Source: TradingCallbacksUtils.closeTradeMarketCallback, v10.2."""
    long = position.trade.long
    slippage_e3 = closing_slippage_e3(position.info)
    if slipped(fill_e10, expected_e10, slippage_e3, up_is_worse=not long):
        return CancelReason.SLIPPAGE
    return CancelReason.NONE


def position_liquidation_e10(
    position: Position,
    market: Market,
    *,
    holding_fees: int,
    extra_fee: int = 0,
    kept_e18: int = E18,
) -> int:
    """``liquidation_price_of`` a position."""
    return liquidation_price_of(
        position.trade,
        position.ledger,
        position.liquidation,
        market.fees,
        market.collateral,
        market.pair.total_spread_p,
        holding_fees=holding_fees,
        extra_fee=extra_fee,
        kept_e18=kept_e18,
    )


def payout(
    position: Position,
    profit_p: int,
    fee: int,
    holding_fees: int,
    market: Market,
    *,
    oracle_e10: int,
    liquidation_e10: int,
) -> int:
    """Source: TradingCallbacksUtils._unregisterTrade, v10.2."""
    if reached(oracle_e10, liquidation_e10, long=position.trade.long):
        return 0
    return net_value(position, profit_p, fee, holding_fees, market)


def close_market(
    oracle_e10: int,
    position: Position,
    market: Market,
    *,
    holding_fees: int,
    negative_multiplier_e10: int = E10,
) -> Close:
    """A market close that slippage does not stop.

    ``holding_fees``: pending at ``oracle_e10``. Units: price e10, amounts in base units. Raises
    ContractRefusal ``BelowMin`` or ``AboveMax``.
    Source: TradingCallbacksUtils.closeTradeMarketCallback, v10.2.
    """
    trade = position.trade
    impact, _ = closing_impact(oracle_e10, position, market, holding_fees=holding_fees)
    profit_p = pnl_p(trade.open_price_e10, impact.price_e10, trade.leverage_e3, long=trade.long)
    size = position_size(trade.collateral, trade.leverage_e3)
    fee = trade_fee(size, market.fees, market.collateral, is_counter=trade.is_counter)
    liquidation_e10 = position_liquidation_e10(position, market, holding_fees=holding_fees)
    return Close(
        impact=impact,
        profit_p=profit_p,
        fee=fee,
        liquidation_e10=liquidation_e10,
        payout=payout(
            position,
            profit_p,
            fee,
            holding_fees,
            market,
            oracle_e10=oracle_e10,
            liquidation_e10=liquidation_e10,
        ),
        volume=added_volume(
            market.collateral.usd_e18(size),
            long=trade.long,
            opening=False,
            positive_pnl=profit_p > 0,
            negative_multiplier_e10=negative_multiplier_e10,
        ),
    )
