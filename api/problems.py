"""Errors as ``application/problem+json``: the only map from error codes to HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InputError, PerpError, Recovery
from runtime.logs import get_logger

MEDIA_TYPE: Final = "application/problem+json"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Spec:
    """How a code is answered. ``retry_after_s``: only where asking again can help."""

    status: int
    title: str
    hint: str | None = None
    retry_after_s: int | None = None


STOPPED: Final = ("OPENINGS_STOPPED", "VENUE_STOPPED", "MAX_NOTIONAL")
"""What operators have said about openings."""

SPECS: Final[Mapping[str, Spec]] = {
    "NOT_FOUND": Spec(404, "There is nothing here", "docs/protocol.md lists the endpoints"),
    "METHOD_NOT_ALLOWED": Spec(405, "This method is not allowed here"),
    "UNKNOWN_MARKET": Spec(404, "Unknown market", "GET /v1/markets lists all"),
    "INVALID_REQUEST": Spec(422, "The request is not valid", "issues name what is wrong"),
    "TOKEN_MISSING": Spec(401, "Sign in first", "POST /v1/auth/nonce begins a sign-in"),
    "TOKEN_INVALID": Spec(401, "The access token is not valid", "sign in again"),
    "TOKEN_EXPIRED": Spec(401, "The access token has expired", "POST /v1/auth/refresh"),
    "SESSION_ENDED": Spec(401, "The session has ended", "sign in again"),
    "REFRESH_TOKEN_INVALID": Spec(401, "The refresh token is not valid", "sign in again"),
    "REFRESH_TOKEN_REUSED": Spec(
        401, "The refresh token was used before", "somebody else may have it: sign in again"
    ),
    "NONCE_UNKNOWN": Spec(401, "The nonce cannot be used", "POST /v1/auth/nonce gives a new one"),
    "LOGIN_REFUSED": Spec(401, "The sign-in is refused", "issues say why; the nonce is used up"),
    "SCOPE_MISSING": Spec(403, "The API key may not do this", "its scopes are in GET /v1/api-keys"),
    "TOO_MANY_KEYS": Spec(409, "Too many API keys", "DELETE /v1/api-keys/{id} revokes one"),
    "TOO_MANY_WALLETS": Spec(409, "Too many wallets", "DELETE /v1/wallets/dydx/{address}"),
    "ROUTE_GONE": Spec(409, "There is no such route now", "POST /v1/routes says which there are"),
    "QUOTE_EXPIRED": Spec(410, "The guarded quote has expired", "POST /v1/guarded-quotes again"),
    "CLIENT_ORDER_ID_USED": Spec(
        409, "Another order has this client_order_id", "GET /v1/orders?client_order_id= finds it"
    ),
    "IDEMPOTENCY_MISMATCH": Spec(422, "The Idempotency-Key was used for another request"),
    "IDEMPOTENCY_IN_PROGRESS": Spec(
        409, "A request with this Idempotency-Key has not ended", "send it again", 1
    ),
    "OPENINGS_PAUSED": Spec(
        409, "Nothing is opened now; exits work", "POST /v1/orders/pause with paused: false"
    ),
    "OPENINGS_STOPPED": Spec(409, "Nothing is opened now; exits work", "ask the operators"),
    "VENUE_STOPPED": Spec(409, "Nothing is opened at this venue now; exits work"),
    "MAX_NOTIONAL": Spec(409, "The order is larger than one may be", "a smaller size"),
    "NOT_SUPPORTED": Spec(422, "This is not offered", "GET /v1/capabilities says what is"),
    "ORDER_TERMINAL": Spec(409, "The order has ended"),
    "CANCEL_REQUESTED": Spec(409, "The order is to be cancelled"),
    "STEP_SUPERSEDED": Spec(409, "Another step took its place", "read the order's steps again"),
    "STEP_BLOCKED": Spec(409, "Another step comes first", "blocked_by says which"),
    "SIGN_BY_PASSED": Spec(410, "It was signed too late"),
    "TRANSACTION_KNOWN": Spec(
        409,
        "The transaction was given for another order",
        "where it is not that order's it gives way once it was looked at",
        2,
    ),
    "TOO_MANY_ATTEMPTS": Spec(409, "Too many transactions for one step"),
    "TRANSACTION_MISMATCH": Spec(
        422, "The transaction is not the step's", "issues name what differs"
    ),
    "SIGNATURE_INVALID": Spec(422, "Not signed by the owner of the step"),
    "LINK_REFUSED": Spec(422, "The wallet is not linked", "issues say why; the nonce is used up"),
    "ORIGIN_REFUSED": Spec(403, "Refused to pages of other origins"),
    "RATE_LIMITED": Spec(429, "Too many requests", "ask less often", 1),
    "UNSUPPORTED_MEDIA_TYPE": Spec(415, "The body is not JSON"),
    "BODY_TOO_SLOW": Spec(408, "The body did not come in time"),
    "LENGTH_REQUIRED": Spec(411, "The length of the body is not said"),
    "BODY_TOO_LARGE": Spec(413, "The body is too large"),
    "BAD_HTTP": Spec(400, "The request cannot be read"),
    "QUOTE_STALE": Spec(503, "No current quote", "no venue backs a price now", 1),
    "FEED_UNAVAILABLE": Spec(503, "Nothing is known from the feed yet", None, 1),
    "REDIS_UNAVAILABLE": Spec(503, "Redis does not answer", None, 1),
    "DATABASE_UNAVAILABLE": Spec(503, "Postgres does not answer", None, 1),
    "EXECUTOR_UNAVAILABLE": Spec(503, "Nobody executes orders", None, 5),
    "CHAIN_UNAVAILABLE": Spec(503, "No node of the chain answers", None, 2),
    "AUTH_OFF": Spec(503, "Nobody can sign in here", "set PERP_AUTH_KEYS", 60),
    "AUTH_BUSY": Spec(503, "Too many sign-ins at once", None, 2),
    "SEALING_OFF": Spec(503, "Signed transactions cannot be kept here", "set PERP_DATA_DIR", 60),
    "BUSY": Spec(503, "Too much is asked for at once", None, 1),
    "NOT_READY": Spec(503, "Not ready", "issues name what is missing", 1),
    "INTERNAL": Spec(500, "The server failed", "quote the request_id in a report"),
}

_OF_STATUS: Final = {
    400: "BAD_HTTP",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "BODY_TOO_LARGE",
}


_LEFT_UNREAD: Final = (400, 408, 411)
"""Where it is not known, or not sure, where the next request begins."""


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong at ``path``: ``query.limit`` or the name of a part."""

    path: str
    code: str
    message: str


