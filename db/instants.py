"""Microseconds to timestamptz and back, exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """Microseconds since 1970. Raises OverflowError past the year 9999."""
    return _EPOCH + timedelta(microseconds=us)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
