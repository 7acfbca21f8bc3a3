"""dYdX as the kit sees it: a book of one level a side, subscriptions answered at once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.base import markets as market_map
from connectors.base.protocol import Frame, Source, VenueRules, WsTransport
from connectors.dydx import constants as c
from connectors.dydx.audit import PATH as BOOK_PATH
from connectors.dydx.connector import MARKETS_PATH, DydxConnector
from connectors.dydx.session import DydxSession
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.conformance.kit import A, B, Recording, S, Sent, Touch, e18
from tests.servers import LOOPBACK

WS = SourceId("dydx:ws:0")
MARKETS = tuple(Market(c.VENUE, name, name, Grid("0.1"), Grid("0.001")) for name in (A, B))
BOOK = "v4_orderbook"
RECORDED = Path(__file__).parents[1] / "data" / "dydx" / "nautilus_2024"


class DydxWire:
    venue = c.VENUE
    rules = VenueRules(c.HEIGHT_MAX_AGE_NS)
    proof_every_s = 0.5
    stall_s = c.HEIGHT_MAX_AGE_NS / S

    def __init__(self) -> None:
        self.prices = {A: Touch("97012.5", "97013.5"), B: Touch("3500", "3500.1")}
        self.stalled = False
        self.listed = {A, B}
        self.rescaled: set[MarketId] = set()
        self._levels: dict[MarketId, Touch] = {}
        self._height = 1_000
        self._number = 0

    def sources(self) -> Sequence[Source]:
        def new_session(now_ns: int) -> DydxSession:
            return DydxSession(MARKETS, MARKETS, now_ns)

        return [Source(WS, WsTransport("ws://venue", LOOPBACK.websocket), new_session, MARKETS)]

    def truth(self, market: MarketId) -> tuple[int, int]:
        touch = self.prices[market]
        return e18(touch.bid), e18(touch.ask)

    def frame(self, source: SourceId, body: bytes) -> Frame:
        return body

    def _frame(self, kind: str, **fields: Any) -> bytes:
        head = {"type": kind, "connection_id": "c", "message_id": self._number}
        self._number += 1
        return json.dumps(head | fields).encode()

    def _data(self, symbol: str, contents: Any, channel: str = BOOK) -> bytes:
        return self._frame(
            "channel_data", id=symbol, channel=channel, version="1.0.0", contents=contents
        )

    def opened(self, source: SourceId, now_ns: int) -> Iterable[Frame]:
        self._number = 0
        return [self._frame("connected")]

    def answer(self, source: SourceId, request: str, now_ns: int) -> Iterable[Frame]:
        asked = json.loads(request)
        channel, symbol = asked["channel"], asked.get("id")
        named = {"id": symbol} if symbol else {}
        if asked["type"] == "unsubscribe":
            return [self._frame("unsubscribed", channel=channel, **named)]
        contents: Any = {"trades": []}
        if channel == "v4_block_height":
            contents = {"height": str(self._height), "time": "2026-01-01T00:00:00.000Z"}
        elif channel == "v4_markets":
            contents = {"markets": {}}
        elif channel == BOOK:
            self._levels[symbol] = self.prices[symbol]
            contents = self._book(symbol)
        return [self._frame("subscribed", channel=channel, **named, contents=contents)]

    def _book(self, symbol: str) -> dict[str, list[dict[str, str]]]:
        touch = self.prices[MarketId(symbol)]
        return {
            "bids": [{"price": touch.bid, "size": "1"}],
            "asks": [{"price": touch.ask, "size": "1"}],
        }

    def proof(self, now_ns: int) -> Iterable[Sent]:
        self._height += 1
        contents = {"blockHeight": str(self._height), "time": "2026-01-01T00:00:00.000Z"}
        return [(WS, self._data("v4_block_height", contents, "v4_block_height"))]

    def noise(self, now_ns: int) -> Iterable[Sent]:
        return [
            (WS, self._data(B, {"trades": []}, "v4_trades")),
            (WS, self._data("v4_markets", {"trading": {}}, "v4_markets")),
        ]

    def update(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        if market not in self._levels:
            return []
        before, touch = self._levels[market], self.prices[market]
        self._levels[market] = touch
        contents: dict[str, list[list[str]]] = {"bids": [], "asks": []}
        for side, old, new in (("bids", before.bid, touch.bid), ("asks", before.ask, touch.ask)):
            contents[side] = [[new, "1"]] if old == new else [[old, "0"], [new, "1"]]
        return [(WS, self._data(market, contents))]

    def lost(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        self.update(market, now_ns)
        return []

    def spoiled(self, market: MarketId, now_ns: int) -> Mapping[str, Sent]:
        levels: dict[str, Any] = {
            "NaN": [["NaN", "1"]],
            "1e999": [["1e999", "1"]],
            "a number": [[97012.5, 1]],
            "zero price": [["0", "1"]],
            "negative price": [["-5", "1"]],
            "negative size": [["97000", "-1"]],
            "a boolean": [[True, "1"]],
            "off the grid": [["97000.05", "1"]],
            "no level": [[]],
            "no list": 7,
        }
        frames = {name: (WS, self._data(market, {"bids": value})) for name, value in levels.items()}
        whole = self._data(market, {"bids": [["97000", "1"]]})
        return frames | {"truncated": (WS, whole[: len(whole) // 2])}

    def stranger(self, now_ns: int) -> Sequence[Sent]:
        return [(WS, self._data("NOBODY-USD", {"bids": [["5", "1"]]}))]

    # Over real sockets --------------------------------------------------------------------------

    def connector(self, http_url: str, ws_url: str) -> DydxConnector:
        return DydxConnector(f"{ws_url}/v4/ws", http_url, LOOPBACK, "chain", market_map.load())

    def speaks(self, path: str) -> SourceId:
        return WS

    def get(self, path: str, now_ns: int) -> bytes | None:
        body: Any = None
        if path == MARKETS_PATH:
            body = {"markets": {name: self._row(name) for name in (A, B)}}
        elif path.startswith(BOOK_PATH):
            body = self._book(path.removeprefix(BOOK_PATH))
        return None if body is None else json.dumps(body).encode()

    def _row(self, market: MarketId) -> dict[str, str]:
        """What leaves stays in the list, under another status."""
        return {
            "ticker": market,
            "status": "ACTIVE" if market in self.listed else "FINAL_SETTLEMENT",
            "tickSize": "0.01" if market in self.rescaled else "0.1",
            "stepSize": "0.001",
            "initialMarginFraction": "0.05",
        }

    def relisted(self, now_ns: int) -> Sequence[Sent]:
        contents = {"trading": {name: self._row(name) for name in (A, B)}}
        return [(WS, self._data("v4_markets", contents, "v4_markets"))]

    def retry_after(self, seconds: int) -> str:
        return str(seconds * 1000)

    def recording(self) -> Recording:
        """The book of ETH: its best levels as they stand in the file."""

        def numbered(number: int, name: str) -> tuple[str, bytes]:
            frame = json.loads((RECORDED / "websocket" / f"{name}.json").read_bytes())
            return "ws", json.dumps(frame | {"message_id": number}).encode()

        names = (
            "connected",
            "v4_block_height_subscribed",
            "v4_block_height_channel_data",
            "v4_orderbook_snapshot",
        )
        return Recording(
            {MARKETS_PATH: (RECORDED / "http" / "list_perpetual_markets.json").read_bytes()},
            [numbered(number, name) for number, name in enumerate(names)],
            1_733_165_131_771_000,
            {(B, None): (e18("3393.2"), e18("3393.5"))},
        )
