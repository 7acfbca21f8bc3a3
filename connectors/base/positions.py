"""Positions as the contracts of a venue have them, whoever opened them. Pure: whoever calls asks
the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from connectors.base.orders import Call
from domain.ids import MarketId, VenueId
from domain.orders import PositionSide

_SEPARATOR: Final = ":"


def position_id(venue: str, chain_id: int | str, ref: str | None) -> str:
    """``gains:42161:7``: the same name as long as the position is there."""
    return _SEPARATOR.join((venue, str(chain_id), "-" if ref is None else ref))


def ref_of(named: str, venue: str, chain_id: int | str) -> str | None:
    """The venue's own name in what ``position_id`` gave; None of another venue or chain."""
    prefix = position_id(venue, chain_id, "")
    return named.removeprefix(prefix) if named.startswith(prefix) else None


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """``ref``: the venue's own name of it. ``pool``: as the connector names it. ``market``: None
    where the pool alone says it. ``stored``: what the contract has, read by the venue's
    ``RouteRules``; ``details``: what else it has of the position, None where nobody asked."""

    venue: VenueId
    chain_id: int
    ref: str
    pool: str
    market: MarketId | None
    side: PositionSide
    stored: Any
    details: Any = None

    @property
    def id(self) -> str:
        return position_id(self.venue, self.chain_id, self.ref)


@dataclass(frozen=True, slots=True)
class Holding:
    """A position in the terms of an order. ``collateral``: symbol it is paid out in unless another
    of ``called`` is asked for. ``collateral_amount``: None where our own fills say what is held.
    ``position``: None likewise."""

    ref: str | None
    collateral: str
    called: frozenset[str]
    collateral_amount: Decimal | None
    size_base: Decimal
    entry_price: Decimal
    position: OpenPosition | None = None


class PositionBook(Protocol):
    """Pure. ``calls``: what a chain is asked for the positions of an owner, nothing where the venue
    is not there. ``read``: of their answers, in their order; None where a call reverted. Raises
    InputError and VenueProtocolError for what cannot be read: nothing is known then.
    ``details``: what else is asked of such positions, as many calls for each. ``detailed``: a
    position with their answers; raises likewise."""

    venue: VenueId

    def calls(self, chain_id: int, owner: str) -> Sequence[Call]: ...
    def read(
        self, chain_id: int, owner: str, answers: Sequence[bytes | None]
    ) -> Sequence[OpenPosition]: ...
    def details(self, positions: Sequence[OpenPosition], owner: str) -> Sequence[Call]: ...
    def detailed(self, position: OpenPosition, answers: Sequence[bytes | None]) -> OpenPosition: ...
