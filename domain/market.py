"""A market as one venue lists it, under its canonical name."""

from dataclasses import dataclass, field
from typing import Literal

from domain.ids import MarketId, VenueId
from domain.units import Grid

MarketStatus = Literal["open", "closed", "halted"]
"""``open``: takes orders of both sides. ``closed``: outside its hours. ``halted``: by the venue."""

MarketKind = Literal["book", "oracle"]
"""Whether orders meet other orders, or a pool at the price of an oracle."""


@dataclass(frozen=True, slots=True)
class Market:
    """Static facts of one market at one venue.

    ``symbol``: the venue's own name. ``tick`` and ``step``: grids of price (quote currency) and
    size (base units). ``max_leverage`` and ``min_notional_usd``: decimal strings, None = unknown.
    ``chain_ids``: where it settles (EIP-155 number or Cosmos chain id). ``pools``: names of the
    pools an oracle market has.
    """

    venue: VenueId
    market: MarketId
    symbol: str
    tick: Grid
    step: Grid
    status: MarketStatus = "open"
    min_notional_usd: str | None = None
    max_leverage: str | None = None
    pools: tuple[str, ...] = ()
    chain_ids: tuple[int | str, ...] = field(default=())
    kind: MarketKind = "book"

    @property
    def base(self) -> str:
        return self.market.rpartition("-")[0]

    @property
    def quote(self) -> str:
        return self.market.rpartition("-")[2]

    def same_scales(self, other: "Market") -> bool:
        """True while integers of the one mean the same in the other."""
        return (
            self.tick.increment == other.tick.increment
            and self.step.increment == other.step.increment
        )
