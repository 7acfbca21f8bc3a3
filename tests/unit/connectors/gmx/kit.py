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
        return self.raw(json.dumps(body).encode())

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
