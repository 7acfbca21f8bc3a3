"""The HTTP applications: routes, errors, limits."""

from collections.abc import Sequence

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from api import openapi, problems
from api.context import Context
from api.edge import Edge
from api.endpoints import Endpoint, Resource
from api.peers import PeerAddress, Peers
from api.realtime import handshake
from api.realtime.polling import PollingEndpoint
from api.routes import docs, page
from api.table import ENDPOINTS
from domain.errors import PerpError


def build_app(context: Context, polling: PollingEndpoint, peers: Peers) -> Starlette:
    """What the public port serves."""
    app = Starlette(
        routes=[
            *_polling_routes(polling),
            *endpoint_routes(ENDPOINTS),
            docs.ASSETS,
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
    app.state.openapi = orjson.dumps(openapi.document(ENDPOINTS))
    return app


def build_inner_app(polling: PollingEndpoint) -> Starlette:
    """What the other gateways of this host are served: requests they pass on."""
    return Starlette(routes=_polling_routes(polling), middleware=_layers(Peers(passed_on=True)))


def endpoint_routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    """One for each path, so that a wrong method is told all the right ones."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    resources = [Resource(of_path) for of_path in by_path.values()]
    return [Route(item.path, item) for item in resources]


def _polling_routes(polling: PollingEndpoint) -> list[Route]:
    return [Route(handshake.PATH, polling), Route(handshake.PATH + "/", polling)]


def _layers(peers: Peers) -> list[Middleware]:
    return [Middleware(PeerAddress, peers=peers), Middleware(Edge)]
