"""``/v1/api-keys``: keys for programs. A key itself cannot ask this."""

from typing import Any

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.schemas import identity as schemas
from api.schemas.base import Data, Nothing, Rows
from api.schemas.identity import KeyBody, KeyId
from db.api_keys import ApiKey
from db.instants import instant, microseconds
from runtime.clock import iso_ms, wall_us


async def list_keys(asked: Asked[None, Nothing, None]) -> Response:
    keys = await asked.context.auth.api_keys.of_account(asked.identity.account)
    return query.answer([_row(key) for key in keys], next_cursor=None)


async def create(asked: Asked[None, Nothing, KeyBody]) -> Response:
    body = asked.body
    life = body.expires_in_days
    expires_at = None if life is None else instant(wall_us()) + life
    key, text = await asked.context.auth.api_keys.create(
        asked.identity.account, body.name, body.scopes, expires_at
    )
    answer = query.answer({**_row(key), "key": text})
    answer.status_code = 201
    return answer


async def revoke(asked: Asked[KeyId, Nothing, Nothing]) -> Response:
    await asked.context.auth.api_keys.revoke(asked.identity.account, asked.path.id)
    return query.answer({"revoked": True})


def _row(key: ApiKey) -> dict[str, Any]:
    times = {
        name: None if at is None else iso_ms(microseconds(at))
        for name, at in (
            ("created_at", key.created_at),
            ("expires_at", key.expires_at),
            ("used_at", key.used_at),
        )
    }
    return {"id": key.id, "name": key.name, "scopes": list(key.scopes), **times}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/api-keys",
        "The API keys of the account",
        "auth",
        list_keys,
        Rows[schemas.Key],
        access="session",
    ),
    Endpoint(
        "POST",
        "/v1/api-keys",
        "A new API key",
        "auth",
        create,
        Data[schemas.NewKey],
        body=KeyBody,
        errors=["TOO_MANY_KEYS"],
        access="session",
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/v1/api-keys/{id}",
        "Revoke an API key",
        "auth",
        revoke,
        Data[schemas.Revoked],
        params=KeyId,
        errors=["REDIS_UNAVAILABLE"],
        access="session",
    ),
)
