"""The replica's port: pricing host and chain backends on one TCP listener, told apart by path.

Owning the transport is what makes a dead network possible: ``half_open`` neither reads nor writes,
``drop`` resets. One loop turns the feeds and flushes every client."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, Literal, TypeAlias, cast

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from sandbox.faults import NO_FAULTS, ActiveFaults, FaultBoard, Kind
from sandbox.gains import chain, feed, outbox
from sandbox.gains.catalogue import DATA, load_chains, load_pairs, load_parameters
from sandbox.gains.chain import Chain
from sandbox.gains.feed import Batch, PriceFeed
from sandbox.gains.outbox import Outbox
from sandbox.gains.rest import BACKEND, PRICING, Rest
from sandbox.gains.variables import Variables
from sandbox.prices import PriceProcess

VENUE: Final = "gains"
FAULT_KINDS: Final[tuple[Kind, ...]] = tuple(
    dict.fromkeys(
        (
            *feed.FAULT_KINDS,
            *chain.FAULT_KINDS,
            *outbox.FAULT_KINDS,
            "drop",
            "half_open",
            "rate_limit",
        )
    )
)
# What a socket is subscribed to by its path: a form of the price stream or a chain.
Topic: TypeAlias = Literal["v3", "v4"] | int

_TURN_S: Final = 0.01
_KEEP_ALIVE_US: Final = 1_000_000
_CLOSE_GRACE_S: Final = 2.0
_NO_LINGER: Final = struct.pack("ii", 1, 0)
_MAX_REQUEST_BYTES: Final = 65_536
_MAX_UNSENT_BYTES: Final = 16 * 2**20

_GOING_AWAY: Final = (1001, "")
_RATE_LIMITED: Final = (1008, "Too Many Requests")
_TOO_SLOW: Final = (1013, "")

_log = get_logger(__name__)


class Replica:
    """gTrade's pricing host and chain backends in the sandbox.

    ``clock`` gives microseconds since 1970 and never steps back; market hours follow it."""

    def __init__(
        self,
        prices: PriceProcess,
        board: FaultBoard,
        *,
        seed: int,
        rate: float,
        clock: Callable[[], int] | None = None,
    ) -> None:
        zero_us = wall_us() - mono_ns() // 1000
        self.now_us = clock or (lambda: zero_us + mono_ns() // 1000)
        now_us = self.now_us()
        pairs, parameters = load_pairs(), load_parameters()
        traders: list[str] = json.loads((DATA / "traders.json").read_bytes())
        self.feed = PriceFeed(pairs, prices, seed=seed, rate=rate, now_us=now_us)
        self.chains = {
            spec.chain_id: Chain(
                spec, pairs, parameters, traders, self.feed, seed=seed, rate=rate, now_us=now_us
            )
            for spec in load_chains()
        }
        self.variables = {key: Variables(each) for key, each in self.chains.items()}
        self.rest = Rest(self.feed, self.chains, self.variables)
        self.faults: ActiveFaults = NO_FAULTS
        self.held = False
        self.clients: set[Client] = set()
        self._topics: dict[str, Topic] = {"/v3": "v3", "/v4": "v4", PRICING: "v3"}
        self._topics |= {f"{BACKEND}{chain_id}": chain_id for chain_id in self.chains}
        self._next_keep_alive_us = now_us
        self._board = board
        self._seed = seed
        self._sockets = 0
        markets = [quote.market for quote in self.feed.quotes.values()]
        board.register(VENUE, FAULT_KINDS, markets)

    def topic(self, target: str) -> Topic | None:
        return self._topics.get(target.partition("?")[0].rstrip("/"))

    def new_outbox(self) -> Outbox:
        self._sockets += 1
        return Outbox(Random(f"{self._seed}:gains:socket:{self._sockets}"))

    async def run(self, port: int, stop: asyncio.Event) -> None:
        """Serves on loopback until ``stop``. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Client(self), "127.0.0.1", port)
        _log.info("gains_replica_started", port=port, pairs=len(self.feed.quotes))
        try:
            while not stop.is_set():
                self._turn()
                await asyncio.sleep(_TURN_S)
        finally:
            listener.close()
            for client in tuple(self.clients):
                client.close(*_GOING_AWAY)

    def _turn(self) -> None:
        faults = self.faults = self._board.active(VENUE, mono_ns())
        now_us = self.now_us()
        if faults.whole("drop"):
            for client in tuple(self.clients):
                client.reset()
        if faults.whole("half_open") != self.held:
            self.held = not self.held
            for client in self.clients:
                client.hold(held=self.held)
        if not faults.whole("freeze"):
            self._step(now_us)
        for client in tuple(self.clients):
            client.turn(now_us)

    def _step(self, now_us: int) -> None:
        batch = self.feed.step(now_us, self.faults)
        if batch is not None:
            self._publish_prices(batch, prices=True)
        if now_us >= self._next_keep_alive_us:
            self._next_keep_alive_us = now_us + _KEEP_ALIVE_US
            self._publish_prices(self.feed.keep_alive(now_us), prices=False)
        for chain_id, each in self.chains.items():
            messages, refreshed = each.step(now_us, self.faults)
            readers = self._on(chain_id)
            if not readers:
                continue
            for message in messages:
                self._publish(message, readers)
            if refreshed:
                self._publish(self.variables[chain_id].frame(), readers)

    def _on(self, topic: Topic) -> list["Client"]:
        return [client for client in self.clients if client.topic == topic]

    def _publish_prices(self, batch: Batch, *, prices: bool) -> None:
        if batch.v3:
            self._publish(batch.v3, self._on("v3"), prices=prices)
        self._publish(batch.v4, self._on("v4"), prices=prices)

    def _publish(self, frame: bytes, readers: Iterable["Client"], *, prices: bool = False) -> None:
        now_us = self.now_us()
        for reader in readers:
            reader.outbox.put(frame, self.faults, now_us, prices=prices)


