"""GMX as the kit sees it: polls that are answered at once. The oracle sees every price a second
after the one before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
from pathlib import Path
from typing import Any

from connectors.base import markets as market_map
from connectors.base.protocol import Frame, HttpReply, HttpTransport, Source, VenueRules
from connectors.gmx import constants as c
from connectors.gmx.addresses import contracts
from connectors.gmx.connector import Chain, GmxConnector
from connectors.gmx.polls import DaySession, InfoSession, TickersSession
from connectors.gmx.state import GmxState, Listing
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

TICKERS, INFO, DAY = (SourceId(f"gmx:{name}:0") for name in ("tickers", "info", "day"))
PATHS = {TICKERS: c.TICKERS_PATH, INFO: c.INFO_PATH, DAY: c.DAY_PATH}
RECORDED = Path(__file__).parents[1] / "data" / "gmx"
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
    stall_s = c.TICKER_MAX_AGE_US / 1_000_000 + c.TICKERS_EVERY_NS / S

    def __init__(self) -> None:
        self.prices = {A: Touch("97012.5", "97013.5"), B: Touch("3500", "3500.1")}
        self.stalled = False
        self.listed = {A, B}
        self.rescaled: set[MarketId] = set()
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
            body = {"markets": [self._info(name, pool) for name in POOLS for pool in POOLS[name]]}
        else:
            body = [
                {"tokenSymbol": symbol, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}
                for _, symbol, _ in TOKENS.values()
            ]
        return [self.frame(source, json.dumps(body).encode())]

    def _info(self, name: MarketId, pool: str) -> dict[str, Any]:
        return {
            "marketToken": pool,
            "isListed": name in self.listed,
            "isDisabled": False,
            "availableLiquidityLong": str(10**36),
            "availableLiquidityShort": str(10**36),
        }

    def _tickers(self, now_ns: int) -> list[dict[str, Any]]:
        now_s = (START_US + (now_ns - START_NS) // 1000) // 1_000_000
        if not self.stalled:
            self._seen_s = max(self._seen_s, now_s)
        return [
            {
                "tokenAddress": token,
                "tokenSymbol": symbol,
                "minPrice": _scaled(self.prices[name].bid, self._decimals(name)),
                "maxPrice": _scaled(self.prices[name].ask, self._decimals(name)),
                "updatedAt": self._seen_s * 1000,
                "timestamp": self._seen_s,
            }
            for name, (token, symbol, _) in TOKENS.items()
        ]

    def _decimals(self, market: MarketId) -> int:
        decimals = TOKENS[market][2]
        return decimals - 2 if market in self.rescaled else decimals

    def proof(self, now_ns: int) -> Iterable[Sent]:
        return ()

    def noise(self, now_ns: int) -> Iterable[Sent]:
        """Answers to polls, with the time at which it stood still."""
        return ()

    def update(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        self._seen_s += 1
        return [self._sent(self._tickers(now_ns))]

    def lost(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        """An answer more or less: the next one tells everything."""
        return []

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

        def body(change: dict[str, Any]) -> list[dict[str, Any]]:
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

    # Over real sockets --------------------------------------------------------------------------

    def connector(self, http_url: str, ws_url: str) -> GmxConnector:
        chain = Chain(42161, (), contracts(42161, "v2.2c", {}))
        return GmxConnector([http_url], LOOPBACK, chain, market_map.load())

    def speaks(self, path: str) -> SourceId:
        raise AssertionError(f"a socket on {path}")

    def get(self, path: str, now_ns: int) -> bytes | None:
        body: Any = None
        if path == c.TOKENS_PATH:
            rows = [
                {"symbol": symbol, "address": token, "decimals": self._decimals(name)}
                for name, (token, symbol, _) in TOKENS.items()
            ]
            body = {"tokens": rows}
        elif path == c.MARKETS_PATH:
            body = {
                "markets": [
                    self._info(name, pool) | {"indexToken": TOKENS[name][0]}
                    for name in POOLS
                    for pool in POOLS[name]
                ]
            }
        else:
            for source, known in PATHS.items():
                if path == known:
                    (reply,) = self.answer(source, path, now_ns)
                    assert isinstance(reply, HttpReply)
                    return reply.body
        return None if body is None else json.dumps(body).encode()

    def relisted(self, now_ns: int) -> Sequence[Sent]:
        return []

    def retry_after(self, seconds: int) -> str:
        return str(seconds)

    def recording(self) -> Recording:
        """Every ticker, in every pool of its token."""
        names = ("markets", "tokens", "prices-tickers")
        lists, known, tickers = [
            (RECORDED / f"{name}.arbitrum.json").read_bytes() for name in names
        ]
        decimals = {row["address"]: row["decimals"] for row in json.loads(known)["tokens"]}
        prices = {
            row["tokenAddress"]: _whole(row, decimals[row["tokenAddress"]])
            for row in json.loads(tickers)
        }
        table, means = market_map.load(), {}
        for row in json.loads(lists)["markets"]:
            name = table.canonical(c.VENUE, row["indexToken"])
            if name is not None and row["isListed"]:
                means[name, row["marketToken"]] = prices[row["indexToken"]]
        return Recording(
            {c.MARKETS_PATH: lists, c.TOKENS_PATH: known},
            [("tickers", HttpReply(c.TICKERS_PATH, tickers))],
            1_783_345_316_000_000,
            means,
        )


def _whole(row: Mapping[str, str], decimals: int) -> tuple[int, int]:
    """10^(30 - decimals) units make a dollar."""
    low, high = (Decimal(row[side]).scaleb(decimals - 30) for side in ("minPrice", "maxPrice"))
    return (
        int(low.scaleb(18).to_integral_value(ROUND_FLOOR)),
        int(high.scaleb(18).to_integral_value(ROUND_CEILING)),
    )


def _scaled(price: str, decimals: int) -> str:
    """USD x 10^(30 - decimals)."""
    shift = 12 - decimals
    value = e18(price)
    return str(value * 10**shift if shift >= 0 else value // 10**-shift)
