"""``/v1/quotes``: the consolidated quote of a market, as it stands in Redis at that moment."""

from typing import Any

import orjson
from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.routes.markets import require_markets
from api.schemas.base import Data, Nothing, Rows
from api.schemas.market import MarketPath, PriceEnvelope, QuoteRow
from api.schemas.paging import Page
from api.tape.board import Board
from domain.errors import StaleQuote
from runtime.clock import iso_ms, wall_us


async def list_quotes(asked: Asked[None, Page, None]) -> Response:
    context = asked.context
    every = sorted(require_markets(context.board))
    names, next_cursor = query.page(asked.query, every, str)
    found = await context.quotes.read(names)
    rows = [
        _gone_row(context.board, name) if raw is None else orjson.Fragment(raw)
        for name, raw in zip(names, found, strict=True)
    ]
    return query.answer(rows, next_cursor=next_cursor)


async def get_quote(asked: Asked[MarketPath, Nothing, None]) -> Response:
    context, market = asked.context, asked.path.market
    require_markets(context.board)
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


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/quotes",
        "The consolidated quote of every market",
        "market",
        list_quotes,
        Rows[QuoteRow],
        query=Page,
        errors=["FEED_UNAVAILABLE", "REDIS_UNAVAILABLE"],
    ),
    Endpoint(
        "GET",
        "/v1/quotes/{market}",
        "The consolidated quote of one market",
        "market",
        get_quote,
        Data[PriceEnvelope],
        params=MarketPath,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE", "QUOTE_STALE", "REDIS_UNAVAILABLE"],
    ),
)
