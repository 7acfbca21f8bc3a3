"""A session on a clock that the test moves, and frames in the wire shape, numbered like a server's
unless the test says otherwise."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.dydx.session import DydxSession
from domain.events import BookSnapshot, Event, Liveness, MarketState, OraclePrice, VenueStatus
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

RECORDED = Path(__file__).parents[3] / "data" / "dydx"
BOOK, TRADES, MARKETS, HEIGHT = "v4_orderbook", "v4_trades", "v4_markets", "v4_block_height"
START_NS = 10**15
S = 1_000_000_000

Frame = dict[str, Any]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def market(symbol: str = "ETH-USD", tick: str = "0.1", step: str = "0.001") -> Market:
    return Market(VenueId("dydx"), MarketId(symbol), symbol, Grid(tick), Grid(step))


SNAPSHOTS: dict[str, Any] = {
    BOOK: {
        "bids": [{"price": "100", "size": "1"}, {"price": "99", "size": "2"}],
        "asks": [{"price": "101", "size": "3"}],
    },
    TRADES: {"trades": []},
    MARKETS: {"markets": {}},
}


class Link:
    """``heights``: the server sends a block every second while the clock is moved."""

    def __init__(
        self, *markets: Market, states: Iterable[Market] | None = None, heights: bool = True
    ) -> None:
        self.markets = markets or (market(),)
        self.now_ns = START_NS
        self.session = DydxSession(
            self.markets, self.markets if states is None else states, self.now_ns
        )
        self.next_id = 0
        self.height = 1_000
        self.heights = heights
        self.seen: list[Event] = []
        self.requests: list[Frame] = []
        self.log: list[Frame] = []

    # Frames ------------------------------------------------------------------------------------

    def raw(self, frame: bytes | str) -> None:
        self.session.receive(frame, self.now_ns // 1000, self.now_ns)
        self._drain()

    def send(self, kind: str, message_id: int | None = None, **fields: Any) -> None:
        """One frame; without ``message_id`` the next number of the server."""
        if message_id is None:
            message_id, self.next_id = self.next_id, self.next_id + 1
        head = {"type": kind, "connection_id": "c", "message_id": message_id}
        self.raw(json.dumps(head | fields))

    def data(self, channel: str, contents: Any, symbol: str = "ETH-USD", **fields: Any) -> None:
        named: Frame = {"id": channel if channel == HEIGHT else symbol}
        if channel == MARKETS:
            named = {}
        self.send("channel_data", channel=channel, contents=contents, **named, **fields)

    def level(self, side: str, price: str, size: str, **fields: Any) -> None:
        self.data(BOOK, {side: [[price, size]]}, **fields)

    def error(self, text: str, **fields: Any) -> None:
        self.send("error", message=text, **fields)

    def block(self) -> None:
        self.height += 1
        self.data(HEIGHT, {"blockHeight": str(self.height), "time": "2026-01-01T00:00:00.000Z"})

    # What came out ------------------------------------------------------------------------------

    def _drain(self) -> None:
        self.seen += self.session.events()
        for text in self.session.outgoing():
            request = json.loads(text)
            request["at_ns"] = self.now_ns
            self.requests.append(request)
            self.log.append(request)

    def events(self) -> list[Event]:
        """Everything since the last call."""
        drained, self.seen = self.seen, []
        return drained

    def states(self) -> list[tuple[str, str | None]]:
        """States of the connection since the last call, with the code of the reason."""
        return [
            (event.state, event.reason and event.reason.partition(":")[0])
            for event in self.events()
            if isinstance(event, VenueStatus)
        ]

    def doubts(self) -> list[tuple[str, str | None]]:
        """Markets distrusted since the last call, and nothing of the whole connection."""
        events = self.events()
        assert not any(isinstance(event, VenueStatus) for event in events)
        return [
            (event.market, event.reason)
            for event in events
            if isinstance(event, MarketState) and event.trusted is False
        ]

    def taken(self) -> list[tuple[str, str, str]]:
        """(kind, channel, symbol) of the requests since the last call."""
        requests, self.requests = self.requests, []
        return [(item["type"], item["channel"], item.get("id", "")) for item in requests]

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.taken()]

    # Time and a server that answers ------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Moves the clock as the driver does: to the next deadline, 100 ms at most."""
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns and self.session.failure is None:
            deadline_ns = max(self.session.next_deadline_ns(), self.now_ns + 5_000_000)
            before_ns = self.now_ns
            self.now_ns = min(deadline_ns, self.now_ns + S // 10, end_ns)
            if self.heights and self.now_ns // S > before_ns // S:
                self.block()
            self.session.advance(self.now_ns)
            self._drain()

    def answer(self, contents: dict[str, Any] | None = None) -> None:
        """Answers every request there is, until there is none."""
        while self.requests:
            self.answer_next(contents)

    def answer_next(self, contents: dict[str, Any] | None = None) -> None:
        request = self.requests.pop(0)
        channel, symbol = request["channel"], request.get("id")
        named: Frame = {} if symbol is None else {"id": symbol}
        if request["type"] == "unsubscribe":
            self.send("unsubscribed", channel=channel, **named)
            return
        found = (contents or {}).get(channel, SNAPSHOTS.get(channel))
        if channel == HEIGHT:
            found = {"height": str(self.height), "time": "2026-01-01T00:00:00.000Z"}
            named = {"id": HEIGHT}
        self.send("subscribed", channel=channel, contents=found, **named)

    def settle(self, seconds: float) -> None:
        """Time passes and every request is answered."""
        for _ in range(int(seconds * 20)):
            self.wait(0.05)
            self.answer()

    def open(self, contents: dict[str, Any] | None = None) -> "Link":
        """Connected, everything subscribed, nothing left to read."""
        self.send("connected")
        self.answer(contents)
        assert self.session.healthy
        self.events()
        return self


def snapshots(events: Iterable[Event]) -> list[BookSnapshot]:
    return [event for event in events if isinstance(event, BookSnapshot)]


def deltas(events: Iterable[Event]) -> list[tuple[bool, int, int]]:
    """(is_bid, ticks, steps) of every change of a level."""
    return [event[1:4] for event in events if isinstance(event, tuple)]


def heights(events: Iterable[Event]) -> list[int | None]:
    return [event.height for event in events if isinstance(event, Liveness)]


def oracles(events: Iterable[Event]) -> list[tuple[str, int]]:
    return [(item.market, item.price_e18) for item in events if isinstance(item, OraclePrice)]
