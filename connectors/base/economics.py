"""What a venue offers to whoever prices trades: the feed for all markets at once, the gateway for
one market at sizes that somebody asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from domain.costs import Floats, OrderSide, PoolCost


@dataclass(frozen=True, slots=True)
class PoolDepth:
    """All that is needed to price one pool at one moment. ``pool``: None at an order book.
    ``inputs``: the venue's own and immutable; nobody but its ``Economics`` reads them."""

    pool: str | None
    inputs: Any


class LadderArrays(NamedTuple):
    """What sizes cost at pools, for ranking only. Shape: (2, pools, sizes) each, the first axis BUY
    then SELL; NaN where it is unknown. Units: those of ``domain.costs.PricedPool``."""

    price: Floats
    fee_bps: Floats
    spread_bps: Floats
    impact_bps: Floats


class Economics(Protocol):
    """Pure. ``encode`` gives what ``depth:*`` carries (JSON; integers beyond 53 bits are strings)
    and ``decode`` reads it back to equal inputs; it raises InputError ``BAD_DEPTH``.

    ``price`` is exact and may decide money. ``ladder`` is float64 over many pools at once and
    agrees with it within the market's tick. Notionals are USD and positive.
    """

    def encode(self, inputs: Any) -> Any: ...
    def decode(self, row: Any) -> Any: ...
    def price(
        self, pool: str | None, inputs: Any, side: OrderSide, notional_usd: Decimal
    ) -> PoolCost: ...
    def ladder(self, inputs: Sequence[Any], notional_usd: Floats) -> LadderArrays: ...
