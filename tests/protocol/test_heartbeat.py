"""The heartbeat of Engine.IO at the suites' configuration: a ping each 300 ms, 200 for the pong."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from api.realtime.session import Session
from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import WITHIN_S, Wire, joined
from tests.protocol.server import SUITE, Server

pytestmark = pytest.mark.parametrize("server", [SUITE], indirect=True)

PATHS = pytest.mark.parametrize("name", ["engine", "sockets"])


@pytest.fixture
def wire(name: str, engine: Wire, sockets: Wire) -> Wire:
    return {"engine": engine, "sockets": sockets}[name]


async def gone(server: Server) -> None:
    async with asyncio.timeout(WITHIN_S):
        while server.sessions():
            await asyncio.sleep(0.01)


async def sleep_in_steps(session: Session, until_ns: int) -> None:
    """To a moment on the engine's own clock, which stands still while this process does."""
    engine: Any = session._engine
    while engine.now_ns() < until_ns:
        await asyncio.sleep(0.005)


@PATHS
async def test_polling_is_pinged(wire: Wire) -> None:
    sid = await wire.open()
    for _ in range(3):
        polled = await wire.poll(sid)
        assert (polled.status_code, polled.text) == (200, "2")
        assert await wire.answers(sid, "3") == (200,)


@PATHS
async def test_a_websocket_is_pinged(wire: Wire) -> None:
    async with wire.socket() as socket:
        await socket.recv()
        for _ in range(3):
            assert await socket.recv() == "2"
            await socket.send("3")


@PATHS
async def test_a_polling_client_without_pong_is_not_known_any_more(wire: Wire) -> None:
    sid = await wire.open()
    [session] = wire.server.sessions()
    opened_ns = session.due_ns - SUITE.ping_interval_ns
    timeout_ns = SUITE.ping_interval_ns + SUITE.ping_timeout_ns
    await sleep_in_steps(session, opened_ns + timeout_ns)
    # At the very moment, whatever the timer that looks after all sessions does.
    assert (await wire.poll(sid)).status_code == 400
    assert await wire.answers(sid, "3") == (400,)


async def test_who_does_not_answer_pings_is_closed(engine: Wire, server: Server) -> None:
    sid = await engine.open()
    async with engine.socket() as socket:
        await socket.recv()
        assert await close_code(socket) == 1000
    await gone(server)
    assert (await engine.poll(sid)).status_code == 400
    assert server.echo.reasons == ["ping timeout", "ping timeout"]


async def test_a_waiting_poll_ends_with_the_session(engine: Wire, server: Server) -> None:
    sid = await engine.open()
    assert (await engine.poll(sid)).text == "2"
    polled = await engine.poll(sid)
    assert (polled.status_code, polled.text) == (200, "1")


async def _send_pongs(socket: ClientConnection) -> None:
    while True:
        await socket.send("3")
        await asyncio.sleep(0.02)


async def test_pongs_without_a_ping_are_no_sign_of_life(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        sending = asyncio.create_task(_send_pongs(socket))
        async with asyncio.timeout(WITHIN_S):
            assert await socket.recv() == "2"
        sending.cancel()
        await asyncio.wait({sending})
        assert not socket.close_code


async def test_messages_are_no_pong(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        code = asyncio.create_task(close_code(socket))
        while not code.done():
            await socket.send("4hello")
            await asyncio.sleep(0.05)
        assert code.result() == 1000
    assert engine.server.echo.reasons == ["ping timeout"]


async def test_an_upgraded_session_is_pinged_by_websocket(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        for packet in ("2probe", "5"):
            await socket.send(packet)
        assert await socket.recv() == "3probe"
        for _ in range(2):
            assert await socket.recv() == "2"
            await socket.send("3")


async def test_who_enters_no_namespace_is_closed(sockets: Wire) -> None:
    sid = await sockets.open()
    async with asyncio.timeout(WITHIN_S):
        polled = await sockets.poll(sid)
        while polled.text == "2":
            # A poll waits all the time: a close that finds none is told to nobody.
            waiting = asyncio.create_task(sockets.poll(sid))
            await sockets.post(sid, "3")
            polled = await waiting
    assert polled.text == "1"
    assert sockets.server.sessions() == []


async def test_who_leaves_the_main_namespace_stays(sockets: Wire) -> None:
    async with sockets.socket() as socket:
        await socket.recv()
        await joined(socket)
        await socket.send("41")
        assert await socket.recv() == "2"
