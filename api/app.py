"""The HTTP application: routes, errors, limits."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from api import problems
from api.context import Context
from api.edge import Edge
from api.realtime import handshake
from api.realtime.engine import Engine
from api.realtime.polling import PollingEndpoint
from api.routes import (
    candles,
    funding,
    health,
    history,
    ladders,
    markets,
    page,
    quotes,
    trades,
    venues,
)
from domain.errors import PerpError


def build_app(context: Context, engine: Engine) -> Starlette:
    polling = PollingEndpoint(engine)
    app = Starlette(
        routes=[
            Route(handshake.PATH, polling),
            Route(handshake.PATH + "/", polling),
            *markets.ROUTES,
            *quotes.ROUTES,
            *ladders.ROUTES,
            *funding.ROUTES,
            *venues.ROUTES,
            *trades.ROUTES,
            *candles.ROUTES,
            *history.ROUTES,
            *health.ROUTES,
            *page.routes(),
        ],
        middleware=[Middleware(Edge)],
        exception_handlers={
            PerpError: problems.on_perp_error,
            HTTPException: problems.on_http_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return app
