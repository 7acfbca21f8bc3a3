"""What every HTTP answer has in common: a request id, security headers, a count and a duration."""

import re
import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics, problems
from runtime.clock import mono_ns

BODY_BOUND: Final = 64 * 1024

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Edge:
    """Outermost ASGI layer. Puts ``request_id`` into the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = scope["request_id"]
                headers.setdefault("Cache-Control", "no-store")
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        started_ns = mono_ns()
        try:
            if _declared_bytes(scope) > BODY_BOUND:
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


def _declared_bytes(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0
