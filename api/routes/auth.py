"""``/v1/auth``: sign-in with a wallet, tokens, the session."""

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.auth.body import read_fields
from api.auth.service import Auth, AuthError, Grant, Identity
from api.context import context_of
from api.problems import Invalid, Issue
from api.realtime.handshake import same_origin
from db.accounts import EVERY_CHAIN
from db.sessions import LIFE
from domain.errors import InputError
from runtime.clock import iso_ms

COOKIE: Final = "perptape_refresh"
CHAIN_ID_BOUND: Final = 1 << 53
_CLIENT_BOUND: Final = 200
_ADDRESS: Final = re.compile(r"0x[0-9A-Fa-f]{40}", re.ASCII)


async def nonce(request: Request) -> Response:
    auth = _auth(request)
    fields = await read_fields(request, {"address": str, "chain_id": int}, {})
    issues = []
    if not _ADDRESS.fullmatch(fields["address"]):
        issues.append(Issue("body.address", "NO_ADDRESS", "expected 0x and 40 hex digits"))
    if not 0 < fields["chain_id"] < CHAIN_ID_BOUND:
        issues.append(Issue("body.chain_id", "OUT_OF_RANGE", "expected 1 to 2^53 - 1"))
    if issues:
        raise Invalid(issues)
    challenge = await auth.challenge(fields["address"], fields["chain_id"])
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


async def login(request: Request) -> Response:
    auth = _auth(request)
    fields = await read_fields(request, {"message": str, "signature": str}, {"cookie": bool})
    grant = await auth.sign_in(fields["message"], fields["signature"])
    return _granted(auth, grant, by_cookie=fields.get("cookie", False))


async def refresh(request: Request) -> Response:
    auth = _auth(request)
    fields = await read_fields(request, {}, {"refresh_token": str})
    token, by_cookie = _refresh_token(request, fields)
    if token is None:
        raise AuthError("REFRESH_TOKEN_INVALID", "neither a refresh_token nor a cookie with one")
    client = request.headers.get("user-agent", "")[:_CLIENT_BOUND]
    return _granted(auth, await auth.refresh(token, client), by_cookie=by_cookie)


async def logout(request: Request) -> Response:
    """Of the session of the access token, else of the refresh token."""
    auth = _auth(request)
    fields = await read_fields(request, {}, {"refresh_token": str})
    token, _ = _refresh_token(request, fields)
    if "authorization" in request.headers or token is None:
        session_id = auth.claims(_bearer(request)).session_id
    else:
        session_id = await auth.session_of(token)
    await auth.sign_out(session_id)
    answer = query.answer({"ended": True})
    answer.delete_cookie(COOKIE, **_cookie_scope(auth))
    return answer


async def session(request: Request) -> Response:
    query.read(request)
    identity = await identify(request)
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


async def identify(request: Request) -> Identity:
    """Who asks, by the access token. Raises AuthError, TokenError, Unavailable."""
    return await context_of(request).auth.identify(_bearer(request))


def _auth(request: Request) -> Auth:
    """For requests that change something. A page of somebody else cannot make them."""
    query.read(request)
    if not same_origin(request.headers.get("origin"), request.headers.get("host", "")):
        raise InputError("ORIGIN_REFUSED", "pages of other origins cannot ask this")
    return context_of(request).auth


def _bearer(request: Request) -> str:
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise AuthError("TOKEN_MISSING", "send Authorization: Bearer <access token>")
    return token


def _refresh_token(request: Request, fields: dict[str, str]) -> tuple[str | None, bool]:
    """The token, and whether it came by cookie."""
    if "refresh_token" in fields:
        return fields["refresh_token"], False
    return request.cookies.get(COOKIE), True


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


ROUTES = [
    Route("/v1/auth/nonce", nonce, methods=["POST"]),
    Route("/v1/auth/login", login, methods=["POST"]),
    Route("/v1/auth/refresh", refresh, methods=["POST"]),
    Route("/v1/auth/logout", logout, methods=["POST"]),
    Route("/v1/auth/session", session),
]
