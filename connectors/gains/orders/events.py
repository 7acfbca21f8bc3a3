"""What the diamond's logs say, in the venue's own terms; ``logs`` reads them.

Units: prices e10, leverage e3, slippage e3 percent, percentages 1e-10 percent, amounts in base
units of the collateral, prices of collaterals e8, tokens e18. Addresses checksummed.
Source: gTrade v10 ITradingInteractionsUtils, ITradingCallbacksUtils, ITradingStorageUtils.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from connectors.gains.economics.position import CancelReason
from connectors.gains.orders.calls import PendingIndex, TradeIndex, TradeType


class OrderType(IntEnum):
    """What a request is for. Source: ITradingStorage.PendingOrderType."""

    MARKET_OPEN = 0
    MARKET_CLOSE = 1
    LIMIT_OPEN = 2
    STOP_OPEN = 3
    TP_CLOSE = 4
    SL_CLOSE = 5
    LIQ_CLOSE = 6
    UPDATE_LEVERAGE = 7
    MARKET_PARTIAL_OPEN = 8
    MARKET_PARTIAL_CLOSE = 9
    PARAM_UPDATE = 10
    PNL_WITHDRAWAL = 11
    MANUAL_HOLDING_FEES_REALIZATION = 12
    MANUAL_NEGATIVE_PNL_REALIZATION = 13


@dataclass(frozen=True, slots=True)
class RequestId:
    """A pending request: ``user`` is the trader, or who triggered an order."""

    user: str
    index: PendingIndex


class Traded(NamedTuple):
    """A trade as events carry it. ``price_e10``: its entry."""

    pair_index: int
    long: bool
    collateral_index: int
    trade_type: TradeType
    collateral: int
    leverage_e3: int
    price_e10: int
    tp_e10: int
    sl_e10: int


@dataclass(frozen=True, slots=True)
class Requested:
    """An oracle answer will decide. ``index``: None of an opening, and of a close at market, whose
    event does not tell it."""

    request: RequestId
    trader: str
    type: OrderType
    index: TradeIndex | None


@dataclass(frozen=True, slots=True)
class PendingStored:
    """Every request, triggers included, with the trade it is about."""

    request: RequestId
    type: OrderType
    trader: str
    index: TradeIndex
    created_block: int


@dataclass(frozen=True, slots=True)
class TradeStored:
    """What a trade or a resting order is from now on."""

    trader: str
    index: TradeIndex
    trade: Traded


@dataclass(frozen=True, slots=True)
class RestingPlaced:
    """An order rests; ``TradeStored`` before it says which."""

    trader: str
    index: TradeIndex


@dataclass(frozen=True, slots=True)
class Filled:
    """A trade was opened or closed. ``old_index``: of the order that rested, of a triggered one.

    ``profit_p`` of the collateral and ``paid`` are of closes.
    """

    request: RequestId
    trader: str
    index: TradeIndex
    type: OrderType
    trade: Traded
    oracle_e10: int
    price_e10: int
    liquidation_e10: int
    profit_p: int
    paid: int
    collateral_price_e8: int
    old_index: TradeIndex | None = None

    @property
    def opens(self) -> bool:
        return self.type in (OrderType.MARKET_OPEN, OrderType.LIMIT_OPEN, OrderType.STOP_OPEN)


@dataclass(frozen=True, slots=True)
class Resized:
    """An increase or a decrease, or why not: ``reason`` NONE says it was made.

    ``size``: by how much. ``raw_pnl``: realised by a decrease, before fees.
    """

    request: RequestId
    trader: str
    index: TradeIndex
    increase: bool
    reason: CancelReason
    long: bool
    collateral_index: int
    oracle_e10: int
    price_e10: int
    size: int
    raw_pnl: int
    fee: int
    collateral_price_e8: int


@dataclass(frozen=True, slots=True)
class Releveraged:
    """Another leverage at the same size, or why not. ``fee``: charged either way."""

    request: RequestId
    trader: str
    index: TradeIndex
    reason: CancelReason
    collateral_index: int
    leverage_e3: int
    collateral: int
    fee: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Profit taken out of an open trade; 0 where there was none."""

    request: RequestId
    trader: str
    index: TradeIndex
    collateral_index: int
    amount: int


@dataclass(frozen=True, slots=True)
class MarketRefused:
    """``returned``: of an opening, the collateral less what the venue keeps; None of a close."""

    request: RequestId
    trader: str
    index: TradeIndex | None
    reason: CancelReason
    returned: int | None


@dataclass(frozen=True, slots=True)
class TriggerRefused:
    """The order or the exit still stands. Whose it is only ``PendingStored`` of the request
    says."""

    request: RequestId
    type: OrderType
    reason: CancelReason


@dataclass(frozen=True, slots=True)
class RestingUpdated:
    trader: str
    index: TradeIndex
    trigger_e10: int
    tp_e10: int
    sl_e10: int
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class RestingCancelled:
    trader: str
    index: TradeIndex


@dataclass(frozen=True, slots=True)
class ExitSet:
    """A take profit or a stop loss as it is stored; 0: none any more."""

    trader: str
    index: TradeIndex
    stop_loss: bool
    price_e10: int


@dataclass(frozen=True, slots=True)
class ClosingSlippageSet:
    trader: str
    index: TradeIndex
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The owner took back a request that no oracle had answered."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class CollateralReturned:
    """With ``TimedOut``, where there was collateral: all of it."""

    request: RequestId
    trader: str
    collateral_index: int
    amount: int


@dataclass(frozen=True, slots=True)
class FeeCharged:
    """``governance``: of the request itself, whatever came of it; else of a trade's size. Stands
    before the event it belongs to."""

    trader: str
    collateral_index: int
    amount: int
    governance: bool


@dataclass(frozen=True, slots=True)
class HoldingCharged:
    """What a trade owed for being held: positive is paid. Stands before the event of the close."""

    trader: str
    index: TradeIndex
    funding: int
    borrowing: int


GainsEvent: TypeAlias = (
    Requested
    | PendingStored
    | TradeStored
    | RestingPlaced
    | Filled
    | Resized
    | Releveraged
    | Withdrawn
    | MarketRefused
    | TriggerRefused
    | RestingUpdated
    | RestingCancelled
    | ExitSet
    | ClosingSlippageSet
    | TimedOut
    | CollateralReturned
    | FeeCharged
    | HoldingCharged
)
