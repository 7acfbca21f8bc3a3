"""What lists have in common: pages, and the shape of an answer."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from starlette.responses import Response

from api.problems import Issue
from api.schemas.paging import Page, encode_cursor

Row = TypeVar("Row")


def page(
    asked: Page, rows: Sequence[Row], key: Callable[[Row], str], *, descending: bool = False
) -> tuple[Sequence[Row], str | None]:
    """The rows asked for and the cursor of the next page, None on the last one. ``rows`` stand in
    the order of ``key``."""
    after = asked.cursor
    if after is not None:
        rows = [row for row in rows if (key(row) < after if descending else key(row) > after)]
    shown = rows[: asked.limit]
    return shown, encode_cursor(key(shown[-1])) if len(rows) > asked.limit else None


class _Json(Response):
    """What ``Response`` makes of bytes, without looking for what is not there."""

    media_type = "application/json"

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def answer(data: Any, **beside: Any) -> Response:
    return _Json(orjson.dumps({"data": data, **beside}))


def issue(name: str, code: str, message: str) -> Issue:
    return Issue(f"query.{name}", code, message)
