"""``/v1/capabilities``: what orders each venue can be sent. Empty lists: it is only looked at."""

from collections.abc import Sequence
from typing import get_args

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.schemas.base import Data, Nothing
from api.schemas.market import Capabilities
from connectors import desks
from domain.ids import VenueId
from domain.orders import OrderType


async def get_capabilities(asked: Asked[None, Nothing, None]) -> Response:
    chains = asked.context.orders.chains
    return query.answer({venue: _row(venue, chains[venue]).model_dump() for venue in chains})


def _row(venue: VenueId, chain_ids: Sequence[int]) -> Capabilities:
    if not chain_ids:
        return Capabilities()
    offered = desks.ROUTES[venue].offered
    return Capabilities(
        chain_ids=list(chain_ids),
        order_types=[name for name in get_args(OrderType) if name in offered.order_types],
        time_in_force=sorted(offered.time_in_force),
        reduce_only=True,
        post_only=offered.post_only,
        brackets=offered.brackets,
        claims=sorted(offered.claims),
        margin=offered.margin,
        amend=venue in desks.ORDER_BUILDERS,
    )


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
