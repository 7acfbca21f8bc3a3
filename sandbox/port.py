"""The port of a replica: one TCP listener, and a loop that turns the venue and all its clients.

Owning the transport is what makes a dead network possible: ``half_open`` neither reads nor writes,
``drop`` resets."""

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import ClassVar, Final, NamedTuple, TypeAlias, cast

from websockets.datastructures import Headers
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from sandbox.faults import NO_FAULTS, ActiveFaults, FaultBoard
from sandbox.outbox import Outbox

Closing: TypeAlias = tuple[int, str]
"""Code and reason of a closing handshake."""

_TURN_S: Final = 0.01
_CLOSE_GRACE_S: Final = 2.0
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_MAX_REQUEST_BYTES: Final = 65_536
_MAX_UNSENT_BYTES: Final = 16 * 2**20

_log = get_logger(__name__)


class Answer(NamedTuple):
    """``delay_us``: how late it is sent."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes
    delay_us: int = 0


class Port(ABC):
    """One venue. ``now_us``: microseconds since 1970 that never step back, for they schedule as
    well as stamp. ``held``: nothing is read or written."""

    def __init__(
        self, venue: str, board: FaultBoard, clock: Callable[[], int] | None = None
    ) -> None:
        zero_us = wall_us() - mono_ns() // 1000
        self.venue = venue
        self.now_us = clock or (lambda: zero_us + mono_ns() // 1000)
        self.faults: ActiveFaults = NO_FAULTS
        self.held = False
        self.clients: set[Client] = set()
        self._board = board

    @abstractmethod
    def new_client(self) -> "Client":
        """For a connection."""

    @abstractmethod
    def step(self, now_us: int) -> None:
        """What has happened at the venue since the last step."""

    async def run(self, port: int, stop: asyncio.Event) -> None:
        """Serves on loopback until ``stop``. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self.new_client, "127.0.0.1", port)
        _log.info("replica_started", venue=self.venue, port=port)
        try:
            while not stop.is_set():
                self._turn()
                await asyncio.sleep(_TURN_S)
        finally:
            listener.close()
            for client in tuple(self.clients):
                client.dismiss()

    def _turn(self) -> None:
        faults = self.faults = self._board.active(self.venue, mono_ns())
        now_us = self.now_us()
        if faults.whole("drop"):
            for client in tuple(self.clients):
                client.reset()
        if faults.whole("half_open") != self.held:
            self.held = not self.held
            for client in self.clients:
                client.hold(held=self.held)
        self.step(now_us)
        for client in tuple(self.clients):
            client.turn(now_us)


class Client(ABC, asyncio.Protocol):
    """One TCP connection: one HTTP request after the other, answered in order."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._protocol = _new_protocol()
        # Answers on their way, each with the time at which it is due.
        self._answers: deque[tuple[int, bytes]] = deque()
        self._ends = False
        self._transport: asyncio.Transport

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """To a request that is no upgrade."""

    @property
    def peer(self) -> str:
        host: str = self._transport.get_extra_info("peername")[0]
        return host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._port.faults.whole("drop"):
            self.reset()
            return
        self._port.clients.add(self)
        if self._port.held:
            self.hold(held=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self.on_request(event)
            elif isinstance(event, Frame):
                self.on_frame(event)
        self.flush()

    def turn(self, now_us: int) -> None:
        """Sends what is due."""
        self.flush()

    def hold(self, *, held: bool) -> None:
        """Stops or resumes all traffic of the connection, which stays open."""
        if self._transport.is_closing():
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            self.flush()

    def dismiss(self) -> None:
        """The venue goes away."""
        self._transport.abort()

    def reset(self) -> None:
        """Cuts the connection as a dead host does: RST, no FIN."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def flush(self) -> None:
        """Writes what may be written now."""
        if self._port.held:
            return
        while self._answers and self._answers[0][0] <= self._port.now_us():
            self._transport.write(self._answers.popleft()[1])
        chunks = self._protocol.data_to_send()
        if chunks:
            self._transport.write(b"".join(chunks))
            self._ends |= chunks[-1] == b""
        if self._ends and not self._answers:
            self._transport.close()

    def on_request(self, request: Request) -> None:
        answer = self.answer(request)
        keeps = request.method == "GET" and request.protocol == "HTTP/1.1"
        self._ends |= not keeps or request.headers.get("Connection", "").lower() == "close"
        headers = Headers(answer.headers)
        headers["Content-Length"] = str(len(answer.body))
        headers["Connection"] = "close" if self._ends else "keep-alive"
        response = Response(answer.status, answer.status.phrase, headers, answer.body)
        self._answers.append((self._port.now_us() + answer.delay_us, response.serialize()))
        # The library serves one request a connection; the next one meets a fresh protocol.
        self._protocol = _new_protocol()
        if self._is_slow(sum(len(body) for _, body in self._answers)):
            self._transport.abort()

    def on_frame(self, frame: Frame) -> None:
        """Of a WebSocket; pings are answered without it."""

    def _is_slow(self, waiting_bytes: int) -> bool:
        """Whether more waits than a client that reads would let wait."""
        unsent_bytes = waiting_bytes + self._transport.get_write_buffer_size()
        if unsent_bytes <= _MAX_UNSENT_BYTES:
            return False
        _log.warning("client_too_slow", venue=self._port.venue, unsent_bytes=unsent_bytes)
        return True


class SocketClient(Client):
    """A connection that one of its requests may upgrade to a WebSocket. ``outbox``: what it is to
    be sent, None before."""

    going_away: ClassVar[Closing]
    too_slow: ClassVar[Closing]

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.outbox: Outbox | None = None

    @abstractmethod
    def serves(self, request: Request) -> bool:
        """Whether a socket can be had there."""

    @abstractmethod
    def on_open(self, request: Request) -> Outbox:
        """The socket is open."""

    @abstractmethod
    def wants_closing(self) -> Closing | None:
        """Why the venue closes the socket now."""

    @property
    def is_open(self) -> bool:
        return self.outbox is not None and self._protocol.state is State.OPEN

    @property
    def is_closing(self) -> bool:
        return self._protocol.state is State.CLOSING

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self.flush()

    def on_request(self, request: Request) -> None:
        if "Upgrade" not in request.headers or not self.serves(request):
            super().on_request(request)
            return
        self._protocol.send_response(self._protocol.accept(request))
        if self._protocol.state is State.OPEN:
            self.outbox = self.on_open(request)

    def dismiss(self) -> None:
        self.close(*self.going_away)

    def close(self, code: int, reason: str) -> None:
        """Closing handshake; a client that does not answer is cut."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            super().flush()
            asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self._transport.abort)
        elif self.outbox is None:
            self._transport.abort()

    def flush(self) -> None:
        """A client that does not read is dropped; what it has not read is lost with it."""
        if self.outbox is not None and self.is_open:
            if self._is_slow(self.outbox.bytes):
                self.close(*self.too_slow)
            elif not self._port.held:
                for frame in self.outbox.take(self._port.now_us()):
                    self._protocol.send_text(frame)
                if closing := self.wants_closing():
                    self.close(*closing)
        super().flush()


def _new_protocol() -> ServerProtocol:
    return ServerProtocol(max_size=_MAX_REQUEST_BYTES)
