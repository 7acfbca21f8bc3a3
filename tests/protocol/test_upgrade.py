"""The way of an Engine.IO session from polling to a WebSocket."""

from typing import Any

import orjson
import pytest

from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import (
    Wire,
    all_sent,
    next_packet,
    next_packets,
    until,
    waiting_poll,
)

SEPARATED = "4one\x1e4two\x1e4three"


async def test_upgrading(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        polled = await engine.poll(sid)
        assert (polled.status_code, polled.text) == (200, "6")
        await all_sent(socket, ["5", "4hello"])
        assert await next_packet(socket) == "4hello"
        # Neither requests nor another WebSocket touch it from here on.
        assert (await engine.poll(sid)).status_code == 400
        assert await engine.answers(sid, "4x", "1") == (400, 400)
        async with engine.upgrade(sid) as second:
            assert await close_code(second) == 1000
        await socket.send("4again")
        assert await next_packet(socket) == "4again"
        await socket.send("5")
        assert await close_code(socket) == 1002
    assert engine.server.echo.peers == ["127.0.0.1"]


async def test_an_upgrade_in_one_go(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        await all_sent(socket, ["2probe", "5", "4hello"])
        assert await next_packets(socket, 2) == ["3probe", "4hello"]
        assert (await engine.poll(sid)).status_code == 400


async def test_a_session_that_began_as_websocket_takes_no_other(engine: Wire) -> None:
    async with engine.socket() as socket:
        sid = orjson.loads(str(await socket.recv())[1:])["sid"]
        assert (await engine.poll(sid)).status_code == 400
        async with engine.upgrade(sid) as second:
            assert await close_code(second) == 1000
        await socket.send("4hello")
        assert await next_packet(socket) == "4hello"


async def test_a_waiting_poll_is_released_by_the_probe(engine: Wire) -> None:
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    async with engine.upgrade(sid) as socket:
        await socket.send("2probe")
        assert (await waiting).text == "6"
        # Polling goes on until the upgrade is complete.
        assert await engine.answers(sid, "4hello") == (200,)
        assert (await engine.poll(sid)).text == "4hello"


async def test_what_polling_owes_is_paid_by_the_websocket(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await engine.post(sid, SEPARATED)
        await socket.send("5")
        assert await next_packets(socket, 3) == ["4one", "4two", "4three"]


@pytest.mark.parametrize("packet", ["5", "4hello", "2", "2probe2", "probe", "3probe", b"2probe"])
async def test_an_upgrade_begins_with_a_probe(engine: Wire, packet: str | bytes) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        await socket.send(packet)
        assert await close_code(socket) == 1002
    # Polling goes on, and another WebSocket may be tried.
    assert await engine.answers(sid, "4hello") == (200,)
    assert (await engine.poll(sid)).text == "4hello"
    async with engine.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"


async def test_one_websocket_is_tried_at_a_time(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as first, engine.upgrade(sid) as second:
        assert await close_code(second) == 1000
        await all_sent(first, ["2probe", "5", "4hello"])
        assert await next_packets(first, 2) == ["3probe", "4hello"]


async def test_a_candidate_goes_when_its_session_goes(engine: Wire) -> None:
    sid = await engine.open()
    async with engine.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        assert await engine.answers(sid, "1") == (200,)
        assert await close_code(socket) == 1000


async def test_a_candidate_that_is_lost_leaves_polling_as_it_was(engine: Wire) -> None:
    sid = await engine.open()
    socket = await engine.upgrade(sid)
    await socket.send("2probe")
    assert await socket.recv() == "3probe"
    transport: Any = engine.server.echo.engine.sessions[sid].transport
    socket.transport.abort()
    await until(lambda: transport._candidate is None)
    waiting = await waiting_poll(engine, sid)
    await engine.post(sid, "4hello")
    assert (await waiting).text == "4hello"
