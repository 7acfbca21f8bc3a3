"""Gains as the kit sees it: a price stream of v4, one chain without spread or skew, so that bid and
ask are the mark price, which is the middle of what the kit asks for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from connectors.base import markets as market_map
from connectors.base.markets import AssetClass
from connectors.base.protocol import (
    Frame,
    HttpReply,
    HttpTransport,
    Source,
    VenueRules,
    WsTransport,
)
from connectors.gains import constants as c
from connectors.gains.board import Board, Slot
from connectors.gains.chain import ChainPollSession, ChainStreamSession
from connectors.gains.connector import ChainUrls, GainsConnector
from connectors.gains.prices import PriceSession, SeedSession
from connectors.gains.state import ChainState
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.conformance.kit import (
    START_NS,
    START_US,
    A,
    B,
    Recording,
    S,
    Sent,
    Touch,
    e18,
    never,
)
from tests.servers import LOOPBACK

PRICES, CHARTS, CHAIN, STREAM = (
    SourceId(f"gains:{name}:0") for name in ("prices", "charts", "chain:42161", "stream:42161")
)
PATHS = {CHARTS: c.CHARTS_PATH, CHAIN: c.VARIABLES_PATH}
RECORDED = Path(__file__).parents[1] / "data" / "gains"
PAIRS = {A: 0, B: 1}
NAMES = {A: "BTC", B: "ETH"}
POOL = "42161:USDC"
MARKETS = tuple(
    Market(
        c.VENUE,
        name,
        f"{symbol}/USD",
        Grid("0.0000000001"),
        Grid("0.000000000000000001"),
        pools=(POOL,),
        kind="oracle",
    )
    for name, symbol in NAMES.items()
)
NO_DEPTH = {f"{side}Slot{slot}": "0" for side in ("above", "below") for slot in (1, 2)}
LIMIT = {
    "beforeV10": {"long": "0", "short": "0", "max": "1"},
    "token": {"oiLongToken": "0", "oiShortToken": "0"},
}
VARIABLES: dict[str, Any] = {
    "tradingState": 0,
    "pairs": [
        {"from": symbol, "to": "USD", "spreadP": "0", "groupIndex": "0"}
        for symbol in NAMES.values()
    ],
    "groups": [{"name": "crypto", "minLeverage": "1100", "maxLeverage": "200000"}],
    "pairInfos": {
        "maxLeverages": [0],
        "pairDepthBands": [NO_DEPTH] * 2,
        "pairFactors": [{"cumulativeFactor": "10000000000", "exemptOnOpen": False}] * 2,
    },
    "depthBandsMapping": {"slot1": "0", "slot2": "0"},
    "collaterals": [
        {
            "collateralIndex": 3,
            "symbol": "USDC",
            "isActive": True,
            "pairOis": [LIMIT] * 2,
            "pairSkewDepths": ["0", "0"],
        }
    ],
    "oiWindowsSettings": {"startTs": 1_760_000_000, "windowsDuration": 60, "windowsCount": 2},
    "oiWindows": [{}, {}],
    "isForexOpen": True,
    "isStocksOpen": True,
    "isIndicesOpen": True,
    "isCommoditiesOpen": True,
}


class GainsWire:
    venue = c.VENUE
    rules = VenueRules(c.FRAME_MAX_AGE_NS)
    proof_every_s = 1.0
    stall_s = c.PRINT_MAX_AGE_NS / S

    def __init__(self) -> None:
        self.prices = {A: Touch("97012.5", "97013.5"), B: Touch("3500", "3500.1")}
        self.stalled = False
        self.listed = {A, B}
        self.rescaled: set[MarketId] = set()
        self._negative: set[MarketId] = set()
        self._chain = ChainState(42161)
        slots = [Slot(market, PAIRS[market.market], AssetClass.CRYPTO) for market in MARKETS]
        self._board = Board(slots, [self._chain])
        self._sent_ms = 0

    def sources(self) -> Sequence[Source]:
        http, ws = HttpTransport(never), WsTransport("ws://venue", LOOPBACK.websocket)
        return [
            Source(PRICES, ws, partial(PriceSession, self._board), MARKETS),
            Source(CHARTS, http, partial(SeedSession, self._board), ()),
            Source(CHAIN, http, partial(ChainPollSession, self._chain), ()),
            Source(STREAM, ws, partial(ChainStreamSession, self._chain), ()),
        ]

    def truth(self, market: MarketId) -> tuple[int | None, int | None]:
        if market in self.rescaled:
            return None, None
        middle = e18(self._mark(market))
        return middle, middle

    def _mark(self, market: MarketId) -> str:
        touch = self.prices[market]
        middle = (Decimal(touch.bid) + Decimal(touch.ask)) / 2
        return format(middle * 1000 if market in self.rescaled else middle, "f")

    def _variables(self) -> dict[str, Any]:
        """A pair in other scales is another pair under its index, one that left has no leverage
        that is allowed, and a spread below nothing is how a bid comes to lie above the ask."""
        raw: dict[str, Any] = json.loads(json.dumps(VARIABLES))
        leverages = raw["pairInfos"]["maxLeverages"] = [0] * len(PAIRS)
        for market, pair in PAIRS.items():
            if market in self.rescaled:
                raw["pairs"][pair]["from"] += "1000"
            if market not in self.listed:
                leverages[pair] = 1
            if market in self._negative:
                raw["pairs"][pair]["spreadP"] = "-100000000"
        return raw

    def _told(self) -> Sent:
        """The whole state, as the chain's stream tells it."""
        return STREAM, json.dumps({"name": "tradingVariables", "value": self._variables()}).encode()

    def frame(self, source: SourceId, body: bytes) -> Frame:
        return HttpReply(PATHS[source], body) if source in PATHS else body

    def opened(self, source: SourceId, now_ns: int) -> Iterable[Frame]:
        return ()

    def answer(self, source: SourceId, request: str, now_ns: int) -> Iterable[Frame]:
        assert request == PATHS[source]
        marks = [float(self._mark(market)) for market in PAIRS]
        seed = {"time": 1, "opens": marks, "closes": marks}
        body = self._variables() if source == CHAIN else seed
        return [self.frame(source, json.dumps(body).encode())]

    def proof(self, now_ns: int) -> Iterable[Sent]:
        return [
            (PRICES, json.dumps({"t": self._now_ms(now_ns)}).encode()),
            (STREAM, b'{"name":"currentBlock","value":1}'),
        ]

    def noise(self, now_ns: int) -> Iterable[Sent]:
        """Its clock goes on, its oracles do not."""
        return self.proof(now_ns)

    def _now_ms(self, now_ns: int) -> int:
        self._sent_ms = max(self._sent_ms + 1, (START_US + (now_ns - START_NS) // 1000) // 1000)
        return self._sent_ms

    def _sent(self, now_ns: int, marks: str) -> Sent:
        text = f'{{"m":[{marks}],"i":[{marks}],"t":{self._now_ms(now_ns)}}}'
        return PRICES, text.encode()

    def update(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        touch, before = self.prices[market], set(self._negative)
        self._negative.discard(market)
        if Decimal(touch.bid) > Decimal(touch.ask):
            self._negative.add(market)
        told = [self._told()] if self._negative != before else []
        return [*told, self._sent(now_ns, f"{PAIRS[market]},{self._mark(market)}")]

    def lost(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        """Half of the array: what a socket loses as a whole goes with the connection."""
        ((source, whole),) = self.update(market, now_ns)
        assert isinstance(whole, bytes)
        return [(source, whole[: len(whole) // 2])]

    def spoiled(self, market: MarketId, now_ns: int) -> Mapping[str, Sent]:
        pair = PAIRS[market]
        marks = {
            "NaN": f"{pair},NaN",
            "1e999": f"{pair},1e999",
            "a text": f'{pair},"97012.5"',
            "zero": f"{pair},0",
            "negative": f"{pair},-97012.5",
            "a boolean": f"{pair},true",
            "null": f"{pair},null",
            "odd": f"{pair},97012.5,1",
            "a list": f"{pair},[97012.5]",
            "no pair": '"BTC",97012.5',
            "a negative pair": "-1,97012.5",
            "half a pair": "0.5,97012.5",
        }
        frames = {name: self._sent(now_ns, text) for name, text in marks.items()}
        _, whole = self._sent(now_ns, f"{pair},5")
        assert isinstance(whole, bytes)
        return frames | {"truncated": (PRICES, whole[: len(whole) // 2])}

    def stranger(self, now_ns: int) -> Sequence[Sent]:
        return [self._sent(now_ns, "451,5.5")]

    # Over real sockets --------------------------------------------------------------------------

    def connector(self, http_url: str, ws_url: str) -> GainsConnector:
        chains = {42161: ChainUrls(http_url, f"{ws_url}/stream")}
        return GainsConnector(f"{ws_url}/v4", http_url, chains, LOOPBACK, market_map.load())

    def speaks(self, path: str) -> SourceId:
        return STREAM if path == "/stream" else PRICES

    def get(self, path: str, now_ns: int) -> bytes | None:
        for source, known in PATHS.items():
            if path == known:
                (reply,) = self.answer(source, path, now_ns)
                assert isinstance(reply, HttpReply)
                return reply.body
        return None

    def relisted(self, now_ns: int) -> Sequence[Sent]:
        return [self._told()]

    def retry_after(self, seconds: int) -> str:
        return str(seconds)

    def recording(self) -> Recording:
        """A recorded chain under marks of our choice: half of a spread of 0.04 % for BTC; none for
        LINK, whose skew has a depth of 50 000 LINK in USDC alone. LINK is spared the impact of
        volume, which that version of the contracts worked out in another way."""
        raw = json.loads(
            (RECORDED / "trading-variables.sepolia.2025-06-15.reduced.json").read_bytes()
        )
        raw["pairInfos"]["pairFactors"][2]["exemptOnOpen"] = True
        body = json.dumps(raw).encode()
        collaterals = ("DAI", "WETH", "USDC", "GNS")
        pools = [f"42161:{symbol}" for symbol in collaterals]
        link = MarketId("LINK-USD")
        means: dict[tuple[MarketId, str | None], tuple[int | None, int | None]]
        means = {(A, pool): (e18("99980"), e18("100020")) for pool in pools}
        means |= {(link, pool): (e18("12.3456789"),) * 2 for pool in pools}
        # (8148.63... - 4459.81...) / 50 000 / 2 = 0.0368881320 %, cut off there.
        means[link, "42161:USDC"] = (e18("12.3502329903"),) * 2
        return Recording(
            {c.VARIABLES_PATH: body},
            [
                ("chain", HttpReply(c.VARIABLES_PATH, body)),
                ("prices", b'{"m":[0,100000,2,12.3456789],"i":[0,100000],"t":1749947573000}'),
            ],
            1_749_947_573_000_000,
            means,
        )
