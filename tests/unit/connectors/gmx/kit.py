"""Sessions on a clock that the test moves, and bodies in the wire shape."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.base.protocol import HttpReply
from connectors.gmx.polls import PollSession
from connectors.gmx.state import GmxState, Listing
from domain.events import Event, Liveness, MarketState, PoolQuote, VenueStatus
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

RECORDED = Path(__file__).parents[3] / "data" / "gmx"
START_NS = 10**15
START_S = 1_783_345_320
S = 1_000_000_000

ETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
BTC = "0x47904963fc8b2340414262125aF798B9655E58Cd"
ETH_USDC = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
ETH_ETH = "0x450bb6774Dd8a756274E0ab4107953259d2ac541"
BTC_USDC = "0x47c031236e19d024b42f8AE6780E44A573170703"

Row = dict[str, Any]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def dump(body: Any) -> bytes:
    return json.dumps(body).encode()


def market(name: str) -> Market:
    return Market(VenueId("gmx"), MarketId(name), name, Grid("1e-12"), Grid("1e-18"))


def state() -> GmxState:
    """ETH with two pools and BTC with one."""
    made = GmxState()
    made.list_markets(
        (
            Listing(MarketId("ETH-USD"), ETH.lower(), 18, "ETH", (ETH_USDC, ETH_ETH)),
            Listing(MarketId("BTC-USD"), BTC.lower(), 8, "BTC", (BTC_USDC,)),
        )
    )
    return made


def ticker(token: str = ETH, low: str = "2000" + "0" * 12, high: str | None = None) -> Row:
    """As of ``Poll.answer``'s time; 2000 USD is ``2000`` and twelve zeros for ETH."""
    return {"tokenAddress": token, "minPrice": low, "maxPrice": high or low}


BTC_ROW = ticker(BTC, "60000" + "0" * 22, "60001" + "0" * 22)


class Poll:
    """A poll session, answered at once and by hand. ``blamed``: how often a host was."""

    def __init__(self, kind: Any, *markets: str, of: GmxState | None = None) -> None:
        self.now_ns = START_NS
        self.state = of or state()
        self.blamed = 0
        names = markets or ("ETH-USD", "BTC-USD")
        self.session: PollSession = kind(
            self.state, [market(name) for name in names], self._blame, self.now_ns
        )
        self.asked: list[str] = []

    def _blame(self, mono_ns: int) -> None:
        assert mono_ns == self.now_ns
        self.blamed += 1

    @property
    def wall_us(self) -> int:
        return START_S * 1_000_000 + (self.now_ns - START_NS) // 1000

    def wait(self, seconds: float) -> None:
        """Moves the clock as the driver does, without any answer."""
        end_ns = self.now_ns + round(seconds * S)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, max(self.session.next_deadline_ns(), self.now_ns + 1))
            self.session.advance(self.now_ns)
            self.asked += self.session.outgoing()

    def raw(self, body: bytes) -> list[Event]:
        self.session.receive(HttpReply("/path", body), self.wall_us, self.now_ns)
        return self.session.events()

    def answer(self, body: Any) -> list[Event]:
        return self.raw(dump(body))

    def tickers(self, *rows: Row, age_s: int = 0) -> list[Event]:
        """An answer whose rows are as old as this where they do not say."""
        at_s = self.wall_us // 1_000_000 - age_s
        return self.answer([{"timestamp": at_s} | row for row in rows])


def quotes(events: Sequence[Event]) -> dict[str, PoolQuote]:
    """By pool; each may be told once."""
    found = [event for event in events if isinstance(event, PoolQuote)]
    by_pool = {event.pool: event for event in found}
    assert len(by_pool) == len(found)
    return by_pool


def doubts(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    return [
        (event.market, event.reason)
        for event in events
        if isinstance(event, MarketState) and event.trusted is False
    ]


def statuses(events: Sequence[Event]) -> list[tuple[str, str | None]]:
    return [
        (event.market, event.status)
        for event in events
        if isinstance(event, MarketState) and event.status is not None
    ]


def alive(events: Sequence[Event]) -> bool:
    assert all(event.state == "live" for event in events if isinstance(event, VenueStatus))
    return Liveness() in events


# The GMX API ------------------------------------------------------------------------------------

WBTC, USDC = (
    "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f",
    "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
)
TOKENS = {ETH_USDC: (ETH, USDC), ETH_ETH: (ETH, ETH), BTC_USDC: (WBTC, USDC)}
PRICES = (
    ticker(ETH, "2000" + "0" * 12),
    ticker(BTC, "60000" + "0" * 22),
    ticker(WBTC, "60000" + "0" * 22),
    ticker(USDC, "1" + "0" * 24),
)
"""As of ``Poll.tickers``'s time."""


def usd(amount: float) -> str:
    return str(round(amount * 10**6) * 10**24)


def config_row(pool: str, **change: Any) -> Row:
    """In the SDK's names. Impact 1e-10 and 3e-10 squared, fees 4 and 6 bps."""
    long_token, short_token = TOKENS[pool]
    row: Row = {
        "marketTokenAddress": pool,
        "longTokenAddress": long_token,
        "shortTokenAddress": short_token,
        "isDisabled": False,
        "useOpenInterestInTokensForBalance": True,
        "virtualIndexTokenId": "0x" + "0" * 64,
        "positionFeeFactorForBalanceWasImproved": usd(0.0004),
        "positionFeeFactorForBalanceWasNotImproved": usd(0.0006),
        "positionImpactFactorPositive": str(10**20),
        "positionImpactFactorNegative": str(3 * 10**20),
    }
    for name, value in (
        ("positionImpactExponentFactor{}", usd(2)),
        ("maxPositionImpactFactor{}", usd(0.004)),
    ):
        row |= {name.format(sign): value for sign in ("Positive", "Negative")}
    for name, value in (
        ("maxOpenInterest{}", usd(10**8)),
        ("reserveFactor{}", usd(0.95)),
        ("openInterestReserveFactor{}", usd(0.9)),
    ):
        row |= {name.format(side): value for side in ("Long", "Short")}
    return row | change


def values_row(pool: str, updated_ms: int | None, **change: Any) -> Row:
    """10 M USD of each token in the pool; 3 M long, 1 M short; longs pay 1e-8 a second and borrow
    for 2e-9."""
    decimals = {ETH: 18, WBTC: 8, USDC: 6}
    price = {ETH: 2000, WBTC: 60000, USDC: 1}
    index = ETH if pool != BTC_USDC else WBTC
    long_token, short_token = TOKENS[pool]

    def units(token: str, amount_usd: int) -> str:
        return str(amount_usd * 10 ** decimals[token] // price[token])

    return {
        "marketTokenAddress": pool,
        "longInterestUsd": usd(3 * 10**6),
        "shortInterestUsd": usd(10**6),
        "longInterestInTokens": units(index, 3 * 10**6),
        "shortInterestInTokens": units(index, 10**6),
        "longPoolAmount": units(long_token, 10**7),
        "shortPoolAmount": units(short_token, 10**7),
        "fundingFactorPerSecond": str(10**22),
        "longsPayShorts": True,
        "borrowingFactorPerSecondForLongs": str(2 * 10**21),
        "borrowingFactorPerSecondForShorts": "0",
        "virtualInventoryForPositions": "0",
        "virtualInventoryForPositionsInTokens": "0",
        "updatedAt": updated_ms,
    } | change
