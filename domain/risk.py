"""What may be opened now. Exits always may. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from domain.ids import VenueId
from domain.orders import OrderIntent, OrderLeg, Reason

_NO_LIMITS: Final[Mapping[VenueId, Decimal]] = {}


@dataclass(frozen=True, slots=True)
class Limits:
    """``stopped``: nothing is opened anywhere; ``stopped_venues``: nor at these. A notional of one
    order is at most ``max_notional_usd``, and at a venue of its own limit."""

    stopped: bool = False
    stopped_venues: frozenset[VenueId] = frozenset()
    max_notional_usd: Decimal | None = None
    venue_notional_usd: Mapping[VenueId, Decimal] = field(default_factory=lambda: _NO_LIMITS)


def refusal(intent: OrderIntent, leg: OrderLeg, limits: Limits) -> Reason | None:
    """Why an order must not be sent; None when it may. What only reduces a position is never
    refused: nobody is locked in."""
    if intent.reduces:
        return None
    if limits.stopped:
        return Reason("OPENINGS_STOPPED", "nothing is opened now; exits work")
    if leg.venue in limits.stopped_venues:
        return Reason("VENUE_STOPPED", f"nothing is opened at {leg.venue} now; exits work")
    known = limits.max_notional_usd, limits.venue_notional_usd.get(leg.venue)
    most = min((limit for limit in known if limit is not None), default=None)
    if most is not None and leg.notional_usd > most:
        return Reason("MAX_NOTIONAL", f"an order is of at most {most} USD")
    return None
