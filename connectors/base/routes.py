"""What a venue's pools are as places to send orders to, for whoever ranks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from domain.costs import OrderSide
from domain.orders import ChainId, OrderType, PriceGuard, TimeInForce
from domain.routing import RoutePlace


@dataclass(frozen=True, slots=True)
class Offered:
    """What orders a venue takes."""

    order_types: frozenset[OrderType]
    time_in_force: frozenset[TimeInForce]
    post_only: bool
    brackets: bool


class RouteRules(Protocol):
    """Pure. ``inputs``: of the pool's ``PoolDepth``.

    ``headroom``: how much more of the execution fee is sent than is asked for, 0.3 = 30 %.
    ``place``: raises InputError ``UNKNOWN_POOL`` for a name that is none of the venue's.
    ``collateral_usd``: what a unit of the collateral is worth, at the least.
    ``guard``: the bound as the venue is told it, never worse than ``bound`` (None: any price);
    raises InputError ``BAD_GUARD`` where the venue cannot be told so.
    """

    offered: Offered
    headroom: Decimal

    def place(self, pool: str | None, chain_ids: Sequence[ChainId]) -> RoutePlace: ...
    def collateral_usd(self, inputs: Any) -> Fraction: ...
    def guard(
        self, inputs: Any, side: OrderSide, expected: Decimal, bound: Decimal | None
    ) -> PriceGuard: ...
