"""``/v1/markets``: which markets there are and where."""

from typing import Any

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.problems import Unavailable
from api.schemas.base import Data, Nothing, Rows
from api.schemas.market import Market, MarketPath
from api.schemas.paging import Page
from api.tape.board import NO_MARKETS, Board


def require_markets(board: Board) -> dict[str, dict[str, Any]]:
    """Raises Unavailable ``FEED_UNAVAILABLE`` while not even their names are known."""
    if board.markets is None:
        raise Unavailable("FEED_UNAVAILABLE", NO_MARKETS)
    return board.markets


async def list_markets(asked: Asked[None, Page, None]) -> Response:
    rows = require_markets(asked.context.board)
    names, next_cursor = query.page(asked.query, sorted(rows), str)
    return query.answer([rows[name] for name in names], next_cursor=next_cursor)


async def get_market(asked: Asked[MarketPath, Nothing, None]) -> Response:
    board = asked.context.board
    require_markets(board)
    return query.answer(board.require_market(asked.path.market))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/markets",
        "Which markets there are and where",
        "market",
        list_markets,
        Rows[Market],
        query=Page,
        errors=["FEED_UNAVAILABLE"],
        shared=True,
        version=lambda context: context.board.markets,
    ),
    Endpoint(
        "GET",
        "/v1/markets/{market}",
        "One market",
        "market",
        get_market,
        Data[Market],
        params=MarketPath,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE"],
        shared=True,
        version=lambda context: context.board.markets,
    ),
)
