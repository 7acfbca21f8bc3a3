"""Logs of the diamond -> events. Pure."""

from collections.abc import Callable
from typing import Any, Final

from eth_utils.address import to_checksum_address

from connectors.base.orders import ChainLog
from connectors.gains.economics.position import CancelReason
from connectors.gains.orders.abi import EVENTS
from connectors.gains.orders.calls import PendingIndex, TradeIndex, TradeType
from connectors.gains.orders.events import (
    ClosingSlippageSet,
    CollateralReturned,
    ExitSet,
    FeeCharged,
    Filled,
    GainsEvent,
    HoldingCharged,
    MarketRefused,
    OrderType,
    PendingStored,
    Releveraged,
    Requested,
    RequestId,
    Resized,
    RestingCancelled,
    RestingPlaced,
    RestingUpdated,
    TimedOut,
    Traded,
    TradeStored,
    TriggerRefused,
    Withdrawn,
)
from domain.errors import VenueProtocolError

Values = dict[str, Any]


def read(log: ChainLog) -> GainsEvent | None:
    """None for an event that orders have no use for.

    The caller knows that the log is the diamond's. Raises VenueProtocolError ``BAD_EVENT``.
    """
    event = EVENTS.get(log.topics[0]) if log.topics else None
    if event is None:
        return None
    values = event.decode(log.topics, log.data)
    try:
        return _READERS[event.name](values)
    except ValueError as error:
        # A number that none of the enumerations has.
        raise VenueProtocolError("BAD_EVENT", f"{event.name}: {error}") from None


def _request(values: Values) -> RequestId:
    raw = values["orderId"] if "orderId" in values else values["pendingOrderId"]
    return RequestId(to_checksum_address(raw["user"]), PendingIndex(raw["index"]))


def _address(values: Values, name: str) -> str:
    return str(to_checksum_address(values[name]))


def _trade(raw: Values) -> Traded:
    return Traded(
        raw["pairIndex"],
        raw["long"],
        raw["collateralIndex"],
        TradeType(raw["tradeType"]),
        raw["collateralAmount"],
        raw["leverage"],
        raw["openPrice"],
        raw["tp"],
        raw["sl"],
    )


def _market_requested(values: Values) -> Requested:
    kind = OrderType.MARKET_OPEN if values["open"] else OrderType.MARKET_CLOSE
    return Requested(_request(values), _address(values, "trader"), kind, None)


def _requested(kind: OrderType) -> Callable[[Values], Requested]:
    def reader(values: Values) -> Requested:
        return Requested(
            _request(values), _address(values, "trader"), kind, TradeIndex(values["index"])
        )

    return reader


def _resize_requested(values: Values) -> Requested:
    increase = values["isIncrease"]
    kind = OrderType.MARKET_PARTIAL_OPEN if increase else OrderType.MARKET_PARTIAL_CLOSE
    return _requested(kind)(values)


def _pending(values: Values) -> PendingStored:
    raw = values["pendingOrder"]
    return PendingStored(
        RequestId(to_checksum_address(raw["user"]), PendingIndex(raw["index"])),
        OrderType(raw["orderType"]),
        _address(raw["trade"], "user"),
        TradeIndex(raw["trade"]["index"]),
        raw["createdBlock"],
    )


def _trade_stored(values: Values) -> TradeStored:
    return TradeStored(
        _address(values, "user"), TradeIndex(values["index"]), _trade(values["trade"])
    )


def _filled(values: Values, kind: OrderType, old_index: TradeIndex | None = None) -> Filled:
    return Filled(
        request=_request(values),
        trader=_address(values, "user"),
        index=TradeIndex(values["index"]),
        type=kind,
        trade=_trade(values["t"]),
        oracle_e10=values["oraclePrice"],
        price_e10=values["marketPrice"],
        liquidation_e10=values["liqPrice"],
        profit_p=values["percentProfit"],
        paid=values["amountSentToTrader"],
        collateral_price_e8=values["collateralPriceUsd"],
        old_index=old_index,
    )


def _market_filled(values: Values) -> Filled:
    return _filled(values, OrderType.MARKET_OPEN if values["open"] else OrderType.MARKET_CLOSE)


def _triggered(values: Values) -> Filled:
    return _filled(values, OrderType(values["orderType"]), TradeIndex(values["limitIndex"]))


def _resized(increase: bool, values: Values, fee: str, raw_pnl: int) -> Resized:
    inner = values["values"]
    return Resized(
        request=_request(values),
        trader=_address(values, "trader"),
        index=TradeIndex(values["index"]),
        increase=increase,
        reason=CancelReason(values["cancelReason"]),
        long=values["long"],
        collateral_index=values["collateralIndex"],
        oracle_e10=values["oraclePrice"],
        price_e10=inner["priceImpact"]["priceAfterImpact"],
        size=inner["positionSizeCollateralDelta"],
        raw_pnl=raw_pnl,
        fee=inner[fee],
        collateral_price_e8=values["collateralPriceUsd"],
    )


