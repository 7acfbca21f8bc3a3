"""Events of gTrade's diamond that answer requests: topics and data as the real one logs them. Pure.

Source: the diamond's ABI, v10.
"""

from dataclasses import astuple
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.gains.pricing import Impact
from sandbox.gains.requests import ID, INFO, TRADE, Info, Log, Trade

_IMPACT: Final = "(uint256,int256,int256,int256,int256,uint64)"
_LIQUIDATION: Final = "(uint40,uint40,uint40,uint24,uint24)"
_LEVERAGE_VALUES: Final = "(" + ",".join(["uint256"] * 8) + ")"
_INCREASE_VALUES: Final = (
    f"(uint256,uint256,uint256,uint256,uint256,{_IMPACT},int256,uint256,uint256,uint256,uint256,"
    "uint256,bool,uint256,uint256,uint256)"
)
_DECREASE_VALUES: Final = (
    f"(bool,uint256,uint256,uint256,uint256,{_IMPACT},int256,int256,int256,int256,uint256,uint256,"
    "int256,int256,uint120,uint24)"
)
# As the contract stores them with every trade of a crypto pair.
_LIQUIDATION_PARAMS: Final = (5 * 10**8, 90 * 10**10, 75 * 10**10, 25_000, 60_000)

Id = tuple[str, int]
"""Whose order, and which."""


def order_closed(order: Id) -> Log:
    return _log("PendingOrderClosed", (ID, order, False))


def trade_stored(trade: Trade, info: Info) -> Log:
    return _log(
        "TradeStored",
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        (TRADE, astuple(trade), False),
        (INFO, astuple(info), False),
        (_LIQUIDATION, _LIQUIDATION_PARAMS, False),
    )


def trade_closed(trade: Trade, *, wins: bool) -> Log:
    return _log(
        "TradeClosed",
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        ("bool", wins, False),
    )


def position_updated(trade: Trade, order_type: int, *, wins: bool) -> Log:
    return _log(
        "TradePositionUpdated",
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        ("uint120", trade.collateral, False),
        ("uint24", trade.leverage, False),
        ("uint64", trade.open_price, False),
        ("uint64", trade.sl, False),
        ("uint160", trade.tokens, False),
        ("uint8", order_type, False),
        ("bool", wins, False),
    )


def market_executed(
    order: Id,
    trade: Trade,
    impact: Impact,
    *,
    opens: bool,
    oracle: int,
    liquidation: int,
    percent: int,
    sent: int,
    collateral_price: int,
) -> Log:
    return _log(
        "MarketExecuted",
        (ID, order, False),
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        (TRADE, astuple(trade), False),
        ("bool", opens, False),
        ("uint256", oracle, False),
        ("uint256", impact.price, False),
        ("uint256", liquidation, False),
        (_IMPACT, astuple(impact), False),
        ("int256", percent, False),
        ("uint256", sent, False),
        ("uint256", collateral_price, False),
    )


def limit_executed(
    order: Id,
    trade: Trade,
    impact: Impact,
    *,
    limit_index: int,
    caller: str,
    order_type: int,
    oracle: int,
    liquidation: int,
    percent: int,
    sent: int,
    collateral_price: int,
) -> Log:
    return _log(
        "LimitExecuted",
        (ID, order, False),
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        ("uint32", limit_index, True),
        (TRADE, astuple(trade), False),
        ("address", caller, False),
        ("uint8", order_type, False),
        ("uint256", oracle, False),
        ("uint256", impact.price, False),
        ("uint256", liquidation, False),
        (_IMPACT, astuple(impact), False),
        ("int256", percent, False),
        ("uint256", sent, False),
        ("uint256", collateral_price, False),
        ("bool", False, False),
    )


def fees_processed(trade: Trade, order_type: int, fee: int) -> Log:
    """Stands before the event of the fill that it is of."""
    return _log(
        "FeesProcessed",
        ("uint8", trade.collateral_index, True),
        ("address", trade.user, True),
        ("uint256", trade.size, False),
        ("uint8", order_type, False),
        ("uint256", fee, False),
    )