class Client(asyncio.Protocol):
    """One TCP connection: HTTP requests until one of them upgrades it to a WebSocket."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._protocol = _new_protocol()
        self.topic: Topic | None = None
        self.outbox = replica.new_outbox()
        self._transport: asyncio.Transport

    @property
    def is_closing(self) -> bool:
        return self._protocol.state is State.CLOSING

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._replica.faults.whole("drop"):
            self.reset()
            return
        self._replica.clients.add(self)
        if self._replica.held:
            self.hold(held=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        # What clients say on a socket ("heartbeat") has no answer; pings are answered in there.
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._request(event)
        self._flush()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def turn(self, now_us: int) -> None:
        """Sends what is due."""
        if self.topic is None:
            return
        if self._replica.faults.whole("rate_limit"):
            self.close(*_RATE_LIMITED)
        self._flush(now_us)

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
            self._write()
            asyncio.get_running_loop().call_later(_CLOSE_GRACE_S, self._transport.abort)
        elif self.topic is None:
            self._transport.abort()

    def reset(self) -> None:
        """Cuts the connection as a dead host does: RST, no FIN."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def _request(self, request: Request) -> None:
        replica = self._replica
        topic = replica.topic(request.path)
        if "Upgrade" in request.headers and topic is not None:
            self._protocol.send_response(self._protocol.accept(request))
            if self._protocol.state is State.OPEN:
                self.topic = topic
                if isinstance(topic, int):
                    frame = replica.variables[topic].frame()
                    self.outbox.put(frame, replica.faults, replica.now_us(), prices=False)
            return
        answer = replica.rest.answer(request.method, request.path, replica.faults)
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

    def _flush(self, now_us: int | None = None) -> None:
        if self.topic is not None and self._protocol.state is State.OPEN:
            unsent = self.outbox.bytes + self._transport.get_write_buffer_size()
            if unsent > _MAX_UNSENT_BYTES:
                _log.warning("gains_client_too_slow", unsent_bytes=unsent)
                self.close(*_TOO_SLOW)
            elif not self._replica.held:
                now_us = self._replica.now_us() if now_us is None else now_us
                for frame in self.outbox.take(now_us):
                    self._protocol.send_text(frame)
        self._write()

    def _write(self) -> None:
        if self._replica.held:
            return
        chunks = self._protocol.data_to_send()
        if chunks:
            self._transport.write(b"".join(chunks))
            if chunks[-1] == b"":
                self._transport.close()


def _new_protocol() -> ServerProtocol:
    return ServerProtocol(max_size=_MAX_REQUEST_BYTES)
