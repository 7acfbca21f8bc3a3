"""Venues that cannot be reached, refuse or go silent: what the feed says of them, and how often it
knocks. The driver over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from connectors.base.driver import SourceDriver
from connectors.base.protocol import (
    Failure,
    Frame,
    HttpReply,
    HttpTransport,
    Source,
    WsTransport,
)
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.events import Event, Liveness, VenueStatus
from domain.ids import MarketId, SourceId
from perptape.ports import free_ports
from runtime.channels import MARKETS_STATE
from runtime.tasks import supervise
from tests.integration.feed_kit import Feed, feeds, listening, sandbox, until
from tests.servers import LOOPBACK

Start = Callable[[str, dict[str, str]], Feed]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with feeds(tmp_path) as started_feeds:
        yield started_feeds


@asynccontextmanager
async def knocked(answer: bytes = b"") -> AsyncIterator[tuple[int, list[int]]]:
    """A port that takes connections, says its answer and closes; and who came."""
    knocks: list[int] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.append(len(knocks))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], knocks


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "UNREACHABLE"),
        (b"", "UNREACHABLE"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP_503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "GARBAGE"),
    ],
)
async def test_a_venue_without_a_market_list(
    embedded_redis_url: str, start: Start, answer: bytes | None, reason: str
) -> None:
    async with (
        listening(embedded_redis_url) as (tape, redis),
        knocked(answer or b"") as (port, knocks),
    ):
        if answer is None:
            (port,) = free_ports(1)
        address = f"127.0.0.1:{port}"
        venue = {
            "PERP_VENUES": "dydx",
            "PERP_DYDX_WS_URL": f"ws://{address}/v4/ws",
            "PERP_DYDX_HTTP_URL": f"http://{address}",
        }
        feed = start(embedded_redis_url, venue)

        def told() -> bool:
            state = tape.newest("venues")
            return bool(state) and str(state["dydx"]["reason"]).startswith(reason)

        await until(told, f"venues that say {reason}")
        state = tape.newest("venues")["dydx"]
        assert (state["state"], state["markets"]) == ("connecting", 0)
        # The feed is there, though it has nothing to say, and it does not spin.
        heard = len(tape.batches)
        await until(lambda: len(tape.batches) > heard + 300, "beats")
        assert all(item.room in ("venues", "prices") for item in tape.envelopes())
        assert not await redis.exists(MARKETS_STATE)
        assert len(knocks) <= 15
        assert len(knocks) >= 2 or answer is None
        assert await feed.terminate() == 0


async def test_a_venue_whose_sockets_close_at_once(
    embedded_redis_url: str, start: Start, tmp_path: Path
) -> None:
    with sandbox(tmp_path) as venue:
        async with (
            listening(embedded_redis_url) as (tape, redis),
            knocked() as (port, knocks),
        ):
            venue["PERP_DYDX_WS_URL"] = f"ws://127.0.0.1:{port}/v4/ws"
            feed = start(embedded_redis_url, venue | {"PERP_VENUES": "dydx"})

            def told() -> bool:
                state = tape.newest("venues")
                return bool(state) and str(state["dydx"]["reason"]).startswith("UNREACHABLE")

            await until(told, "venues that say UNREACHABLE")
            assert tape.newest("venues")["dydx"]["state"] == "connecting"
            heard = len(tape.batches)
            await until(lambda: len(tape.batches) > heard + 300, "beats")
            assert 2 <= len(knocks) <= 15
            name = 'perptape_venue_reconnects_total{code="UNREACHABLE",source="dydx:ws:0"}'
            assert 1 <= (await feed.metrics())[name] <= len(knocks)
            assert not await redis.keys("quote:*")
            assert await feed.terminate() == 0


# The driver ------------------------------------------------------------------------------------


class Echo:
    """A session that says every frame it gets, and may fail or break as a test wants."""

    def __init__(self, fail_at: int = 0, break_in: str = "") -> None:
        self.failure: Failure | None = None
        self.healthy = False
        self.fail_at, self.break_in = fail_at, break_in
        self.frames: list[Frame] = []
        self.advances = 0

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        self.frames.append(frame)
        if self.break_in == "receive":
            raise RuntimeError("a bug")
        if len(self.frames) == self.fail_at:
            self.failure = Failure("ENOUGH", "")

    def advance(self, mono_ns: int) -> None:
        self.advances += 1
        if self.break_in == "advance":
            raise RuntimeError("a bug")

    def resync(self, market: MarketId, mono_ns: int) -> None:
        pass

    def events(self) -> list[Event]:
        return [Liveness(len(self.frames))]

    def outgoing(self) -> list[str]:
        return ["hello"] if self.advances == 1 else []

    def next_deadline_ns(self) -> int:
        return 0


class Told:
    """A driver, its sessions and what they told."""

    def __init__(self, make: Callable[[], Echo], port: int) -> None:
        self.make = make
        self.sessions: list[Echo] = []
        self.events: list[Event] = []
        transport = WsTransport(f"ws://127.0.0.1:{port}/", LOOPBACK.websocket)
        source = Source(SourceId("test:0"), transport, self.new_session, ())
        self.driver = SourceDriver(source, self.sink)

    def new_session(self, _now: int) -> Echo:
        self.sessions.append(self.make())
        return self.sessions[-1]

    def sink(self, source: SourceId, events: Sequence[Event], wall_us: int, mono_ns: int) -> None:
        self.events += events

    def reasons(self) -> list[str]:
        return [str(event.reason) for event in self.events if isinstance(event, VenueStatus)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Told"]:
        task = asyncio.create_task(self.driver.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def websocket(
    talk: Callable[[ServerConnection], Any], status: int | None = None
) -> AsyncIterator[int]:
    def refuse(_connection: ServerConnection, _request: Request) -> Response | None:
        return None if status is None else Response(status, "No", Headers())

    async with serve(talk, "127.0.0.1", 0, process_request=refuse) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def silent(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def test_frames_go_in_and_requests_go_out() -> None:
    got: list[str | bytes] = []

    async def talk(socket: ServerConnection) -> None:
        got.append(await socket.recv())
        await socket.send("one")
        await socket.send(b"two")
        await socket.wait_closed()

    async with websocket(talk) as port, Told(Echo, port).running() as told:
        await until(lambda: bool(told.sessions) and len(told.sessions[0].frames) == 2, "frames")
        assert got == ["hello"]
        assert told.sessions[0].frames == [b"one", b"two"]
        assert told.reasons() == []


@pytest.mark.parametrize(
    ("close", "reason"),
    [
        ((1012, "restarting"), "CLOSED_BY_VENUE: 1012 restarting"),
        ((1008, "Rate limited"), "RATE_LIMITED: 1008 Rate limited"),
        (None, "CONNECTION_LOST"),
    ],
)
async def test_why_a_connection_ended(close: tuple[int, str] | None, reason: str) -> None:
    async def talk(socket: ServerConnection) -> None:
        if close is None:
            socket.transport.abort()
        else:
            await socket.close(*close)

    async with websocket(talk) as port, Told(Echo, port).running() as told:
        await until(lambda: bool(told.reasons()), "a reason")
        assert told.reasons()[0] == reason


@pytest.mark.parametrize(("status", "reason"), [(503, "HTTP_503"), (429, "RATE_LIMITED")])
async def test_a_refused_handshake(status: int, reason: str) -> None:
    async with websocket(silent, status) as port, Told(Echo, port).running() as told:
        await until(lambda: bool(told.reasons()), "a reason")
        assert told.reasons()[0].startswith(reason)
        assert told.sessions == []


async def test_a_frame_beyond_the_bound_ends_the_connection() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send(b"x" * (10 * 2**20))
        await socket.wait_closed()

    async with websocket(talk) as port, Told(Echo, port).running() as told:
        await until(lambda: bool(told.reasons()), "a reason")
        assert told.reasons()[0].startswith("PROTOCOL: 1009")
        assert told.sessions[0].frames == []


async def test_a_session_that_gives_up_gets_a_successor() -> None:
    async def talk(socket: ServerConnection) -> None:
        for _ in range(5):
            await socket.send("x")
        await socket.wait_closed()

    async with websocket(talk) as port, Told(lambda: Echo(fail_at=3), port).running() as told:
        await until(lambda: len(told.sessions) == 3, "two more sessions")
        assert told.reasons()[:2] == ["ENOUGH", "ENOUGH"]
        assert len(told.sessions[0].frames) == 3


@pytest.mark.parametrize("where", ["advance", "receive"])
async def test_a_bug_in_a_session_leaves_no_connection_without_its_timers(where: str) -> None:
    async def talk(socket: ServerConnection) -> None:
        while True:
            await socket.send("x")
            await asyncio.sleep(0.01)

    async with websocket(talk) as port:
        told = Told(lambda: Echo(break_in=where), port)
        task = asyncio.create_task(supervise("test", told.driver.run, first_s=0.01))
        await until(lambda: len(told.sessions) >= 3, "more sessions")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert told.reasons()[0].startswith("CRASHED")


async def test_a_poll_that_fails_says_why_and_goes_on() -> None:
    answers: list[bytes | VenueUnavailable | VenueProtocolError] = [
        VenueUnavailable("HTTP_404", "gone"),
        VenueProtocolError("BODY_TOO_LARGE", "too large"),
        b"fine",
    ]

    async def fetch(_path: str) -> bytes:
        answer = answers.pop(0) if answers else b"fine"
        if isinstance(answer, bytes):
            return answer
        raise answer

    told = Told(Echo, 1)
    told.driver = SourceDriver(
        Source(SourceId("test:1"), HttpTransport(fetch), told.new_session, ()), told.sink
    )
    async with told.running():
        await until(lambda: any(session.frames for session in told.sessions), "a reply")
        assert told.reasons() == ["HTTP_404: gone", "BODY_TOO_LARGE: too large"]
        assert told.sessions[-1].frames[0] == HttpReply("hello", b"fine")
