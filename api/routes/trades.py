"""``/v1/trades/{market}``: the newest public trades, newest first."""

from typing import Any

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.routes.markets import require_markets
from api.schemas.base import Rows
from api.schemas.market import MarketPath, Trade
from api.schemas.paging import Page


async def list_trades(asked: Asked[MarketPath, Page, None]) -> Response:
    board = asked.context.board
    require_markets(board)
    trades = board.trades(asked.path.market).trades()
    newest_first = sorted(trades, key=_age, reverse=True)
    rows, next_cursor = query.page(asked.query, newest_first, _age, descending=True)
    return query.answer(rows, next_cursor=next_cursor)


def _age(trade: dict[str, Any]) -> str:
    """Orders trades by time, and differs between any two."""
    return f"{trade['time_us']:020d}:{trade['venue']}:{trade['id']}"


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/trades/{market}",
        "The newest public trades, newest first",
        "market",
        list_trades,
        Rows[Trade],
        params=MarketPath,
        query=Page,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE"],
    ),
)
