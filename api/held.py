"""Where a position could be held, as the ``funding`` room tells it. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.funding import Place
from domain.ids import VenueId


def place_of(venue: VenueId, told: Mapping[str, Any]) -> Place:
    """A place of the ``funding`` room."""
    return Place(
        venue,
        told["pool"],
        Decimal(told["per_hour"]),
        # What shorts receive is what they do not pay.
        Decimal(told["short_per_hour"]).copy_negate(),
        Decimal(told["borrow_long_per_hour"] or 0),
        Decimal(told["borrow_short_per_hour"] or 0),
    )
