"""Socket.IO clients on bare sockets: they send what a library would not, and stall."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.integration.gateway_kit import Rig


@contextlib.asynccontextmanager
async def raw_socket(rig: Rig, **options: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket past the Engine.IO and Socket.IO handshakes."""
    async with connect(rig.ws_url, compression=None, **options) as wire:
        assert (await wire.recv())[0] == "0"
        await wire.send("40")
        connected = await wire.recv()
        assert isinstance(connected, str)
        assert connected.startswith('40{"sid":')
        yield wire


async def raw_subscribe(wire: ClientConnection, *rooms: str) -> Mapping[str, Any]:
    """Subscribes and returns the answer, whatever events come before it."""
    numbers = itertools.count(1)
    ack = next(numbers)
    await wire.send(f'42{ack}["subscribe",{orjson.dumps({"rooms": rooms}).decode()}]')
    while True:
        packet = await wire.recv()
        assert isinstance(packet, str)
        if packet.startswith(f"43{ack}["):
            answer: Mapping[str, Any] = orjson.loads(packet[len(f"43{ack}") :])[0]
            return answer


async def close_code(wire: ClientConnection) -> int | None:
    """What the server closes the connection with; anything may come before."""
    try:
        while True:
            await wire.recv()
    except ConnectionClosed:
        return wire.close_code


class StallingSocket:
    """A WebSocket client that reads only when told to, with a small receive buffer."""

    def __init__(self, rig: Rig, receive_buffer: int = 4096) -> None:
        self._rig = rig
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.setblocking(False)
        self._protocol = ClientProtocol(parse_uri(rig.ws_url), max_size=None)
        self.received_bytes = 0
        self.packets: list[str] = []
        self.passed: list[str] = []

    async def __aenter__(self) -> "StallingSocket":
        loop = asyncio.get_running_loop()
        host, _, port = self._rig.url.removeprefix("http://").partition(":")
        await loop.sock_connect(self._socket, (host, int(port)))
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        await self.read_until(lambda packet: packet.startswith("0"))
        await self.send("40")
        await self.read_until(lambda packet: packet.startswith("40"))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._socket.close()

    @property
    def close_code(self) -> int | None:
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd else None

    async def send(self, packet: str) -> None:
        self._protocol.send_text(packet.encode())
        await self._flush()

    async def subscribe(self, *rooms: str) -> None:
        await self.send(f'421["subscribe",{orjson.dumps({"rooms": rooms}).decode()}]')
        await self.read_until(lambda packet: packet.startswith("431"))

    async def read_until(self, satisfied: Callable[[str], bool]) -> str:
        """The packet that satisfies; the ones before it are in ``passed`` with it."""
        await self.read_until_all(satisfied)
        return self.passed[-1]

    async def read_until_all(self, *satisfied: Callable[[str], bool]) -> None:
        """Until each has had its packet; in ``passed`` are all that came."""
        self.passed.clear()
        left = list(satisfied)
        async with asyncio.timeout(15):
            while left:
                while not self.packets:
                    assert await self._read(), "the connection ended"
                packet = self.packets.pop(0)
                self.passed.append(packet)
                left = [wanted for wanted in left if not wanted(packet)]

    async def read_to_the_end(self, within_s: float = 15.0) -> None:
        async with asyncio.timeout(within_s):
            while await self._read():
                pass

    async def _read(self) -> bool:
        data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
        self.received_bytes += len(data)
        if not data:
            return False
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.packets.append(bytes(event.data).decode())
        await self._flush()
        return True

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await asyncio.get_running_loop().sock_sendall(self._socket, data)


def events_of(packets: Iterable[str], name: str) -> list[dict[str, Any]]:
    """The envelopes of one event among Engine.IO packets."""
    head = f'42["{name}",'
    return [orjson.loads(packet[len(head) : -1]) for packet in packets if packet.startswith(head)]
