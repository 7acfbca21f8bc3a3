"""Calls of the diamond as values, and the bytes they stand for.

Units: prices e10, leverage e3, slippage e3 percent (1000 = 1 %), collateral in base units of its
token; take profits and stops 0 = none. Addresses in lower case where they were decoded.
Source: gTrade v10 ITradingInteractionsUtils, ITradingStorage.Trade; the layout is the ABI's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final, NewType, TypeAlias

from connectors.base.abi import SELECTOR_BYTES
from connectors.gains.orders.abi import FUNCTIONS
from domain.errors import InputError

TradeIndex = NewType("TradeIndex", int)
"""Which trade or resting order of a trader. Orders at market get one when they are executed, and
resting ones another when they are."""

PendingIndex = NewType("PendingIndex", int)
"""Which pending request of a trader: another count, which has nothing to do with trades."""

ZERO_ADDRESS: Final = "0x" + "0" * 40
MAX_AMOUNT: Final = 2**120 - 1
"""Of a collateral, as the contract keeps it."""

MAX_CALLS: Final = 20
"""Of a multicall; the contract takes no more."""


class TradeType(IntEnum):
    """Source: ITradingStorage.TradeType. A trade is an open position, or an order at market."""

    TRADE = 0
    LIMIT = 1
    STOP = 2


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """``price_e10``: what the slippage counts from, or the trigger. ``native``: the collateral is
    the message's value, in the chain's wrapped coin."""

    trader: str
    pair_index: int
    leverage_e3: int
    long: bool
    collateral_index: int
    trade_type: TradeType
    collateral: int
    price_e10: int
    max_slippage_e3: int
    tp_e10: int = 0
    sl_e10: int = 0
    is_counter: bool = False
    referrer: str = ZERO_ADDRESS
    native: bool = False


@dataclass(frozen=True, slots=True)
class CloseTrade:
    index: TradeIndex
    expected_price_e10: int


@dataclass(frozen=True, slots=True)
class UpdateClosingSlippage:
    index: TradeIndex
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class UpdateTakeProfit:
    index: TradeIndex
    tp_e10: int


@dataclass(frozen=True, slots=True)
class UpdateStopLoss:
    index: TradeIndex
    sl_e10: int


@dataclass(frozen=True, slots=True)
class UpdateOpenOrder:
    """Of a resting order: its trigger and what is to be attached to the trade."""

    index: TradeIndex
    trigger_e10: int
    tp_e10: int
    sl_e10: int
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class CancelOpenOrder:
    index: TradeIndex


@dataclass(frozen=True, slots=True)
class UpdateLeverage:
    index: TradeIndex
    leverage_e3: int


@dataclass(frozen=True, slots=True)
class IncreasePosition:
    """``collateral`` times ``leverage_e3`` is added; without collateral the leverage is raised."""

    index: TradeIndex
    collateral: int
    leverage_e3: int
    expected_price_e10: int
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class DecreasePosition:
    """Either collateral is taken off, or leverage."""

    index: TradeIndex
    collateral: int
    leverage_e3: int
    expected_price_e10: int


@dataclass(frozen=True, slots=True)
class WithdrawProfit:
    index: TradeIndex
    amount: int


@dataclass(frozen=True, slots=True)
class CancelAfterTimeout:
    pending: PendingIndex


@dataclass(frozen=True, slots=True)
class SetDelegate:
    delegate: str


@dataclass(frozen=True, slots=True)
class RemoveDelegate:
    pass


Single: TypeAlias = (
    OpenTrade
    | CloseTrade
    | UpdateClosingSlippage
    | UpdateTakeProfit
    | UpdateStopLoss
    | UpdateOpenOrder
    | CancelOpenOrder
    | UpdateLeverage
    | IncreasePosition
    | DecreasePosition
    | WithdrawProfit
    | CancelAfterTimeout
    | SetDelegate
    | RemoveDelegate
)


@dataclass(frozen=True, slots=True)
class Batch:
    """All or nothing, for one sender."""

    calls: tuple[Single, ...]


@dataclass(frozen=True, slots=True)
class Delegated:
    """Sent by the delegate of ``trader``, as if the trader had sent it."""

    trader: str
    call: Single | Batch


Call: TypeAlias = Single | Batch | Delegated

_PLAIN: Final[dict[str, Callable[..., Single]]] = {
    "closeTradeMarket": CloseTrade,
    "updateMaxClosingSlippageP": UpdateClosingSlippage,
    "updateTp": UpdateTakeProfit,
    "updateSl": UpdateStopLoss,
    "updateOpenOrder": UpdateOpenOrder,
    "cancelOpenOrder": CancelOpenOrder,
    "updateLeverage": UpdateLeverage,
    "increasePositionSize": IncreasePosition,
    "decreasePositionSize": DecreasePosition,
    "withdrawPositivePnl": WithdrawProfit,
    "cancelOrderAfterTimeout": CancelAfterTimeout,
    "setTradingDelegate": SetDelegate,
    "removeTradingDelegate": RemoveDelegate,
}
"""Calls whose fields are the arguments in their order."""

_NAMES: Final = {kind: name for name, kind in _PLAIN.items()}
_BY_SELECTOR: Final = {item.selector: name for name, item in FUNCTIONS.items()}
_OPENINGS: Final = {False: "openTrade", True: "openTradeNative"}
_NEW_TRADE: Final = (0, True, 0, 0)
"""Index, openness, tokens and padding of a trade that is asked for."""


def encode(call: Call) -> bytes:
    """Calldata.

    Raises InputError ``BAD_ARGUMENT``, of a batch ``BATCH_SIZE``, and ``NATIVE_INSIDE`` for what
    takes a value and so cannot stand inside another call.
    """
    match call:
        case OpenTrade():
            return FUNCTIONS[_OPENINGS[call.native]].encode(*_open_arguments(call))
        case Batch(calls):
            _check_inside(calls)
            return FUNCTIONS["multicall"].encode([encode(item) for item in calls])
        case Delegated(trader, inner):
            _check_inside(inner.calls if isinstance(inner, Batch) else (inner,))
            return FUNCTIONS["delegatedTradingAction"].encode(trader, encode(inner))
        case _:
            arguments = [getattr(call, field.name) for field in fields(call)]
            return FUNCTIONS[_NAMES[type(call)]].encode(*arguments)


def decode(data: bytes) -> Call:
    """What calldata without a tag asks for. The inverse of ``encode``.

    Raises InputError ``UNKNOWN_CALL`` for a function that orders do not use, else what ``encode``
    raises, or ``BAD_CALLDATA``, for what it would not have written.
    """
    name = _function(data)
    if name != "delegatedTradingAction":
        return _decode_inner(name, data)
    trader, inner = FUNCTIONS[name].decode(data)
    call = _decode_inner(_function(inner), inner)
    _check_inside(call.calls if isinstance(call, Batch) else (call,))
    return Delegated(trader, call)


def _decode_inner(name: str, data: bytes) -> Single | Batch:
    if name != "multicall":
        return _decode_single(name, data)
    (items,) = FUNCTIONS[name].decode(data)
    calls = tuple([_decode_single(_function(item), item) for item in items])
    _check_inside(calls)
    return Batch(calls)


def _function(data: bytes) -> str:
    name = _BY_SELECTOR.get(data[:SELECTOR_BYTES])
    if name is None:
        raise InputError("UNKNOWN_CALL", f"no function of orders: 0x{data[:4].hex()}")
    return name


def _decode_single(name: str, data: bytes) -> Single:
    kind = _PLAIN.get(name)
    if kind is None and name not in _OPENINGS.values():
        raise InputError("UNKNOWN_CALL", f"{name} is no call of an order by itself")
    values = FUNCTIONS[name].decode(data)
    if kind is not None:
        return kind(*values)
    return _opening(values, native=name == _OPENINGS[True])


def _check_inside(calls: Sequence[Single]) -> None:
    if not 0 < len(calls) <= MAX_CALLS:
        raise InputError("BATCH_SIZE", f"{len(calls)} calls in a batch")
    if any(isinstance(call, OpenTrade) and call.native for call in calls):
        raise InputError("NATIVE_INSIDE", "no value is passed on to a call within another")


def _open_arguments(call: OpenTrade) -> tuple[Any, ...]:
    index, is_open, token, padding = _NEW_TRADE
    trade = (
        call.trader,
        index,
        call.pair_index,
        call.leverage_e3,
        call.long,
        is_open,
        call.collateral_index,
        call.trade_type,
        call.collateral,
        call.price_e10,
        call.tp_e10,
        call.sl_e10,
        call.is_counter,
        token,
        padding,
    )
    return trade, call.max_slippage_e3, call.referrer


def _opening(values: Sequence[Any], *, native: bool) -> OpenTrade:
    trade, max_slippage_e3, referrer = values
    if (trade[1], trade[5], trade[13], trade[14]) != _NEW_TRADE:
        raise InputError("BAD_CALLDATA", "openTrade: what is no new trade")
    if trade[7] not in TradeType.__members__.values():
        raise InputError("BAD_CALLDATA", f"openTrade: no type of trade: {trade[7]}")
    return OpenTrade(
        trader=trade[0],
        pair_index=trade[2],
        leverage_e3=trade[3],
        long=trade[4],
        collateral_index=trade[6],
        trade_type=TradeType(trade[7]),
        collateral=trade[8],
        price_e10=trade[9],
        max_slippage_e3=max_slippage_e3,
        tp_e10=trade[10],
        sl_e10=trade[11],
        is_counter=trade[12],
        referrer=referrer,
        native=native,
    )
