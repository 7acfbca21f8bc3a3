"""JSON bodies of requests: bounded, read once, one way to read them."""

import asyncio
import json
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from api.edge import BODY_BOUND
from api.problems import Invalid, Issue
from domain.errors import InputError

READ_TIMEOUT_S: Final = 5.0


async def read_object(request: Request) -> dict[str, Any]:
    """A body that is one JSON object. An empty body is an object without fields.

    Raises InputError ``UNSUPPORTED_MEDIA_TYPE``, ``BODY_TOO_LARGE``, ``BODY_TOO_SLOW``,
    ``LENGTH_REQUIRED``, ``BAD_HTTP``, and Invalid for what is no such object.
    """
    body = await _bytes(request)
    if "transfer-encoding" in request.headers:
        raise InputError("LENGTH_REQUIRED", "send Content-Length")
    if not body:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InputError("UNSUPPORTED_MEDIA_TYPE", "send application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InputError("UNSUPPORTED_MEDIA_TYPE", "send it as it is, without Content-Encoding")
    return _object(body)


async def _bytes(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BOUND:
                    raise InputError("BODY_TOO_LARGE", f"at most {BODY_BOUND} bytes")
    except TimeoutError:
        raise InputError("BODY_TOO_SLOW", f"not there after {READ_TIMEOUT_S:.0f} s") from None
    except ClientDisconnect:
        raise InputError("BAD_HTTP", "the client left") from None
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(
            body.decode(), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_refuse
        )
    except (ValueError, RecursionError):
        raise Invalid([Issue("body", "BAD_JSON", "not JSON, or a name is there twice")]) from None
    if not isinstance(found, dict):
        raise Invalid([Issue("body", "WRONG_TYPE", "expected a JSON object")])
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse(text: str) -> Any:
    raise ValueError(f"not a number that is taken here: {text[:20]}")
