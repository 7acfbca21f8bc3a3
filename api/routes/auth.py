"""``/v1/auth``: sign-in with a wallet, tokens, the session."""

from functools import partial
from typing import Any, Final

from starlette.responses import Response

from api import query
from api.auth.identity import AuthError
from api.auth.service import Auth, Grant
from api.endpoints import Asked, Endpoint, bearer
from api.schemas import auth as schemas
from api.schemas.auth import LoginBody, NonceBody, RefreshBody
from api.schemas.base import Data, Nothing
from db.accounts import EVERY_CHAIN
from db.sessions import LIFE
from runtime.clock import iso_ms

COOKIE: Final = "perptape_refresh"
_CLIENT_BOUND: Final = 200


async def nonce(asked: Asked[None, Nothing, NonceBody]) -> Response:
    body = asked.body
    challenge = await asked.context.auth.challenge(body.address, body.chain_id)
    return query.answer(
        {
            "nonce": challenge.nonce,
            "domain": challenge.binding.domain,
            "uri": challenge.binding.uri,
            "chain_id": challenge.binding.chain_id,
            "expires_at": iso_ms(challenge.expires_us),
            "message": challenge.message,
        }
    )


async def login(asked: Asked[None, Nothing, LoginBody]) -> Response:
    auth, limits, body = asked.context.auth, asked.context.limits, asked.body
    admit = partial(limits.admit, limits.rates.login)
    grant = await auth.sign_in(body.message, body.signature, admit)
    return _granted(auth, grant, by_cookie=body.cookie)


async def refresh(asked: Asked[None, Nothing, RefreshBody]) -> Response:
    auth, request = asked.context.auth, asked.request
    token, by_cookie = _refresh_token(asked)
    if token is None:
        raise AuthError("REFRESH_TOKEN_INVALID", "neither a refresh_token nor a cookie with one")
    client = request.headers.get("user-agent", "")[:_CLIENT_BOUND]
    return _granted(auth, await auth.refresh(token, client), by_cookie=by_cookie)


async def logout(asked: Asked[None, Nothing, RefreshBody]) -> Response:
    """Of the session of the access token, else of the refresh token."""
    auth, request = asked.context.auth, asked.request
    token, _ = _refresh_token(asked)
    if "authorization" in request.headers or token is None:
        session_id = auth.claims(bearer(request)).session_id
    else:
        session_id = await auth.session_of(token)
    await auth.sign_out(session_id)
    answer = query.answer({"ended": True})
    answer.delete_cookie(COOKIE, **_cookie_scope(auth))
    return answer


async def session(asked: Asked[None, Nothing, None]) -> Response:
    identity = asked.identity
    chain_id = identity.account.chain_id
    return query.answer(
        {
            "account_id": identity.account.id,
            "address": identity.account.address,
            "chain_id": None if chain_id == EVERY_CHAIN else chain_id,
            "session_id": identity.claims.session_id,
            "expires_at": iso_ms(identity.claims.expires_at_s * 1_000_000),
        }
    )


def _refresh_token(asked: Asked[None, Nothing, RefreshBody]) -> tuple[str | None, bool]:
    """The token, and whether it came by cookie."""
    if asked.body.refresh_token is not None:
        return asked.body.refresh_token, False
    return asked.request.cookies.get(COOKIE), True


def _granted(auth: Auth, grant: Grant, *, by_cookie: bool) -> Response:
    data: dict[str, Any] = {
        "access_token": grant.access_token,
        "token_type": "Bearer",
        "expires_at": iso_ms(grant.expires_us),
        "refresh_token": None if by_cookie else grant.refresh_token,
        "account_id": grant.account.id,
        "address": grant.account.address,
    }
    answer = query.answer(data)
    if by_cookie:
        answer.set_cookie(
            COOKIE,
            grant.refresh_token,
            max_age=int(LIFE.total_seconds()),
            **_cookie_scope(auth),
        )
    return answer


def _cookie_scope(auth: Auth) -> dict[str, Any]:
    return {
        "path": "/v1/auth",
        "secure": auth.config.is_secure,
        "httponly": True,
        "samesite": "strict",
    }


_REFUSALS: Final = ("SESSION_ENDED", "REFRESH_TOKEN_INVALID")
_AWAY: Final = ("AUTH_OFF", "REDIS_UNAVAILABLE", "DATABASE_UNAVAILABLE")

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/auth/nonce",
        "A message to sign in with",
        "auth",
        nonce,
        Data[schemas.Challenge],
        body=NonceBody,
        errors=["AUTH_OFF", "AUTH_BUSY", "REDIS_UNAVAILABLE"],
    ),
    Endpoint(
        "POST",
        "/v1/auth/login",
        "Sign in with the signed message",
        "auth",
        login,
        Data[schemas.Grant],
        body=LoginBody,
        errors=["NONCE_UNKNOWN", "LOGIN_REFUSED", "AUTH_BUSY", "CHAIN_UNAVAILABLE", *_AWAY],
        limit="login",
    ),
    Endpoint(
        "POST",
        "/v1/auth/refresh",
        "The next tokens",
        "auth",
        refresh,
        Data[schemas.Grant],
        body=RefreshBody,
        errors=["REFRESH_TOKEN_REUSED", *_REFUSALS, *_AWAY],
        access="cookie",
    ),
    Endpoint(
        "POST",
        "/v1/auth/logout",
        "End the session",
        "auth",
        logout,
        Data[schemas.Ended],
        body=RefreshBody,
        errors=["TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", *_REFUSALS, *_AWAY],
        access="cookie",
    ),
    Endpoint(
        "GET",
        "/v1/auth/session",
        "Who is signed in",
        "auth",
        session,
        Data[schemas.Session],
        access="session",
    ),
)
