"""``/v1/ladders/{market}``: what sizes cost at every pool, all in."""

import re
from decimal import Decimal
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.problems import Invalid
from api.routes.markets import require_markets
from domain.errors import StaleQuote
from runtime.channels import depth_key, ladder_key

MAX_SIZES: Final = 10
MAX_USD: Final = 100_000_000
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", re.ASCII)


async def get_ladder(request: Request) -> Response:
    fields = query.read(request, "sizes")
    context = context_of(request)
    require_markets(context.board)
    market = request.path_params["market"]
    context.board.require_market(market)
    sizes = _sizes(fields["sizes"]) if "sizes" in fields else None
    key = ladder_key(market) if sizes is None else depth_key(market)
    [raw] = await context.quotes.read_keys([key])
    if raw is None:
        raise StaleQuote("QUOTE_STALE", f"{market} has no current ladder")
    if sizes is None:
        return query.answer(orjson.Fragment(raw))
    return query.answer(await context.ladders.price(raw, sizes))


def _sizes(text: str) -> list[Decimal]:
    """Raises Invalid."""
    parts = text.split(",", MAX_SIZES)
    if len(parts) > MAX_SIZES:
        raise Invalid([query.issue("sizes", "TOO_MANY", f"at most {MAX_SIZES} sizes")])
    if not all(_SIZE.fullmatch(part) for part in parts):
        message = "USD as plain decimals of at most 6 places, 1000,25000.5"
        raise Invalid([query.issue("sizes", "BAD_SIZE", message)])
    sizes = [Decimal(part) for part in parts]
    if not all(1 <= size <= MAX_USD for size in sizes):
        message = f"each from 1 to {MAX_USD}"
        raise Invalid([query.issue("sizes", "OUT_OF_RANGE", message)])
    return sizes


ROUTES = [Route("/v1/ladders/{market}", get_ladder)]
