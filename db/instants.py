"""Microseconds to timestamptz and back, exactly; and the span of a page."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """Microseconds since 1970. Raises OverflowError past the year 9999."""
    return _EPOCH + timedelta(microseconds=us)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


class Span(NamedTuple):
    """What of a series is asked for: ``limit`` buckets of those that begin in [from, to), the first
    ones or, ``newest``, the last ones. Microseconds since 1970."""

    from_us: int
    to_us: int
    limit: int
    newest: bool = False
