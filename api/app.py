"""The HTTP applications: routes, errors, limits."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from api import problems
from api.context import Context
from api.edge import Edge
from api.peers import PeerAddress, Peers
from api.realtime import handshake
from api.realtime.polling import PollingEndpoint
from api.routes import (
    auth,
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


def build_app(context: Context, polling: PollingEndpoint, peers: Peers) -> Starlette:
    """What the public port serves."""
    app = Starlette(
        routes=[
            *_polling_routes(polling),
            *markets.ROUTES,
            *quotes.ROUTES,
            *ladders.ROUTES,
            *funding.ROUTES,
            *venues.ROUTES,
            *trades.ROUTES,
            *auth.ROUTES,
            *candles.ROUTES,
            *history.ROUTES,
            *health.ROUTES,
            *page.routes(),
        ],
        middleware=_layers(peers),
        exception_handlers={
            PerpError: problems.on_perp_error,
            HTTPException: problems.on_http_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.context = context
    return app


def build_inner_app(polling: PollingEndpoint) -> Starlette:
    """What the other gateways of this host are served: requests they pass on."""
    return Starlette(routes=_polling_routes(polling), middleware=_layers(Peers(passed_on=True)))


def _polling_routes(polling: PollingEndpoint) -> list[Route]:
    return [Route(handshake.PATH, polling), Route(handshake.PATH + "/", polling)]


def _layers(peers: Peers) -> list[Middleware]:
    return [Middleware(PeerAddress, peers=peers), Middleware(Edge)]
