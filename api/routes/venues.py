"""``/v1/venues``: the state of every venue."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.problems import Unavailable
from api.tape import envelopes
from api.tape.board import Board


def venues_data(board: Board) -> dict[str, dict[str, object]]:
    """Raises Unavailable ``FEED_UNAVAILABLE`` when nothing was ever heard of them."""
    if not board.venues.shown:
        raise Unavailable("FEED_UNAVAILABLE", "nothing is known of the venues yet")
    data: dict[str, dict[str, object]] = envelopes.parse(board.venues.shown).data
    return data


async def get_venues(request: Request) -> Response:
    query.read(request)
    return query.answer(venues_data(context_of(request).board))


ROUTES = [Route("/v1/venues", get_venues)]
