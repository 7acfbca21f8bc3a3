"""A model of the venue: its own books, frames as bytes in the true wire shape, faults on request.

For every market it also keeps the view a perfect subscriber of the connection would have: levels as
they were sent, each with the number of the frame that set it."""

import json
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.loop import STEP_NS, S
from tests.simulation.model import MarketModel, View, price_text, size_text

BLOCK_NS = S // 2


@dataclass(slots=True)
class Frame:
    """On its way. ``market``: whose view it changes; ``kind``: what its delivery means."""

    due_ns: int
    body: bytes
    kind: str = ""
    market: str = ""
    number: int = 0


@dataclass(slots=True)
class Faults:
    """Until when each kind of fault acts on a connection."""

    until_ns: dict[str, int] = field(default_factory=dict)

    def on(self, kind: str, now_ns: int) -> bool:
        return self.until_ns.get(kind, 0) > now_ns


SPOILED = (
    b"null", b"17", b'"text"', b"[[]]", b'{"bids":null}', b'{"bids":[["NaN","1"]]}',
    b'{"asks":[[1,2]]}', b'{"bids":[["-5","1"]]}', b'{"asks":[["0","1"]]}',
)  # fmt: skip
RUBBISH = (b"null", b"[]", b"<html>", b"NaN", b"{}", b'"text"', b"[" * 2_000, b"\xff\x00")


