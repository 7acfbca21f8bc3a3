"""What the contracts' events say of orders, in the contracts' own units. Values only.

Source: GMX v2 contracts, order/OrderEventUtils.sol, position/PositionEventUtils.sol,
market/MarketEventUtils.sol, gas/GasUtils.sol, v2.2b and v2.2c. Addresses are in lower case, prices
USD x 1e30 per smallest unit, ``units`` a token's smallest units.
"""

from dataclasses import dataclass
from typing import TypeAlias

from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders.reverts import Revert
from domain.outcomes import EventPlace


@dataclass(frozen=True, slots=True)
class OrderCreated:
    """The request rests at the venue; nothing is filled."""

    place: EventPlace
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
class OrderUpdated:
    place: EventPlace
    order_key: str
    account: str
    size_usd_e30: int
    trigger_usd_e30: int
    acceptable_usd_e30: int


@dataclass(frozen=True, slots=True)
class OrderResized:
    """The contracts changed the size of a decrease themselves: they close what would be left with
    too little collateral."""

    place: EventPlace
    order_key: str
    size_usd_e30: int
    next_size_usd_e30: int


@dataclass(frozen=True, slots=True)
class OrderExecuted:
    """``by_adl``: the contracts reduced the position of a trader who gained too much."""

    place: EventPlace
    order_key: str
    account: str
    by_adl: bool


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The collateral is back with its owner."""

    place: EventPlace
    order_key: str
    account: str
    reason: Revert


@dataclass(frozen=True, slots=True)
class OrderFrozen:
    """Triggered, and could not be filled. Its fee is spent: it needs an update that brings a new
    one, or a cancel."""

    place: EventPlace
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

    place: EventPlace
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

    place: EventPlace
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

    place: EventPlace
    keeper: str
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """What the keeper did not use of the execution fee, paid out as ether."""

    place: EventPlace
    receiver: str
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Claimable:
    """Something became claimable. ``time_key``: None for funding, else of the collateral that a cap
    on impact kept back. ``next_units``: all that now is."""

    place: EventPlace
    account: str
    market: str
    token: str
    time_key: int | None
    units: int
    next_units: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """``time_key``: as of Claimable."""

    place: EventPlace
    account: str
    market: str
    token: str
    receiver: str
    time_key: int | None
    units: int


OrderEvent: TypeAlias = (
    OrderCreated | OrderUpdated | OrderResized | OrderExecuted | OrderCancelled | OrderFrozen
    | PositionChanged | FeesCollected | KeeperPaid | Refunded | Claimable | Claimed
)  # fmt: skip
