"""What the facts of an order come to. Pure; only their places order facts."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final

from domain import exact
from domain.orders import Reason
from domain.outcomes import (
    Cancelled,
    Claimed,
    Executed,
    Frozen,
    Kept,
    Outcome,
    Resting,
    Reverted,
    Updated,
)

PRICE_DECIMALS: Final = 18

_VENUE_STATES: Final = {
    Resting: "created",
    Updated: "created",
    Executed: "executed",
    Cancelled: "cancelled",
    Frozen: "frozen",
    Claimed: "executed",
}


def placed(facts: Iterable[Outcome]) -> list[Outcome]:
    """In the order in which their chain had them."""
    return sorted(facts, key=_when)


def fills(facts: Iterable[Outcome]) -> tuple[Executed, ...]:
    """In the order of their places."""
    return tuple(fact for fact in placed(facts) if isinstance(fact, Executed))


def claims(facts: Iterable[Outcome]) -> tuple[Claimed, ...]:
    """In the order of their places."""
    return tuple(fact for fact in placed(facts) if isinstance(fact, Claimed))


def kept(facts: Iterable[Outcome]) -> tuple[Kept, ...]:
    """In the order of their places."""
    return tuple(fact for fact in placed(facts) if isinstance(fact, Kept))


def filled_base(facts: Iterable[Outcome]) -> Decimal:
    return exact.added(*(fill.size_base for fill in fills(facts)))


def average_price(facts: Iterable[Outcome]) -> Decimal | None:
    """Of the fills; rounded down after 18 decimals."""
    found = fills(facts)
    size = sum((Fraction(fill.size_base) for fill in found), Fraction(0))
    if not size:
        return None
    paid = sum((Fraction(fill.size_base) * Fraction(fill.price) for fill in found), Fraction(0))
    return exact.decimal(paid / size, PRICE_DECIMALS, "down")


def venue_state(facts: Iterable[Outcome]) -> str | None:
    """The last word of the venue: ``created executed cancelled frozen``."""
    known = [_VENUE_STATES[type(fact)] for fact in placed(facts) if type(fact) in _VENUE_STATES]
    return known[-1] if known else None


def why(facts: Iterable[Outcome], own: Reason | None) -> Reason | None:
    """Of what an order is now: the venue's reason before our own."""
    told = [
        fact.reason for fact in placed(facts) if isinstance(fact, Cancelled | Reverted | Frozen)
    ]
    return told[-1] if told else own


def _when(fact: Outcome) -> tuple[int, int, str]:
    place = fact.place
    return place.block_number, place.log_index, place.tx_hash
