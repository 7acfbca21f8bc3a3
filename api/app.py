"""The HTTP applications: what is served where."""

from collections.abc import Sequence
from functools import cache

import orjson
from starlette.applications import Starlette
from starlette.routing import Route

from api import openapi
from api.context import Context
from api.edge import Edge
from api.endpoints import Endpoint, Resource
from api.paths import Paths
from api.peers import Peers
from api.realtime import handshake
from api.realtime.polling import PollingEndpoint
from api.routes import docs, page
from api.table import ENDPOINTS


def build_app(
    context: Context, polling: PollingEndpoint, peers: Peers, *, is_secure: bool = False
) -> Edge:
    """What the public port serves."""
    beside = Starlette(routes=[*_polling_routes(polling), docs.ASSETS, *page.routes()])
    beside.router.redirect_slashes = False
    beside.state.context = context
    beside.state.openapi = _document()
    return Edge(resources(ENDPOINTS), beside, peers, is_secure=is_secure)


@cache
def _document() -> bytes:
    """The same for every gateway, and slow to make."""
    return orjson.dumps(openapi.document(ENDPOINTS))


def build_inner_app(polling: PollingEndpoint) -> Edge:
    """What the other gateways of this host are served: requests they pass on."""
    beside = Starlette(routes=_polling_routes(polling))
    return Edge(Paths({}), beside, Peers(passed_on=True))


def resources(endpoints: Sequence[Endpoint]) -> Paths[Resource]:
    """One for each path, so that a wrong method is told all the right ones."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return Paths({path: Resource(of_path) for path, of_path in by_path.items()})


def _polling_routes(polling: PollingEndpoint) -> list[Route]:
    return [Route(handshake.PATH, polling), Route(handshake.PATH + "/", polling)]
