"""``/v1/candles/{market}``: what the price did, oldest first, a page at a time."""

from starlette.responses import Response

from api import query, spans
from api.endpoints import Asked, Endpoint
from api.routes.markets import require_markets
from api.schemas.base import Rows
from api.schemas.market import Candle, CandlesQuery, MarketPath
from runtime.wire import candle_data


async def list_candles(asked: Asked[MarketPath, CandlesQuery, None]) -> Response:
    context, market, wanted = asked.context, asked.path.market, asked.query
    require_markets(context.board)
    context.board.require_market(market)
    part = spans.read(wanted, wanted.interval)
    rows = await context.history.candles(market, wanted.venue, part.period, part.span)
    data = [candle_data(row, part.width_us, part.now_us) for row in rows[: part.limit]]
    return query.answer(data, next_cursor=spans.next_cursor(part, [row.t_us for row in rows]))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/candles/{market}",
        "What the price did, oldest first",
        "market",
        list_candles,
        Rows[Candle],
        params=MarketPath,
        query=CandlesQuery,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE", "DATABASE_UNAVAILABLE"],
        shared=True,
    ),
)
