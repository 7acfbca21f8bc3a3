"""``/v1/venues``: the state of every venue."""

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.problems import Unavailable
from api.schemas.base import Data, Nothing
from api.schemas.market import Venue
from api.tape import envelopes
from api.tape.board import Board


def venues_data(board: Board) -> dict[str, dict[str, object]]:
    """Raises Unavailable ``FEED_UNAVAILABLE`` when nothing was ever heard of them."""
    if not board.venues.shown:
        raise Unavailable("FEED_UNAVAILABLE", "nothing is known of the venues yet")
    data: dict[str, dict[str, object]] = envelopes.parse(board.venues.shown).data
    return data


async def get_venues(asked: Asked[None, Nothing, None]) -> Response:
    return query.answer(venues_data(asked.context.board))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/venues",
        "The state of every venue",
        "market",
        get_venues,
        Data[dict[str, Venue]],
        errors=["FEED_UNAVAILABLE"],
    ),
)
