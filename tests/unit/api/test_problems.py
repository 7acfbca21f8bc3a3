import asyncio

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import problems, query
from api.edge import Edge
from api.paths import Paths
from api.peers import DIRECT
from api.schemas.paging import Page
from domain.errors import InputError


async def crash(request: Request) -> Response:
    raise RuntimeError("a secret detail")


async def unmapped(request: Request) -> Response:
    raise InputError("NOBODY_KNOWS_THIS", "another detail")


async def listed(request: Request) -> Response:
    rows = [f"{number:03d}" for number in range(250)]
    asked = Page.model_validate(dict(request.query_params))
    page, next_cursor = query.page(asked, rows, str)
    return query.answer(page, next_cursor=next_cursor)


ROUTES = [Route("/crash", crash), Route("/unmapped", unmapped), Route("/rows", listed)]
APP = Edge(Paths({}), Starlette(routes=ROUTES), DIRECT)


def get(path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/crash", "/unmapped"])
def test_a_failure_tells_nothing_but_its_request_id(path: str) -> None:
    answer = get(path)
    assert answer.status_code == 500
    assert answer.json()["code"] == "INTERNAL"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "detail" not in answer.text.replace('"detail":', "")
    assert "content-security-policy" in answer.headers


def test_every_code_has_a_status_that_fits() -> None:
    for code, spec in problems.SPECS.items():
        assert 400 <= spec.status < 600, code
        # What is in progress ends by itself, and so does what is still to be looked at.
        passing = spec.status in (429, 503) or code in (
            "IDEMPOTENCY_IN_PROGRESS",
            "TRANSACTION_KNOWN",
        )
        assert (spec.retry_after_s is not None) <= passing, code


def test_a_walk_through_the_pages_sees_every_row_once() -> None:
    seen: list[str] = []
    path = "/rows?limit=60"
    while True:
        answer = orjson.loads(get(path).content)
        seen += answer["data"]
        if answer["next_cursor"] is None:
            break
        path = f"/rows?limit=60&cursor={answer['next_cursor']}"
    assert seen == [f"{number:03d}" for number in range(250)]
    assert len(orjson.loads(get("/rows").content)["data"]) == 100
