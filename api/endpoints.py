"""An endpoint: what may be asked, what is answered. Requests are checked by what it says, and
``api.openapi`` describes it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api import metrics, problems
from api.auth.identity import AuthError, Identity
from api.body import read_object
from api.buckets import address_of
from api.context import Context, context_of
from api.limits import Policy
from api.problems import Invalid, Issue
from api.realtime.handshake import same_origin
from api.schemas.base import Nothing
from api.shared import SharedAnswers, respond
from domain.errors import InputError, PerpError

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Area = Literal["market", "auth", "routing", "orders", "account", "ops"]
Access = Literal["none", "session", "cookie"]
"""``session``: an access token; ``cookie``: a refresh token, in the body or as a cookie."""
LimitClass = Literal["none", "read", "login", "order"]
"""``read``: of the account whose token comes along, else of the address; ``login``: of the address,
and of the account that signs in; ``order``: as ``read``, and of the account itself."""
Keyed = Literal["no", "may", "must"]
"""Whether a request has an ``Idempotency-Key``. ``must``: it changes orders, and without one it is
refused; ``may``: it changes nothing when it is repeated, and with one its answer is kept too."""

Path = TypeVar("Path")
Query = TypeVar("Query")
Body = TypeVar("Body")

ISSUES_BOUND: Final = 20

_COMMON: Final = ("BAD_HTTP", "BODY_TOO_LARGE", "INVALID_REQUEST", "INTERNAL")
_OF_BODY: Final = (
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_SLOW",
    "LENGTH_REQUIRED",
    "ORIGIN_REFUSED",
)
_OF_SESSION: Final = (
    "TOKEN_MISSING",
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "SESSION_ENDED",
    "SCOPE_MISSING",
    "AUTH_OFF",
    "DATABASE_UNAVAILABLE",
)
_ANYWHERE: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
"""Market data is for the pages of everybody. Credentials are not: browsers send none along."""
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id",
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "If-None-Match, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
KEY_PATTERN: Final = "[ -~]{1,255}"
_KEY: Final = re.compile(KEY_PATTERN, re.ASCII)
_CODES: Final = {"missing": "MISSING", "string_unicode": "BAD_TEXT"}


@dataclass(frozen=True, slots=True)
class Asked(Generic[Path, Query, Body]):
    """One request, checked."""

    request: Request
    context: Context
    path: Path
    query: Query
    body: Body
    _identity: Identity | None
    key: str | None = None

    @property
    def identity(self) -> Identity:
        """Who asks. Only where the endpoint wants to know."""
        assert self._identity is not None, "this endpoint is open to anybody"
        return self._identity


_Told: TypeAlias = list[tuple[bytes, bytes]]
Handle = Callable[[Asked[Any, Any, Any]], Awaitable[Response]]


def _never_the_same(context: Context) -> None:
    """The version of what is made anew each time."""
    del context


@dataclass(frozen=True)
class Endpoint:
    """``answer``: the model of what is answered, None for something that is not JSON. ``errors``:
    codes of ``api.problems`` that ``handle`` may answer; those of what is said here come by
    themselves. ``scope``: what an API key must be allowed, None where keys are not taken.
    ``shared``: the answer is the same for everybody who asks the same; ``version``: what it is kept
    for as long as it is the same object."""

    method: Method
    path: str
    summary: str
    area: Area
    handle: Handle
    answer: type[BaseModel] | None
    params: type[BaseModel] = Nothing
    query: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    errors: Sequence[str] = ()
    access: Access = "none"
    scope: str | None = None
    limit: LimitClass = "read"
    shared: bool = False
    version: Callable[[Context], object | None] = _never_the_same
    status: int = 200
    media_type: str = "application/json"
    keyed: Keyed = "no"

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every error code it can answer."""
        found = [*_COMMON, *self.errors]
        if self.params is not Nothing:
            found.append("NOT_FOUND")
        if self.method != "GET":
            found += _OF_BODY
        if self.access == "session":
            found += _OF_SESSION
        if self.limit != "none":
            found.append("RATE_LIMITED")
        if self.limit == "login":
            found.append("REDIS_UNAVAILABLE")
        if self.keyed != "no":
            found += ["IDEMPOTENCY_MISMATCH", "IDEMPOTENCY_IN_PROGRESS"]
        return frozenset(found)

    @cached_property
    def query_names(self) -> tuple[str, ...]:
        fields = self.query.model_fields
        return tuple(field.alias or name for name, field in fields.items())

    @cached_property
    def no_query(self) -> BaseModel:
        """What a request without a query asks; every parameter has a default."""
        return self.query()