def _increased(values: Values) -> Resized:
    return _resized(True, values, "openingFeesCollateral", 0)


def _decreased(values: Values) -> Resized:
    pnl = values["values"]["partialRawPnlCollateral"]
    return _resized(False, values, "closingFeeCollateral", pnl)


def _releveraged(values: Values) -> Releveraged:
    inner = values["values"]
    return Releveraged(
        request=_request(values),
        trader=_address(values, "trader"),
        index=TradeIndex(values["index"]),
        reason=CancelReason(values["cancelReason"]),
        collateral_index=values["collateralIndex"],
        leverage_e3=inner["newLeverage"],
        collateral=inner["newCollateralAmount"],
        fee=inner["govFeeCollateral"],
    )


def _withdrawn(values: Values) -> Withdrawn:
    return Withdrawn(
        _request(values),
        _address(values, "trader"),
        TradeIndex(values["index"]),
        values["collateralIndex"],
        values["pnlWithdrawnCollateral"],
    )


def _market_refused(values: Values) -> MarketRefused:
    index = values.get("index")
    return MarketRefused(
        _request(values),
        _address(values, "trader"),
        None if index is None else TradeIndex(index),
        CancelReason(values["cancelReason"]),
        values.get("collateralReturned"),
    )


def _trigger_refused(values: Values) -> TriggerRefused:
    return TriggerRefused(
        _request(values), OrderType(values["orderType"]), CancelReason(values["cancelReason"])
    )


def _resting_updated(values: Values) -> RestingUpdated:
    return RestingUpdated(
        _address(values, "trader"),
        TradeIndex(values["index"]),
        values["newPrice"],
        values["newTp"],
        values["newSl"],
        values["maxSlippageP"],
    )


def _exit_set(name: str) -> Callable[[Values], ExitSet]:
    def reader(values: Values) -> ExitSet:
        trader, index = _address(values, "user"), TradeIndex(values["index"])
        return ExitSet(trader, index, name == "newSl", values[name])

    return reader


def _fee(name: str) -> Callable[[Values], FeeCharged]:
    def reader(values: Values) -> FeeCharged:
        return FeeCharged(
            _address(values, "trader"),
            values["collateralIndex"],
            values[name],
            governance=name == "amountCollateral",
        )

    return reader


def _holding(values: Values) -> HoldingCharged:
    fees = values["tradeHoldingFees"]
    return HoldingCharged(
        _address(values, "trader"),
        TradeIndex(values["index"]),
        fees["fundingFeeCollateral"],
        fees["borrowingFeeCollateral"] + fees["borrowingFeeCollateral_old"],
    )


_READERS: Final[dict[str, Callable[[Any], GainsEvent]]] = {
    "MarketOrderInitiated": _market_requested,
    "LeverageUpdateInitiated": _requested(OrderType.UPDATE_LEVERAGE),
    "PositionSizeUpdateInitiated": _resize_requested,
    "PositivePnlWithdrawalInitiated": _requested(OrderType.PNL_WITHDRAWAL),
    "PendingOrderStored": _pending,
    "TradeStored": _trade_stored,
    "MarketExecuted": _market_filled,
    "LimitExecuted": _triggered,
    "PositionSizeIncreaseExecuted": _increased,
    "PositionSizeDecreaseExecuted": _decreased,
    "LeverageUpdateExecuted": _releveraged,
    "TradePositivePnlWithdrawn": _withdrawn,
    "MarketOpenCanceled": _market_refused,
    "MarketCloseCanceled": _market_refused,
    "TriggerOrderCanceled": _trigger_refused,
    "OpenOrderPlaced": lambda values: RestingPlaced(
        _address(values, "trader"), TradeIndex(values["index"])
    ),
    "OpenLimitUpdated": _resting_updated,
    "OpenLimitCanceled": lambda values: RestingCancelled(
        _address(values, "trader"), TradeIndex(values["index"])
    ),
    "TradeTpUpdated": _exit_set("newTp"),
    "TradeSlUpdated": _exit_set("newSl"),
    "TradeMaxClosingSlippagePUpdated": lambda values: ClosingSlippageSet(
        _address(values, "user"), TradeIndex(values["index"]), values["maxClosingSlippageP"]
    ),
    "ChainlinkCallbackTimeout": lambda values: TimedOut(_request(values)),
    "CollateralReturnedAfterTimeout": lambda values: CollateralReturned(
        _request(values),
        _address(values, "trader"),
        values["collateralIndex"],
        values["collateralAmount"],
    ),
    "FeesProcessed": _fee("totalFeesCollateral"),
    "GovFeeCharged": _fee("amountCollateral"),
    "HoldingFeesChargedOnTrade": _holding,
    "HoldingFeesRealizedOnTrade": _holding,
}