class Invalid(InputError):
    """The request is wrong in one or more places."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("INVALID_REQUEST", "; ".join(issue.message for issue in issues))
        self.issues = issues


class Unavailable(PerpError):
    """A part this answer needs is away."""

    recovery: ClassVar[Recovery] = "backoff"

    def __init__(
        self,
        code: str,
        message: str,
        issues: Sequence[Issue] = (),
        health: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.issues = issues
        self.health = health


class TooMany(PerpError):
    """429. ``policy`` and ``state``: of the headers ``RateLimit-Policy`` and ``RateLimit``."""

    recovery: ClassVar[Recovery] = "backoff"

    def __init__(self, policy: bytes, state: bytes, retry_after_s: int) -> None:
        super().__init__("RATE_LIMITED", f"ask again in {retry_after_s} s")
        self.headers = {
            "RateLimit-Policy": policy.decode(),
            "RateLimit": state.decode(),
            "Retry-After": str(retry_after_s),
        }


def problem(
    request: Request,
    code: str,
    detail: str,
    issues: Sequence[Issue] = (),
    headers: Mapping[str, str] | None = None,
    health: Mapping[str, Any] | None = None,
) -> Response:
    spec = SPECS[code]
    body: dict[str, Any] = {
        "type": f"urn:perptape:problem:{code}",
        "title": spec.title,
        "status": spec.status,
        "detail": detail,
        "instance": request.scope["raw_path"].decode("latin-1")[:200],
        "code": code,
        "retryable": spec.retry_after_s is not None,
        "request_id": request.scope["request_id"],
        "issues": issues,
        "hint": spec.hint,
    }
    if health is not None:
        body["health"] = health
    sent = dict(headers or {})
    if spec.retry_after_s is not None:
        sent.setdefault("Retry-After", str(spec.retry_after_s))
    if spec.status in _LEFT_UNREAD:
        sent["Connection"] = "close"
    if spec.status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), spec.status, sent, MEDIA_TYPE)


def of_error(request: Request, error: Exception) -> Response:
    """What is answered where an endpoint, or who serves a path beside them, raised this."""
    if isinstance(error, HTTPException):
        code = _OF_STATUS.get(error.status_code, "INTERNAL")
        detail = HTTPStatus(error.status_code).description or error.detail
        return problem(request, code, detail, headers=error.headers)
    if not isinstance(error, PerpError) or error.code not in SPECS:
        return _crashed(request, error)
    return problem(
        request,
        error.code,
        error.message,
        getattr(error, "issues", ()),
        error.headers if isinstance(error, TooMany) else None,
        error.health if isinstance(error, Unavailable) else None,
    )


def _crashed(request: Request, error: Exception) -> Response:
    _log.error(
        "request_failed",
        request_id=request.scope["request_id"],
        method=request.method,
        error=repr(error),
        exc_info=error,
    )
    return problem(request, "INTERNAL", "an unexpected error, which has been logged")