def open_cancelled(order: Id, trade: Trade, reason: int, returned: int) -> Log:
    return _log(
        "MarketOpenCanceled",
        (ID, order, False),
        ("address", trade.user, True),
        ("uint256", trade.pair_index, True),
        ("uint8", reason, False),
        ("uint256", returned, False),
    )


def close_cancelled(order: Id, trade: Trade, reason: int) -> Log:
    return _log(
        "MarketCloseCanceled",
        (ID, order, False),
        ("address", trade.user, True),
        ("uint256", trade.pair_index, True),
        ("uint256", trade.index, True),
        ("uint8", reason, False),
    )


def trigger_initiated(order: Id, trade: Trade) -> Log:
    return _log(
        "TriggerOrderInitiated",
        (ID, order, False),
        ("address", trade.user, True),
        ("uint16", trade.pair_index, True),
        ("bool", False, False),
    )


def trigger_cancelled(order: Id, caller: str, order_type: int, reason: int) -> Log:
    return _log(
        "TriggerOrderCanceled",
        (ID, order, False),
        ("address", caller, True),
        ("uint8", order_type, False),
        ("uint8", reason, False),
    )


def leverage_updated(
    order: Id, trade: Trade, reason: int, oracle: int, delta: int, values: tuple[int, ...]
) -> Log:
    """``trade`` as it was; ``values``: new leverage and collateral first."""
    return _log(
        "LeverageUpdateExecuted",
        (ID, order, False),
        ("bool", values[0] > trade.leverage, False),
        ("uint8", reason, False),
        ("uint8", trade.collateral_index, True),
        ("address", trade.user, True),
        ("uint256", trade.pair_index, False),
        ("uint256", trade.index, True),
        ("uint256", oracle, False),
        ("uint256", delta, False),
        (_LEVERAGE_VALUES, values, False),
    )


def size_updated(
    order: Id,
    trade: Trade,
    asked: Trade,
    reason: int,
    oracle: int,
    collateral_price: int,
    values: tuple[Any, ...],
    *,
    grows: bool,
) -> Log:
    """``trade`` as it was; ``asked``: what was to be added or taken."""
    return _log(
        "PositionSizeIncreaseExecuted" if grows else "PositionSizeDecreaseExecuted",
        (ID, order, False),
        ("uint8", reason, False),
        ("uint8", trade.collateral_index, True),
        ("address", trade.user, True),
        ("uint256", trade.pair_index, False),
        ("uint256", trade.index, True),
        ("bool", trade.long, False),
        ("uint256", oracle, False),
        ("uint256", collateral_price, False),
        ("uint256", asked.collateral, False),
        ("uint256", asked.leverage, False),
        (_INCREASE_VALUES if grows else _DECREASE_VALUES, values, False),
    )


def pnl_withdrawn(
    order: Id, trade: Trade, impact: Impact, percent: int, available: int, asked: int, paid: int
) -> Log:
    return _log(
        "TradePositivePnlWithdrawn",
        (ID, order, False),
        ("uint8", trade.collateral_index, True),
        ("address", trade.user, True),
        ("uint32", trade.index, True),
        (_IMPACT, astuple(impact), False),
        ("int256", percent, False),
        ("int256", available, False),
        ("uint256", impact.price, False),
        ("uint256", asked, False),
        ("uint256", paid, False),
    )


def _log(name: str, *values: tuple[str, Any, bool]) -> Log:
    """``values``: type, value, whether it is indexed."""
    signature = f"{name}({','.join(kind for kind, _, _ in values)})"
    topics = [encode([kind], [value]) for kind, value, indexed in values if indexed]
    kinds = [kind for kind, _, indexed in values if not indexed]
    data = encode(kinds, [value for _, value, indexed in values if not indexed])
    return Log((keccak(text=signature), *topics), data)
