"""Every clause of the Engine.IO protocol, version 4, but its heartbeat and upgrade."""

import asyncio
import dataclasses
from typing import Any

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from api.realtime import polling
from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import (
    OPEN,
    PATIENT,
    WITHIN_S,
    Wire,
    all_sent,
    next_packet,
    until,
    waiting_poll,
)
from tests.protocol.server import SUITE

SMALL = dataclasses.replace(PATIENT, max_payload=100_000, max_sessions=8)
SEPARATED = "4one\x1e4two\x1e4three"


def check_open_packet(packet: str, upgrades: list[str]) -> None:
    assert packet[0] == "0"
    opened = orjson.loads(packet[1:])
    assert set(opened) == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
    assert isinstance(opened["sid"], str)
    assert opened["upgrades"] == upgrades
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 200)
    assert opened["maxPayload"] == 1_000_000


# Handshake


@pytest.mark.parametrize("server", [SUITE], indirect=True)
async def test_polling_opens_a_session(engine: Wire, sockets: Wire) -> None:
    for wire in (engine, sockets):
        answer = await wire.request("GET", OPEN)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        check_open_packet(answer.text, ["websocket"])
    assert engine.server.echo.peers == ["127.0.0.1"]


@pytest.mark.parametrize("server", [SUITE], indirect=True)
async def test_a_websocket_opens_a_session(engine: Wire, sockets: Wire) -> None:
    for wire in (engine, sockets):
        async with wire.socket() as socket:
            packet = await socket.recv()
            assert isinstance(packet, str)
            check_open_packet(packet, [])
    assert engine.server.echo.peers == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "", 0),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=5&transport=polling", 5),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=", 0),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=4&transport=polling&j=0", 3),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("GET", "EIO=4&transport=polling&sid=", 1),
        ("GET", "EIO=4&transport=polling" + "&a=1" * 50, 3),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("DELETE", "EIO=4&transport=polling", 2),
        ("OPTIONS", "EIO=4&transport=polling", 2),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
    ],
)
async def test_bad_requests_are_400(engine: Wire, method: str, query: str, code: int) -> None:
    answer = await engine.request(method, query)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_a_session_is_only_polled_and_posted_to(engine: Wire, method: str) -> None:
    sid = await engine.open()
    assert (await engine.request(method, f"{OPEN}&sid={sid}")).status_code == 400
    assert await engine.answers(sid, "4hello") == (200,)


