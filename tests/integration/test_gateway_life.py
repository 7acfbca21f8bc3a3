"""Start and stop of the role, and what is lost when Redis is."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect

from api.realtime.hub import Hub
from api.service import Gateway, listen
from domain.errors import InvariantViolation
from perptape.embedded_redis import EmbeddedRedis
from tests.integration.gateway_kit import (
    NO_DATABASE,
    UNLIMITED,
    Client,
    eventually,
    running_gateway,
)
from tests.integration.gateway_sockets import close_code, raw_socket
from tests.servers import open_folder, prepared, started

ROLE = """
from api.service import main
from runtime.tasks import run_role
run_role("gateway", main)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
async def roles(embedded_redis_url: str, tmp_path: Path) -> AsyncIterator[list[tuple[str, int]]]:
    """Two gateways on one port: (url, pid)."""
    port = free_port()
    running = []
    for number in (1, 2):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PERP_")},
            "REDIS_URL": embedded_redis_url,
            "DATABASE_URL": NO_DATABASE,
            "PERP_HTTP_PORT": str(port),
            "PERP_METRICS_PORT": str(free_port()),
            "PERP_GATEWAYS": "2",
            "PERP_WORKER": str(number),
            "PERP_DATA_DIR": str(tmp_path),
        }
        running.append(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", ROLE, env=environment, stdout=asyncio.subprocess.DEVNULL
            )
        )
    url = f"http://127.0.0.1:{port}"
    try:
        yield [(url, process.pid) for process in running]
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_the_first_answer_of_a_gateway_knows_the_markets(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url) as rig:
        listener, stop = listen("127.0.0.1", 0, shared=False), asyncio.Event()
        second = Gateway(embedded_redis_url, NO_DATABASE, rates=UNLIMITED)
        serving = asyncio.create_task(second.run(listener, stop))
        answer = await rig.http.get(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/markets")
        stop.set()
        await serving
    assert [row["market"] for row in answer.json()["data"]] == ["BTC-USD", "ETH-USD"]


@pytest.mark.timeout(150)
async def test_two_gateways_share_a_port_and_stop_on_sigterm(
    roles: list[tuple[str, int]],
) -> None:
    url = roles[0][0]
    async with httpx.AsyncClient(base_url=url) as http:
        await eventually(
            lambda: http.get("/health/live"), lambda answer: answer.status_code == 200, within_s=90
        )
    async with connect(url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket") as ws:
        await ws.recv()
        for _, pid in roles:
            os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await close_code(ws) == 1012
    async with asyncio.timeout(5):
        while any(Path(f"/proc/{pid}/stat").exists() and _alive(pid) for _, pid in roles):
            await asyncio.sleep(0.05)


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_stopping_tells_everybody_and_is_quick(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url) as rig:
        opened = await rig.http.get("/socket.io/?EIO=4&transport=polling")
        sid = orjson.loads(opened.text[1:])["sid"]
        polling = asyncio.create_task(
            rig.http.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}", timeout=10)
        )
        async with raw_socket(rig) as wire:
            await asyncio.sleep(0.1)
            rig.stop.set()
            async with asyncio.timeout(4):
                assert await close_code(wire) == 1012
            assert (await polling).text == "1"
            # Nobody comes back to this process.
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", int(rig.url.rpartition(":")[2]))


async def test_a_port_in_use_stops_the_start() -> None:
    with listen("127.0.0.1", 0, shared=False) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1], shared=False)


async def test_a_bug_in_a_loop_ends_the_role(
    embedded_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Hub) -> None:
        await asyncio.sleep(0.2)
        raise InvariantViolation("BROKEN", "for the test")

    monkeypatch.setattr(Hub, "run", broken)
    listener = listen("127.0.0.1", 0, shared=False)
    gateway = Gateway(embedded_redis_url, NO_DATABASE, rates=UNLIMITED)
    with pytest.raises(InvariantViolation):
        await asyncio.wait_for(gateway.run(listener, asyncio.Event()), 10)


async def test_with_redis_and_postgres_it_is_ready(
    embedded_redis_url: str, embedded_postgres_dsn: str
) -> None:
    async with running_gateway(embedded_redis_url, database_url=embedded_postgres_dsn) as rig:
        ready = await eventually(
            lambda: rig.http.get("/health/ready"), lambda answer: answer.status_code == 200
        )
        assert ready.json() == {"data": {"status": "ok"}}
        assert (await rig.http.get("/health/database")).json()["data"]["status"] == "ok"
        health = await eventually(
            lambda: rig.http.get("/health"),
            lambda answer: answer.json()["data"]["status"] == "ok",
        )
        assert health.json()["data"]["parts"]["postgres"]["cause"] is None


async def test_without_redis_no_quote_is_served_and_prices_are_stale() -> None:
    with open_folder() as folder, contextlib.ExitStack() as servers:
        server = await asyncio.to_thread(prepared, EmbeddedRedis, folder)

        async def start() -> "subprocess.Popen[bytes]":
            return await asyncio.to_thread(servers.enter_context, started(server, folder))

        redis = await start()
        async with running_gateway(server.url) as rig, Client(rig.url, ["websocket"]) as client:
            await client.subscribe("price:BTC-USD")
            # Frozen: every read fails within its limit, none waits for the thaw.
            redis.send_signal(signal.SIGSTOP)
            answer = await asyncio.wait_for(rig.http.get("/v1/quotes/BTC-USD"), 2)
            assert (answer.status_code, answer.json()["code"]) == (503, "REDIS_UNAVAILABLE")
            await client.until("price", lambda item: item["data"]["bid"] is None)
            health = await eventually(
                lambda: rig.http.get("/health/redis"), lambda answer: answer.status_code == 503
            )
            assert health.json()["code"] == "REDIS_UNAVAILABLE"
            redis.send_signal(signal.SIGCONT)
            await client.until("price", lambda item: item["data"]["bid"] == "97000")
            # Gone and back.
            rig.feed.muted = True
            await asyncio.sleep(0.1)
            redis.kill()
            await asyncio.to_thread(redis.wait)
            answer = await rig.http.get("/v1/quotes/BTC-USD")
            assert answer.json()["code"] == "REDIS_UNAVAILABLE"
            assert (await rig.http.get("/v1/markets")).status_code == 200
            await start()
            rig.feed.muted = False
            await eventually(
                lambda: rig.http.get("/health"),
                lambda answer: answer.json()["data"]["parts"]["feed"]["status"] == "ok",
            )
            sent = await rig.feed.price("98000", "98001")
            await client.until("price", lambda item: item["seq"] >= sent)
            answer = await eventually(
                lambda: rig.http.get("/v1/quotes/BTC-USD"),
                lambda answer: answer.status_code == 200,
            )
            assert answer.json()["data"]["data"]["bid"] == "98000"
