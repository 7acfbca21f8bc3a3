"""``/v1/quotes``: the consolidated quote of a market, as it stands in Redis at that moment."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.routes.markets import require_markets
from api.tape.board import Board
from domain.errors import StaleQuote
from runtime.clock import iso_ms, wall_us


async def list_quotes(request: Request) -> Response:
    context = context_of(request)
    every = sorted(require_markets(context.board))
    names, next_cursor = query.page(request, every, str)
    found = await context.quotes.read(names)
    rows = [
        _gone_row(context.board, name) if raw is None else orjson.Fragment(raw)
        for name, raw in zip(names, found, strict=True)
    ]
    return query.answer(rows, next_cursor=next_cursor)


async def get_quote(request: Request) -> Response:
    query.read(request)
    context = context_of(request)
    require_markets(context.board)
    market = request.path_params["market"]
    context.board.require_market(market)
    [raw] = await context.quotes.read([market])
    if raw is None:
        raise StaleQuote("QUOTE_STALE", f"{market} has no current quote")
    return query.answer(orjson.Fragment(raw))


def _gone_row(board: Board, market: str) -> dict[str, Any]:
    """The envelope without prices, and when there last were any."""
    room = board.quote(market)
    seen_us = room.priced_us
    return {
        **orjson.loads(room.unpriced(board.epoch, wall_us())),
        "state": "stale",
        "last_seen_at": iso_ms(seen_us) if seen_us is not None else None,
    }


ROUTES = [
    Route("/v1/quotes", list_quotes),
    Route("/v1/quotes/{market}", get_quote),
]
