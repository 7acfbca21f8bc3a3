"""GMX as the kit sees it: polls that are answered at once. The oracle sees every price a second
after the one before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from connectors.base.protocol import Frame, HttpReply, HttpTransport, Source, VenueRules
from connectors.gmx import constants as c
from connectors.gmx.polls import DaySession, InfoSession, TickersSession
from connectors.gmx.state import GmxState, Listing
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.conformance.kit import START_NS, START_US, A, B, Sent, Touch, e18, never

TICKERS, INFO, DAY = (SourceId(f"gmx:{name}:0") for name in ("tickers", "info", "day"))
PATHS = {TICKERS: c.TICKERS_PATH, INFO: c.INFO_PATH, DAY: c.DAY_PATH}
TOKENS = {
    A: ("0x47904963fc8b2340414262125aF798B9655E58Cd", "BTC", 8),
    B: ("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", "ETH", 18),
}
POOLS = {
    A: ("0x47c031236e19d024b42f8AE6780E44A573170703",),
    B: ("0x70d95587d40A2caf56bd97485aB3Eec10Bee6336", "0x450bb6774Dd8a756274E0ab4107953259d2ac541"),
}
MARKETS = tuple(
    Market(
        c.VENUE,
        name,
        symbol,
        Grid(f"1e-{min(18, 30 - decimals)}"),
        Grid(f"1e-{decimals}"),
        pools=POOLS[name],
        kind="oracle",
    )
    for name, (_, symbol, decimals) in TOKENS.items()
)


class GmxWire:
    venue = c.VENUE
    rules = VenueRules(c.MAX_AGE_NS)
    proof_every_s = 0.5

    def __init__(self) -> None:
        self.prices = {A: Touch("97012.5", "97013.5"), B: Touch("3500", "3500.1")}
        self._state = GmxState()
        self._state.list_markets(
            Listing(name, token.lower(), decimals, symbol, POOLS[name])
            for name, (token, symbol, decimals) in TOKENS.items()
        )
        self._seen_s = 0

    def sources(self) -> Sequence[Source]:
        sessions = ((TICKERS, TickersSession), (INFO, InfoSession), (DAY, DaySession))
        return [
            Source(
                source_id,
                HttpTransport(never),
                partial(session, self._state, MARKETS, lambda _now: None),
                MARKETS if source_id == TICKERS else (),
            )
            for source_id, session in sessions
        ]

    def truth(self, market: MarketId) -> tuple[int, int]:
        touch = self.prices[market]
        return e18(touch.bid), e18(touch.ask)

    def frame(self, source: SourceId, body: bytes) -> Frame:
        return HttpReply(PATHS[source], body)

    def opened(self, source: SourceId, now_ns: int) -> Iterable[Frame]:
        return ()

    def answer(self, source: SourceId, request: str, now_ns: int) -> Iterable[Frame]:
        assert request == PATHS[source]
        body: Any = []
        if source == TICKERS:
            body = self._tickers(now_ns)
        elif source == INFO:
            body = {"markets": [self._info(pool) for pools in POOLS.values() for pool in pools]}
        else:
            body = [
                {"tokenSymbol": symbol, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}
                for _, symbol, _ in TOKENS.values()
            ]
        return [self.frame(source, json.dumps(body).encode())]

    def _info(self, pool: str) -> dict[str, Any]:
        return {
            "marketToken": pool,
            "isListed": True,
            "isDisabled": False,
            "availableLiquidityLong": str(10**36),
            "availableLiquidityShort": str(10**36),
        }

    def _tickers(self, now_ns: int) -> list[dict[str, Any]]:
        now_s = (START_US + (now_ns - START_NS) // 1000) // 1_000_000
        self._seen_s = max(self._seen_s, now_s)
        return [
            {
                "tokenAddress": token,
                "tokenSymbol": symbol,
                "minPrice": _scaled(self.prices[name].bid, decimals),
                "maxPrice": _scaled(self.prices[name].ask, decimals),
                "updatedAt": self._seen_s * 1000,
                "timestamp": self._seen_s,
            }
            for name, (token, symbol, decimals) in TOKENS.items()
        ]

    def proof(self, now_ns: int) -> Iterable[Sent]:
        return ()

    def update(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        self._seen_s += 1
        return [self._sent(self._tickers(now_ns))]

    def _sent(self, body: Any) -> Sent:
        return TICKERS, self.frame(TICKERS, json.dumps(body).encode())

    def spoiled(self, market: MarketId, now_ns: int) -> Mapping[str, Sent]:
        changes: dict[str, dict[str, Any]] = {
            "NaN": {"minPrice": "NaN"},
            "1e999": {"maxPrice": "1e999"},
            "a number": {"minPrice": 97012.5},
            "an integer": {"minPrice": 970125},
            "zero": {"minPrice": "0"},
            "negative": {"minPrice": "-970125"},
            "a boolean": {"minPrice": True},
            "crossed": {"minPrice": "9" * 27},
            "no price": {"minPrice": None},
            "decimals": {"minPrice": "97012.5"},
            "other digits": {"minPrice": "\u0669\u0667"},
            "very long": {"minPrice": "9" * 5_000},
            "no time": {"timestamp": None},
            "time of a future": {"timestamp": self._seen_s + 10_000},
        }
        token = TOKENS[market][0]

        def body(change: Mapping[str, Any]) -> list[dict[str, Any]]:
            rows = self._tickers(now_ns)
            return [row | change if row["tokenAddress"] == token else row for row in rows]

        frames = {name: self._sent(body(change)) for name, change in changes.items()}
        twice = self._tickers(now_ns)
        frames["two prices"] = self._sent([*twice, twice[0] | {"minPrice": "1" * 26}])
        whole = json.dumps(self._tickers(now_ns)).encode()
        return frames | {"truncated": (TICKERS, self.frame(TICKERS, whole[: len(whole) // 2]))}

    def stranger(self, now_ns: int) -> Sequence[Sent]:
        row = self._tickers(now_ns)[0] | {"tokenAddress": "0x" + "12" * 20, "tokenSymbol": "NEW"}
        return [self._sent([*self._tickers(now_ns), row])]


def _scaled(price: str, decimals: int) -> str:
    """USD x 10^(30 - decimals)."""
    shift = 12 - decimals
    value = e18(price)
    return str(value * 10**shift if shift >= 0 else value // 10**-shift)
