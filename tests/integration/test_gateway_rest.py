"""REST of the gateway over a real Redis, with every kind of request that is not right."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from api import gathered
from api.quotes import QuoteReader
from runtime.channels import quote_key
from tests.integration.gateway_kit import Rig, market_row, running_gateway

PROBLEM_FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "retryable",
    "request_id",
    "issues",
    "hint",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    """One for all: what is asked changes nothing."""
    async with running_gateway(embedded_redis_url) as running:
        yield running


def check_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == PROBLEM_FIELDS
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


async def test_concurrent_reads_of_one_quote_share_reads_of_redis(
    embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the gateway of the other tests starts: it reads too."""
    # Here it is the number of reads that counts, on however busy a machine.
    monkeypatch.setattr(gathered, "CALL_TIMEOUT_S", 10.0)
    redis = Redis.from_url(embedded_redis_url)
    other = Redis.from_url(embedded_redis_url)

    async def reads_so_far() -> int:
        stats: dict[str, Any] = await other.info("commandstats")
        return int(stats.get("cmdstat_mget", {}).get("calls", 0))

    try:
        await other.set(quote_key("BTC-USD"), b"1", px=60_000)
        await redis.ping()
        before = await reads_so_far()
        await other.client_pause(100)
        reader = QuoteReader(redis)
        answers = await asyncio.gather(*(reader.read(["BTC-USD"]) for _ in range(500)))
        assert answers == [[b"1"]] * 500
        assert await reader.read(["ETH-USD", "BTC-USD"]) == [None, b"1"]
        assert await reads_so_far() - before == 2
    finally:
        await redis.aclose()
        await other.aclose()


async def test_markets(rig: Rig) -> None:
    answer = (await rig.http.get("/v1/markets")).json()
    assert answer == {
        "data": [market_row("BTC-USD"), market_row("ETH-USD")],
        "next_cursor": None,
    }
    one = (await rig.http.get("/v1/markets/ETH-USD")).json()
    assert one == {"data": market_row("ETH-USD")}


@pytest.mark.parametrize("path", ["/v1/markets", "/v1/quotes"])
async def test_lists_come_in_pages(rig: Rig, path: str) -> None:
    first = (await rig.http.get(path, params={"limit": "1"})).json()
    assert len(first["data"]) == 1
    more = {"limit": "1", "cursor": first["next_cursor"]}
    second = (await rig.http.get(path, params=more)).json()
    assert len(second["data"]) == 1
    assert second["data"] != first["data"]
    assert second["next_cursor"] is None


async def test_trades_are_newest_first_and_come_in_pages(rig: Rig) -> None:
    await rig.feed.trades(1, 2, 3)
    await rig.feed.trades(*range(4, 61))
    await asyncio.sleep(0.2)
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await rig.http.get("/v1/trades/BTC-USD", params={"limit": "20", **cursor})).json()
        ids += [row["id"] for row in answer["data"]]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert ids == [f"t{number:06d}" for number in range(60, 10, -1)]
    assert (await rig.http.get("/v1/trades/ETH-USD")).json() == {"data": [], "next_cursor": None}


