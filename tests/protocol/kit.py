"""A client that says exactly what a test tells it, over both transports."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect

from tests.protocol.server import SUITE, Server

PATIENT: Final = dataclasses.replace(SUITE, ping_interval_s=25.0, ping_timeout_s=20.0)
"""As the suites have it but for the heartbeat, which would end what is slow."""
WITHIN_S: Final = 10.0

OPEN: Final = "EIO=4&transport=polling"
OPEN_WEBSOCKET: Final = "EIO=4&transport=websocket"

Received = str | bytes


class Wire:
    """Requests to one of the paths of a server."""

    def __init__(self, server: Server, http: httpx.AsyncClient, path: str = "/engine.io/") -> None:
        self.server = server
        self.http = http
        self._path = path

    def url(self, sid: str | None) -> str:
        return f"{self._path}?{OPEN}" + (f"&sid={sid}" if sid else "")

    async def request(self, method: str, query: str) -> httpx.Response:
        return await self.http.request(method, f"{self._path}?{query}")

    async def open(self) -> str:
        """The id of a new polling session."""
        answer = await self.http.get(self.url(None))
        return str(orjson.loads(answer.text[1:])["sid"])

    async def poll(self, sid: str) -> httpx.Response:
        return await self.http.get(self.url(sid))

    async def post(self, sid: str, body: str | bytes) -> httpx.Response:
        return await self.http.post(self.url(sid), content=body)

    async def answers(self, sid: str, *bodies: str | bytes) -> tuple[int, ...]:
        return tuple([(await self.post(sid, body)).status_code for body in bodies])

    def socket(self, query: str = OPEN_WEBSOCKET, **options: Any) -> connect:
        url = self.server.url.replace("http", "ws")
        return connect(f"{url}{self._path}?{query}", compression=None, max_size=None, **options)

    def upgrade(self, sid: str) -> connect:
        return self.socket(f"{OPEN_WEBSOCKET}&sid={sid}")


async def next_packet(socket: ClientConnection) -> Received:
    """The next one but pings, which it answers."""
    async with asyncio.timeout(WITHIN_S):
        while (packet := await socket.recv()) == "2":
            await socket.send("3")
        return packet


async def next_packets(socket: ClientConnection, count: int) -> list[Received]:
    return [await next_packet(socket) for _ in range(count)]


async def joined(socket: ClientConnection, namespace: str = "/") -> None:
    """Sends the connect packet; reads the answer and the `auth` event of the echo server."""
    head = "" if namespace == "/" else f"{namespace},"
    await socket.send(f"40{head}")
    connected, auth = await next_packets(socket, 2)
    assert isinstance(connected, str)
    assert connected.startswith(f'40{head}{{"sid":"')
    assert auth == f'42{head}["auth",{{}}]'


async def all_sent(socket: ClientConnection, packets: Sequence[Received]) -> None:
    for packet in packets:
        await socket.send(packet)


async def until(true: Callable[[], bool]) -> None:
    """Returns when it is."""
    async with asyncio.timeout(WITHIN_S):
        while not true():
            await asyncio.sleep(0.01)


async def waiting_poll(wire: Wire, sid: str) -> "asyncio.Task[httpx.Response]":
    """One that the server has taken and not answered."""
    begun = asyncio.create_task(wire.poll(sid))
    transport: Any = wire.server.echo.engine.sessions[sid].transport
    await until(lambda: transport._poll is not None)
    return begun
