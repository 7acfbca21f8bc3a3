"""REST as HTTP: origins, ETags, compression, methods, and what tries to be two requests at once."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import pytest

from tests.integration.gateway_kit import Rig, market_row, running_gateway
from tests.integration.test_gateway_rest import check_problem

FOREIGN = {"Origin": "https://elsewhere.example"}
ASKS_BEFORE = FOREIGN | {"Access-Control-Request-Method": "GET"}


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url) as running:
        yield running


async def raw(rig: Rig, request: bytes) -> bytes:
    """What comes back until the server closes."""
    host, _, port = rig.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_market_data_is_for_pages_of_everybody_and_nothing_else_is(rig: Rig) -> None:
    for path in ("/v1/quotes/BTC-USD", "/v1/markets", "/v1/markets/NOPE"):
        answer = await rig.http.get(path, headers=FOREIGN)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "RateLimit" in answer.headers["access-control-expose-headers"]
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    before = await rig.http.options("/v1/markets", headers=ASKS_BEFORE)
    assert before.status_code == 204
    assert before.headers["access-control-allow-methods"] == "GET, HEAD"
    for path in ("/v1/auth/session", "/v1/auth/login", "/health", "/openapi.json"):
        refused = await rig.http.options(path, headers=ASKS_BEFORE)
        check_problem(refused, 405, "METHOD_NOT_ALLOWED")
        answer = await rig.http.get(path, headers=FOREIGN)
        for told in (refused, answer):
            assert not [name for name in told.headers if name.startswith("access-control")]
            assert told.headers["cross-origin-resource-policy"] == "same-origin"


async def test_markets_are_sent_once_and_again_when_they_change(rig: Rig) -> None:
    first = await rig.http.get("/v1/markets")
    held = {"If-None-Match": first.headers["etag"]}
    again = await rig.http.get("/v1/markets", headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    other = await rig.http.get("/v1/markets?limit=1", headers=held)
    assert other.status_code == 200
    rig.feed.markets += tuple(f"M{number}-USD" for number in range(40))
    async with asyncio.timeout(10):
        while (await rig.http.get("/v1/markets", headers=held)).status_code == 304:
            await asyncio.sleep(0.02)
    answer = await rig.http.get("/v1/markets", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert [row["market"] for row in answer.json()["data"]] == sorted(rig.feed.markets)
    plain = await rig.http.get("/v1/markets", headers={"Accept-Encoding": "identity"})
    assert plain.json() == answer.json()
    head = await rig.http.head("/v1/markets")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]


async def test_capabilities_are_what_builders_make(rig: Rig) -> None:
    data = (await rig.http.get("/v1/capabilities")).json()["data"]
    assert set(data) == {"dydx", "gmx", "gains"}
    for row in data.values():
        assert not any(row[name] for name in ("post_only", "delegation"))
    dydx = data.pop("dydx")
    assert dydx["order_types"] == dydx["chain_ids"] == dydx["time_in_force"] == []
    assert not dydx["amend"]
    assert [data[venue]["claims"] for venue in ("gmx", "gains")] == [
        ["funding", "impact"],
        ["profit"],
    ]
    assert dydx["claims"] == []
    for row in data.values():
        assert row["order_types"] == ["market", "limit", "stop", "take_profit"]
        assert (row["reduce_only"], row["brackets"], row["amend"]) == (True, True, True)
        assert row["margin"]
    assert data["gmx"]["chain_ids"] == [42161]
    assert set(data["gains"]["chain_ids"]) == {42161, 137, 8453}


async def test_the_document_and_its_page_are_served(rig: Rig) -> None:
    document = (await rig.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    page = await rig.http.get("/docs")
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    for path in ("/docs/assets/docs.js", "/docs/assets/docs.css"):
        assert path in page.text
        assert (await rig.http.get(path)).status_code == 200
    check_problem(await rig.http.get("/docs/assets/..%2findex.html"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("OPTIONS", "/v1/markets", "GET, HEAD"),
        ("TRACE", "/v1/quotes/BTC-USD", "GET, HEAD"),
        ("PUT", "/v1/auth/login", "POST"),
        ("HEAD", "/v1/auth/login", "POST"),
        ("PROPFIND", "/health", "GET, HEAD"),
    ],
)
async def test_other_methods_are_told_the_right_ones(
    rig: Rig, method: str, path: str, allow: str
) -> None:
    answer = await rig.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        check_problem(answer, 405, "METHOD_NOT_ALLOWED")


INNER = b"GET /v1/markets HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Content-Length: 0\r\nContent-Length: 44",
        b"Content-Length: +4",
        b"Content-Length: 0x4",
        b"Content-Length: -1",
        b"Content-Length: 4 4",
        b"Content-Length: 4\r\n Content-Length: 0",
        b"Content-Length: 184467440737095516160000000",
    ],
)
async def test_nobody_smuggles_a_request_inside_another(rig: Rig, head: bytes) -> None:
    request = b"POST /v1/auth/nonce HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n0\r\n\r\n" + INNER
    answer = await raw(rig, request)
    # One answer, an error, and the connection is over.
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 411 ", b"HTTP/1.1 501 "))
    assert b"BTC-USD" not in answer


@pytest.mark.parametrize("more", [b"X: a\r\n" * 200_000, b"X: " + b"a" * 1_000_000])
async def test_trailers_have_the_bound_of_a_head(rig: Rig, more: bytes) -> None:
    head = b"POST /v1/auth/nonce HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with contextlib.suppress(ConnectionResetError):
        answer = await raw(rig, head + b"1\r\n{\r\n0\r\n" + more)
        assert answer.startswith(b"HTTP/1.1 400 ")
    assert (await rig.http.get("/health/live")).status_code == 200


async def test_requests_that_come_together_are_answered_in_turn(rig: Rig) -> None:
    first = b"GET /v1/markets HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"HEAD /v1/venues HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = await raw(rig, first + first + last)
    heads = [part.partition(b"\r\n\r\n") for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [b"BTC-USD" in body for _, _, body in heads] == [True, True, False]
    assert [b"connection: close" in head.lower() for head, _, _ in heads] == [False, False, True]


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
async def test_a_request_is_for_one_host(rig: Rig, hosts: bytes) -> None:
    answer = await raw(rig, b"GET /v1/markets HTTP/1.1\r\n" + hosts + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_bomb_is_not_opened(rig: Rig) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 16_384
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await rig.http.post("/v1/auth/nonce", content=bomb, headers=headers)
    check_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_long_bodies_heads_and_urls(rig: Rig) -> None:
    declared = {"Content-Type": "application/json"}
    answer = await rig.http.post("/v1/auth/nonce", content=b" " * 10_000_000, headers=declared)
    check_problem(answer, 413, "BODY_TOO_LARGE")
    check_problem(await rig.http.get("/" + "a" * 8_000), 404, "NOT_FOUND")
    check_problem(await rig.http.get("/v1/markets?" + "a" * 8_000), 422, "INVALID_REQUEST")
    for more in (b"X-Long: " + b"a" * 1_000_000, b"X: a\r\n" * 5_000):
        # Nobody reads on: what is still under way may reset the connection.
        with contextlib.suppress(ConnectionResetError):
            told = await raw(rig, b"GET / HTTP/1.1\r\nHost: a\r\n" + more)
            assert told.startswith(b"HTTP/1.1 400 ")
    assert (await rig.http.get("/health/live")).status_code == 200


async def test_a_body_that_drips_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.body.READ_TIMEOUT_S", 0.2)
    head = b"POST /v1/auth/nonce HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{"
    answer = await raw(rig, head)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"BODY_TOO_SLOW"' in answer


async def test_heads_that_drip_are_dropped_and_their_neighbours_served(
    embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.service.IDLE_S", 0.2)
    async with running_gateway(embedded_redis_url) as rig:
        dripping = [raw(rig, b"GET /v1/markets HTTP/1.1\r\nHost: a\r\nX-Slow: ") for _ in range(50)]
        answers = asyncio.gather(*dripping)
        assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
        assert await answers == [b""] * 50


async def test_the_first_page_is_what_the_row_says(rig: Rig) -> None:
    answers = await asyncio.gather(*(rig.http.get("/v1/markets?limit=1") for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["data"] == [market_row("BTC-USD")]
