"""The replica's port: REST and WebSocket on one TCP listener, over a sans-I/O protocol.

Owning the transport is what makes a dead network possible: ``half_open`` neither reads nor writes,
``drop`` resets. One loop turns the hub and flushes every client."""

import asyncio
import socket
import struct
import uuid
from random import Random
from typing import Final, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from sandbox.dydx import feed, outbox
from sandbox.dydx.catalogue import load_listings
from sandbox.dydx.feed import Feed
from sandbox.dydx.hub import Hub
from sandbox.dydx.rest import Rest
from sandbox.dydx.session import Session
from sandbox.faults import FaultBoard, Kind
from sandbox.prices import PriceProcess

VENUE: Final = "dydx"
WS_PATH: Final = "/v4/ws"
FAULT_KINDS: Final[tuple[Kind, ...]] = (
    *feed.FAULT_KINDS,
    *outbox.FAULT_KINDS,
    "drop",
    "half_open",
    "rate_limit",
)

_TURN_S: Final = 0.01
_PING_US: Final = 30_000_000
_PONG_US: Final = 10_000_000
_CLOSE_GRACE_S: Final = 2.0
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_MAX_REQUEST_BYTES: Final = 65_536
_MAX_UNSENT_BYTES: Final = 8 * 2**20

_HEARTBEAT_TIMEOUT: Final = (1011, "Heartbeat timeout")
_SEND_FAILED: Final = (4000, "client returned write buffer overflow error")
_RESTARTING: Final = (1012, '{"message":"Service restarting"}')

_log = get_logger(__name__)


class Replica:
    """The dYdX indexer of the sandbox."""

    def __init__(self, prices: PriceProcess, board: FaultBoard, *, seed: int, rate: float) -> None:
        # Wall time that never steps back: it schedules as well as stamps.
        self._zero_us = wall_us() - mono_ns() // 1000
        now_us = self.now_us()
        listings = load_listings()
        self.feed = Feed(listings, prices, seed=seed, rate=rate, now_us=now_us)
        self.hub = Hub(self.feed, Random(f"{seed}:hub"), now_us)
        self.rest = Rest(self.feed)
        self.held = False
        self.refusing = False
        self.clients: set[Client] = set()
        self._board = board
        self._seed = seed
        self._sessions = 0
        board.register(VENUE, FAULT_KINDS, [listing.ticker for listing in listings])

    def now_us(self) -> int:
        return self._zero_us + mono_ns() // 1000

    def new_session(self) -> Session:
        self._sessions += 1
        rng = Random(f"{self._seed}:session:{self._sessions}")
        return Session(self.hub, str(uuid.uuid4()), rng)

    async def run(self, port: int, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Client(self), "127.0.0.1", port)
        _log.info("dydx_replica_started", port=port, markets=len(self.feed.markets))
        try:
            while not stop.is_set():
                self._turn()
                await asyncio.sleep(_TURN_S)
        finally:
            listener.close()
            for client in tuple(self.clients):
                client.close(*_RESTARTING)

    def _turn(self) -> None:
        faults = self._board.active(VENUE, mono_ns())
        now_us = self.now_us()
        self.refusing = faults.whole("drop")
        if self.refusing:
            for client in tuple(self.clients):
                client.reset()
        if faults.whole("half_open") != self.held:
            self.held = not self.held
            for client in self.clients:
                client.hold(held=self.held)
        self.hub.turn(now_us, faults)
        for client in tuple(self.clients):
            client.turn(now_us)


class Client(asyncio.Protocol):
    """One TCP connection: HTTP requests until one of them upgrades it to a WebSocket."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._protocol = _new_protocol()
        self._session: Session | None = None
        self._fragments: list[bytes] = []
        self._next_ping_us = 0
        self._pong_due_us: int | None = None
        self._transport: asyncio.Transport
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = transport.get_extra_info("peername")[0]
        if self._replica.refusing:
            self.reset()
            return
        self._replica.clients.add(self)
        if self._replica.held:
            self.hold(held=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.clients.discard(self)
        if self._session is not None:
            self._session.leave()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._request(event)
            elif isinstance(event, Frame):
                self._frame(event)
        self._flush()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def turn(self, now_us: int) -> None:
        """Sends what is due and watches the heartbeat."""
        if self._session is None:
            return
        if now_us >= self._next_ping_us:
            self._next_ping_us = now_us + _PING_US
            self._pong_due_us = now_us + _PONG_US
            if self._protocol.state is State.OPEN:
                self._protocol.send_ping(b"")
        elif self._pong_due_us is not None and now_us >= self._pong_due_us:
            self._pong_due_us = None
            self.close(*_HEARTBEAT_TIMEOUT)
        self._flush()

    def hold(self, *, held: bool) -> None:
        """Stops or resumes all traffic of the connection, which stays open."""
        if self._transport.is_closing():
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Closing handshake; a client that does not answer is cut."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self.abort)
        elif self._session is None:
            self.abort()

    def abort(self) -> None:
        self._transport.abort()

    def reset(self) -> None:
        """Cuts the connection as a dead host does: RST, no FIN."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def _request(self, request: Request) -> None:
        replica = self._replica
        if "Upgrade" in request.headers and request.path.partition("?")[0] == WS_PATH:
            response = self._protocol.accept(request)
            self._protocol.send_response(response)
            if self._protocol.state is State.OPEN:
                self._session = replica.new_session()
                self._next_ping_us = replica.now_us() + _PING_US
            return
        answer = replica.rest.answer(
            request.method, request.path, self._peer, replica.now_us(), replica.hub.faults
        )
        headers = Headers(answer.headers)
        headers["Content-Length"] = str(len(answer.body))
        keeps = request.method == "GET" and request.protocol == "HTTP/1.1"
        closes = not keeps or request.headers.get("Connection", "").lower() == "close"
        headers["Connection"] = "close" if closes else "keep-alive"
        response = Response(answer.status, answer.status.phrase, headers, answer.body)
        self._transport.write(response.serialize())
        if closes:
            self._transport.close()
        # The library serves one request a connection; the next one meets a fresh protocol.
        self._protocol = _new_protocol()

    def _frame(self, frame: Frame) -> None:
        session = self._session
        if session is None or session.closing is not None:
            return
        if frame.opcode is Opcode.PONG:
            self._pong_due_us = None
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                session.receive(message)

    def _flush(self) -> None:
        self._check_unsent()
        if self._replica.held:
            return
        session, protocol = self._session, self._protocol
        if session is not None and protocol.state is State.OPEN:
            for frame in session.outbox.take(self._replica.hub.now_us):
                protocol.send_text(frame)
            if session.closing is not None:
                self.close(*session.closing)
                return
        chunks = protocol.data_to_send()
        if chunks:
            self._transport.write(b"".join(chunks))
            if chunks[-1] == b"":
                self._transport.close()

    def _check_unsent(self) -> None:
        """A client that does not read is dropped; what it has not read is lost with it."""
        if self._session is None or self._protocol.state is not State.OPEN:
            return
        unsent = self._session.outbox.bytes + self._transport.get_write_buffer_size()
        if unsent > _MAX_UNSENT_BYTES:
            _log.warning("dydx_client_too_slow", unsent_bytes=unsent)
            self.close(*_SEND_FAILED)


def _new_protocol() -> ServerProtocol:
    return ServerProtocol(max_size=_MAX_REQUEST_BYTES)
