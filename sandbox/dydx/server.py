"""The dYdX indexer of the sandbox on one port: REST and the WebSocket."""

import uuid
from random import Random
from typing import ClassVar, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Request

from sandbox import outbox
from sandbox.dydx import feed
from sandbox.dydx.catalogue import load_listings
from sandbox.dydx.feed import Feed
from sandbox.dydx.hub import Hub
from sandbox.dydx.rest import Rest
from sandbox.dydx.session import Session
from sandbox.faults import FaultBoard, Kind
from sandbox.outbox import Outbox
from sandbox.port import Answer, Closing, Port, SocketClient
from sandbox.prices import PriceProcess

WS_PATH: Final = "/v4/ws"
FAULT_KINDS: Final[tuple[Kind, ...]] = (
    *feed.FAULT_KINDS,
    *outbox.FAULT_KINDS,
    "drop",
    "half_open",
    "rate_limit",
    "geoblock",
    "block",
    "close_only",
)

_PING_US: Final = 30_000_000
_PONG_US: Final = 10_000_000

_HEARTBEAT_TIMEOUT: Final = (1011, "Heartbeat timeout")


class Replica(Port):
    def __init__(self, prices: PriceProcess, board: FaultBoard, *, seed: int, rate: float) -> None:
        super().__init__("dydx", board)
        now_us = self.now_us()
        listings = load_listings()
        self.feed = Feed(listings, prices, seed=seed, rate=rate, now_us=now_us)
        self.hub = Hub(self.feed, Random(f"{seed}:hub"), now_us)
        self.rest = Rest(self.feed)
        self._seed = seed
        self._sessions = 0
        board.register(self.venue, FAULT_KINDS, [listing.ticker for listing in listings])

    def new_client(self) -> "IndexerClient":
        return IndexerClient(self)

    def new_session(self) -> Session:
        self._sessions += 1
        rng = Random(f"{self._seed}:session:{self._sessions}")
        return Session(self.hub, str(uuid.uuid4()), rng)

    def step(self, now_us: int) -> None:
        self.hub.turn(now_us, self.faults)


class IndexerClient(SocketClient):
    going_away: ClassVar[Closing] = (1012, '{"message":"Service restarting"}')
    too_slow: ClassVar[Closing] = (4000, "client returned write buffer overflow error")

    def __init__(self, replica: Replica) -> None:
        super().__init__(replica)
        self._replica = replica
        self._session: Session | None = None
        self._fragments: list[bytes] = []
        self._next_ping_us = 0
        self._pong_due_us: int | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._session is not None:
            self._session.leave()

    def answer(self, request: Request) -> Answer:
        replica = self._replica
        return replica.rest.answer(
            request.method, request.path, self.peer, replica.now_us(), replica.hub.faults
        )

    def serves(self, request: Request) -> bool:
        return request.path.partition("?")[0] == WS_PATH

    def on_open(self, request: Request) -> Outbox:
        self._session = self._replica.new_session()
        self._next_ping_us = self._replica.now_us() + _PING_US
        return self._session.outbox

    def wants_closing(self) -> Closing | None:
        return None if self._session is None else self._session.closing

    def turn(self, now_us: int) -> None:
        """Watches the heartbeat as well."""
        if self._session is not None and now_us >= self._next_ping_us:
            self._next_ping_us = now_us + _PING_US
            self._pong_due_us = now_us + _PONG_US
            if self.is_open:
                self._protocol.send_ping(b"")
        elif self._pong_due_us is not None and now_us >= self._pong_due_us:
            self._pong_due_us = None
            self.close(*_HEARTBEAT_TIMEOUT)
        super().turn(now_us)

    def on_frame(self, frame: Frame) -> None:
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
