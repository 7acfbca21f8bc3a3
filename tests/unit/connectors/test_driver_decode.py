"""Long frames are read in another process: the session gets what was read or why it could not be,
in the order of the frames, and short ones as they came."""

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from connectors.base.decoding import LONG_FRAME_BYTES, read_long
from connectors.base.driver import LONG_NS, SourceDriver
from connectors.base.protocol import (
    Decoded,
    Failure,
    Frame,
    HttpReply,
    HttpTransport,
    Source,
    WsTransport,
)
from domain.errors import VenueUnavailable
from domain.events import Event
from domain.ids import MarketId, SourceId
from tests.servers import LOOPBACK

LONG = b"[" + b"1," * LONG_FRAME_BYTES + b"1]"


class Script:
    """Keeps what it gets and gives up after ``count`` frames."""

    failure: Failure | None = None
    healthy = True

    def __init__(self, count: int) -> None:
        self.got: list[Frame] = []
        self._count = count
        self._asks = True

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        self.got.append(frame)
        if len(self.got) == self._count:
            self.failure = Failure("DONE", "")

    def advance(self, mono_ns: int) -> None:
        pass

    def resync(self, market: MarketId, mono_ns: int) -> None:
        pass

    def events(self) -> list[Event]:
        return []

    def outgoing(self) -> list[str]:
        return ["/a", "/b"]

    def next_deadline_ns(self) -> int:
        return 0


def length(body: bytes) -> int:
    if body.startswith(b"{"):
        raise ValueError("no list")
    return len(body)


def dying(_body: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def ran(source: Source, done: Script) -> list[Frame]:
    driver = SourceDriver(source, lambda *_: None)
    running = asyncio.create_task(driver.run())
    async with asyncio.timeout(10):
        while done.failure is None:
            await asyncio.sleep(0.01)
    running.cancel()
    return done.got


async def test_long_frames_of_a_socket_come_read_and_in_order() -> None:
    frames: list[Any] = [b"[1]", LONG, b"[2]", b"{" + LONG, b"[3]"]

    async def say(socket: ServerConnection) -> None:
        for frame in frames:
            await socket.send(frame)
        await socket.wait_closed()

    script = Script(len(frames))
    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        transport = WsTransport(f"ws://127.0.0.1:{port}", LOOPBACK.websocket)
        script.outgoing = list  # type: ignore[method-assign]
        source = Source(SourceId("x:0"), transport, lambda _now: script, (), length)
        got = await ran(source, script)
    assert [got[0], got[2], got[4]] == [b"[1]", b"[2]", b"[3]"]
    assert got[1] == Decoded(len(LONG))
    assert isinstance(got[3], Decoded)
    assert isinstance(got[3].error, ValueError)


async def test_long_answers_of_a_poll_come_read() -> None:
    async def fetch(path: str) -> bytes:
        return LONG if path == "/a" else b"[1]"

    script = Script(2)
    source = Source(SourceId("x:0"), HttpTransport(fetch), lambda _now: script, (), length)
    assert await ran(source, script) == [Decoded(len(LONG)), HttpReply("/b", b"[1]")]


async def test_a_frame_that_kills_who_reads_it_is_a_failure_of_the_venue() -> None:
    with pytest.raises(VenueUnavailable) as raised:
        await read_long(dying, b"x")
    assert raised.value.code == "DECODER_LOST"
    assert (await read_long(length, b"abc")).get() == 3


async def test_a_source_whose_frame_cannot_be_read_connects_again() -> None:
    async def fetch(_path: str) -> bytes:
        return LONG

    statuses: list[Event] = []
    source = Source(SourceId("x:0"), HttpTransport(fetch), lambda _now: Script(9), (), dying)
    driver = SourceDriver(source, lambda _source, events, _wall, _mono: statuses.extend(events))
    running = asyncio.create_task(driver.run())
    async with asyncio.timeout(10):
        while len(statuses) < 2:
            await asyncio.sleep(0.01)
    running.cancel()
    assert all("DECODER_LOST" in str(status) for status in statuses)


async def test_frames_that_take_long_let_others_in_between() -> None:
    turns, seen = 0, []

    class Slow(Script):
        def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
            super().receive(frame, wall_us, mono_ns)
            seen.append(turns)
            time.sleep(2 * LONG_NS / 1e9)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def say(socket: ServerConnection) -> None:
        for _ in range(20):
            await socket.send(b"[1]")
        await socket.wait_closed()

    script = Slow(20)
    script.outgoing = list  # type: ignore[method-assign]
    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        transport = WsTransport(f"ws://127.0.0.1:{port}", LOOPBACK.websocket)
        others = asyncio.create_task(count())
        await ran(Source(SourceId("x:0"), transport, lambda _now: script, ()), script)
        others.cancel()
    assert len(set(seen)) == 20
