"""``/v1/capabilities``: what orders each venue can be sent. No connector builds orders: none."""

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.schemas.base import Data, Nothing
from api.schemas.market import Capabilities
from connectors import registry


async def get_capabilities(asked: Asked[None, Nothing, None]) -> Response:
    del asked
    return query.answer({venue: Capabilities().model_dump() for venue in registry.VENUES})


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/capabilities",
        "What orders each venue can be sent",
        "market",
        get_capabilities,
        Data[dict[str, Capabilities]],
        shared=True,
    ),
)
