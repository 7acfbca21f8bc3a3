"""``/v1/orders``: placing, watching, signing and cancelling orders."""

from typing import Any

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.orders.answer import order_row
from api.orders.once import Asker, asker
from api.problems import STOPPED
from api.schemas import orders as schemas
from api.schemas.base import Data, Nothing, Rows
from api.schemas.claims import ClaimBody
from api.schemas.orders import (
    AmendBody,
    CancelBody,
    FlattenBody,
    HeartbeatBody,
    OrderBody,
    OrderPath,
    OrdersQuery,
    PauseBody,
    SubmissionBody,
    WaitQuery,
)
from api.schemas.paging import encode_cursor
from db.instants import instant, microseconds
from db.order_views import OrderView, Place
from db.orders import Answer, OrderFilter


async def place(asked: Asked[None, Nothing, OrderBody]) -> Response:
    return _response(await asked.context.orders.place(_asker(asked), asked.body))


async def list_orders(asked: Asked[None, OrdersQuery, None]) -> Response:
    wanted = asked.query
    found = await asked.context.orders.page(
        asked.identity.account.id,
        OrderFilter(
            wanted.client_order_id, wanted.market, wanted.venue, wanted.state, wanted.terminal
        ),
        place_of(wanted.cursor),
        wanted.limit + 1,
    )
    shown = found[: wanted.limit]
    return query.answer(
        [order_row(view) for view in shown],
        next_cursor=_cursor(shown[-1]) if len(found) > wanted.limit else None,
    )


async def get_order(asked: Asked[OrderPath, WaitQuery, None]) -> Response:
    view = await asked.context.orders.read(
        asked.identity.account.id, asked.path.id, asked.query.wait_version
    )
    return query.answer(order_row(view))


async def amend(asked: Asked[OrderPath, Nothing, AmendBody]) -> Response:
    answer = await asked.context.orders.amend(_asker(asked), asked.path.id, asked.body)
    return _response(answer)


async def cancel(asked: Asked[OrderPath, Nothing, Nothing]) -> Response:
    return _response(await asked.context.orders.cancel(_asker(asked), asked.path.id))


async def submit(asked: Asked[OrderPath, Nothing, SubmissionBody]) -> Response:
    return _response(await asked.context.orders.submit(_asker(asked), asked.path.id, asked.body))


async def cancel_all(asked: Asked[None, Nothing, CancelBody]) -> Response:
    body = asked.body
    return _response(await asked.context.orders.cancel_all(_asker(asked), body.market, body.venue))


async def pause(asked: Asked[None, Nothing, PauseBody]) -> Response:
    return _response(await asked.context.orders.pause(_asker(asked), paused=asked.body.paused))


async def flatten(asked: Asked[None, Nothing, FlattenBody]) -> Response:
    return _response(await asked.context.flattening.flatten(_asker(asked), asked.body))


async def claim(asked: Asked[None, Nothing, ClaimBody]) -> Response:
    return _response(await asked.context.orders.claim(_asker(asked), asked.body))


async def beat(asked: Asked[None, Nothing, HeartbeatBody]) -> Response:
    return _response(await asked.context.orders.beat(_asker(asked), asked.body.timeout_s))


def place_of(cursor: tuple[int, str] | None) -> Place | None:
    """What ``cursor_of`` wrote."""
    return None if cursor is None else Place(instant(cursor[0]), cursor[1])


def cursor_of(place: Place) -> str:
    return encode_cursor(f"{microseconds(place.at)} {place.id}")


def _cursor(view: OrderView) -> str:
    return cursor_of(Place(view.row.created_at, view.row.new.id))


def _asker(asked: Asked[Any, Nothing, Any]) -> Asker:
    request = asked.request
    what = f"{request.method} {request.url.path}"
    return asker(asked.identity.account, asked.key, what, asked.body)


def _response(answer: Answer) -> Response:
    headers = {} if answer.location is None else {"Location": answer.location}
    return Response(answer.body, answer.status, headers, "application/json")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/orders",
        "Place a leg of a guarded quote",
        "orders",
        place,
        Data[schemas.OrderRow],
        body=OrderBody,
        errors=[
            "NOT_FOUND", "QUOTE_EXPIRED", "CLIENT_ORDER_ID_USED", "OPENINGS_PAUSED",
            *STOPPED,
            "NOT_SUPPORTED",
        ],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "GET",
        "/v1/orders",
        "The orders of the account, the newest first",
        "orders",
        list_orders,
        Rows[schemas.OrderRow],
        query=OrdersQuery,
        access="session",
        scope="read",
    ),
    Endpoint(
        "POST",
        "/v1/orders/cancel-all",
        "Cancel every order that lives",
        "orders",
        cancel_all,
        Data[schemas.CancelRequested],
        body=CancelBody,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE"],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "POST",
        "/v1/orders/flatten",
        "Close what the account holds, as its own fills tell",
        "orders",
        flatten,
        Data[schemas.Flattened],
        body=FlattenBody,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE"],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "POST",
        "/v1/orders/claim",
        "Take out what a venue owes: funding, impact kept back, profit",
        "orders",
        claim,
        Data[schemas.OrderRow],
        body=ClaimBody,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE", "CLIENT_ORDER_ID_USED", "NOT_SUPPORTED"],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "POST",
        "/v1/orders/pause",
        "Open nothing more, or again; exits always work",
        "orders",
        pause,
        Data[schemas.Paused],
        body=PauseBody,
        access="session",
        scope="trade",
        limit="order",
        keyed="must",
    ),
    Endpoint(
        "GET",
        "/v1/orders/{id}",
        "An order, now or at its next version",
        "orders",
        get_order,
        Data[schemas.OrderRow],
        params=OrderPath,
        query=WaitQuery,
        errors=["BUSY"],
        access="session",
        scope="read",
    ),
    Endpoint(
        "PATCH",
        "/v1/orders/{id}",
        "Change an order that lives",
        "orders",
        amend,
        Data[schemas.OrderRow],
        params=OrderPath,
        body=AmendBody,
        errors=["ORDER_TERMINAL", "CANCEL_REQUESTED", "OPENINGS_PAUSED", *STOPPED],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "DELETE",
        "/v1/orders/{id}",
        "Cancel an order",
        "orders",
        cancel,
        Data[schemas.OrderRow],
        params=OrderPath,
        errors=["ORDER_TERMINAL"],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="must",
    ),
    Endpoint(
        "POST",
        "/v1/orders/{id}/submission",
        "What was signed for a step, or the hash of what was sent",
        "orders",
        submit,
        Data[schemas.OrderRow],
        params=OrderPath,
        body=SubmissionBody,
        errors=[
            "ORDER_TERMINAL", "STEP_SUPERSEDED", "STEP_BLOCKED", "SIGN_BY_PASSED",
            "TRANSACTION_MISMATCH", "SIGNATURE_INVALID", "TRANSACTION_KNOWN", "TOO_MANY_ATTEMPTS",
            *STOPPED, "OPENINGS_PAUSED", "NOT_SUPPORTED", "SEALING_OFF", "BUSY",
        ],
        access="session",
        scope="trade",
        limit="order",
        status=202,
        keyed="may",
    ),
    Endpoint(
        "PUT",
        "/v1/heartbeat",
        "Unless heard again in time, all orders are asked to go",
        "orders",
        beat,
        Data[schemas.HeartbeatState],
        body=HeartbeatBody,
        access="session",
        scope="trade",
        limit="order",
    ),
)  # fmt: skip
