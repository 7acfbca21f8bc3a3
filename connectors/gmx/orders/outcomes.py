"""Events of the EventEmitter -> what became of an order. Pure.

Each says where it stands in the chain: state is derived from what is there by (block hash, log
index), so that a reorganisation takes back what it removed.
Source: GMX v2 contracts, order/OrderEventUtils.sol, position/PositionEventUtils.sol,
market/MarketEventUtils.sol, gas/GasUtils.sol, v2.2b and v2.2c. Addresses are in lower case, prices
USD x 1e30 per smallest unit, ``units`` a token's smallest units.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from eth_utils.crypto import keccak

from connectors.gmx import eventlog
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.orders.reverts import Revert, reason
from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """``removed``: the chain took the event back."""

    block_hash: str
    log_index: int
    block: int
    transaction: str
    removed: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.block_hash, self.log_index


@dataclass(frozen=True, slots=True)
class Created:
    """The request rests at the venue; nothing is filled."""

    place: Place
    order_key: str
    account: str
    receiver: str
    market: str
    collateral_token: str
    order_type: OrderType
    is_long: bool
    size_usd_e30: int
    collateral_units: int
    trigger_usd_e30: int
    acceptable_usd_e30: int
    execution_fee_wei: int
    min_output: int
    valid_from_s: int
    auto_cancel: bool
    updated_at_s: int


@dataclass(frozen=True, slots=True)
class Updated:
    place: Place
    order_key: str
    account: str
    size_usd_e30: int
    trigger_usd_e30: int
    acceptable_usd_e30: int


@dataclass(frozen=True, slots=True)
class Resized:
    """The contracts changed the size of a decrease themselves: they close what would be left with
    too little collateral."""

    place: Place
    order_key: str
    size_usd_e30: int
    next_size_usd_e30: int


@dataclass(frozen=True, slots=True)
class Executed:
    """``by_adl``: the contracts reduced the position of a trader who gained too much."""

    place: Place
    order_key: str
    account: str
    by_adl: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The collateral is back with its owner."""

    place: Place
    order_key: str
    account: str
    reason: Revert


@dataclass(frozen=True, slots=True)
class Frozen:
    """Triggered, and could not be filled. Its fee is spent: it needs an update that brings a new
    one, or a cancel."""

    place: Place
    order_key: str
    account: str
    reason: Revert


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """``impact_usd_e30``: of this change alone, positive for the trader; opening leaves it with the
    position (``is_increase``), closing settles ``settled_impact_usd_e30``, which has the share of
    what opening left. ``pnl_usd_e30``: before fees, 0 of an increase. ``collateral_delta_units``:
    what was added (after fees), or taken out if negative. ``kept_usd_e30``: loss by impact beyond
    the cap, claimable later. ``left_*``: the position afterwards. A change of 0 USD is one of the
    collateral alone."""

    place: Place
    order_key: str
    position_key: str
    account: str
    market: str
    collateral_token: str
    order_type: OrderType
    is_increase: bool
    is_long: bool
    size_usd_e30: int
    size_units: int
    price_usd_e30: int
    index_min_usd_e30: int
    index_max_usd_e30: int
    collateral_delta_units: int
    impact_usd_e30: int
    settled_impact_usd_e30: int
    kept_usd_e30: int
    pnl_usd_e30: int
    left_size_usd_e30: int
    left_size_units: int
    left_collateral_units: int
    at_s: int

    @property
    def liquidated(self) -> bool:
        return self.order_type is OrderType.LIQUIDATION


@dataclass(frozen=True, slots=True)
class FeesCollected:
    """Of one change of a position, in units of the collateral token. ``position_units`` is after
    the discount and has no UI fee; ``total_units`` is all together, funding included.
    ``price_min_usd_e30``: what the contracts count them at."""

    place: Place
    order_key: str
    position_key: str
    market: str
    collateral_token: str
    trader: str
    position_units: int
    discount_units: int
    borrowing_units: int
    funding_units: int
    ui_units: int
    liquidation_units: int
    total_units: int
    price_min_usd_e30: int
    price_max_usd_e30: int

    def usd_e30(self, units: int) -> int:
        """Of an amount of the collateral token."""
        return units * self.price_min_usd_e30


@dataclass(frozen=True, slots=True)
class KeeperPaid:
    """Follows the order's other events in the same transaction."""

    place: Place
    keeper: str
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """What the keeper did not use of the execution fee, paid out as ether."""

    place: Place
    receiver: str
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Claimable:
    """Something became claimable. ``time_key``: None for funding, else of the collateral that a cap
    on impact kept back. ``next_units``: all that now is."""

    place: Place
    account: str
    market: str
    token: str
    time_key: int | None
    units: int
    next_units: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """``time_key``: as of Claimable."""

    place: Place
    account: str
    market: str
    token: str
    receiver: str
    time_key: int | None
    units: int


