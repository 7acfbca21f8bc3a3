"""The replica's port: plain HTTP on a transport of its own.

Owning the transport is what makes a dead network possible: ``half_open`` neither reads nor writes,
``drop`` resets. One loop turns the keeper and sends what is late."""

import asyncio
import socket
import struct
from collections import deque
from random import Random
from typing import Final, cast

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from sandbox.faults import NO_FAULTS, ActiveFaults, FaultBoard, Kind
from sandbox.gmx import keeper, rest
from sandbox.gmx.catalogue import load_catalogue
from sandbox.gmx.keeper import Keeper
from sandbox.gmx.rest import Rest
from sandbox.prices import PriceProcess

VENUE: Final = "gmx"
FAULT_KINDS: Final[tuple[Kind, ...]] = (
    *keeper.FAULT_KINDS,
    *rest.FAULT_KINDS,
    "drop",
    "half_open",
)

_TURN_S: Final = 0.01
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_MAX_REQUEST_BYTES: Final = 65_536
_MAX_UNSENT_BYTES: Final = 8 * 2**20

_log = get_logger(__name__)


class Replica:
    """The oracle keeper and the API of GMX on Arbitrum, of the sandbox."""

    def __init__(self, prices: PriceProcess, board: FaultBoard, *, seed: int, rate: float) -> None:
        # Wall time that never steps back: it schedules as well as stamps.
        self._zero_us = wall_us() - mono_ns() // 1000
        catalogue = load_catalogue()
        self.keeper = Keeper(catalogue, prices, seed=seed, rate=rate, now_us=self.now_us())
        self.rest = Rest(self.keeper, Random(f"{seed}:rest"))
        self.faults: ActiveFaults = NO_FAULTS
        self.held = False
        self.refusing = False
        self.clients: set[Client] = set()
        self._board = board
        self._pools = len(catalogue.pools)
        board.register(VENUE, FAULT_KINDS, catalogue.markets)

    def now_us(self) -> int:
        return self._zero_us + mono_ns() // 1000

    async def run(self, port: int, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Client(self), "127.0.0.1", port)
        _log.info("gmx_replica_started", port=port, pools=self._pools)
        try:
            while not stop.is_set():
                self._turn()
                await asyncio.sleep(_TURN_S)
        finally:
            listener.close()
            for client in tuple(self.clients):
                client.abort()

    def _turn(self) -> None:
        self.faults = self._board.active(VENUE, mono_ns())
        now_us = self.now_us()
        self.refusing = self.faults.whole("drop")
        if self.refusing:
            for client in tuple(self.clients):
                client.reset()
        if self.faults.whole("half_open") != self.held:
            self.held = not self.held
            for client in self.clients:
                client.hold(held=self.held)
        self.keeper.turn(now_us, self.faults)
        for client in tuple(self.clients):
            client.flush()


class Client(asyncio.Protocol):
    """One TCP connection: one request after the other."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._protocol = _new_protocol()
        # Answers on their way, each with the time at which it is due.
        self._answers: deque[tuple[int, bytes]] = deque()
        self._closing = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._replica.refusing:
            self.reset()
            return
        self._replica.clients.add(self)
        if self._replica.held:
            self.hold(held=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._request(event)
        # The protocol has something to say only about what is no HTTP.
        self._closing |= b"" in self._protocol.data_to_send()
        self.flush()

    def flush(self) -> None:
        """Sends the answers that are due, in order."""
        if self._replica.held:
            return
        while self._answers and self._answers[0][0] <= self._replica.now_us():
            self._transport.write(self._answers.popleft()[1])
        if self._closing and not self._answers:
            self._transport.close()

    def hold(self, *, held: bool) -> None:
        """Stops or resumes all traffic of the connection, which stays open."""
        if self._transport.is_closing():
            return
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            self.flush()

    def abort(self) -> None:
        self._transport.abort()

    def reset(self) -> None:
        """Cuts the connection as a dead host does: RST, no FIN."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def _request(self, request: Request) -> None:
        replica = self._replica
        answer = replica.rest.answer(request.method, request.path, replica.faults)
        keeps = request.method == "GET" and request.protocol == "HTTP/1.1"
        self._closing |= not keeps or request.headers.get("Connection", "").lower() == "close"
        headers = Headers(answer.headers)
        headers["Content-Length"] = str(len(answer.body))
        headers["Connection"] = "close" if self._closing else "keep-alive"
        response = Response(answer.status, answer.status.phrase, headers, answer.body)
        self._answers.append((replica.now_us() + answer.delay_us, response.serialize()))
        # The library serves one request a connection; the next one meets a fresh protocol.
        self._protocol = _new_protocol()
        waiting = sum(len(body) for _, body in self._answers)
        if waiting + self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            _log.warning("gmx_client_too_slow", unsent_bytes=waiting)
            self.abort()


def _new_protocol() -> ServerProtocol:
    return ServerProtocol(max_size=_MAX_REQUEST_BYTES)
