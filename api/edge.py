"""What every HTTP answer has in common: a request id, security headers, a count and a duration."""

import re
import secrets
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics, problems
from runtime.clock import mono_ns

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
_OF_PAGES: Final = (b"cross-origin-opener-policy", b"same-origin")
_UNLESS_SAID: Final = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Edge:
    """Outermost ASGI layer. Puts ``request_id`` into the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given, declared = b"", 0
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"content-length":
                declared = int(value)
        if not _REQUEST_ID.fullmatch(given):
            given = secrets.token_hex(16).encode()
        scope["request_id"] = given.decode()
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _dressed(message["headers"], given)
            await send(message)

        started_ns = mono_ns()
        try:
            if declared > BODY_BOUND:
                detail = f"at most {BODY_BOUND} bytes"
                response = problems.problem(Request(scope), "BODY_TOO_LARGE", detail)
                await response(scope, receive, send_dressed)
            else:
                await self._app(scope, receive, send_dressed)
        except Exception as error:
            if status:
                raise
            await problems.crashed(Request(scope), error)(scope, receive, send_dressed)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            # A client that left before its answer is counted as nginx does.
            metrics.REQUESTS.labels(route=route, status=str(status or 499)).inc()
            metrics.REQUEST_SECONDS.labels(route=route).observe((mono_ns() - started_ns) / 1e9)


def _dressed(headers: list[tuple[bytes, bytes]], request_id: bytes) -> list[tuple[bytes, bytes]]:
    said = [*headers, (b"x-request-id", request_id), *_HEADERS]
    found = dict(headers)
    said += [item for item in _UNLESS_SAID if item[0] not in found]
    if found.get(b"content-type", b"").startswith(b"text/html"):
        said.append(_OF_PAGES)
    return said
