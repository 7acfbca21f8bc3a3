"""Query parameters: named, single, checked. And the pages of lists."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.problems import Invalid, Issue

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000

Row = TypeVar("Row")

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


def read(request: Request, *allowed: str) -> dict[str, str]:
    """The query of ``request``. Raises Invalid for unknown and repeated names."""
    fields: dict[str, str] = {}
    issues = []
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            issues.append(issue(name, "UNKNOWN_PARAMETER", f"unknown parameter; known: {known}"))
        elif name in fields:
            issues.append(issue(name, "REPEATED_PARAMETER", "given more than once"))
        fields[name] = value
    if issues:
        raise Invalid(issues)
    return fields


def page(
    request: Request,
    rows: Sequence[Row],
    key: Callable[[Row], str],
    *,
    descending: bool = False,
    beside: Sequence[str] = (),
) -> tuple[Sequence[Row], str | None]:
    """``limit`` rows after ``cursor`` and the cursor of the next page, None on the last one.

    ``rows`` stand in the order of ``key``; ``beside``: other parameters that there may be. Raises
    Invalid.
    """
    fields = read(request, "limit", "cursor", *beside)
    limit = limit_of(fields)
    if "cursor" in fields:
        after = decode_cursor(fields["cursor"])
        rows = [row for row in rows if (key(row) < after if descending else key(row) > after)]
    shown = rows[:limit]
    return shown, encode_cursor(key(shown[-1])) if len(rows) > limit else None


def answer(data: Any, **beside: Any) -> Response:
    return Response(orjson.dumps({"data": data, **beside}), media_type="application/json")


def limit_of(fields: Mapping[str, str]) -> int:
    """Rows a page. Raises Invalid."""
    text = fields.get("limit")
    if text is None:
        return LIMIT_DEFAULT
    if not _LIMIT.fullmatch(text) or int(text) > LIMIT_MAX:
        raise Invalid([issue("limit", "OUT_OF_RANGE", f"an integer from 1 to {LIMIT_MAX}")])
    return int(text)


def encode_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()


def decode_cursor(text: str) -> str:
    try:
        if _CURSOR.fullmatch(text):
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        pass
    raise Invalid([bad_cursor()])


def bad_cursor() -> Issue:
    return issue("cursor", "BAD_CURSOR", "not a next_cursor of this list")


def issue(name: str, code: str, message: str) -> Issue:
    return Issue(f"query.{name[:60]}", code, message)