class Resource:
    """The endpoints of one path."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.path = endpoints[0].path
        self.by_method: dict[str, Endpoint] = {item.method: item for item in endpoints}
        if "GET" in self.by_method:
            self.by_method["HEAD"] = self.by_method["GET"]
        self._allow = ", ".join(self.by_method)
        self._open = all(endpoint.area == "market" for endpoint in endpoints)
        self._shared = SharedAnswers()

    async def answer(self, request: Request) -> Response:
        endpoint = self.by_method.get(request.method)
        if endpoint is None:
            response = self._other_method(request)
        else:
            told: _Told = []
            try:
                if endpoint.limit != "none":
                    told += await _admit(endpoint.limit, request)
                response = await self._answer(endpoint, request, told)
            except PerpError as error:
                if error.code not in endpoint.codes:
                    metrics.UNDOCUMENTED.labels(route=endpoint.path, code=error.code).inc()
                response = problems.of_error(request, error)
            response.raw_headers += told
        if self._open:
            response.raw_headers += _ANYWHERE
            if b"origin" in request.scope["said"]:
                response.raw_headers.append(_EXPOSED)
        return response

    async def _answer(self, endpoint: Endpoint, request: Request, told: _Told) -> Response:
        if not endpoint.shared:
            return await endpoint.handle(await _asked(endpoint, request, told))

        async def make() -> Response:
            return await endpoint.handle(await _asked(endpoint, request, told))

        key = request.scope["raw_path"] + b"?" + request.scope["query_string"]
        answer = await self._shared.get(key, endpoint.version(context_of(request)), make)
        return await respond(answer, request.headers)

    def _other_method(self, request: Request) -> Response:
        asks_before = request.method == "OPTIONS" and (
            "origin" in request.headers and "access-control-request-method" in request.headers
        )
        if self._open and asks_before:
            return Response(status_code=204, headers=_PREFLIGHT | {"Allow": self._allow})
        detail = f"{self.path} takes {self._allow}"
        return problems.problem(request, "METHOD_NOT_ALLOWED", detail, (), {"Allow": self._allow})


async def _admit(limit: LimitClass, request: Request) -> _Told:
    """What the answer says of the limit. Raises TooMany, Unavailable."""
    context = context_of(request)
    limits = context.limits
    known = context.auth.remembered(_token(request)) if limit != "login" else None
    if known is not None:
        policy, client = limits.rates.account, known
    else:
        policy = limits.rates.login if limit == "login" else limits.rates.anonymous
        client = address_of(request.scope["client"][0])
    left = await limits.admit(policy, client)
    return _headers(policy, left)


async def _admit_order(context: Context, identity: Identity) -> _Told:
    """As ``_admit``, by the account itself."""
    policy = context.limits.rates.orders
    return _headers(policy, await context.limits.admit(policy, identity.account.id))


def _headers(policy: Policy, left: float) -> _Told:
    return [(b"ratelimit-policy", policy.header), (b"ratelimit", policy.state(left))]


async def _asked(endpoint: Endpoint, request: Request, told: _Told) -> Asked[Any, Any, Any]:
    """``told``: headers of the answer. Raises PerpError."""
    context = context_of(request)
    params = _params(endpoint, request)
    query = _query(endpoint, request)
    body: BaseModel | None = None
    changes = endpoint.method != "GET"
    if changes and not same_origin(request.headers.get("origin"), request.headers.get("host", "")):
        raise InputError("ORIGIN_REFUSED", "pages of other origins cannot ask this")
    identity = None
    if endpoint.access == "session":
        identity = await context.auth.identify(bearer(request))
        if identity.scopes is not None and endpoint.scope not in identity.scopes:
            raise InputError("SCOPE_MISSING", _scope_needed(endpoint))
        if endpoint.limit == "order":
            told[:] = await _admit_order(context, identity)
    if changes:
        body = _checked(endpoint.body or Nothing, await read_object(request), "body")
    key = _key(endpoint, request)
    return Asked(request, context, params, query, body, identity, key)


def _key(endpoint: Endpoint, request: Request) -> str | None:
    """Raises Invalid."""
    if endpoint.keyed == "no":
        return None
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    path = f"header.{IDEMPOTENCY_KEY}"
    if not given and endpoint.keyed == "must":
        raise Invalid([Issue(path, "MISSING", "required")])
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise Invalid([Issue(path, "BAD_KEY", "once, 1 to 255 printable ASCII characters")])
    return given[0]


def _scope_needed(endpoint: Endpoint) -> str:
    if endpoint.scope is None:
        return "API keys are not taken here: sign in"
    return f"the API key needs the scope {endpoint.scope}"


def bearer(request: Request) -> str:
    """The access token. Raises AuthError ``TOKEN_MISSING``."""
    token = _token(request)
    if not token:
        raise AuthError("TOKEN_MISSING", "send Authorization: Bearer <access token>")
    return token


def _token(request: Request) -> str:
    """Empty where there is none, or more than one."""
    said = request.scope["said"].get(b"authorization")
    if said is None:
        return ""
    given = [name for name, _ in request.scope["headers"]].count(b"authorization")
    scheme, _, token = said.decode("latin-1").partition(" ")
    return token if scheme.lower() == "bearer" and given == 1 else ""


def _params(endpoint: Endpoint, request: Request) -> BaseModel | None:
    if endpoint.params is Nothing:
        return None
    try:
        return endpoint.params.model_validate(request.path_params)
    except ValidationError:
        raise InputError("NOT_FOUND", "no such thing") from None


def _query(endpoint: Endpoint, request: Request) -> BaseModel:
    raw = request.scope["query_string"]
    if not raw:
        return endpoint.no_query
    fields: dict[str, str] = {}
    issues = []
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if name not in endpoint.query_names:
            known = ", ".join(endpoint.query_names) or "none"
            issues.append(
                _issue("query", name, "UNKNOWN_PARAMETER", f"unknown parameter; known: {known}")
            )
        elif name in fields:
            issues.append(_issue("query", name, "REPEATED_PARAMETER", "given more than once"))
        fields[name] = value
    if issues:
        raise Invalid(issues[:ISSUES_BOUND])
    return _checked(endpoint.query, fields, "query")


def _checked(model: type[BaseModel], fields: dict[str, Any], where: str) -> BaseModel:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid([_issue_of(item, where) for item in found[:ISSUES_BOUND]]) from None


def _issue_of(error: Any, where: str) -> Issue:
    kind, name = error["type"], ".".join(map(str, error["loc"]))
    if kind == "extra_forbidden":
        return _issue(where, name, "UNKNOWN_FIELD", "unknown field")
    if kind == "missing":
        return _issue(where, name, "MISSING", "required")
    code = kind if kind.isupper() else _CODES.get(kind, "WRONG_TYPE")
    return _issue(where, name, code, error["msg"])


def _issue(where: str, name: str, code: str, message: str) -> Issue:
    shown = name[:60].encode("ascii", "backslashreplace").decode()
    return Issue(f"{where}.{shown}", code, message)
