"""The least an event loop can do: the same frame, made once, written to each transport."""

import asyncio
import base64
import hashlib
from collections import defaultdict
from typing import ClassVar, Final, cast

import orjson
import uvloop

from benchmarks.peers.plan import Arguments, encoded, publish

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPEN: Final = (
    b'0{"sid":"a","upgrades":[],"pingInterval":3600000,"pingTimeout":3600000,"maxPayload":100000}'
)


def frame(payload: bytes) -> bytes:
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + payload


class Client(asyncio.Protocol):
    """Reads just enough to let a well-behaved client in."""

    rooms: ClassVar[defaultdict[str, list[asyncio.Transport]]] = defaultdict(list)

    def __init__(self) -> None:
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for members in self.rooms.values():
            if self._transport in members:
                members.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            if b"\r\n\r\n" in self._buffer:
                self._shake_hands()
            return
        while len(self._buffer) >= 6:
            size, start = self._buffer[1] & 0x7F, 2
            if size == 126:
                size, start = int.from_bytes(self._buffer[2:4], "big"), 4
            end = start + 4 + size
            if len(self._buffer) < end:
                return
            mask, body = self._buffer[start : start + 4], self._buffer[start + 4 : end]
            self._buffer = self._buffer[end:]
            self._on_text(bytes(byte ^ mask[i & 3] for i, byte in enumerate(body)))

    def _shake_hands(self) -> None:
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: " + accept + b"\r\n\r\n" + frame(_OPEN)
        )
        self._open = True

    def _on_text(self, text: bytes) -> None:
        if text.startswith(b"40"):
            self._transport.write(frame(b'40{"sid":"a"}'))
        elif text.startswith(b"42"):
            number, event = text[2:].split(b"[", 1)
            names = orjson.loads(b"[" + event)[1]["rooms"]
            snapshots = b",".join(b'"%s":%s' % (n.encode(), encoded(n, 0, 0)) for n in names)
            answer = b'[{"ok":true,"rooms":{' + snapshots + b"}}]"
            self._transport.write(frame(b"43" + number + answer))
            for name in names:
                self.rooms[name].append(self._transport)


async def main(arguments: Arguments) -> None:
    def send(room: str, seq: int, due_us: int) -> None:
        whole = frame(b'42["price",' + encoded(room, seq, due_us) + b"]")
        for transport in Client.rooms[room]:
            transport.write(whole)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Client, "127.0.0.1", arguments.port, backlog=2048)
    async with server:
        await publish(arguments.rooms, arguments.hz, send)


if __name__ == "__main__":
    uvloop.run(main(Arguments()))
