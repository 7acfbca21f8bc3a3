"""Funding of all venues in one measure, and what holding a position costs.

A rate is a fraction of the notional; positive means longs pay shorts. Venues state it for intervals
of their own; here everything is per hour. Rates are simple: a year is 8760 times an hour.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain import exact
from domain.errors import InputError
from domain.exact import Rounding
from domain.ids import VenueId
from domain.units import BPS

PositionSide: TypeAlias = Literal["LONG", "SHORT"]

HOURS_OF_YEAR: Final = 8760
MS_OF_HOUR: Final = 3_600_000
_ZERO: Final = Decimal(0)


def per_hour(raw: Decimal, interval_hours: int, rounding: Rounding | None = None) -> Decimal:
    """A rate for ``interval_hours`` as one for an hour.

    Exact, also where the interval does not divide it without end: that raises InputError
    ``INEXACT`` unless a rounding is named. Raises InputError ``BAD_INTERVAL`` below one hour.
    """
    return exact.divided(raw, _checked(interval_hours), rounding)


def per_interval(hourly: Decimal, interval_hours: int) -> Decimal:
    """The inverse of ``per_hour``; exact."""
    return exact.multiplied(hourly, _checked(interval_hours))


def per_8h(hourly: Decimal) -> Decimal:
    """An hourly rate for eight hours; exact."""
    return exact.multiplied(hourly, 8)


def from_8h(rate: Decimal) -> Decimal:
    """The inverse of ``per_8h``; exact."""
    return exact.divided(rate, 8)


def apr(hourly: Decimal) -> Decimal:
    """An hourly rate for a year without compounding, 0.1 = 10 %; exact."""
    return exact.multiplied(hourly, HOURS_OF_YEAR)


def from_apr(rate: Decimal, rounding: Rounding | None = None) -> Decimal:
    """The inverse of ``apr``; a rate that no exact hourly one gives needs a rounding."""
    return exact.divided(rate, HOURS_OF_YEAR, rounding)


def from_second(rate: Decimal) -> Decimal:
    """A rate per second as one for an hour; exact."""
    return exact.multiplied(rate, 3600)


def to_second(hourly: Decimal, rounding: Rounding | None = None) -> Decimal:
    """The inverse of ``from_second``; exact or rounded as named."""
    return exact.divided(hourly, 3600, rounding)


def _checked(interval_hours: int) -> int:
    if interval_hours < 1:
        raise InputError("BAD_INTERVAL", f"an interval of {interval_hours} hours")
    return interval_hours


def next_at(now_ms: int, interval_hours: int) -> int:
    """The first time after ``now_ms`` at which an interval counted from 1970 ends.

    Units: milliseconds since 1970. Raises InputError ``BAD_INTERVAL``.
    """
    interval_ms = _checked(interval_hours) * MS_OF_HOUR
    return (now_ms // interval_ms + 1) * interval_ms


@dataclass(frozen=True, slots=True)
class FundingRate:
    """What a venue said. ``raw``: for ``interval_hours``; ``next_at_ms``: None where it accrues all
    the time. Where the interval has no exact hour the hourly rate is cut after 60 decimals, up."""

    raw: Decimal
    interval_hours: int
    next_at_ms: int | None = None

    @property
    def per_hour(self) -> Decimal:
        return per_hour(self.raw, self.interval_hours, "up")

    @property
    def per_8h(self) -> Decimal:
        return per_8h(self.per_hour)

    @property
    def apr(self) -> Decimal:
        return apr(self.per_hour)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position could be held, and what each side pays there an hour (negative: receives).

    ``borrow_*``: fees for borrowed liquidity, apart from funding. None: not known.
    """

    venue: VenueId
    pool: str | None
    long_per_hour: Decimal | None
    short_per_hour: Decimal | None
    borrow_long_per_hour: Decimal = _ZERO
    borrow_short_per_hour: Decimal = _ZERO


def symmetric_place(venue: VenueId, pool: str | None, hourly: Decimal | None) -> Place:
    """A place where shorts receive just what longs pay."""
    return Place(venue, pool, hourly, None if hourly is None else hourly.copy_negate())


@dataclass(frozen=True, slots=True)
class Carry:
    """Cost of holding for a stated time, in bps of the notional; negative is income."""

    venue: VenueId
    pool: str | None
    funding_bps: Decimal
    borrow_bps: Decimal

    @property
    def total_bps(self) -> Decimal:
        return exact.added(self.funding_bps, self.borrow_bps)


def carry_bps(hourly: Decimal, side: PositionSide, hours: Decimal) -> Decimal:
    """What one side pays in ``hours`` at a rate that stays; exact, negative is income.

    Units: bps of the notional. Raises InputError ``BAD_HOURS`` for a negative time.
    """
    paid = hourly if side == "LONG" else hourly.copy_negate()
    return _over(paid, hours)


def _over(paid_per_hour: Decimal, hours: Decimal) -> Decimal:
    if not hours.is_finite() or hours < 0:
        raise InputError("BAD_HOURS", f"holding for {hours!s:.40} hours")
    return exact.multiplied(paid_per_hour, hours, BPS)


def carry(place: Place, side: PositionSide, hours: Decimal) -> Carry | None:
    """Funding and borrowing of one side over ``hours``; None where the funding is not known."""
    paid, borrowed = place.long_per_hour, place.borrow_long_per_hour
    if side == "SHORT":
        paid, borrowed = place.short_per_hour, place.borrow_short_per_hour
    if paid is None:
        return None
    return Carry(place.venue, place.pool, _over(paid, hours), _over(borrowed, hours))


def cheapest_to_hold(
    places: Iterable[Place], side: PositionSide, hours: Decimal
) -> tuple[Carry, ...]:
    """Known places, the cheapest first; equals keep their order."""
    found = [carry(place, side, hours) for place in places]
    return tuple(sorted((item for item in found if item), key=lambda item: item.total_bps))
