"""The official JavaScript client over every way of connecting, and through restarts."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from tests.protocol.javascript_client import JavaScriptClient, javascript_client
from tests.protocol.kit import WITHIN_S
from tests.protocol.server import SUITE, Server

POLLING = ("polling",)
WEBSOCKET = ("websocket",)
UPGRADE = ("polling", "websocket")
TRANSPORTS = pytest.mark.parametrize(
    "transports", [POLLING, WEBSOCKET, UPGRADE], ids=["polling", "websocket", "upgrade"]
)

BYTES = {"base64": "AAEC/w=="}
STARTING_S = 60.0


@pytest.fixture
async def client(server: Server, transports: tuple[str, ...]) -> AsyncIterator[JavaScriptClient]:
    async with javascript_client(server.url, transports) as client:
        client.say(open=True)
        connected = await client.next("connect")
        assert connected["transport"] in transports
        assert (await client.next("received"))["name"] == "auth"
        yield client


async def upgraded(client: JavaScriptClient, transports: tuple[str, ...]) -> None:
    if transports == UPGRADE and not any(item["event"] == "upgrade" for item in client.told):
        assert (await client.next("upgrade"))["name"] == "websocket"


@TRANSPORTS
async def test_events_and_acknowledgements(
    client: JavaScriptClient, transports: tuple[str, ...]
) -> None:
    arguments = [1, "é\x1e", None, {"a": [BYTES, True]}, BYTES]
    # While it changes transports, and after that.
    for _ in range(2):
        assert await client.answer_to("message-with-ack", *arguments) == arguments
        client.say(emit=["message", *arguments])
        assert (await client.next("received", name="message-back"))["args"] == arguments
        await upgraded(client, transports)


@TRANSPORTS
async def test_namespaces(client: JavaScriptClient, transports: tuple[str, ...]) -> None:
    client.say(join="/custom", auth={"token": "abc"})
    joined = await client.next("connect", namespace="/custom")
    assert joined["id"]
    auth = await client.next("received", namespace="/custom")
    assert (auth["name"], auth["args"]) == ("auth", [{"token": "abc"}])
    client.say(join="/random")
    refused = await client.next("connect_error", namespace="/random")
    assert refused["message"] == "Invalid namespace"
    await upgraded(client, transports)
    assert await client.answer_to("message-with-ack") == []


@TRANSPORTS
async def test_a_burst_is_answered_in_order(
    client: JavaScriptClient, transports: tuple[str, ...]
) -> None:
    for number in range(1_000):
        client.say(emit=["message", number])
    received = [
        (await client.next("received", name="message-back"))["args"][0] for _ in range(1_000)
    ]
    assert received == list(range(1_000))
    await upgraded(client, transports)


@TRANSPORTS
async def test_leaving(
    server: Server, client: JavaScriptClient, transports: tuple[str, ...]
) -> None:
    await upgraded(client, transports)
    client.say(close=True)
    assert (await client.next("disconnect"))["reason"] == "io client disconnect"
    async with asyncio.timeout(WITHIN_S):
        while server.sessions():
            await asyncio.sleep(0.01)
    assert server.sockets.reasons == ["client disconnect"]


@TRANSPORTS
@pytest.mark.parametrize("server", [SUITE], indirect=True)
async def test_it_answers_pings(
    server: Server, client: JavaScriptClient, transports: tuple[str, ...]
) -> None:
    engine = server.sockets.eio
    end_ns = engine.now_ns() + 5 * SUITE.ping_interval_ns
    async with asyncio.timeout(WITHIN_S):
        while engine.now_ns() < end_ns:
            await asyncio.sleep(0.02)
    assert await client.answer_to("message-with-ack", 1) == [1]
    assert server.sockets.reasons == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def program(port: int, end: signal.Signals) -> AsyncIterator[None]:
    """``python -m tests.protocol.server``. It says that it is ready and nothing more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.protocol.server",
        "--port",
        str(port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTING_S):
            assert await process.stdout.readline() == f"ready http://127.0.0.1:{port}\n".encode()
        yield
    finally:
        process.send_signal(end)
        said, _ = await process.communicate()
    assert said == b""
    assert process.returncode in (0, -signal.SIGKILL)


@TRANSPORTS
@pytest.mark.timeout(200)
async def test_it_comes_back_after_restarts(transports: tuple[str, ...]) -> None:
    port = free_port()
    async with javascript_client(f"http://127.0.0.1:{port}", transports) as client:
        client.say(greet=["message-with-ack", "hello again"])
        ids: set[str] = set()
        for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            async with program(port, end):
                if not ids:
                    client.say(open=True)
                ids.add((await client.next("connect"))["id"])
                assert (await client.next("answer"))["args"] == ["hello again"]
                client.told.clear()
            lost = await client.next("disconnect")
            assert lost["reason"] in ("transport close", "transport error")
        assert len(ids) == 3