async def test_venues(rig: Rig) -> None:
    data = (await rig.http.get("/v1/venues")).json()["data"]
    assert data["dydx"]["state"] == "live"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "NOT_FOUND"),
        ("GET", "/v1/markets/", 404, "NOT_FOUND"),
        ("GET", "/v1", 404, "NOT_FOUND"),
        ("GET", "/v1/quotes/..%2f..%2fetc", 404, "NOT_FOUND"),
        ("GET", "/assets/..%2f..%2f..%2fpyproject.toml", 404, "NOT_FOUND"),
        ("POST", "/v1/markets", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/v1/quotes/BTC-USD", 405, "METHOD_NOT_ALLOWED"),
        ("OPTIONS", "/v1/venues", 405, "METHOD_NOT_ALLOWED"),
        ("TRACE", "/health", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/markets/NOPE-USD", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/markets/btc-usd", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/NOPE-USD", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/%00", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/BTC-USD%00", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/%ff%fe", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/%E2%80%AEBTC-USD", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/__proto__", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/%25", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/quotes/" + "A" * 8_000, 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/trades/NOPE-USD", 404, "UNKNOWN_MARKET"),
        ("GET", "/v1/markets?page=2", 422, "INVALID_REQUEST"),
        ("GET", "/v1/venues?limit=1", 422, "INVALID_REQUEST"),
        ("GET", "/v1/quotes/BTC-USD?x", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=1&limit=2", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=0", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=-1", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=1001", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=1e3", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=%D9%A1", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=1_0", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?limit=%201", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?cursor=", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?cursor=%00", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?cursor=a", 422, "INVALID_REQUEST"),
        ("GET", "/v1/markets?cursor=_____w", 422, "INVALID_REQUEST"),
        ("GET", "/health?verbose=1", 422, "INVALID_REQUEST"),
    ],
)
async def test_what_is_not_right_is_a_problem(
    rig: Rig, method: str, path: str, status: int, code: str
) -> None:
    check_problem(await rig.http.request(method, path), status, code)


async def test_issues_say_what_is_wrong_and_where(rig: Rig) -> None:
    answer = await rig.http.get("/v1/markets?limit=1&limit=2&page=3")
    problem = check_problem(answer, 422, "INVALID_REQUEST")
    assert [(issue["path"], issue["code"]) for issue in problem["issues"]] == [
        ("query.limit", "REPEATED_PARAMETER"),
        ("query.page", "UNKNOWN_PARAMETER"),
    ]
    assert problem["retryable"] is False
    assert problem["instance"] == "/v1/markets"


async def test_wrong_methods_say_the_right_ones(rig: Rig) -> None:
    answer = await rig.http.post("/v1/markets")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}
    head = await rig.http.head("/v1/markets")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123_x.Y", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("with space", False),
        ('"}', False),
        ("", False),
    ],
)
async def test_request_ids_come_back_or_are_made(rig: Rig, given: str, kept: bool) -> None:
    answer = await rig.http.get("/v1/markets/NOPE", headers={"X-Request-Id": given})
    problem = check_problem(answer, 404, "UNKNOWN_MARKET")
    assert (problem["request_id"] == given) is kept
    assert len(problem["request_id"]) > 0


@pytest.mark.parametrize("path", ["/", "/v1/markets", "/nope", "/health/ready"])
async def test_security_headers_are_on_every_answer(rig: Rig, path: str) -> None:
    headers = (await rig.http.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "server" not in headers
    # Without https nobody may be told to stay with it.
    assert "strict-transport-security" not in headers


async def test_large_bodies_are_refused(rig: Rig) -> None:
    answer = await rig.http.request("GET", "/v1/markets", content=b"x" * 70_000)
    check_problem(answer, 413, "BODY_TOO_LARGE")


async def test_a_long_head_is_refused(rig: Rig) -> None:
    host, _, port = rig.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/markets HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000)
    await writer.drain()
    assert (await reader.read(100)).startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_with_400(rig: Rig, head: bytes) -> None:
    host, _, port = rig.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    assert (await reader.read(100)).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_health_names_its_parts(rig: Rig) -> None:
    data = (await rig.http.get("/health")).json()["data"]
    assert set(data["parts"]) == {"feed", "redis", "postgres"}
    for part in data["parts"].values():
        assert {"status", "cause", "since"} <= set(part)
    assert data["parts"]["redis"]["status"] == "ok"
    assert data["parts"]["postgres"]["status"] == "down"
    assert "ConnectionRefusedError" in data["parts"]["postgres"]["cause"]
    assert data["status"] == "down"
    assert (await rig.http.get("/health/live")).json() == {"data": {"status": "ok"}}
    assert (await rig.http.get("/health/redis")).json()["data"]["status"] == "ok"
    assert (await rig.http.get("/health/venues")).json()["data"]["status"] == "ok"
    database = await rig.http.get("/health/database")
    assert (database.status_code, database.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    problem = check_problem(await rig.http.get("/health/ready"), 503, "NOT_READY")
    assert [(issue["path"], issue["code"]) for issue in problem["issues"]] == [
        ("postgres", "DATABASE_UNAVAILABLE")
    ]
    assert problem["retryable"] is True
