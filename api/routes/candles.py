"""``/v1/candles/{market}``: what the price did, oldest first, a page at a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.problems import Invalid, Issue
from api.routes.markets import require_markets
from domain.candles import BEST, PERIODS, bucket
from runtime.clock import wall_us
from runtime.wire import candle_data

DEFAULT_PERIOD: Final = "1m"

_NAMES: Final = ("interval", "from", "to", "venue", "limit", "cursor")
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US: Final = 250_000_000_000_000_000
"""In the year 9892: no bucket goes past what a date can be."""


async def list_candles(request: Request) -> Response:
    context = context_of(request)
    markets = require_markets(context.board)
    market = request.path_params["market"]
    context.board.require_market(market)
    fields = query.read(request, *_NAMES)
    limit = query.limit_of(fields)
    now_us = wall_us()
    issues: list[Issue] = []
    period = fields.get("interval", DEFAULT_PERIOD)
    if period not in PERIODS:
        issues.append(query.issue("interval", "UNKNOWN_INTERVAL", f"one of {', '.join(PERIODS)}"))
    venue = fields.get("venue", BEST)
    known = {name for row in markets.values() for name in row["venues"]}
    if venue != BEST and venue not in known:
        issues.append(query.issue("venue", "UNKNOWN_VENUE", f"one of {', '.join(sorted(known))}"))
    given: dict[str, int] = {}
    for name in ("from", "to"):
        if name in fields:
            try:
                given[name] = _time_us(fields[name])
            except ValueError:
                issues.append(query.issue(name, "BAD_TIME", "a UTC time, 2026-01-02T03:04:05.678Z"))
    if given.get("from", 0) > given.get("to", _LAST_US):
        issues.append(query.issue("from", "OUT_OF_RANGE", "from is after to"))
    if issues:
        raise Invalid(issues)
    width_us = PERIODS[period]
    to_us = given.get("to", bucket(now_us, width_us) + width_us)
    # Of no beginning the newest page.
    from_us = given.get("from", max(0, bucket(to_us - 1, width_us) - (limit - 1) * width_us))
    if "cursor" in fields:
        after = query.decode_cursor(fields["cursor"])
        if not after.isdecimal() or not after.isascii() or int(after) > _LAST_US:
            raise Invalid([query.bad_cursor()])
        from_us = max(from_us, int(after) + width_us)
    rows = await context.candles.read(market, venue, period, from_us, to_us, limit + 1)
    shown = rows[:limit]
    more = query.encode_cursor(str(shown[-1].t_us)) if len(rows) > limit else None
    data = [candle_data(candle, width_us, now_us) for candle in shown]
    return query.answer(data, next_cursor=more)


def _time_us(text: str) -> int:
    """Raises ValueError."""
    if not _ISO.fullmatch(text):
        raise ValueError(text)
    us = (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= us <= _LAST_US:
        raise ValueError(text)
    return us


ROUTES = [Route("/v1/candles/{market}", list_candles)]
