"""``limit`` and ``cursor`` of lists, and the time a history is asked for."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from api.schemas.base import Read, Said, anchored, refused, text

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000

_LIMIT: Final = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_CURSOR_PATTERN: Final = r"([2-7][0-9a-f]){1,200}"
"""ASCII text in hexadecimal: whatever is spelled like a cursor is one."""
_CURSOR: Final = re.compile(_CURSOR_PATTERN, re.ASCII)
_BUCKET_PATTERN: Final = r"(3\d){1,17}"
"""The same of a decimal number, below the last time there is."""
_BUCKET: Final = re.compile(_BUCKET_PATTERN, re.ASCII)
_DAY: Final = r"(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31"
_YEAR: Final = r"19[7-9]\d|[2-8]\d{3}"
_LEAP_YEAR: Final = r"19[7-9][26048]|[2-8]\d(0[48]|[2468][048]|[13579][26])"
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d"
_TIME_PATTERN: Final = (
    rf"(({_YEAR})-({_DAY})|({_LEAP_YEAR})-02-29)T{_CLOCK}(:[0-5]\d(\.\d{{1,6}})?)?(Z|[+-]{_CLOCK})"
)
_TIME: Final = re.compile(_TIME_PATTERN, re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_PLACE_PATTERN: Final = r"(3\d){1,17}20"
"""The same of a decimal number and a blank; what follows is an id."""


def encode_cursor(key: str) -> str:
    """``key``: where the next page begins, ASCII; ``cursor`` of the next request."""
    return key.encode("ascii").hex()


def _limit(value: Any) -> int:
    if not _LIMIT.fullmatch(text(value)) or int(value) > LIMIT_MAX:
        raise refused("OUT_OF_RANGE", f"an integer from 1 to {LIMIT_MAX}")
    return int(value)


def _after(value: Any) -> str:
    if not _CURSOR.fullmatch(text(value)):
        raise refused("BAD_CURSOR", "not a next_cursor of this list")
    return bytes.fromhex(value).decode("ascii")


def _after_us(value: Any) -> int:
    if not _BUCKET.fullmatch(text(value)):
        raise refused("BAD_CURSOR", "not a next_cursor of this list")
    return int(bytes.fromhex(value))


def time_us(value: Any) -> int:
    """Microseconds since 1970. Raises PydanticCustomError."""
    if _TIME.fullmatch(text(value)):
        try:
            us = (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
        except ValueError:
            pass
        else:
            # An offset may lead to before the beginning.
            return max(0, us)
    raise refused("BAD_TIME", "a UTC time, 2026-01-02T03:04:05.678Z")


def place_cursor(id_pattern: str) -> Read:
    """``microseconds id`` in hexadecimal; ``id_pattern``: of the id, in hexadecimal too. Read as
    the two of them."""
    pattern = _PLACE_PATTERN + id_pattern
    compiled = re.compile(pattern, re.ASCII)

    def read(value: Any) -> tuple[int, str]:
        if not compiled.fullmatch(text(value)):
            raise refused("BAD_CURSOR", "not a next_cursor of this list")
        us, _, last = bytes.fromhex(value).decode("ascii").partition(" ")
        return int(us), last

    return Read(read, {"type": "string", "pattern": anchored(pattern)})


TIME_SCHEMA: Final = {
    "type": "string",
    "pattern": anchored(_TIME_PATTERN),
    "examples": ["2026-01-02T03:04:05.678Z"],
}
Limit = Annotated[int, Read(_limit, {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX})]
Cursor = Annotated[
    str | None, Read(_after, {"type": "string", "pattern": anchored(_CURSOR_PATTERN)})
]
"""Decoded: what ``encode_cursor`` was given."""
BucketCursor = Annotated[
    int | None, Read(_after_us, {"type": "string", "pattern": anchored(_BUCKET_PATTERN)})
]
"""The same as microseconds."""
TimeUs = Annotated[
    int | None,
    Read(time_us, TIME_SCHEMA),
]
"""An ISO-8601 time as microseconds since 1970."""


class Limited(Said):
    limit: Limit = Field(default=LIMIT_DEFAULT, description="rows of an answer at most")


class Page(Limited):
    cursor: Cursor = Field(default=None, description="next_cursor of the page before")


class SpanPage(Limited):
    """Which part of a history; subclasses have an ``interval``."""

    cursor: BucketCursor = Field(default=None, description="next_cursor of the page before")
    from_us: TimeUs = Field(
        default=None, alias="from", description="first bucket; without it the newest page"
    )
    to_us: TimeUs = Field(default=None, alias="to", description="behind the last bucket")
