"""A small chain in the wire shape, and the sessions of a connector on a clock the test moves."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.base.markets import AssetClass
from connectors.base.protocol import HttpReply
from connectors.gains import constants as c
from connectors.gains.board import Board, Slot
from connectors.gains.chain import ChainPollSession, ChainStreamSession
from connectors.gains.prices import PriceSession, SeedSession
from connectors.gains.state import ChainState
from domain.events import Event, Funding, Liveness, MarketState, OraclePrice, PoolQuote, VenueStatus
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

RECORDED = Path(__file__).parents[3] / "data" / "gains"
START_NS = 10**15
WALL_US = 1_760_000_000_000_000
SERVER_MS = 1_724_244_380_000
S = 1_000_000_000
E8, E18 = 10**8, 10**18
USDC = "42161:USDC"
DAI = "42161:DAI"

# 1 M USD on each side in one band of 100 ppm, so that 500 k USD of volume move the price 50 ppm.
DEPTH = {
    f"{side}Slot{slot}": str(1_000_000 + (10_000 << 32)) if slot == 1 else "0"
    for side in ("above", "below")
    for slot in (1, 2)
}
MAPPING = {"slot1": str(100 << 32), "slot2": "0"}
NO_DEPTH = dict.fromkeys(DEPTH, "0")
FACTORS = {"cumulativeFactor": "10000000000", "exemptOnOpen": False}
GROUPS = [
    {"name": "crypto", "minLeverage": "1100", "maxLeverage": "200000"},
    {"name": "forex", "minLeverage": "10000", "maxLeverage": "1000000"},
]

BTC = ("BTC", AssetClass.CRYPTO, 0)
EUR = ("EUR", AssetClass.FX, 1)
PAIRS: Mapping[int, tuple[str, AssetClass, int]] = {0: BTC, 2: EUR}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def oi(long: int = 0, short: int = 0, limit: int = 1) -> dict[str, Any]:
    return {
        "beforeV10": {"long": "0", "short": "0", "max": str(limit)},
        "token": {"oiLongToken": str(long * E18), "oiShortToken": str(short * E18)},
    }


def body(**changes: Any) -> dict[str, Any]:
    """A chain with BTC/USD (0) at 0.04 % spread, an unused slot (1) and EUR/USD (2) without spread,
    against USDC and DAI. No open interest, nothing in the windows, everything open."""
    empty = {"from": "", "to": "", "spreadP": "0", "groupIndex": "0"}
    pairs = [
        {"from": "BTC", "to": "USD", "spreadP": "400000000", "groupIndex": "0"},
        empty,
        {"from": "EUR", "to": "USD", "spreadP": "0", "groupIndex": "1"},
    ]
    collaterals = [
        {
            "collateralIndex": index,
            "symbol": symbol,
            "isActive": True,
            "pairOis": [oi(), oi(limit=0), oi()],
            "pairSkewDepths": [str(500 * E18), "0", "0"],
        }
        for index, symbol in ((3, "USDC"), (1, "DAI"))
    ]
    raw: dict[str, Any] = {
        "tradingState": 0,
        "pairs": pairs,
        "groups": GROUPS,
        "pairInfos": {
            "maxLeverages": [0],
            "pairDepthBands": [DEPTH, NO_DEPTH, NO_DEPTH],
            "pairFactors": [FACTORS] * 3,
        },
        "depthBandsMapping": MAPPING,
        "collaterals": collaterals,
        "oiWindowsSettings": {"startTs": 1_760_000_000, "windowsDuration": 60, "windowsCount": 2},
        "oiWindows": [{}, {}, {}],
        "isForexOpen": True,
        "isStocksOpen": True,
        "isIndicesOpen": True,
        "isCommoditiesOpen": True,
    }
    return raw | changes


FUNDING = {
    "accFundingFeeLongP": "-7",
    "accFundingFeeShortP": "7",
    "lastFundingRatePerSecondP": str(10**12),
    "lastFundingUpdateTs": "1760000000",
}
FUNDING_PARAMS = {
    "skewCoefficientPerYear": "0",
    "absoluteVelocityPerYearCap": "0",
    "absoluteRatePerSecondCap": "3170978",
    "thetaThresholdUsd": "0",
    "fundingFeesEnabled": True,
    "aprMultiplierEnabled": False,
}
E10 = 10**10


def priced_body(**changes: Any) -> dict[str, Any]:
    """``body`` with all that sizes and holding are priced with. BTC: 30 and 10 of 100 k tokens of
    open interest from before v10, 0.06 % of fee, 1e-4 % a second of funding, borrowing by block and
    by second, the second of two groups."""
    raw = body()
    for pair in raw["pairs"]:
        pair["feeIndex"] = "0"
    raw["fees"] = [
        {
            "totalPositionSizeFeeP": "600000000",
            "totalLiqCollateralFeeP": "100000000000",
            "minPositionSizeUsd": "1250000",
        }
    ]
    before = {"long": str(30_000 * E10), "short": str(10_000 * E10), "max": str(100_000 * E10)}
    member = {"feePerBlock": "1000", "feeExponent": "1", "groups": [_in(0), _in(1)]}
    groups = [
        {"oi": {"long": "0", "short": "0", "max": "0"}, "feePerBlock": "0", "feeExponent": "0"},
        {"oi": {**before, "max": str(50_000 * E10)}, "feePerBlock": "10", "feeExponent": "1"},
    ]
    for collateral in raw["collaterals"]:
        collateral["pairOis"][0] = {**oi(), "beforeV10": before}
        collateral |= {
            "prices": {"collateralPriceUsd": 1},
            "collateralConfig": {"decimals": 6},
            "fundingFees": {
                "pairGlobalParams": [{"maxSkewCollateral": "0"}] * 3,
                "pairParams": [FUNDING_PARAMS] * 3,
                "pairData": [FUNDING] * 3,
            },
            "borrowingFees": {
                "v2": {"pairParams": [{"borrowingRatePerSecondP": "63420"}] * 3},
                "v1": {
                    "pairs": [{**member, "feePerBlockCap": {"minP": "5000", "maxP": "0"}}] * 3,
                    "groups": groups,
                },
            },
        }
    copied: dict[str, Any] = json.loads(json.dumps(raw))
    return copied | changes


def _in(group: int) -> dict[str, Any]:
    return {"groupIndex": str(group)}


def market(base: str = "BTC", pools: tuple[str, ...] = (USDC, DAI)) -> Market:
    return Market(
        VenueId("gains"),
        MarketId(f"{base}-USD"),
        f"{base}/USD",
        Grid("0.0000000001"),
        Grid("0.000000000000000001"),
        pools=pools,
        kind="oracle",
    )


class World:
    """One board of two markets, its price stream and seed, and one chain with poll and stream."""

    def __init__(self, chain_ids: Iterable[int] = (42161,)) -> None:
        self.now_ns = START_NS
        self.chains = [ChainState(chain_id) for chain_id in chain_ids]
        self.chain = self.chains[0]
        pools = tuple(f"{chain}:{name}" for chain in chain_ids for name in ("USDC", "DAI"))
        self.board = Board(
            [Slot(market(base, pools), pair, kind) for pair, (base, kind, _) in PAIRS.items()],
            self.chains,
        )
        self.prices = PriceSession(self.board, self.now_ns)
        self.seeder = SeedSession(self.board, self.now_ns)
        self.polls = [ChainPollSession(chain, self.now_ns) for chain in self.chains]
        self.stream = ChainStreamSession(self.chain, self.now_ns)
        self.seen: list[Event] = []

    @property
    def wall_us(self) -> int:
        return WALL_US + (self.now_ns - START_NS) // 1000

    # What comes in --------------------------------------------------------------------------------

    def raw(self, frame: bytes | str) -> None:
        self.prices.receive(frame, self.wall_us, self.now_ns)
        self.seen += self.prices.events()

    def send(self, frame: Any) -> None:
        self.raw(json.dumps(frame))

    def beat(self) -> None:
        self.send([SERVER_MS + (self.now_ns - START_NS) // 1_000_000])

    def tell(self, message: Any) -> None:
        """A message of the chain's stream."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.stream.receive(text, self.wall_us, self.now_ns)

    def window(self, window: int, long: Any = 0, short: Any = 0, pair: int = 0) -> None:
        new = {"oiLongUsd": str(long * E18), "oiShortUsd": str(short * E18)}
        value = {"pairIndex": str(pair), "windowId": str(window), "newOi": new}
        self.tell({"name": "oiWindowUpdated", "value": value})

    def asked(self, number: int = 0) -> bool:
        """Whether the poll of a chain wants to fetch now."""
        poll = self.polls[number]
        poll.advance(self.now_ns)
        return bool(poll.outgoing())

    def answer(self, raw: Any = None, number: int = 0) -> None:
        reply = HttpReply(c.VARIABLES_PATH, json.dumps(raw or body()).encode())
        self.polls[number].receive(reply, self.wall_us, self.now_ns)

    def load(self, raw: Any = None, number: int = 0) -> None:
        assert self.asked(number)
        self.answer(raw, number)

    def seed_asked(self) -> bool:
        self.seeder.advance(self.now_ns)
        return bool(self.seeder.outgoing())

    def seed(self, *closes: Any) -> None:
        reply = HttpReply(c.CHARTS_PATH, json.dumps({"time": 1, "closes": closes}).encode())
        self.seeder.receive(reply, self.wall_us, self.now_ns)

    # Time and what comes out ----------------------------------------------------------------------

    def tick(self) -> None:
        self.prices.advance(self.now_ns)
        self.seen += self.prices.events()

    def wait(self, seconds: float, *, beats: bool = True) -> None:
        """Moves the clock; a keep-alive comes every second unless the server is silent."""
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns and self.prices.failure is None:
            before_ns = self.now_ns
            self.now_ns = min(self.now_ns + S // 10, end_ns)
            if beats and self.now_ns // S > before_ns // S:
                self.beat()
            self.tick()

    def reconnect(self) -> None:
        self.prices = PriceSession(self.board, self.now_ns)
        self.seen += self.prices.events()

    def events(self) -> list[Event]:
        """Everything since the last call."""
        self.tick()
        drained, self.seen = self.seen, []
        return drained

    def quotes(self) -> list[tuple[str, str, int | None, int | None]]:
        """(market, pool, bid e10, ask e10) since the last call."""
        return [
            (item.market, item.pool, _e10(item.bid_e18), _e10(item.ask_e18))
            for item in self.events()
            if isinstance(item, PoolQuote)
        ]

    def costs(self) -> list[Funding]:
        """Costs of holding told since the last call."""
        return [item for item in self.events() if isinstance(item, Funding)]

    def states(self) -> list[tuple[str, str | None, str | None]]:
        """(market, status or "doubt", reason) since the last call."""
        return [
            (item.market, "doubt" if item.trusted is False else item.status, item.reason)
            for item in self.events()
            if isinstance(item, MarketState)
        ]

    def open(self, raw: Any = None) -> "World":
        """Chains loaded, a first keep-alive, nothing left to read."""
        for number in range(len(self.chains)):
            self.load(raw, number)
        self.beat()
        self.events()
        return self


def _e10(price_e18: int | None) -> int | None:
    return None if price_e18 is None else price_e18 // E8


def kinds(events: Iterable[Event]) -> list[str]:
    """Names of the events, so that their order can be compared."""
    return [type(event).__name__ for event in events]


def marks(events: Iterable[Event]) -> list[tuple[str, int]]:
    return [(item.market, item.price_e18 // E8) for item in events if isinstance(item, OraclePrice)]


def lively(events: Iterable[Event]) -> int:
    return sum(isinstance(item, Liveness) for item in events)


def connected(events: Iterable[Event]) -> list[str]:
    return [item.state for item in events if isinstance(item, VenueStatus)]
