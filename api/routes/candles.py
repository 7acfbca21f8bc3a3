"""``/v1/candles/{market}``: what the price did, oldest first, a page at a time."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query, spans
from api.context import context_of
from api.problems import Issue
from api.routes.markets import require_markets
from domain.candles import BEST, PERIODS
from runtime.wire import candle_data

_PERIODS: Final = ("1m", *(name for name in PERIODS if name != "1m"))


async def list_candles(request: Request) -> Response:
    context = context_of(request)
    markets = require_markets(context.board)
    market = request.path_params["market"]
    context.board.require_market(market)
    fields = query.read(request, *spans.NAMES, "venue")
    issues: list[Issue] = []
    venue = fields.get("venue", BEST)
    known = {name for row in markets.values() for name in row["venues"]}
    if venue != BEST and venue not in known:
        issues.append(query.issue("venue", "UNKNOWN_VENUE", f"one of {', '.join(sorted(known))}"))
    asked = spans.read(fields, _PERIODS, issues)
    rows = await context.history.candles(market, venue, asked.period, asked.span)
    data = [candle_data(row, asked.width_us, asked.now_us) for row in rows[: asked.limit]]
    return query.answer(data, next_cursor=spans.next_cursor(asked, [row.t_us for row in rows]))


ROUTES = [Route("/v1/candles/{market}", list_candles)]
