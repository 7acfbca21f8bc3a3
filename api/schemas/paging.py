"""``limit`` and ``cursor`` of lists, and the time a history is asked for."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from api.schemas.base import Read, Said, anchored, refused, text

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
LAST_US: Final = 250_000_000_000_000_000
"""In the year 9892: no bucket goes past what a date can be."""
BAD_CURSOR: Final = ("BAD_CURSOR", "not a next_cursor of this list")

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_CURSOR_PATTERN: Final = r"[A-Za-z0-9_-]{1,200}"
_CURSOR: Final = re.compile(_CURSOR_PATTERN, re.ASCII)
_ISO_PATTERN: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)"
_ISO: Final = re.compile(_ISO_PATTERN, re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def encode_cursor(key: str) -> str:
    """``key``: where the next page begins; ``cursor`` of the next request."""
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def _limit(value: Any) -> int:
    if not _LIMIT.fullmatch(text(value)) or int(value) > LIMIT_MAX:
        raise refused("OUT_OF_RANGE", f"an integer from 1 to {LIMIT_MAX}")
    return int(value)


def _after(value: Any) -> str:
    if _CURSOR.fullmatch(text(value)):
        try:
            return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
        except ValueError:
            pass
    raise refused(*BAD_CURSOR)


def _time_us(value: Any) -> int:
    if _ISO.fullmatch(text(value)):
        try:
            us = (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, OverflowError):
            us = -1
        if 0 <= us <= LAST_US:
            return us
    raise refused("BAD_TIME", "a UTC time, 2026-01-02T03:04:05.678Z")


Limit = Annotated[int, Read(_limit, {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX})]
Cursor = Annotated[
    str | None, Read(_after, {"type": "string", "pattern": anchored(_CURSOR_PATTERN)})
]
"""Decoded: what ``encode_cursor`` was given."""
TimeUs = Annotated[
    int | None,
    Read(
        _time_us,
        {
            "type": "string",
            "pattern": anchored(_ISO_PATTERN),
            "examples": ["2026-01-02T03:04:05.678Z"],
        },
    ),
]
"""An ISO-8601 time as microseconds since 1970."""


class Page(Said):
    limit: Limit = Field(default=LIMIT_DEFAULT, description="rows of an answer at most")
    cursor: Cursor = Field(default=None, description="next_cursor of the page before")


class SpanPage(Page):
    """Which part of a history; subclasses have an ``interval``."""

    from_us: TimeUs = Field(
        default=None, alias="from", description="first bucket; without it the newest page"
    )
    to_us: TimeUs = Field(default=None, alias="to", description="behind the last bucket")