@pytest.mark.parametrize("query", ["transport=polling", "EIO=3&transport=polling", "EIO=4"])
async def test_every_request_names_version_and_transport(engine: Wire, query: str) -> None:
    sid = await engine.open()
    assert (await engine.request("GET", f"{query}&sid={sid}")).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "transport=websocket",
        "EIO=abc&transport=websocket",
        "EIO=4",
        "EIO=4&transport=abc",
        "EIO=4&transport=polling",
        "EIO=4&transport=websocket&sid=unknown",
    ],
)
async def test_bad_websocket_requests_are_refused(engine: Wire, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await engine.socket(query)
    assert refused.value.response.status_code == 400


async def test_other_paths_are_not_found(engine: Wire) -> None:
    other = Wire(engine.server, engine.http, "/engine.io/deeper/")
    assert (await other.request("GET", OPEN)).status_code == 404
    with pytest.raises(InvalidStatus) as refused:
        await other.socket()
    assert refused.value.response.status_code == 404


async def test_foreign_pages_are_refused(engine: Wire) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await engine.socket(origin=origin)
        assert refused.value.response.status_code == 403
        polled = await engine.http.get(f"/engine.io/?{OPEN}", headers={"Origin": origin})
        assert polled.status_code == 403
    async with engine.socket(origin=engine.server.url) as socket:
        await socket.recv()


@pytest.mark.parametrize("server", [SMALL], indirect=True)
async def test_too_many_sessions_are_refused(engine: Wire) -> None:
    opened = [await engine.open() for _ in range(SMALL.max_sessions)]
    assert len(set(opened)) == SMALL.max_sessions
    assert (await engine.request("GET", OPEN)).status_code == 503
    with pytest.raises(InvalidStatus) as refused:
        await engine.socket()
    assert refused.value.response.status_code == 503


# Messages by polling


@pytest.mark.parametrize(
    "payload",
    [
        "4hello",
        "4",
        "4€uro ✓",
        SEPARATED,
        "4hello\x1ebAQIDBA==",
        "b",
        "bAA==\x1ebAAA=\x1ebAAAA",
        "4line\nbreak\r\n\0\x1d\x1f",
    ],
)
async def test_polling_echoes(engine: Wire, payload: str) -> None:
    sid = await engine.open()
    pushed = await engine.post(sid, payload)
    assert (pushed.status_code, pushed.text) == (200, "ok")
    polled = await engine.poll(sid)
    assert (polled.status_code, polled.text) == (200, payload)
    assert polled.headers["content-type"] == "text/plain; charset=UTF-8"


async def test_a_waiting_poll_is_answered_by_the_next_message(engine: Wire) -> None:
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    await engine.post(sid, SEPARATED)
    # The first message ends it; the others wait for the next one.
    assert (await waiting).text + "\x1e" + (await engine.poll(sid)).text == SEPARATED


async def test_as_many_packets_as_the_payload_may_hold_are_taken_in_order(engine: Wire) -> None:
    sid = await engine.open()
    sent = [f"4{number}" for number in range(2_000)]
    assert await engine.answers(sid, "\x1e".join(sent)) == (200,)
    received: list[str] = []
    while len(received) < len(sent):
        received += (await engine.poll(sid)).text.split("\x1e")
    assert received == sent


@pytest.mark.parametrize(
    "body",
    [
        b"abc",
        b"",
        b"\x1e",
        b"4a\x1e",
        b"\x1e4a",
        b"4a\x1e\x1e4b",
        b"4a\x1ex",
        b"0",
        b"2",
        b"2probe",
        b"5",
        b"6",
        b"7",
        b"9",
        b" 4a",
        b"b!!",
        b"bA",
        b"bAQIDBA",
        b"b AQIDBA==",
        b"4\xff",
        b"4a\x1e4\xed\xa0\x80",
        b"\x1e".join([b"4"] * 10_000),
    ],
)
async def test_a_malformed_post_closes_the_session(engine: Wire, body: bytes) -> None:
    sid = await engine.open()
    assert await engine.answers(sid, body) == (400,)
    assert (await engine.poll(sid)).status_code == 400
    assert await engine.answers(sid, "4a") == (400,)
    assert engine.server.sessions() == []
    assert engine.server.echo.reasons == ["transport error"]


async def test_a_malformed_post_ends_the_poll_that_waits(engine: Wire) -> None:
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    assert await engine.answers(sid, "abc") == (400,)
    assert ((await waiting).status_code, (await waiting).text) == (200, "1")


@pytest.mark.parametrize("server", [SMALL], indirect=True)
async def test_a_post_may_be_as_long_as_announced_and_no_longer(engine: Wire) -> None:
    sid = await engine.open()
    longest = b"4" + b"x" * 99_999
    assert await engine.answers(sid, longest, longest + b"x") == (200, 413)
    assert (await engine.poll(sid)).content == longest


async def test_a_second_poll_closes_the_session(engine: Wire) -> None:
    sid = await engine.open()
    first = await waiting_poll(engine, sid)
    assert (await engine.poll(sid)).status_code == 400
    assert ((await first).status_code, (await first).text) == (200, "1")
    assert (await engine.poll(sid)).status_code == 400


async def test_a_second_post_closes_the_session(engine: Wire) -> None:
    sid = await engine.open()
    halfway = asyncio.Event()

    async def slow_body() -> Any:
        yield b"4first"
        await halfway.wait()
        yield b"half"

    first = asyncio.create_task(engine.http.post(engine.url(sid), content=slow_body()))
    transport: Any = engine.server.echo.engine.sessions[sid].transport
    await until(lambda: transport.in_post)
    assert await engine.answers(sid, "4second") == (400,)
    halfway.set()
    assert (await first).status_code == 400
    assert (await engine.poll(sid)).status_code == 400


async def test_a_poll_the_client_gives_up_closes_the_session(engine: Wire) -> None:
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert (await engine.poll(sid)).status_code == 400
    await until(lambda: engine.server.echo.reasons == ["transport error"])


# Messages by WebSocket


async def test_a_websocket_echoes_text_and_binary(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        for packet in ("4hello", "4", b"\x01\x02\x03\x04", b"", b"4", "4" + "é" * 40_000):
            await socket.send(packet)
            assert await next_packet(socket) == packet
        await socket.send(["4frag", "men", "ted"])
        assert await next_packet(socket) == "4fragmented"
        # What separates packets in a payload is nothing special here.
        await socket.send("4a\x1e4b")
        assert await next_packet(socket) == "4a\x1e4b"


@pytest.mark.parametrize(
    "packet", ["abc", "", "b", "bAQIDBA==", "2", "2probe", "5", "0", "6", "9", "\x1e", " 4a"]
)
async def test_a_malformed_packet_closes_the_websocket(engine: Wire, packet: str) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        await socket.send(packet)
        assert await close_code(socket) == 1002
    await until(lambda: engine.server.echo.reasons == ["transport error"])


async def test_what_follows_a_malformed_packet_is_read_as_far_as_the_close_frame(
    engine: Wire,
) -> None:
    async with engine.socket(close_timeout=60) as socket:
        await socket.recv()
        # In one write, as from a client that left before it knew.
        await all_sent(socket, ["4before", "abc", "4after", b"after"])
        async with asyncio.timeout(WITHIN_S):
            await socket.close()
    assert socket.close_code == 1002
    assert engine.server.echo.reasons == ["transport error"]


@pytest.mark.parametrize("server", [SMALL], indirect=True)
async def test_a_message_may_be_as_long_as_announced_and_no_longer(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        await socket.send(b"x" * 100_000)
        assert len(await next_packet(socket)) == 100_000
        await socket.send(b"x" * 100_001)
        assert await close_code(socket) == 1009


async def test_a_connection_reset_ends_the_session(engine: Wire) -> None:
    socket = await engine.socket()
    await socket.recv()
    socket.transport.abort()
    await until(lambda: engine.server.echo.reasons == ["transport close"])
    assert engine.server.sessions() == []


# Close


async def test_closing_by_polling(engine: Wire) -> None:
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    assert await engine.answers(sid, "1") == (200,)
    assert ((await waiting).status_code, (await waiting).text) == (200, "6")
    assert (await engine.poll(sid)).status_code == 400
    assert engine.server.echo.reasons == ["client disconnect"]


async def test_a_close_may_overtake_the_poll_it_ends(
    engine: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may need longer for the poll.
    monkeypatch.setattr(polling, "LATE_POLL_S", WITHIN_S)
    sid = await engine.open()
    transport: Any = engine.server.echo.engine.sessions[sid].transport
    closing = asyncio.create_task(engine.post(sid, "1"))
    await until(lambda: transport._late_poll is not None)
    assert (await engine.poll(sid)).text == "6"
    assert (await closing).status_code == 200
    assert (await engine.poll(sid)).status_code == 400


async def test_a_close_without_a_poll(engine: Wire) -> None:
    sid = await engine.open()
    assert await engine.answers(sid, "1") == (200,)
    assert (await engine.poll(sid)).status_code == 400
    assert engine.server.echo.reasons == ["client disconnect"]


async def test_what_comes_before_a_close_is_handled_and_nothing_after(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        await socket.send("4before")
        assert await next_packet(socket) == "4before"
        await all_sent(socket, ["1", "4after"])
        assert await close_code(socket) == 1000
    assert engine.server.echo.reasons == ["client disconnect"]


# Connections


async def test_connections_that_ask_nothing_are_dropped(engine: Wire) -> None:
    host, _, port = engine.server.url.removeprefix("http://").partition(":")
    slow, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /socket.io/ HTTP/1.1\r\nHost: a\r\n")
    sid = await engine.open()
    waiting = await waiting_poll(engine, sid)
    engine.server.http.drop_silent()
    await engine.open()
    assert not slow.at_eof()
    engine.server.http.drop_silent()
    async with asyncio.timeout(WITHIN_S):
        assert await slow.read() == b""
    # Who waits for an answer is not silent.
    await engine.post(sid, "4hello")
    assert (await waiting).text == "4hello"
    writer.close()
