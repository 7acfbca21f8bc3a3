"""Which part of a history a request asks for: ``interval``, ``from``, ``to`` and the page."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from api import query
from api.problems import Invalid, Issue
from db.instants import Span
from domain.candles import PERIODS, bucket
from runtime.clock import wall_us

NAMES: Final = ("interval", "from", "to", "limit", "cursor")

_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US: Final = 250_000_000_000_000_000
"""In the year 9892: no bucket goes past what a date can be."""


class Asked(NamedTuple):
    """``span`` has one bucket more than ``limit``, to tell whether there is a next page, but for
    the newest page, which is the last."""

    period: str
    span: Span
    limit: int
    now_us: int

    @property
    def width_us(self) -> int:
        return PERIODS[self.period]


def read(fields: Mapping[str, str], periods: Sequence[str], issues: Sequence[Issue] = ()) -> Asked:
    """``periods``: those there are, the usual one first. Without ``from`` it is the newest page.

    Raises Invalid with what is wrong of it and with ``issues``, which were found before.
    """
    limit = query.limit_of(fields)
    now_us = wall_us()
    found = list(issues)
    period = fields.get("interval", periods[0])
    if period not in periods:
        known = ", ".join(name for name in PERIODS if name in periods)
        found.append(query.issue("interval", "UNKNOWN_INTERVAL", f"one of {known}"))
    given: dict[str, int] = {}
    for name in ("from", "to"):
        if name in fields:
            try:
                given[name] = _time_us(fields[name])
            except ValueError:
                found.append(query.issue(name, "BAD_TIME", "a UTC time, 2026-01-02T03:04:05.678Z"))
    if given.get("from", 0) > given.get("to", _LAST_US):
        found.append(query.issue("from", "OUT_OF_RANGE", "from is after to"))
    if found:
        raise Invalid(found)
    width_us = PERIODS[period]
    to_us = given.get("to", bucket(now_us, width_us) + width_us)
    if "cursor" in fields:
        after = query.decode_cursor(fields["cursor"])
        if not after.isdecimal() or not after.isascii() or int(after) > _LAST_US:
            raise Invalid([query.bad_cursor()])
        given["from"] = max(given.get("from", 0), int(after) + width_us)
    if "from" in given:
        return Asked(period, Span(given["from"], to_us, limit + 1), limit, now_us)
    return Asked(period, Span(0, to_us, limit, newest=True), limit, now_us)


def next_cursor(asked: Asked, starts_us: Sequence[int]) -> str | None:
    """``starts_us``: where the buckets found begin, in order; None on the last page."""
    if len(starts_us) <= asked.limit:
        return None
    return query.encode_cursor(str(starts_us[asked.limit - 1]))


def _time_us(text: str) -> int:
    """Raises ValueError."""
    if not _ISO.fullmatch(text):
        raise ValueError(text)
    us = (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= us <= _LAST_US:
        raise ValueError(text)
    return us
