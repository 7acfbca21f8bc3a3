"""The Engine.IO server against the cases of the official v4 suite, with an echo behind it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from api.realtime.engine import Engine, Limits
from api.realtime.polling import PollingEndpoint
from api.service import HttpServer, http_config, listen
from tests.integration.gateway_sockets import close_code

LIMITS = Limits(ping_interval_s=0.6, ping_timeout_s=0.4, max_payload=100_000, max_sessions=8)


@dataclass
class Server:
    engine: Engine
    serving: HttpServer
    http: httpx.AsyncClient
    disconnects: list[str]

    @property
    def ws(self) -> str:
        return str(self.http.base_url).replace("http", "ws").rstrip("/")

    async def open_polling(self) -> str:
        answer = await self.http.get("/socket.io/?EIO=4&transport=polling")
        return str(orjson.loads(answer.text[1:])["sid"])

    async def poll(self, sid: str) -> httpx.Response:
        return await self.http.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}")

    async def post(self, sid: str, body: str | bytes) -> httpx.Response:
        url = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        return await self.http.post(url, content=body)

    def socket(self, query: str = "EIO=4&transport=websocket", **options: Any) -> connect:
        return connect(f"{self.ws}/socket.io/?{query}", compression=None, **options)

    def upgrade(self, sid: str) -> connect:
        return self.socket(f"EIO=4&transport=websocket&sid={sid}")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    engine = Engine(LIMITS)
    disconnects: list[str] = []

    async def connected(sid: str, environ: dict[str, str]) -> None:
        assert environ["REMOTE_ADDR"] == "127.0.0.1"

    async def echo(sid: str, data: str | bytes) -> None:
        await engine.send(sid, data)

    async def disconnected(sid: str, reason: str) -> None:
        disconnects.append(reason)

    engine.on("connect", connected)
    engine.on("message", echo)
    engine.on("disconnect", disconnected)
    app = Starlette(routes=[Route("/socket.io/", PollingEndpoint(engine))])
    http_server = HttpServer(http_config(app, engine), engine)
    listener = listen("127.0.0.1", 0, shared=False)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(http_server.serve([listener]))
    running = asyncio.create_task(engine.run())
    async with httpx.AsyncClient(base_url=url, timeout=10) as http:
        yield Server(engine, http_server, http, disconnects)
    http_server.should_exit = True
    await serving
    running.cancel()


async def text_of(socket: ClientConnection) -> str:
    """The next packet but pings."""
    while (packet := await socket.recv()) == "2":
        pass
    assert isinstance(packet, str)
    return packet


def check_open_packet(packet: str, upgrades: list[str]) -> None:
    assert packet[0] == "0"
    opened = orjson.loads(packet[1:])
    assert set(opened) == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
    assert isinstance(opened["sid"], str)
    assert opened["upgrades"] == upgrades
    assert (opened["pingInterval"], opened["pingTimeout"]) == (600, 400)
    assert opened["maxPayload"] == 100_000


async def test_polling_opens_a_session(server: Server) -> None:
    answer = await server.http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    check_open_packet(answer.text, ["websocket"])


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=4&transport=polling&j=0", 3),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("GET", "EIO=4&transport=polling" + "&a=1" * 50, 3),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("OPTIONS", "EIO=4&transport=polling", 2),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
    ],
)
async def test_bad_requests_are_400(server: Server, method: str, query: str, code: int) -> None:
    answer = await server.http.request(method, f"/socket.io/?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("transport=websocket", 400),
        ("EIO=abc&transport=websocket", 400),
        ("EIO=4", 400),
        ("EIO=4&transport=abc", 400),
        ("EIO=4&transport=polling", 400),
        ("EIO=4&transport=websocket&sid=unknown", 400),
    ],
)
async def test_bad_websocket_requests_are_refused(server: Server, query: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await server.socket(query)
    assert refused.value.response.status_code == status


async def test_a_websocket_opens_a_session(server: Server) -> None:
    async with server.socket() as socket:
        packet = await socket.recv()
        assert isinstance(packet, str)
        check_open_packet(packet, [])


@pytest.mark.parametrize("payload", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
async def test_polling_echoes(server: Server, payload: str) -> None:
    sid = await server.open_polling()
    pushed = await server.post(sid, payload)
    assert (pushed.status_code, pushed.text) == (200, "ok")
    polled = await server.poll(sid)
    assert (polled.status_code, polled.text) == (200, payload)


@pytest.mark.parametrize(
    "body", [b"abc", b"", b"4a\x1e", b"2", b"5", b"b!!", b"4\xff", b"\x1e".join([b"4"] * 300)]
)
async def test_a_malformed_post_closes_the_session(server: Server, body: bytes) -> None:
    sid = await server.open_polling()
    assert (await server.post(sid, body)).status_code == 400
    assert (await server.poll(sid)).status_code == 400


async def test_a_post_may_be_as_long_as_announced_and_no_longer(server: Server) -> None:
    sid = await server.open_polling()
    assert (await server.post(sid, b"4" + b"x" * 99_999)).status_code == 200
    assert (await server.post(sid, b"4" + b"x" * 100_000)).status_code == 413


async def test_a_second_poll_closes_the_session(server: Server) -> None:
    sid = await server.open_polling()
    first = asyncio.create_task(server.poll(sid))
    await asyncio.sleep(0.05)
    second = await server.poll(sid)
    answer = await first
    assert (answer.status_code, answer.text) == (200, "1")
    assert second.status_code == 400
    assert (await server.poll(sid)).status_code == 400


async def test_a_poll_the_client_gives_up_closes_the_session(server: Server) -> None:
    sid = await server.open_polling()
    async with httpx.AsyncClient(base_url=server.http.base_url) as other:
        with pytest.raises(httpx.ReadTimeout):
            await other.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}", timeout=0.1)
    await asyncio.sleep(0.1)
    assert (await server.poll(sid)).status_code == 400


async def test_a_websocket_echoes_text_and_binary(server: Server) -> None:
    async with server.socket() as socket:
        await socket.recv()
        await socket.send("4hello")
        assert await text_of(socket) == "4hello"
        await socket.send(b"\x01\x02\x03\x04")
        assert await socket.recv() == b"\x01\x02\x03\x04"
        large = "4" + "é" * 40_000
        await socket.send(large)
        assert await text_of(socket) == large
        await socket.send(["4frag", "men", "ted"])
        assert await text_of(socket) == "4fragmented"


@pytest.mark.parametrize("packet", ["abc", "", "2", "5", "0", "6", "9"])
async def test_a_malformed_packet_closes_the_websocket(server: Server, packet: str) -> None:
    async with server.socket() as socket:
        await socket.recv()
        await socket.send(packet)
        assert await close_code(socket) == 1002


async def test_polling_is_pinged(server: Server) -> None:
    sid = await server.open_polling()
    for _ in range(3):
        assert (await server.poll(sid)).text == "2"
        assert (await server.post(sid, "3")).status_code == 200


async def test_a_websocket_is_pinged(server: Server) -> None:
    async with server.socket() as socket:
        await socket.recv()
        for _ in range(3):
            assert await socket.recv() == "2"
            await socket.send("3")


async def test_who_does_not_answer_pings_is_closed(server: Server) -> None:
    sid = await server.open_polling()
    async with server.socket() as socket:
        await socket.recv()
        assert await close_code(socket) == 1000
    await asyncio.sleep(0.3)
    assert (await server.poll(sid)).status_code == 400
    assert server.disconnects == ["ping timeout", "ping timeout"]
    assert server.engine.sessions == {}


async def test_closing_by_polling(server: Server) -> None:
    sid = await server.open_polling()
    waiting = asyncio.create_task(server.poll(sid))
    await asyncio.sleep(0.05)
    assert (await server.post(sid, "1")).status_code == 200
    answer = await waiting
    assert (answer.status_code, answer.text) == (200, "6")
    assert (await server.poll(sid)).status_code == 400
    assert server.disconnects == ["client disconnect"]


async def test_closing_by_websocket(server: Server) -> None:
    async with server.socket() as socket:
        await socket.recv()
        await socket.send("1")
        assert await close_code(socket) == 1000
    assert server.disconnects == ["client disconnect"]


async def test_upgrading(server: Server) -> None:
    sid = await server.open_polling()
    async with server.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        polled = await server.poll(sid)
        assert (polled.status_code, polled.text) == (200, "6")
        await socket.send("5")
        await socket.send("4hello")
        assert await text_of(socket) == "4hello"
        # Neither polls nor another WebSocket touch it from here on.
        assert (await server.poll(sid)).status_code == 400
        assert (await server.post(sid, "4x")).status_code == 400
        async with server.upgrade(sid) as second:
            assert await close_code(second) == 1000
        await socket.send("4again")
        assert await text_of(socket) == "4again"
        await socket.send("5")
        assert await close_code(socket) == 1002


async def test_a_waiting_poll_is_released_by_the_probe(server: Server) -> None:
    sid = await server.open_polling()
    waiting = asyncio.create_task(server.poll(sid))
    await asyncio.sleep(0.05)
    async with server.upgrade(sid) as socket:
        await socket.send("2probe")
        assert (await waiting).text == "6"


async def test_what_polling_owes_is_paid_by_the_websocket(server: Server) -> None:
    sid = await server.open_polling()
    async with server.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await server.post(sid, "4one\x1e4two")
        await socket.send("5")
        assert [await text_of(socket), await text_of(socket)] == ["4one", "4two"]


@pytest.mark.parametrize("packet", ["5", "4hello", "2", "probe"])
async def test_an_upgrade_begins_with_a_probe(server: Server, packet: str) -> None:
    sid = await server.open_polling()
    async with server.upgrade(sid) as socket:
        await socket.send(packet)
        assert await close_code(socket) == 1002
    # Polling goes on, and another WebSocket may be tried.
    await server.post(sid, "4hello")
    assert (await server.poll(sid)).text == "4hello"
    async with server.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"


async def test_a_candidate_goes_when_its_session_goes(server: Server) -> None:
    sid = await server.open_polling()
    async with server.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        await server.post(sid, "1")
        assert await close_code(socket) == 1000


async def test_a_connection_reset_ends_the_session(server: Server) -> None:
    socket = await server.socket()
    await socket.recv()
    socket.transport.abort()
    async with asyncio.timeout(5):
        while server.engine.sessions:
            await asyncio.sleep(0.02)
    assert server.disconnects == ["transport close"]


async def test_foreign_pages_are_refused(server: Server) -> None:
    query = "EIO=4&transport=websocket"
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(InvalidStatus) as refused:
            await server.socket(query, origin=origin)
        assert refused.value.response.status_code == 403
        polled = await server.http.get(
            "/socket.io/?EIO=4&transport=polling", headers={"Origin": origin}
        )
        assert polled.status_code == 403
    same = str(server.http.base_url).rstrip("/")
    async with server.socket(query, origin=same) as socket:
        await socket.recv()


async def test_too_many_sessions_are_refused(server: Server) -> None:
    opened = [await server.open_polling() for _ in range(LIMITS.max_sessions)]
    assert len(set(opened)) == LIMITS.max_sessions
    answer = await server.http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 503
    with pytest.raises(InvalidStatus) as refused:
        await server.socket()
    assert refused.value.response.status_code == 503


async def test_connections_that_ask_nothing_are_dropped(server: Server) -> None:
    host, _, port = str(server.http.base_url).removeprefix("http://").rstrip("/").partition(":")
    slow, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /socket.io/ HTTP/1.1\r\nHost: a\r\n")
    sid = await server.open_polling()
    waiting = asyncio.create_task(server.poll(sid))
    await asyncio.sleep(0.1)
    server.serving.drop_silent()
    await asyncio.sleep(0.05)
    assert not slow.at_eof()
    server.serving.drop_silent()
    assert await asyncio.wait_for(slow.read(), 5) == b""
    # Who waits for an answer is not silent.
    assert (await waiting).text == "2"
    writer.close()
