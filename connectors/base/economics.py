"""What a venue offers to whoever prices trades: the feed for all markets at once, the gateway for
one market at sizes that somebody asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from domain.costs import Codes, Floats, OrderSide, PoolCost


class Durable:
    """A part of inputs that stays the very same object for long. Immutable."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PoolDepth:
    """All that is needed to price one pool at one moment. ``pool``: None at an order book.
    ``inputs``: the venue's own and immutable; nobody but its ``Economics`` reads them. The very
    same object means that nothing has changed.

    ``gas_usd``, ``execution_fee_usd``: what a trade costs there whatever its size, as ``price``
    says it; None where unknown.
    """

    pool: str | None
    inputs: Any
    gas_usd: Decimal | None = None
    execution_fee_usd: Decimal | None = None


class LadderArrays(NamedTuple):
    """What sizes cost at pools, for ranking only. Shape: (2, pools, sizes) each, the first axis BUY
    then SELL; NaN where it is unknown. Units: those of ``domain.costs.PricedPool``. ``reason``: the
    codes that ``price`` gives where it is NaN; without them it is taken for ``DEPTH``."""

    price: Floats
    fee_bps: Floats
    spread_bps: Floats
    impact_bps: Floats
    reason: Codes | None = None


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
