"""A model of the GMX keeper service: prices of an oracle once a second, what pools still take.

It answers in the shape of the real service (token units of 30 decimals less the token's, seconds
of the oracle, foreign rows in between) and keeps what a perfect subscriber knows by them."""

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from connectors.gmx import constants as c
from connectors.gmx.polls import DaySession, InfoSession, TickersSession
from connectors.gmx.state import GmxState, Listing
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.simulation.fair import SYMBOLS, Basis, Fair
from tests.simulation.loop import START_NS, START_US, STEP_NS, Link, S
from tests.simulation.lossy import Poll
from tests.simulation.observer import Seen
from tests.simulation.venue import Faults

Pools = dict[str, tuple[int | None, int | None]]
CLOSED = (None, None)
E18_FROM_E8 = 10**10
LAG_STEPS = 6
TICKER_MAX_AGE_US = 15_000_000
TIMEOUT_S = 1.5
"""A keeper with one host: whoever gives it up has no other."""


def _address(kind: int, number: int) -> str:
    return f"0x{kind:020x}{number:020x}"


TOKENS = {symbol: _address(1, number) for number, symbol in enumerate(SYMBOLS)}
DECIMALS = {symbol: (8, 18, 6)[number % 3] for number, symbol in enumerate(SYMBOLS)}
POOLS = {
    symbol: tuple(_address(2 + place, number) for place in range(1 + number % 2))
    for number, symbol in enumerate(SYMBOLS)
}
MARKETS = [
    Market(
        c.VENUE,
        MarketId(symbol),
        f"{symbol[:-4]}/USD",
        Grid(f"1e-{min(18, 30 - DECIMALS[symbol])}"),
        Grid(f"1e-{DECIMALS[symbol]}"),
        pools=POOLS[symbol],
        kind="oracle",
    )
    for symbol in SYMBOLS
]
LISTINGS = [
    Listing(MarketId(symbol), TOKENS[symbol], DECIMALS[symbol], symbol, POOLS[symbol])
    for symbol in SYMBOLS
]
RELIST_NS = 30 * S
"""How often the markets are loaded again."""
FOREIGN = [
    {"tokenAddress": _address(9, 1), "tokenSymbol": "USDC", "minPrice": "999900000000000000000000",
     "maxPrice": "1000100000000000000000000"},
    {"tokenAddress": _address(9, 2), "tokenSymbol": "OTHER", "minPrice": "5" * 14,
     "maxPrice": "5" * 14},
]  # fmt: skip


