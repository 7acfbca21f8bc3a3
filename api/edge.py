"""What every HTTP answer has in common: a request id, security headers, a count and a duration;
and where requests go."""

import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api import metrics, problems
from api.paths import Paths
from api.peers import Peers
from runtime.clock import mono_ns
from runtime.metrics import Counter, Histogram

BODY_BOUND: Final = 64 * 1024

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
_OF_HTTPS: Final = (b"strict-transport-security", b"max-age=31536000")
_OF_PAGES: Final = (b"cross-origin-opener-policy", b"same-origin")
_UNLESS_SAID: Final = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Resource(Protocol):
    """What is served at a path of ``Paths``."""

    path: str

    async def answer(self, request: Request) -> Response: ...


class Edge:
    """The ASGI application. Puts into the scope: ``client``, who asks; ``request_id``; ``said``,
    the headers by name, the last of each; ``app``, that of ``beside``."""

    def __init__(
        self, paths: Paths[Any], beside: Starlette, peers: Peers, *, is_secure: bool = False
    ) -> None:
        """``paths``: of ``Resource``. ``beside``: serves, without its own layers, all the other
        paths. ``is_secure``: browsers find us by https."""
        self._headers = (*_HEADERS, _OF_HTTPS) if is_secure else _HEADERS
        self.paths: Paths[Resource] = paths
        self.beside = beside
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_ns = mono_ns()
        said: dict[bytes, bytes] = dict(scope["headers"])
        given = said.get(b"x-request-id", b"")
        if not _REQUEST_ID.fullmatch(given):
            given = secrets.token_hex(16).encode()
        scope["request_id"] = given.decode()
        scope["said"] = said
        scope["app"] = self.beside
        scope["client"] = (self._peers.of(scope), 0)
        resource, scope["path_params"] = self.paths.find(scope["path"])
        request = Request(scope, receive)
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _dressed(message["headers"], given, self._headers)
            await send(message)

        try:
            if int(said.get(b"content-length", b"0")) > BODY_BOUND:
                detail = f"at most {BODY_BOUND} bytes"
                response = problems.problem(request, "BODY_TOO_LARGE", detail)
                await response(scope, receive, send_dressed)
            elif resource is not None:
                response = await resource.answer(request)
                await response(scope, receive, send_dressed)
            else:
                await self.beside.router(scope, receive, send_dressed)
        except Exception as error:
            if status:
                raise
            await problems.of_error(request, error)(scope, receive, send_dressed)
        finally:
            route = resource.path if resource is not None else _route_beside(scope)
            # A client that left before its answer is counted as nginx does.
            answers, seconds = _counted(route, status or 499)
            answers.inc()
            seconds.observe((mono_ns() - started_ns) / 1e9)


def _route_beside(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unmatched"))


@lru_cache(maxsize=1024)
def _counted(route: str, status: int) -> tuple[Counter, Histogram]:
    return (
        metrics.REQUESTS.labels(route=route, status=str(status)),
        metrics.REQUEST_SECONDS.labels(route=route),
    )


def _dressed(
    headers: list[tuple[bytes, bytes]], request_id: bytes, always: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    said = [*headers, (b"x-request-id", request_id), *always]
    found = dict(headers)
    said += [item for item in _UNLESS_SAID if item[0] not in found]
    if found.get(b"content-type", b"").startswith(b"text/html"):
        said.append(_OF_PAGES)
    return said
