"""``/v1/markets``: which markets there are and where."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.problems import Unavailable
from api.tape.board import NO_MARKETS, Board


def require_markets(board: Board) -> dict[str, dict[str, Any]]:
    """Raises Unavailable ``FEED_UNAVAILABLE`` while not even their names are known."""
    if board.markets is None:
        raise Unavailable("FEED_UNAVAILABLE", NO_MARKETS)
    return board.markets


async def list_markets(request: Request) -> Response:
    rows = require_markets(context_of(request).board)
    names, next_cursor = query.page(request, sorted(rows), str)
    return query.answer([rows[name] for name in names], next_cursor=next_cursor)


async def get_market(request: Request) -> Response:
    query.read(request)
    board = context_of(request).board
    require_markets(board)
    return query.answer(board.require_market(request.path_params["market"]))


ROUTES = [
    Route("/v1/markets", list_markets),
    Route("/v1/markets/{market}", get_market),
]
