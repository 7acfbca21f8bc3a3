"""What `/health` says of each part, for people and for monitors."""

import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from api.rpc_health import RpcHealth
from perptape.embedded_anvil import EmbeddedAnvil
from runtime import watchdog
from runtime.channels import ORDERS_DEAD_STREAM, ORDERS_GROUP, ORDERS_STREAM
from tests import servers
from tests.integration.gateway_kit import Rig, eventually, running_gateway
from tests.integration.test_gateway_rest import check_problem
from tests.servers import LOOPBACK

CHAIN = 42161
FACTS = {"status", "cause", "since", "impact", "action"}


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    """Without a database."""
    async with running_gateway(embedded_redis_url) as running:
        yield running


async def data_of(rig: Rig, part: str) -> dict[str, Any]:
    answer = await rig.http.get(f"/health/{part}")
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()["data"]
    assert set(data) >= FACTS
    # There is something to advise exactly when there is something wrong.
    assert (data["cause"] is None) == (data["impact"] is None) == (data["action"] is None)
    return data


async def test_a_part_that_works_and_one_that_does_not(rig: Rig) -> None:
    redis = await data_of(rig, "redis")
    assert (redis["status"], redis["cause"]) == ("ok", None)
    assert redis["since"].endswith("Z")
    answer = await eventually(
        lambda: rig.http.get("/health/database"), lambda answer: answer.status_code == 503
    )
    problem = answer.json()
    assert problem["code"] == "DATABASE_UNAVAILABLE"
    assert set(problem["health"]) == FACTS
    assert problem["health"]["status"] == "down"
    assert "sign-in" in problem["health"]["impact"]
    assert problem["health"]["cause"] == problem["detail"]


async def test_venues_that_are_away_are_named(rig: Rig) -> None:
    assert (await data_of(rig, "venues"))["status"] == "ok"
    await rig.feed.venues("stale")

    async def venues() -> dict[str, Any]:
        return await data_of(rig, "venues")

    data = await eventually(venues, lambda data: data["status"] == "down")
    assert data["cause"] == "dydx: stale"
    assert data["since"] == "2026-01-01T00:00:00.000Z"
    assert data["venues"]["dydx"]["state"] == "stale"


async def test_who_executes_orders_is_seen_by_its_reading(
    rig: Rig, embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Redis.from_url(embedded_redis_url) as redis:
        await redis.xadd(ORDERS_STREAM, {"order": "1", "version": "1"})
        assert (await data_of(rig, "executor"))["status"] == "absent"
        await redis.xgroup_create(ORDERS_STREAM, ORDERS_GROUP, id="0")
        never = await rig.http.get("/health/executor")
        assert (never.status_code, never.json()["code"]) == (503, "EXECUTOR_UNAVAILABLE")
        await redis.xreadgroup(ORDERS_GROUP, "worker-1", {ORDERS_STREAM: ">"}, 10)
        await redis.xadd(ORDERS_DEAD_STREAM, {"letter": "1"})
        data = await data_of(rig, "executor")
        assert (data["status"], data["workers"], data["pending"]) == ("ok", 1, 1)
        assert data["dead_letters"] == 1
        assert data["held"] is None
        monkeypatch.setattr("api.executor_health.SILENT_MS", -1)
        gone = (await rig.http.get("/health/executor")).json()["health"]
        assert (gone["status"], gone["workers"], gone["pending"]) == ("down", 0, 1)
        assert gone["since"].endswith("Z")
        assert "waits" in gone["impact"]


async def test_nobody_executes_here_and_no_node_is_configured(rig: Rig) -> None:
    for part in ("executor", "rpc"):
        data = await data_of(rig, part)
        assert (data["status"], data["since"]) == ("absent", None)
        assert "prices" in data["impact"]


async def test_a_loop_that_stood_still_is_not_ready(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blocked() -> bool:
        problem = check_problem(await rig.http.get("/health/ready"), 503, "NOT_READY")
        return ("gateway", "LOOP_BLOCKED") in [
            (issue["path"], issue["code"]) for issue in problem["issues"]
        ]

    monkeypatch.setattr(watchdog, "BLOCKED_S", 0.3)
    await eventually(blocked, lambda found: not found)
    time.sleep(0.5)  # noqa: ASYNC251 -- the gateway runs in this loop
    assert await blocked()
    monkeypatch.setattr(watchdog, "REMEMBERED_NS", 0)
    await eventually(blocked, lambda found: not found)


# Nodes --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with servers.running(partial(EmbeddedAnvil, CHAIN)) as url:
        yield url


async def test_nodes_are_asked_and_shown_without_what_their_urls_hide(node_url: str) -> None:
    dead = "http://user:hidden@127.0.0.1:1/hidden"
    ws = node_url.replace("http", "ws")
    health = RpcHealth({CHAIN: f"{node_url}/?key=hidden,{dead},{ws}", 137: node_url}, LOOPBACK)
    said = await health.report()
    assert "hidden" not in str(said)
    assert said["status"] == "degraded"
    good, lost = said["chains"][str(CHAIN)]["nodes"]
    assert (good["host"], good["cause"]) == ("127.0.0.1", None)
    assert good["block_number"] >= 0
    assert lost["cause"] == "ConnectError"
    assert said["chains"]["137"]["status"] == "down"
    assert said["chains"]["137"]["nodes"][0]["cause"] == f"it is of chain {CHAIN}"
    # Asked again at once, nobody is bothered.
    assert await health.report() is said


async def test_all_nodes_of_all_chains_answer(node_url: str) -> None:
    said = await RpcHealth({CHAIN: node_url}, LOOPBACK).report()
    assert (said["status"], said["cause"], said["impact"]) == ("ok", None, None)


async def test_the_metrics_page_has_what_a_monitor_needs(rig: Rig) -> None:
    from prometheus_client import REGISTRY, generate_latest

    for path in ("/v1/quotes/BTC-USD", "/v1/markets"):
        assert (await rig.http.get(path)).status_code == 200
    text = generate_latest(REGISTRY).decode()
    for line in (
        'perptape_http_requests_total{route="/v1/markets",status="200"}',
        'perptape_http_request_seconds_bucket{le="0.25",route="/v1/quotes/{market}"}',
        'perptape_cache_reads_total{cache="keys",outcome="hit"}',
        'perptape_call_seconds_bucket{le="0.25",server="redis"}',
        'perptape_breaker_open{server="postgres"}',
        "perptape_pool_wait_seconds_count",
        "perptape_sockets_open",
    ):
        assert line in text, line
