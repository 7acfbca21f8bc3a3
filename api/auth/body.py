"""JSON bodies of requests: bounded, read once, nothing in them that is not asked for."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from api.edge import BODY_BOUND
from api.problems import Invalid, Issue
from domain.errors import InputError

READ_TIMEOUT_S: Final = 5.0


async def read_fields(
    request: Request, required: Mapping[str, type], optional: Mapping[str, type]
) -> dict[str, Any]:
    """The fields of a body that is one JSON object. An empty body is an object without fields.

    Raises InputError ``UNSUPPORTED_MEDIA_TYPE``, ``BODY_TOO_LARGE``, ``BODY_TOO_SLOW``,
    ``BAD_HTTP``, and Invalid for what is missing, unknown, twice there or of another type.
    """
    body = await _bytes(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media_type != "application/json":
        raise InputError("UNSUPPORTED_MEDIA_TYPE", "send application/json")
    fields = _object(body) if body else {}
    known = {**required, **optional}
    issues = [
        _issue(name, "UNKNOWN_FIELD", "unknown field") for name in fields if name not in known
    ]
    for name, kind in known.items():
        if name in fields and type(fields[name]) is not kind:
            issues.append(_issue(name, "WRONG_TYPE", f"expected a JSON {_NAMES[kind]}"))
        elif name in required and name not in fields:
            issues.append(_issue(name, "MISSING", "required"))
    if issues:
        raise Invalid(issues[:20])
    return fields


_NAMES: Final = {str: "string", int: "integer", bool: "boolean"}


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


def _issue(name: str, code: str, message: str) -> Issue:
    shown = name[:60].encode("ascii", "backslashreplace").decode()
    return Issue(f"body.{shown}", code, message)