Outcome: TypeAlias = (
    Created | Updated | Resized | Executed | Cancelled | Frozen | PositionChanged | FeesCollected
    | KeeperPaid | Refunded | Claimable | Claimed
)  # fmt: skip


def outcome(log: Log) -> Outcome | None:
    """What a log of the EventEmitter tells, None for an event that is of no order's account.

    Raises: InputError ``BAD_EVENT``.
    """
    name = _NAMES.get(log.topics[1]) if len(log.topics) > 1 else None
    if name is None:
        return None
    event = eventlog.decode(log)
    if event.name != name:
        raise InputError("BAD_EVENT", f"{event.name:.60} under another event's topic")
    place = Place(log.block_hash, log.index, log.block, log.transaction, log.removed)
    return _READERS[name](place, _Values(event))


class _Values:
    """By key and type."""

    def __init__(self, event: GmxEvent) -> None:
        self.event = event

    def text(self, key: str) -> str:
        return self._get(key, str)

    def flag(self, key: str) -> bool:
        return self._get(key, bool)

    def signed(self, key: str) -> int:
        return self._get(key, int)

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


def _created(place: Place, values: _Values) -> Created:
    return Created(
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


def _updated(place: Place, values: _Values) -> Updated:
    return Updated(
        place,
        order_key=values.text("key"),
        account=values.text("account"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        trigger_usd_e30=values.uint("triggerPrice"),
        acceptable_usd_e30=values.uint("acceptablePrice"),
    )


def _resized(place: Place, values: _Values) -> Resized:
    return Resized(
        place,
        order_key=values.text("key"),
        size_usd_e30=values.uint("sizeDeltaUsd"),
        next_size_usd_e30=values.uint("nextSizeDeltaUsd"),
    )


def _executed(place: Place, values: _Values) -> Executed:
    adl = values.uint("secondaryOrderType") == 1
    return Executed(place, values.text("key"), values.text("account"), adl)


def _cancelled(place: Place, values: _Values) -> Cancelled:
    return Cancelled(place, values.text("key"), values.text("account"), _why(values))


def _frozen(place: Place, values: _Values) -> Frozen:
    return Frozen(place, values.text("key"), values.text("account"), _why(values))


def _why(values: _Values) -> Revert:
    return reason(values.text("reason"), values.text("reasonBytes"))


def _increased(place: Place, values: _Values) -> PositionChanged:
    return _changed(
        place,
        values,
        is_increase=True,
        collateral_delta=values.signed("collateralDeltaAmount"),
        impact=values.signed("pendingPriceImpactUsd"),
        at_s=values.uint("increasedAtTime"),
    )


def _decreased(place: Place, values: _Values) -> PositionChanged:
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
    place: Place,
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


def _fees(place: Place, values: _Values) -> FeesCollected:
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


def _keeper_paid(place: Place, values: _Values) -> KeeperPaid:
    return KeeperPaid(place, values.text("keeper"), values.uint("executionFeeAmount"))


def _refunded(place: Place, values: _Values) -> Refunded:
    return Refunded(place, values.text("receiver"), values.uint("refundFeeAmount"))


def _claimable_funding(place: Place, values: _Values) -> Claimable:
    return _claimable(place, values, None)


def _claimable_collateral(place: Place, values: _Values) -> Claimable:
    return _claimable(place, values, values.uint("timeKey"))


def _claimable(place: Place, values: _Values, time_key: int | None) -> Claimable:
    return Claimable(
        place,
        account=values.text("account"),
        market=values.text("market"),
        token=values.text("token"),
        time_key=time_key,
        units=values.uint("delta"),
        next_units=values.uint("nextValue"),
    )


def _funding_claimed(place: Place, values: _Values) -> Claimed:
    return _claimed(place, values, None)


def _collateral_claimed(place: Place, values: _Values) -> Claimed:
    return _claimed(place, values, values.uint("timeKey"))


def _claimed(place: Place, values: _Values, time_key: int | None) -> Claimed:
    return Claimed(
        place,
        account=values.text("account"),
        market=values.text("market"),
        token=values.text("token"),
        receiver=values.text("receiver"),
        time_key=time_key,
        units=values.uint("amount"),
    )


_READERS: Final[Mapping[str, Callable[[Place, _Values], Outcome]]] = {
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
