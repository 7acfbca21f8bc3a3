"""``/v1/routes`` and ``/v1/guarded-quotes``: where an order is best traded, and for how much."""

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.problems import STOPPED
from api.routing.answer import answer_row
from api.routing.request import request_of
from api.schemas.base import Data, Nothing
from api.schemas.routing import GuardedQuote, QuoteBody, QuotePath, RouteBody, Routes
from db import guarded_quotes
from db.instants import microseconds
from runtime.clock import iso_ms


async def post_routes(asked: Asked[None, Nothing, RouteBody]) -> Response:
    routing, request = asked.context.routing, request_of(asked.body)
    account = None if asked.anybody is None else asked.anybody.account
    return query.answer(answer_row(*await routing.decide(request, account)))


async def post_quote(asked: Asked[None, Nothing, QuoteBody]) -> Response:
    quote = await asked.context.routing.guard(
        request_of(asked.body), asked.body.route_id, asked.identity.account
    )
    answer = _answer(quote)
    answer.status_code = 201
    answer.headers["Location"] = f"/v1/guarded-quotes/{quote.id}"
    return answer


async def get_quote(asked: Asked[QuotePath, Nothing, None]) -> Response:
    return _answer(await asked.context.routing.read(asked.identity.account.id, asked.path.id))


def _answer(quote: guarded_quotes.GuardedQuote) -> Response:
    return query.answer(
        {
            "quote_id": quote.id,
            "expires_at": iso_ms(microseconds(quote.expires_at)),
            "legs": [item.shown for item in quote.legs],
            "excluded": quote.excluded,
            "decision": quote.decision,
        }
    )


_PRICED = (
    "UNKNOWN_MARKET",
    "FEED_UNAVAILABLE",
    "QUOTE_STALE",
    "MARKET_CLOSED",
    "REDIS_UNAVAILABLE",
    "BUSY",
)

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/routes",
        "Where an order is best traded, all costs of every pool",
        "routing",
        post_routes,
        Data[Routes],
        body=RouteBody,
        errors=[*_PRICED, "DATABASE_UNAVAILABLE"],
        access="optional",
        scope="read",
    ),
    Endpoint(
        "POST",
        "/v1/guarded-quotes",
        "A route, or a split, to be placed within ten seconds",
        "routing",
        post_quote,
        Data[GuardedQuote],
        body=QuoteBody,
        errors=[*_PRICED, *STOPPED, "ROUTE_GONE", "DATABASE_UNAVAILABLE"],
        access="session",
        scope="trade",
    ),
    Endpoint(
        "GET",
        "/v1/guarded-quotes/{id}",
        "A guarded quote of the account, also for an hour after it expired",
        "routing",
        get_quote,
        Data[GuardedQuote],
        params=QuotePath,
        errors=["NOT_FOUND", "DATABASE_UNAVAILABLE"],
        access="session",
        scope="read",
    ),
)