class GmxVenue:
    name = c.VENUE
    max_age_ns = 2_500_000_000
    kinds = ("freeze", "drop", "duplicate", "reorder", "cross", "spike", "skew", "stall", "close")

    def __init__(self, fair: Fair, rng: Random) -> None:
        self.fair = fair
        self.rng = rng
        self.faults = Faults()
        self.basis = Basis(rng, 0.4)
        self.width = {symbol: rng.uniform(0.0, 0.8) * 1e-4 for symbol in SYMBOLS}
        self.crossed: dict[str, int] = {}
        self.spiked: dict[str, int] = {}
        self.factor: dict[str, float] = {}
        self.closed: dict[str, int] = {}
        self.skew_s = 0
        self.now_ns = START_NS
        self._state = GmxState()
        self._listed_ns = 0
        self._second = 0
        self._body: tuple[bytes, Any] = (b"", None)
        # What was delivered.
        self.proved_ns: int | None = None
        self._newest_s = 0
        self._shut: frozenset[str] = frozenset()
        self._seen: dict[str, Seen] = {}
        self._excused_ns = 0

    def links(self) -> list[Link]:
        state = self._state
        return [
            self._link("tickers", c.TICKERS_PATH, partial(TickersSession, state), self._tickers),
            self._link("info", c.INFO_PATH, partial(InfoSession, state), self._info),
            self._link("day", c.DAY_PATH, partial(DaySession, state), self._day),
        ]

    def _link(
        self,
        name: str,
        path: str,
        session: Callable[..., Any],
        answer: Callable[[], tuple[bytes, Any]],
    ) -> Link:
        tell = getattr(self, f"_told_{name}", lambda *_: None)
        lags = name == "tickers"
        poll = Poll(path, self.faults, self.rng, TIMEOUT_S, answer, tell, lags=lags)
        return Link(
            SourceId(f"gmx:{name}:0"),
            partial(session, MARKETS, lambda _now: None),
            poll.connect,
            self._lost if lags else lambda: None,
            is_poll=True,
        )

    # Answers ------------------------------------------------------------------------------------

    @property
    def _clock_s(self) -> int:
        return (START_US + (self.now_ns - START_NS) // 1000) // 1_000_000 + self.skew_s

    def step(self, now_ns: int) -> None:
        """The oracle sees new prices once a second."""
        self.now_ns = now_ns
        if now_ns >= self._listed_ns:
            self._listed_ns = now_ns + RELIST_NS
            self._state.list_markets(LISTINGS)
        second = (now_ns - START_NS) // S
        if second != self._second and not self.faults.on("stall", now_ns):
            self._second = second
            self._observe()

    def _observe(self) -> None:
        prices, rows, touches = self.fair.ago(LAG_STEPS), [], {}
        time_s = self._clock_s
        for symbol in SYMBOLS:
            price = prices[symbol] * self.basis.walk(symbol)
            if self._acts(self.spiked, symbol):
                price *= self.factor[symbol]
            half = price * self.width[symbol] / 2
            low, high = round((price - half) * 1e8), round((price + half) * 1e8)
            if self._acts(self.crossed, symbol):
                low, high = high + 1, low
            unit = 10 ** (22 - DECIMALS[symbol])
            touches[symbol] = low * E18_FROM_E8, high * E18_FROM_E8
            rows.append(
                {"tokenAddress": TOKENS[symbol], "tokenSymbol": symbol[:-4],
                 "minPrice": str(low * unit), "maxPrice": str(high * unit)}
            )  # fmt: skip
        times = {"updatedAt": time_s * 1000 + 120, "timestamp": time_s}
        body = json.dumps([row | times for row in [FOREIGN[0], *rows, FOREIGN[1]]]).encode()
        self._body = body, (time_s, touches)

    def _acts(self, fault: dict[str, int], symbol: str) -> bool:
        return fault.get(symbol, 0) > self.now_ns

    def _tickers(self) -> tuple[bytes, Any]:
        if not self._body[0]:
            self._observe()
        return self._body

    def _info(self) -> tuple[bytes, Any]:
        rows, shut = [], []
        for symbol in SYMBOLS:
            for pool in POOLS[symbol]:
                # The last pool of a market is the one to close.
                disabled = self._acts(self.closed, symbol) and pool == POOLS[symbol][-1]
                rows.append(
                    {"marketToken": pool, "isListed": True, "isDisabled": disabled,
                     "availableLiquidityLong": str(self.rng.randint(1, 9) * 10**36),
                     "availableLiquidityShort": str(self.rng.randint(1, 9) * 10**36)}
                )  # fmt: skip
                shut += [pool] if disabled else []
        return json.dumps({"markets": rows}).encode(), frozenset(shut)

    def _day(self) -> tuple[bytes, Any]:
        rows = [
            {"tokenSymbol": symbol, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0}
            for symbol in SYMBOLS
        ]
        return json.dumps(rows).encode(), None

    # What is known where they arrive --------------------------------------------------------------

    def _lost(self) -> None:
        self.proved_ns, self._newest_s = None, 0
        self._seen.clear()

    def _told_tickers(self, told: Any, wall_us: int, now_ns: int) -> None:
        time_s, touches = told
        if time_s < self._newest_s:
            return
        self._newest_s = time_s
        if wall_us - time_s * 1_000_000 > TICKER_MAX_AGE_US:
            self._seen.clear()
            return
        self.proved_ns = now_ns
        self._seen = {
            symbol: _seen(symbol, touch, self._shut)
            for symbol, touch in touches.items()
            if touch[0] <= touch[1]
        }

    def _told_info(self, told: Any, wall_us: int, now_ns: int) -> None:
        if told != self._shut:
            # A pool that opens or closes is quoted so with the next prices.
            self._excused_ns = now_ns + S
        self._shut = told

    def seen(self, symbol: str) -> Seen | None:
        found = self._seen.get(symbol)
        return None if found is None or not found.quoted else found

    def excused_ns(self, symbol: str) -> int:
        return self._excused_ns

    def watched(self) -> list[str]:
        """A crossed price of an oracle is none at all, so nothing has to last."""
        return []

    def crossed_for_s(self, symbol: str, now_ns: int, *, is_live: bool) -> float:
        return 0.0

    # Faults -------------------------------------------------------------------------------------

    def freeze(self, now_ns: int, until_ns: int) -> None:
        self.faults.until_ns["freeze"] = until_ns

    def skew(self, seconds: int) -> int:
        """Returns by how many seconds the timestamps go back."""
        back, self.skew_s = self.skew_s - seconds, seconds
        if back > 0:
            # Its answers are older than one before, and the last that was not is used.
            self._excused_ns = self.now_ns + self.max_age_ns + 4 * STEP_NS
        return max(0, back)


def _seen(symbol: str, touch: tuple[int, int], shut: frozenset[str]) -> Seen:
    pools: Pools = {pool: CLOSED if pool in shut else touch for pool in POOLS[symbol]}
    usable = [pool for pool in POOLS[symbol] if pool not in shut]
    return Seen(*touch, sum(touch) // 2, pools, usable[0] if usable else None, bool(usable))