class Connection:
    """The server's side of one socket. ``faults``: those of its place, which outlast it."""

    waiting = False

    def __init__(self, venue: "Venue", faults: Faults, symbols: list[str], now_ns: int) -> None:
        self.venue = venue
        self.rng = venue.rng
        self.faults = faults
        self.views = {symbol: View() for symbol in symbols}
        self.now_ns = now_ns
        self.ids = 0
        self.subscribed: set[tuple[str, str]] = set()
        self.answers: list[tuple[int, int, str, str]] = []
        self.wire: deque[Frame] = deque()
        self.held: list[Frame] = []
        self.greeted = False
        self.proved_ns: int | None = None
        self.height = 0

    # Frames out ---------------------------------------------------------------------------------

    def frame(
        self, kind: str, number: int, what: str = "", market: str = "", **fields: Any
    ) -> None:
        head = {"type": kind, "connection_id": "model", "message_id": number}
        body = json.dumps(head | fields, separators=(",", ":")).encode()
        self.put(Frame(self.now_ns, body, what, market, number))

    def take_id(self) -> int:
        self.ids += 1
        return self.ids

    def put(self, frame: Frame) -> None:
        """Onto the wire, through the faults of the wire."""
        now_ns, faults, rng = self.now_ns, self.faults, self.rng
        # A hole shows with the next frame, half a second after the thaw, and is waited for.
        thaw_ns = max(now_ns, faults.until_ns.get("freeze", 0))
        window_ns = thaw_ns + 2 * S + 4 * STEP_NS
        if faults.on("gap", now_ns) and rng.random() < 0.3:
            self.excuse(frame, window_ns)
            return
        if faults.on("garbage", now_ns) and rng.random() < 0.15:
            self.excuse(frame, window_ns)
            frame = self.spoil(frame)
        if faults.on("reorder", now_ns) and rng.random() < 0.2:
            frame.due_ns = now_ns + rng.randint(1, 25) * STEP_NS
            self.excuse(frame, max(frame.due_ns, thaw_ns) + 2 * STEP_NS)
            self.held.append(frame)
            return
        self.wire.append(frame)
        if faults.on("duplicate", now_ns):
            # Now or late, when it would undo what came between.
            due_ns = now_ns + rng.randint(0, 25) * STEP_NS
            self.held.append(Frame(due_ns, frame.body, "again"))

    def excuse(self, frame: Frame, until_ns: int) -> None:
        if frame.market:
            view = self.views[frame.market]
            view.excused_ns = max(view.excused_ns, until_ns)

    def spoil(self, frame: Frame) -> Frame:
        """With contents of nonsense the number still counts and the market is known."""
        choice, body = self.rng.random(), frame.body
        if choice < 0.3:
            return Frame(frame.due_ns, body[: self.rng.randrange(1, len(body))])
        if choice < 0.5:
            return Frame(frame.due_ns, self.rng.choice(RUBBISH))
        if choice < 0.6:
            return Frame(frame.due_ns, body.replace(b'"message_id":', b'"message_id":-', 1))
        head, mark, _ = body.partition(b'"contents":')
        if not mark:
            return Frame(frame.due_ns, head)
        body = head + mark + self.rng.choice(SPOILED) + b"}"
        return Frame(frame.due_ns, body, "spoiled", frame.market, frame.number)

    def arriving(self, now_ns: int) -> list[Frame]:
        """What reaches the client now: nothing while the connection is frozen."""
        if self.faults.on("freeze", now_ns):
            return []
        late = [frame for frame in self.held if frame.due_ns <= now_ns]
        self.held = [frame for frame in self.held if frame.due_ns > now_ns]
        frames = [*self.wire, *late]
        self.wire.clear()
        return frames

    def delivered(self, frame: Frame, wall_us: int, now_ns: int) -> None:
        """What a perfect subscriber knows with a frame."""
        kind, _, detail = frame.kind.partition(" ")
        if kind == "height" and int(detail) > self.height:
            # The first may be the last that a venue made which stands still.
            self.proved_ns = now_ns if self.height else None
            self.height = int(detail)
        elif kind == "snapshot":
            view = self.views[frame.market]
            view.valid, view.snapshot_number = True, frame.number
        elif kind == "spoiled" and frame.market:
            view = self.views[frame.market]
            # One that comes after a newer snapshot can do no harm.
            view.valid &= frame.number < view.snapshot_number

    # Requests and events ------------------------------------------------------------------------

    def request(self, text: str) -> None:
        raw = json.loads(text)
        channel, symbol = raw["channel"], raw.get("id", "")
        number = self.take_id()
        if raw["type"] == "subscribe":
            delay_ns = self.rng.randint(1, 3) * STEP_NS
            self.answers.append((self.now_ns + delay_ns, number, channel, symbol))
            return
        self.subscribed.discard((channel, symbol))
        named = {"id": symbol} if symbol else {}
        self.frame("unsubscribed", number, channel=channel, **named)

    def step(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if self.faults.on("freeze", now_ns):
            return
        if not self.greeted:
            self.greeted = True
            self.frame("connected", 0)
        due = [item for item in self.answers if item[0] <= now_ns]
        self.answers = [item for item in self.answers if item[0] > now_ns]
        for _, number, channel, symbol in due:
            self.answer(number, channel, symbol)

    def answer(self, number: int, channel: str, symbol: str) -> None:
        named = {"id": symbol} if symbol else {}
        if (channel, symbol) in self.subscribed:
            text = f"Invalid subscribe message: already subscribed ({channel}-{symbol})"
            self.frame("error", number, message=text, channel=channel, **named)
            return
        self.subscribed.add((channel, symbol))
        market = symbol if channel == "v4_orderbook" else ""
        contents: Any = {"trades": []}
        if channel == "v4_orderbook":
            model, view = self.venue.markets[symbol], self.views[symbol]
            view.version += 1
            view.levels = (
                {price: (size, number) for price, size in model.sides[0].items()},
                {price: (size, number) for price, size in model.sides[1].items()},
            )
            contents = {
                name: [{"price": price_text(p), "size": size_text(n)} for p, n in side.items()]
                for name, side in zip(("bids", "asks"), model.sides, strict=True)
            }
        elif channel == "v4_markets":
            contents = {"markets": self.venue.market_rows()}
        elif channel == "v4_block_height":
            time = self.venue.time_text(self.now_ns)
            contents = {"height": str(self.venue.height), "time": time}
            named = {"id": channel}
        what = {"v4_orderbook": "snapshot", "v4_block_height": f"height {self.venue.height}"}
        self.frame(
            "subscribed", number, what.get(channel, ""), market,
            channel=channel, **named, contents=contents,
        )  # fmt: skip

    def data(self, channel: str, symbol: str, contents: Any, what: str = "") -> None:
        if (channel, symbol) not in self.subscribed:
            return
        number = self.take_id()
        market = symbol if channel == "v4_orderbook" else ""
        named = {"id": symbol or channel} if channel != "v4_markets" else {}
        self.frame(
            "channel_data", number, what, market,
            **named, channel=channel, version="1.0.0", contents=contents,
        )  # fmt: skip

    def update(self, symbol: str, changes: list[tuple[int, int, int]]) -> None:
        """A book update, into the view as well."""
        if ("v4_orderbook", symbol) not in self.subscribed:
            return
        contents: dict[str, list[list[str]]] = {}
        self.views[symbol].version += 1
        levels = self.views[symbol].levels
        for side, price, size in changes:
            rows = contents.setdefault(("bids", "asks")[side], [])
            rows.append([price_text(price), size_text(size)])
            if size:
                levels[side][price] = (size, self.ids + 1)
            else:
                levels[side].pop(price, None)
        self.data("v4_orderbook", symbol, contents, "update")


class Venue:
    def __init__(self, symbols: list[str], rng: Random) -> None:
        self.rng = rng
        self.markets = {symbol: MarketModel(symbol, rng) for symbol in symbols}
        self.number = {symbol: place for place, symbol in enumerate(symbols)}
        self.places = [Faults(), Faults()]
        self.connections: list[Connection | None] = [None, None]
        self.height = 1_000
        self.crossed: dict[str, tuple[int, int, int]] = {}
        self.spiked: dict[str, int] = {}
        self.rate = 0.04

    def market_rows(self) -> dict[str, Any]:
        return {
            symbol: {
                "ticker": symbol, "status": "ACTIVE", "oraclePrice": price_text(model.mid),
                "priceChange24H": "1", "tickSize": "0.1", "stepSize": "0.01",
            }
            for symbol, model in self.markets.items()
        }  # fmt: skip

    def place(self, symbol: str) -> int:
        """The first half of the markets is on the first connection."""
        return int(self.number[symbol] * 2 >= len(self.number))

    def owner(self, symbol: str) -> Connection | None:
        return self.connections[self.place(symbol)]

    def connect(self, place: int, now_ns: int) -> Connection:
        symbols = [symbol for symbol in self.markets if self.place(symbol) == place]
        made = Connection(self, self.places[place], symbols, now_ns)
        self.connections[place] = made
        return made

    def hung_up(self, place: int) -> None:
        self.connections[place] = None

    def step(self, now_ns: int) -> None:
        """Everything that happens at the venue in one step."""
        live = [connection for connection in self.connections if connection is not None]
        for connection in live:
            connection.step(now_ns)
        if now_ns % BLOCK_NS < STEP_NS:
            self._block(live, now_ns)
        for symbol, model in self.markets.items():
            if self.rng.random() < self.rate:
                self._tell(symbol, model.walk())
        for symbol, (until_ns, price, next_ns) in list(self.crossed.items()):
            if now_ns >= until_ns:
                del self.crossed[symbol]
                self._tell(symbol, [(0, price, 0)])
            elif now_ns >= next_ns:
                self.crossed[symbol] = until_ns, price, now_ns + 2 * STEP_NS
                self._tell(symbol, [(0, price, 7)])
        for symbol, until_ns in list(self.spiked.items()):
            if now_ns >= until_ns:
                del self.spiked[symbol]
                self._rescale(symbol, 1)

    def time_text(self, now_ns: int) -> str:
        """The venue's clock."""
        return "2026-01-01T00:00:00.000Z"

    def _block(self, live: list[Connection], now_ns: int) -> None:
        self.height += 1
        time = self.time_text(now_ns)
        contents = {"blockHeight": str(self.height), "time": time}
        prices = {
            symbol: {
                "oraclePrice": price_text(model.mid), "effectiveAt": time,
                "effectiveAtHeight": str(self.height), "marketId": 1,
            }
            for symbol, model in self.markets.items()
        }  # fmt: skip
        for connection in live:
            if not connection.faults.on("freeze", now_ns):
                connection.data("v4_block_height", "", contents, f"height {self.height}")
                connection.data("v4_markets", "", {"oraclePrices": prices})

    def _tell(self, symbol: str, changes: list[tuple[int, int, int]]) -> None:
        connection = self.owner(symbol)
        if connection is not None:
            connection.update(symbol, changes)

    def _rescale(self, symbol: str, scale: int) -> None:
        model = self.markets[symbol]
        model.scale = scale
        self._tell(symbol, model.rebuild())

    # Faults -----------------------------------------------------------------------------

    def freeze(self, place: int, now_ns: int, until_ns: int) -> None:
        """The socket stays open and nothing comes."""
        faults, connection = self.places[place], self.connections[place]
        if connection is None or faults.on("freeze", now_ns):
            return
        faults.until_ns["freeze"] = until_ns
        for view in connection.views.values():
            # What was excused is noticed so much later.
            left_ns = max(0, view.excused_ns - now_ns)
            view.excused_ns = until_ns + left_ns + 2 * STEP_NS

    def cross(self, symbol: str, until_ns: int) -> None:
        """A bid 1 % above the best ask that the venue's snapshots do not have."""
        if symbol not in self.crossed and symbol not in self.spiked:
            price = min(self.markets[symbol].sides[1]) * 101 // 100
            self.crossed[symbol] = until_ns, price, 0

    def spike(self, symbol: str, until_ns: int) -> None:
        """Ten times the price, with the oracle price where it was."""
        if symbol not in self.spiked and symbol not in self.crossed:
            self.spiked[symbol] = until_ns
            self._rescale(symbol, 10)
