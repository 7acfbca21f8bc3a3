"""``/v1/fills``: the ledger of an account."""

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.orders.answer import fill_row
from api.routes.orders import cursor_of, place_of
from api.schemas.base import Rows
from api.schemas.orders import FillRow, FillsQuery
from db.order_views import FillFilter, Place


async def list_fills(asked: Asked[None, FillsQuery, None]) -> Response:
    wanted = asked.query
    found = await asked.context.orders.fills(
        asked.identity.account.id,
        FillFilter(wanted.market, wanted.venue, wanted.order_id),
        place_of(wanted.cursor),
        wanted.limit + 1,
    )
    shown = found[: wanted.limit]
    more = len(found) > wanted.limit
    return query.answer(
        [fill_row(fill) for fill in shown],
        next_cursor=cursor_of(Place(shown[-1].at, shown[-1].id)) if more else None,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/fills",
        "The fills of the account, the newest first",
        "account",
        list_fills,
        Rows[FillRow],
        query=FillsQuery,
        access="session",
        scope="read",
    ),
)
