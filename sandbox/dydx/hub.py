"""Between the feed and its clients: subscriptions, snapshots on their way, batches.

The contents of an update are encoded once; each session adds only its own head."""

import heapq
from itertools import count
from random import Random
from typing import Final

from sandbox.dydx.feed import BLOCK_HEIGHT, CANDLES, MARKETS, ORDERBOOK, TRADES, Feed, Update
from sandbox.dydx.session import Session, Subscribe
from sandbox.faults import NO_FAULTS, ActiveFaults

_VERSIONS: Final = {
    ORDERBOOK: "1.0.0",
    TRADES: "2.1.0",
    MARKETS: "1.0.0",
    CANDLES: "1.0.0",
    BLOCK_HEIGHT: "1.0.0",
}
_BATCH_US: Final = 250_000
_FETCH_US: Final = (3_000, 40_000)
_FETCH_TIMEOUT_US: Final = 20_000_000
_LIST_LIMIT: Final = 1000


class Hub:
    """Implements ``session.Backend``. ``turn`` is called often; all else happens inside it."""

    def __init__(self, feed: Feed, rng: Random, now_us: int) -> None:
        self.feed = feed
        self.faults: ActiveFaults = NO_FAULTS
        self.now_us = now_us
        self._rng = rng
        self._sequence = count()
        self._fetches: list[tuple[int, int, Session, Subscribe]] = []
        self._direct: dict[tuple[str, str], list[Session]] = {}
        self._batched: dict[tuple[str, str], list[Session]] = {}
        self._buffers: dict[tuple[str, str], list[bytes]] = {}
        self._next_batch_us = now_us
        self._heads: dict[tuple[str, str], bytes] = {}

    def turn(self, now_us: int, faults: ActiveFaults) -> None:
        """Publishes what happened since the last turn and answers what is due."""
        self.now_us = now_us
        self.faults = faults
        frozen = faults.whole("freeze")
        if not frozen:
            for update in self.feed.step(now_us, faults):
                self._publish(update)
        self._answer_fetches(frozen)
        if now_us >= self._next_batch_us and not frozen:
            self._next_batch_us = now_us + _BATCH_US
            for key in tuple(self._buffers):
                self._flush(key)

    def has_market(self, ticker: str) -> bool:
        return ticker in self.feed.markets

    def fetch(self, session: Session, request: Subscribe) -> None:
        due_us = self.now_us + self._rng.randint(*_FETCH_US)
        heapq.heappush(self._fetches, (due_us, next(self._sequence), session, request))

    def register(self, session: Session, request: Subscribe) -> None:
        key = request.channel, request.key
        if request.batched:
            # What is buffered is older than the snapshot of the newcomer.
            self._flush(key)
        self._subscribers(batched=request.batched).setdefault(key, []).append(session)

    def unregister(self, session: Session, channel: str, key: str) -> None:
        for subscribers in (self._direct, self._batched):
            sessions = subscribers.get((channel, key), [])
            if session in sessions:
                sessions.remove(session)
                if not sessions:
                    del subscribers[channel, key]

    def _subscribers(self, *, batched: bool) -> dict[tuple[str, str], list[Session]]:
        return self._batched if batched else self._direct

    def _answer_fetches(self, frozen: bool) -> None:
        """Sends snapshots that are due. A frozen indexer answers nothing until the time-out."""
        fetches = self._fetches
        limit_us = self.now_us - _FETCH_TIMEOUT_US if frozen else self.now_us
        while fetches and fetches[0][0] <= limit_us:
            _, _, session, request = heapq.heappop(fetches)
            if not session.gone:
                session.fetched(request, None if frozen else self._snapshot(request))

    def _snapshot(self, request: Subscribe) -> bytes:
        feed, key = self.feed, request.key
        match request.channel:
            case "v4_orderbook":
                return feed.orderbook(key)
            case "v4_trades":
                return feed.trades(key, _LIST_LIMIT)
            case "v4_candles":
                ticker, _, resolution = key.partition("/")
                return feed.candles(ticker, resolution, _LIST_LIMIT)
            case "v4_markets":
                return feed.perpetual_markets(None, _LIST_LIMIT)
            case _:
                return feed.block()

    def _publish(self, update: Update) -> None:
        key = update.channel, update.id
        sessions = self._direct.get(key)
        if sessions:
            tail = self._tail(key, update.contents)
            for session in sessions:
                session.data(tail, update.ticker)
        if key in self._batched:
            self._buffers.setdefault(key, []).append(update.contents)

    def _flush(self, key: tuple[str, str]) -> None:
        contents = self._buffers.pop(key, None)
        if not contents:
            return
        tail = self._tail(key, b"[" + b",".join(contents) + b"]")
        channel, id_ = key
        market = None if channel in (MARKETS, BLOCK_HEIGHT) else id_.partition("/")[0]
        for session in self._batched.get(key, ()):
            session.data(tail, market, batch=True)

    def _tail(self, key: tuple[str, str], contents: bytes) -> bytes:
        head = self._heads.get(key)
        if head is None:
            channel, id_ = key
            named = "" if channel == MARKETS else f',"id":"{id_}"'
            text = f'{named},"channel":"{channel}","version":"{_VERSIONS[channel]}","contents":'
            head = self._heads[key] = text.encode()
        return b"%b%b}" % (head, contents)
