"""``/v1/trades/{market}``: the newest public trades, newest first."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.routes.markets import require_markets


async def list_trades(request: Request) -> Response:
    board = context_of(request).board
    require_markets(board)
    trades = board.trades(request.path_params["market"]).trades()
    newest_first = sorted(trades, key=_age, reverse=True)
    rows, next_cursor = query.page(request, newest_first, _age, descending=True)
    return query.answer(rows, next_cursor=next_cursor)


def _age(trade: dict[str, Any]) -> str:
    """Orders trades by time, and differs between any two."""
    return f"{trade['time_us']:020d}:{trade['venue']}:{trade['id']}"


ROUTES = [Route("/v1/trades/{market}", list_trades)]
