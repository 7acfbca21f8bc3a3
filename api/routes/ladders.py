"""``/v1/ladders/{market}``: what sizes cost at every pool, all in."""

import orjson
from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.routes.markets import require_markets
from api.schemas.base import Data
from api.schemas.market import LadderEnvelope, LadderQuery, MarketPath
from domain.errors import StaleQuote
from runtime.channels import depth_key, ladder_key


async def get_ladder(asked: Asked[MarketPath, LadderQuery, None]) -> Response:
    context, market, sizes = asked.context, asked.path.market, asked.query.sizes
    require_markets(context.board)
    context.board.require_market(market)
    key = ladder_key(market) if sizes is None else depth_key(market)
    [raw] = await context.quotes.read_keys([key])
    if raw is None:
        raise StaleQuote("QUOTE_STALE", f"{market} has no current ladder")
    if sizes is None:
        return query.answer(orjson.Fragment(raw))
    return query.answer(await context.ladders.price(raw, sizes))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/ladders/{market}",
        "What sizes cost at every pool, all in",
        "market",
        get_ladder,
        Data[LadderEnvelope],
        params=MarketPath,
        query=LadderQuery,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE", "QUOTE_STALE", "REDIS_UNAVAILABLE", "BUSY"],
        shared=True,
    ),
)
