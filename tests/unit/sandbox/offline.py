"""A replica without sockets: feed, hub and sessions on a clock that the test moves."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from sandbox.dydx.catalogue import Listing, load_listings
from sandbox.dydx.feed import Feed
from sandbox.dydx.hub import Hub
from sandbox.dydx.session import Session
from sandbox.faults import NO_FAULTS, ActiveFaults
from sandbox.prices import PriceProcess, load_assets

RECORDED = Path(__file__).parents[2] / "data" / "dydx"
START_US = 1_790_000_000_000_000

ALL = load_listings()
# Enough for most tests, and quick to set up: the busiest, and some quiet ones.
SOME = ALL[:34] + ALL[70:76]
# Too quiet for late removals: what subscribers know is what the replica knows.
QUIET = ALL[70].ticker

Frame = dict[str, Any]


class Replica:
    def __init__(self, listings: Sequence[Listing] = SOME, rate: float = 1.0) -> None:
        self.now_us = START_US
        self.faults: ActiveFaults = NO_FAULTS
        self.prices = PriceProcess(load_assets(), seed=1)
        self.feed = Feed(listings, self.prices, seed=1, rate=rate, now_us=START_US)
        self.hub = Hub(self.feed, Random(1), START_US)
        self._sessions = 0

    def connect(self) -> "Client":
        self._sessions += 1
        return Client(self, Session(self.hub, f"connection-{self._sessions}", Random(1)))

    def run(self, seconds: float, turn_us: int = 10_000) -> None:
        end_us = self.now_us + int(seconds * 1e6)
        while self.now_us < end_us:
            self.now_us += turn_us
            self.hub.turn(self.now_us, self.faults)


class Client:
    def __init__(self, replica: Replica, session: Session) -> None:
        self._replica = replica
        self.session = session

    def send(self, **message: Any) -> None:
        self.session.receive(json.dumps(message))

    def subscribe(self, channel: str, id_: str | None = None, *, batched: bool = False) -> None:
        named = {} if id_ is None else {"id": id_}
        self.send(type="subscribe", channel=channel, batched=batched, **named)

    def raw(self) -> list[bytes]:
        return self.session.outbox.take(self._replica.now_us)

    def frames(self) -> list[Frame]:
        return [json.loads(frame) for frame in self.raw()]
