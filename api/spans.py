"""Which part of a history a request asks for."""

from collections.abc import Sequence
from typing import NamedTuple

from api import query
from api.problems import Invalid
from api.schemas.paging import SpanPage, encode_cursor
from db.instants import Span
from domain.candles import PERIODS, bucket
from runtime.clock import wall_us


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


def read(asked: SpanPage, period: str) -> Asked:
    """Without ``from`` it is the newest page. Raises Invalid."""
    limit, now_us, from_us = asked.limit, wall_us(), asked.from_us
    if from_us is not None and asked.to_us is not None and from_us > asked.to_us:
        raise Invalid([query.issue("from", "OUT_OF_RANGE", "from is after to")])
    width_us = PERIODS[period]
    to_us = asked.to_us
    if to_us is None:
        to_us = bucket(now_us, width_us) + width_us
    if asked.cursor is not None:
        from_us = max(from_us or 0, asked.cursor + width_us)
    if from_us is not None:
        return Asked(period, Span(from_us, to_us, limit + 1), limit, now_us)
    return Asked(period, Span(0, to_us, limit, newest=True), limit, now_us)


def next_cursor(asked: Asked, starts_us: Sequence[int]) -> str | None:
    """``starts_us``: where the buckets found begin, in order; None on the last page."""
    if len(starts_us) <= asked.limit:
        return None
    return encode_cursor(str(starts_us[asked.limit - 1]))
