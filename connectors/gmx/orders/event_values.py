"""Logs of the EventEmitter -> events of orders. Pure.

Source: GMX v2 contracts, order/OrderEventUtils.sol, position/PositionEventUtils.sol,
market/MarketEventUtils.sol, gas/GasUtils.sol, v2.2b and v2.2c. Values are found by key.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from eth_utils.crypto import keccak

from connectors.gmx import eventlog
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.orders.events import (
    Claimable,
    Claimed,
    FeesCollected,
    KeeperPaid,
    OrderCancelled,
    OrderCreated,
    OrderEvent,
    OrderExecuted,
    OrderFrozen,
    OrderResized,
    OrderUpdated,
    PositionChanged,
    Refunded,
)
from connectors.gmx.orders.reverts import Revert, reason
from domain.errors import InputError
from domain.outcomes import EventPlace


def read(log: Log, chain_id: int) -> OrderEvent | None:
    """What a log of the EventEmitter tells, None for an event that is of no order.

    Raises: InputError ``BAD_EVENT``.
    """
    name = _NAMES.get(log.topics[1]) if len(log.topics) > 1 else None
    if name is None:
        return None
    event = eventlog.decode(log)
    if event.name != name:
        raise InputError("BAD_EVENT", f"{event.name:.60} under another event's topic")
    place = EventPlace(chain_id, log.block, log.block_hash, log.transaction, log.index)
    return _READERS[name](place, _Values(event))


class _Values:
    """By key and type."""

    def __init__(self, event: GmxEvent) -> None:
        self.event = event

    def text(self, key: str) -> str:
        value: str = self._get(key, str)
        return value

    def flag(self, key: str) -> bool:
        value: bool = self._get(key, bool)
        return value

    def signed(self, key: str) -> int:
        value: int = self._get(key, int)
        return value

    def uint(self, key: str) -> int:
        value = self.signed(key)
        if value < 0:
            raise InputError("BAD_EVENT", f"{self.event.name} with a negative {key}")
        return value

    def optional(self, key: str) -> int:
        """0 where the contracts leave out what is nothing."""
        return self.uint(key) if key in self.event.values else 0

    def order_type(self) -> OrderType:
        try:
            return OrderType(self.uint("orderType"))
        except ValueError as error:
            raise InputError("BAD_EVENT", f"{self.event.name}: {error}") from None

    def _get(self, key: str, kind: type[Any]) -> Any:
        value = self.event.values.get(key)
        if type(value) is not kind:
            raise InputError("BAD_EVENT", f"{self.event.name} without {key}")
        return value


def _created(place: EventPlace, values: _Values) -> OrderCreated:
    return OrderCreated(
        place,
        order_key=values.text("key"),
        account=values.text("account"),
        receiver=values.text("receiver"),
        market=values.text("market"),
        collateral_token=values.text("initialCollateralToken"),
        order_type=values.order_type(),
        is_long=values.flag("isLong"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        collateral_units=values.uint("initialCollateralDeltaAmount"),
        trigger_usd_e30=values.uint("triggerPrice"),
        acceptable_usd_e30=values.uint("acceptablePrice"),
        execution_fee_wei=values.uint("executionFee"),
        min_output=values.uint("minOutputAmount"),
        valid_from_s=values.uint("validFromTime"),
        auto_cancel=values.flag("autoCancel"),
        updated_at_s=values.uint("updatedAtTime"),
    )


def _updated(place: EventPlace, values: _Values) -> OrderUpdated:
    return OrderUpdated(
        place,
        order_key=values.text("key"),
        account=values.text("account"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        trigger_usd_e30=values.uint("triggerPrice"),
        acceptable_usd_e30=values.uint("acceptablePrice"),
    )


def _resized(place: EventPlace, values: _Values) -> OrderResized:
    return OrderResized(
        place,
        order_key=values.text("key"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        next_size_usd_e30=values.uint("nextSizeDeltaUsd"),
    )


def _executed(place: EventPlace, values: _Values) -> OrderExecuted:
    adl = values.uint("secondaryOrderType") == 1
    return OrderExecuted(place, values.text("key"), values.text("account"), adl)


def _cancelled(place: EventPlace, values: _Values) -> OrderCancelled:
    return OrderCancelled(place, values.text("key"), values.text("account"), _why(values))


def _frozen(place: EventPlace, values: _Values) -> OrderFrozen:
    return OrderFrozen(place, values.text("key"), values.text("account"), _why(values))


def _why(values: _Values) -> Revert:
    return reason(values.text("reason"), values.text("reasonBytes"))


def _increased(place: EventPlace, values: _Values) -> PositionChanged:
    return _changed(
        place,
        values,
        is_increase=True,
        collateral_delta=values.signed("collateralDeltaAmount"),
        impact=values.signed("pendingPriceImpactUsd"),
        at_s=values.uint("increasedAtTime"),
    )


def _decreased(place: EventPlace, values: _Values) -> PositionChanged:
    return _changed(
        place,
        values,
        is_increase=False,
        collateral_delta=-values.uint("collateralDeltaAmount"),
        impact=values.signed("priceImpactUsd"),
        settled=values.signed("totalImpactUsd"),
        kept=values.uint("values.priceImpactDiffUsd"),
        pnl=values.signed("basePnlUsd"),
        at_s=values.uint("decreasedAtTime"),
    )


def _changed(
    place: EventPlace,
    values: _Values,
    *,
    is_increase: bool,
    collateral_delta: int,
    impact: int,
    at_s: int,
    settled: int = 0,
    kept: int = 0,
    pnl: int = 0,
) -> PositionChanged:
    return PositionChanged(
        place,
        order_key=values.text("orderKey"),
        position_key=values.text("positionKey"),
        account=values.text("account"),
        market=values.text("market"),
        collateral_token=values.text("collateralToken"),
        order_type=values.order_type(),
        is_increase=is_increase,
        is_long=values.flag("isLong"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        size_units=values.uint("sizeDeltaInTokens"),
        price_usd_e30=values.uint("executionPrice"),
        index_min_usd_e30=values.uint("indexTokenPrice.min"),
        index_max_usd_e30=values.uint("indexTokenPrice.max"),
        collateral_delta_units=collateral_delta,
        impact_usd_e30=impact,
        settled_impact_usd_e30=settled,
        kept_usd_e30=kept,
        pnl_usd_e30=pnl,
        left_size_usd_e30=values.uint("sizeInUsd"),
        left_size_units=values.uint("sizeInTokens"),
        left_collateral_units=values.uint("collateralAmount"),
        at_s=at_s,
    )


def _fees(place: EventPlace, values: _Values) -> FeesCollected:
    discount = max(
        values.optional("traderDiscountAmount"), values.optional("pro.traderDiscountAmount")
    )
    return FeesCollected(
        place,
        order_key=values.text("orderKey"),
        position_key=values.text("positionKey"),
        market=values.text("market"),
        collateral_token=values.text("collateralToken"),
        trader=values.text("trader"),
        position_units=values.uint("positionFeeAmount") - discount,
        discount_units=discount,
        borrowing_units=values.uint("borrowingFeeAmount"),
        funding_units=values.uint("fundingFeeAmount"),
        ui_units=values.uint("uiFeeAmount"),
        liquidation_units=values.optional("liquidationFeeAmount"),
        total_units=values.uint("totalCostAmount"),
        price_min_usd_e30=values.uint("collateralTokenPrice.min"),
        price_max_usd_e30=values.uint("collateralTokenPrice.max"),
    )


def _keeper_paid(place: EventPlace, values: _Values) -> KeeperPaid:
    return KeeperPaid(place, values.text("keeper"), values.uint("executionFeeAmount"))


def _refunded(place: EventPlace, values: _Values) -> Refunded:
    return Refunded(place, values.text("receiver"), values.uint("refundFeeAmount"))


def _claimable_funding(place: EventPlace, values: _Values) -> Claimable:
    return _claimable(place, values, None)


def _claimable_collateral(place: EventPlace, values: _Values) -> Claimable:
    return _claimable(place, values, values.uint("timeKey"))


def _claimable(place: EventPlace, values: _Values, time_key: int | None) -> Claimable:
    return Claimable(
        place,
        account=values.text("account"),
        market=values.text("market"),
        token=values.text("token"),
        time_key=time_key,
        units=values.uint("delta"),
        next_units=values.uint("nextValue"),
    )


def _funding_claimed(place: EventPlace, values: _Values) -> Claimed:
    return _claimed(place, values, None)


def _collateral_claimed(place: EventPlace, values: _Values) -> Claimed:
    return _claimed(place, values, values.uint("timeKey"))


def _claimed(place: EventPlace, values: _Values, time_key: int | None) -> Claimed:
    return Claimed(
        place,
        account=values.text("account"),
        market=values.text("market"),
        token=values.text("token"),
        receiver=values.text("receiver"),
        time_key=time_key,
        units=values.uint("amount"),
    )


_READERS: Final[Mapping[str, Callable[[EventPlace, _Values], OrderEvent]]] = {
    "OrderCreated": _created,
    "OrderUpdated": _updated,
    "OrderSizeDeltaAutoUpdated": _resized,
    "OrderExecuted": _executed,
    "OrderCancelled": _cancelled,
    "OrderFrozen": _frozen,
    "PositionIncrease": _increased,
    "PositionDecrease": _decreased,
    "PositionFeesCollected": _fees,
    "KeeperExecutionFee": _keeper_paid,
    "ExecutionFeeRefund": _refunded,
    "ClaimableFundingUpdated": _claimable_funding,
    "ClaimableCollateralUpdated": _claimable_collateral,
    "FundingFeesClaimed": _funding_claimed,
    "CollateralClaimed": _collateral_claimed,
}
_NAMES: Final = {f"0x{keccak(text=name).hex()}": name for name in _READERS}
"""By the second topic."""

TOPICS: Final = tuple(_NAMES)
"""What to ask a node's logs for."""
