"""What a formula has to know of a trade."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from connectors.gains.economics.scales import position_size

V9_2: Final = 1
V10: Final = 2
"""Versions a trade can be of. Before v9.2 there was no closing impact, before v10 no skew in it."""


class CancelReason(IntEnum):
    """Why an executed request changed nothing. Source: ITradingCallbacks.CancelReason, v10.2."""

    NONE = 0
    PAUSED = 1
    MARKET_CLOSED = 2
    SLIPPAGE = 3
    TP_REACHED = 4
    SL_REACHED = 5
    EXPOSURE_LIMITS = 6
    PRICE_IMPACT = 7
    MAX_LEVERAGE = 8
    NO_TRADE = 9
    WRONG_TRADE = 10
    NOT_HIT = 11
    LIQ_REACHED = 12
    COUNTER_TRADE_CANCELED = 13


@dataclass(frozen=True, slots=True)
class Trade:
    """``open_price_e10`` of a resting order is its trigger, of a market order the expected price.
    ``tp_e10``, ``sl_e10``: 0 = none."""

    long: bool
    collateral: int
    leverage_e3: int
    open_price_e10: int
    position_token_e18: int = 0
    tp_e10: int = 0
    sl_e10: int = 0
    is_counter: bool = False

    @property
    def size(self) -> int:
        return position_size(self.collateral, self.leverage_e3)


@dataclass(frozen=True, slots=True)
class TradeInfo:
    """``max_slippage_e3``: percent; 0 stands for 1 % on a close."""

    contracts_version: int = V10
    last_increase_block: int = 0
    max_slippage_e3: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was booked on an open trade. Source: IFundingFees.TradeFeesData, v10.2."""

    realized_fees: int = 0
    realized_pnl: int = 0
    manual_negative_pnl: int = 0
    transferred_negative_pnl: int = 0
    virtual_available: int = 0

    @property
    def realized(self) -> int:
        return self.realized_pnl - self.realized_fees

    def available(self, collateral: int) -> int:
        """Of a trade's collateral, what the contract still holds; negative on a transient only."""
        return (
            collateral
            + self.virtual_available
            - self.realized_fees
            - self.manual_negative_pnl
            - self.transferred_negative_pnl
        )


@dataclass(frozen=True, slots=True)
class LiquidationTerms:
    """Stored with a trade when it is opened or increased. ``max_spread_p`` 0: of before v9.2."""

    max_spread_p: int
    start_threshold_p: int
    end_threshold_p: int
    start_leverage_e3: int
    end_leverage_e3: int


@dataclass(frozen=True, slots=True)
class Position:
    """An open trade with everything kept about it."""

    trade: Trade
    info: TradeInfo
    ledger: Ledger
    liquidation: LiquidationTerms

    def resized(
        self, collateral: int, leverage_e3: int, open_price_e10: int | None = None
    ) -> "Position":
        """With another collateral, leverage and entry, and all else as it was."""
        entry_e10 = self.trade.open_price_e10 if open_price_e10 is None else open_price_e10
        trade = replace(
            self.trade, collateral=collateral, leverage_e3=leverage_e3, open_price_e10=entry_e10
        )
        return replace(self, trade=trade)
