"""gTrade's pricing host and chain backends on one port, told apart by path."""

import json
from collections.abc import Callable, Iterable
from random import Random
from typing import ClassVar, Final, Literal, TypeAlias

from websockets.http11 import Request

from sandbox import outbox
from sandbox.faults import FaultBoard, Kind
from sandbox.gains import chain, feed
from sandbox.gains.catalogue import DATA, load_chains, load_pairs, load_parameters
from sandbox.gains.chain import Chain
from sandbox.gains.feed import Batch, PriceFeed
from sandbox.gains.garbage import garble
from sandbox.gains.rest import BACKEND, PRICING, Rest
from sandbox.gains.variables import Variables
from sandbox.outbox import Outbox
from sandbox.port import Answer, Closing, Port, SocketClient
from sandbox.prices import PriceProcess

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

_KEEP_ALIVE_US: Final = 1_000_000

_RATE_LIMITED: Final = (1008, "Too Many Requests")


class Replica(Port):
    """Market hours follow the clock."""

    def __init__(
        self,
        prices: PriceProcess,
        board: FaultBoard,
        *,
        seed: int,
        rate: float,
        clock: Callable[[], int] | None = None,
    ) -> None:
        super().__init__("gains", board, clock)
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
        self._topics: dict[str, Topic] = {"/v3": "v3", "/v4": "v4", PRICING: "v3"}
        self._topics |= {f"{BACKEND}{chain_id}": chain_id for chain_id in self.chains}
        self._next_keep_alive_us = now_us
        self._refreshed: dict[int, None] = {}
        self._seed = seed
        self._sockets = 0
        markets = [quote.market for quote in self.feed.quotes.values()]
        board.register(self.venue, FAULT_KINDS, markets)

    def topic(self, target: str) -> Topic | None:
        return self._topics.get(target.partition("?")[0].rstrip("/"))

    def new_outbox(self) -> Outbox:
        self._sockets += 1
        return Outbox(Random(f"{self._seed}:gains:socket:{self._sockets}"), garble)

    def new_client(self) -> "BackendClient":
        return BackendClient(self)

    def step(self, now_us: int) -> None:
        if self.faults.whole("freeze"):
            return
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
                self._refreshed[chain_id] = None
        if self._refreshed:
            # Each is megabytes, which take a while to build: never two at a time.
            chain_id, _ = self._refreshed.popitem()
            self._publish(self.variables[chain_id].frame(), self._on(chain_id))

    def _on(self, topic: Topic) -> list[Outbox]:
        """Of the sockets that are subscribed to it."""
        return [
            client.outbox
            for client in self.clients
            if isinstance(client, BackendClient) and client.outbox and client.topic == topic
        ]

    def _publish_prices(self, batch: Batch, *, prices: bool) -> None:
        if batch.v3:
            self._publish(batch.v3, self._on("v3"), prices=prices)
        self._publish(batch.v4, self._on("v4"), prices=prices)

    def _publish(self, frame: bytes, readers: Iterable[Outbox], *, prices: bool = False) -> None:
        now_us = self.now_us()
        for reader in readers:
            self.put(reader, frame, now_us, prices=prices)

    def put(self, outbox: Outbox, frame: bytes, now_us: int, *, prices: bool) -> None:
        """``prices``: it carries prices, so it can be lost."""
        outbox.put(frame, None, self.faults, now_us, can_be_lost=prices, can_be_doubled=True)


class BackendClient(SocketClient):
    """Subscribed to a topic by the path of its socket."""

    going_away: ClassVar[Closing] = (1001, "")
    too_slow: ClassVar[Closing] = (1013, "")

    def __init__(self, replica: Replica) -> None:
        super().__init__(replica)
        self._replica = replica
        self.topic: Topic | None = None

    def answer(self, request: Request) -> Answer:
        return self._replica.rest.answer(request.method, request.path, self._replica.faults)

    def serves(self, request: Request) -> bool:
        return self._replica.topic(request.path) is not None

    def on_open(self, request: Request) -> Outbox:
        replica = self._replica
        self.topic = replica.topic(request.path)
        outbox = replica.new_outbox()
        if isinstance(self.topic, int):
            replica.put(
                outbox, replica.variables[self.topic].frame(), replica.now_us(), prices=False
            )
        return outbox

    def wants_closing(self) -> Closing | None:
        return _RATE_LIMITED if self._replica.faults.whole("rate_limit") else None
