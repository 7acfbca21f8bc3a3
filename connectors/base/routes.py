"""What a venue's pools are as places to send orders to, for whoever ranks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from connectors.base.positions import Holding, OpenPosition
from domain.costs import OrderSide
from domain.orders import ChainId, OrderIntent, OrderLeg, OrderType, PriceGuard, TimeInForce
from domain.outcomes import ClaimKind
from domain.routing import RoutePlace


@dataclass(frozen=True, slots=True)
class Offered:
    """What orders a venue takes. ``margin``: whether collateral is put to a position, and taken
    from it, without a trade. ``claims``: what it owes that its owner can take out."""

    order_types: frozenset[OrderType]
    time_in_force: frozenset[TimeInForce]
    post_only: bool
    brackets: bool
    margin: bool
    claims: frozenset[ClaimKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a collateral. ``usd``: what it is worth, at the least."""

    usd: Fraction
    decimals: int


@dataclass(frozen=True, slots=True)
class Paid:
    """What an order takes of its owner's wallet. ``token``: address, None where nothing but the
    chain's own coin is paid; ``units``: smallest ones of it, or of the coin. ``fee_wei``: sent
    along for whoever executes it, None where unknown. ``gas``: of the transaction, at most."""

    token: str | None
    symbol: str
    decimals: int
    units: int
    fee_wei: int | None
    gas: int


class RouteRules(Protocol):
    """Pure. ``inputs``: of the pool's ``PoolDepth``.

    ``headroom``: how much more of the execution fee is sent than is asked for, 0.3 = 30 %.
    ``place``: with ``collateral`` posted, None: what is usual there; raises InputError
    ``UNKNOWN_POOL`` for a name that is none of the venue's, ``COLLATERAL`` for what the pool does
    not take. ``unit``: of the collateral of that place.
    ``holding``: a position of that pool in the terms of an order; raises InputError ``COLLATERAL``
    where what is posted there is not known.
    ``guard``: the bound as the venue is told it, never worse than ``bound`` (None: any price);
    raises InputError ``BAD_GUARD`` where the venue cannot be told so.
    ``check_size``: raises InputError ``PRECISION`` for a size that the venue cannot hold.
    ``paid``: None where orders are no transactions.
    ``merges``: whether what is opened where a position is already becomes part of it.
    ``liquidation_price``: of the position that ``leg`` leaves at its expected price, the first
    price of the venue's that liquidates it; ``held``: what there is of it already. None where no
    price does or it is not known. Raises InputError where the venue would not have it for want of
    collateral.
    """

    offered: Offered
    headroom: Decimal
    merges: bool

    def place(
        self, pool: str | None, chain_ids: Sequence[ChainId], inputs: Any, collateral: str | None
    ) -> RoutePlace: ...
    def unit(self, inputs: Any, place: RoutePlace) -> Unit: ...
    def holding(self, inputs: Any, position: OpenPosition) -> Holding: ...
    def guard(
        self, inputs: Any, side: OrderSide, expected: Decimal, bound: Decimal | None
    ) -> PriceGuard: ...
    def paid(self, inputs: Any, intent: OrderIntent, leg: OrderLeg) -> Paid | None: ...
    def check_size(self, inputs: Any, size_base: Decimal) -> None: ...
    def liquidation_price(
        self,
        inputs: Any,
        intent: OrderIntent,
        leg: OrderLeg,
        held: OpenPosition | None = None,
    ) -> Decimal | None: ...
