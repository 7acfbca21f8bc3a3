"""A model of Gains: the price stream, the charts that seed it, one chain with its REST state and
its event stream. Two collaterals, so two pools a market, the second of them with a skew that moves.

It speaks the true wire format and keeps what a perfect subscriber of its connections knows: every
print has a number of its own, which says what is newer whatever the timestamps say."""

import json
from functools import partial
from random import Random
from typing import Any

from connectors.base.markets import AssetClass
from connectors.gains import constants as c
from connectors.gains.board import Board, Slot
from connectors.gains.chain import ChainPollSession, ChainStreamSession
from connectors.gains.prices import PriceSession, SeedSession
from connectors.gains.state import ChainState
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.simulation.fair import SYMBOLS, Basis, Fair
from tests.simulation.loop import START_NS, START_US, STEP_NS, Link, S
from tests.simulation.lossy import Poll, Socket
from tests.simulation.observer import Seen
from tests.simulation.venue import Faults

PAIRS = {symbol: number for number, symbol in enumerate(SYMBOLS)}
POOLS = ("42161:USDC", "42161:DAI")
MARKETS = [
    Market(
        c.VENUE, MarketId(symbol), f"{symbol[:-4]}/USD", Grid("0.0000000001"),
        Grid("0.000000000000000001"), pools=POOLS, kind="oracle",
    )
    for symbol in SYMBOLS
]  # fmt: skip
LAG_STEPS = 4
KEEP_ALIVE_NS = S
BLOCK_NS = S // 4
DEPTH_TOKENS = 10_000
REST_TIMEOUT_S = 5.0
TOLD_NS = S // 5
"""What the chain says of a pool is told by the price session at its next frame or timer."""
NO_DEPTH = {f"{side}Slot{slot}": "0" for side in ("above", "below") for slot in (1, 2)}


def _cut(numerator: int, denominator: int) -> int:
    """Quotient toward zero, as integers of the contract are divided."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


class GainsVenue:
    name = c.VENUE
    max_age_ns = 3_000_000_000
    kinds = ("freeze", "drop", "duplicate", "reorder", "cross", "spike", "skew")

    def __init__(self, fair: Fair, rng: Random) -> None:
        self.fair = fair
        self.rng = rng
        self.faults = Faults()
        self.basis = Basis(rng, 0.4)
        self.now_ns = START_NS
        self.skew_ms = 0
        self.spiked: dict[str, int] = {}
        self.factor: dict[str, float] = {}
        self.number = 0
        # Terms by symbol: the spread in percent e10, negative where crossed; net open interest.
        self.spread = {symbol: rng.choice((0, 10**8, 2 * 10**8)) for symbol in SYMBOLS}
        self.net = {symbol: rng.randint(-300, 300) for symbol in SYMBOLS}
        self.crossed: dict[str, int] = {}
        self.cents = {symbol: round(price * 100) for symbol, price in fair.now.items()}
        self.numbers = dict.fromkeys(SYMBOLS, 0)
        self.likely = {symbol: rng.uniform(0.2, 0.9) for symbol in SYMBOLS}
        self._next_ns = self._alive_ns = self._block_ns = START_NS
        self.prices: Socket | None = None
        self._stream: Socket | None = None
        self._forget_prices()
        self._terms: dict[str, tuple[int, int, int]] = {}
        self._seen: dict[str, tuple[tuple[int, int], tuple[int, int, int], Seen]] = {}
        self._excused_ns = dict.fromkeys(SYMBOLS, 0)

    def links(self) -> list[Link]:
        chain = ChainState(42161)
        board = Board(
            [Slot(market, PAIRS[market.market], AssetClass.CRYPTO) for market in MARKETS], [chain]
        )
        faults, rng = self.faults, self.rng
        charts = self._charts_poll = Charts(self, faults, rng)
        variables = Poll(
            c.VARIABLES_PATH, faults, rng, REST_TIMEOUT_S, self._variables, self._told_terms
        )

        def link(name: str, *parts: Any, poll: bool = False) -> Link:
            return Link(SourceId(f"gains:{name}:0"), *parts, is_poll=poll)

        return [
            link("prices", partial(PriceSession, board), self._open_prices, self._lost_prices),
            link("charts", partial(SeedSession, board), charts.connect, _nothing, poll=True),
            link(
                "chain:42161",
                partial(ChainPollSession, chain),
                variables.connect,
                _nothing,
                poll=True,
            ),
            link("stream:42161", partial(ChainStreamSession, chain), self._open_stream, _nothing),
        ]

    # What is sent -------------------------------------------------------------------------------

    @property
    def _clock_ms(self) -> int:
        return (START_US + (self.now_ns - START_NS) // 1000) // 1000 + self.skew_ms

    def step(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self.rng.randint(1, 12) * STEP_NS
            self._print()
        if now_ns >= self._alive_ns:
            self._alive_ns = now_ns + KEEP_ALIVE_NS
            self._send({"t": self._clock_ms}, {})
        if now_ns >= self._block_ns:
            self._block_ns = now_ns + BLOCK_NS
            self._block()
        for symbol, until_ns in list(self.crossed.items()):
            if now_ns >= until_ns:
                del self.crossed[symbol]
                self._tell_variables()

    def _print(self) -> None:
        """Marks that changed, each some 150 ms behind; a pair is not in every frame."""
        prices, flat, told = self.fair.ago(LAG_STEPS), [], {}
        for symbol, pair in PAIRS.items():
            if self.rng.random() > self.likely[symbol]:
                continue
            factor = self.basis.walk(symbol)
            if self.spiked.get(symbol, 0) > self.now_ns:
                factor *= self.factor[symbol]
            cents = round(prices[symbol] * factor * 100)
            if cents != self.cents[symbol]:
                self.number += 1
                self.cents[symbol], self.numbers[symbol] = cents, self.number
                flat += [pair, cents / 100]
                told[symbol] = self.number, cents
        if told:
            self._send({"m": flat, "i": flat, "t": self._clock_ms}, told)

    def _send(self, message: dict[str, Any], told: dict[str, tuple[int, int]]) -> None:
        if self.prices is not None:
            body = json.dumps(message, separators=(",", ":")).encode()
            self.prices.put(body, (message["t"], told), self.now_ns)

    def charts(self) -> tuple[bytes, Any]:
        closes = [self.cents[symbol] / 100 for symbol in SYMBOLS]
        body = {"time": self._clock_ms, "opens": closes, "closes": closes, "indexPrices": closes}
        told = {symbol: (self.numbers[symbol], self.cents[symbol]) for symbol in SYMBOLS}
        return json.dumps(body).encode(), (self._charts_poll.asked_by, told)

    def _block(self) -> None:
        """A block on the chain; now and then somebody trades in it."""
        if self.rng.random() < 0.05:
            symbol = self.rng.choice(SYMBOLS)
            self.net[symbol] = max(-400, min(400, self.net[symbol] + self.rng.randint(-40, 40)))
            value = {"pairIndex": str(PAIRS[symbol]), "collateralIndex": "1"}
            value |= _interest(self.net[symbol])
            self._tell("openInterestPairUpdated", value, [symbol])
        else:
            self._tell("currentBlock", self.now_ns // BLOCK_NS, [])

    def _tell_variables(self) -> None:
        self._tell("tradingVariables", self._state(), SYMBOLS)

    def _tell(self, name: str, value: Any, symbols: list[str]) -> None:
        self.number += 1
        if self._stream is not None:
            body = json.dumps({"name": name, "value": value}).encode()
            self._stream.put(body, self._terms_of(symbols), self.now_ns)

    def _terms_of(self, symbols: list[str]) -> dict[str, tuple[int, int, int]]:
        return {symbol: (self.number, self._spread(symbol), self.net[symbol]) for symbol in symbols}

    def _spread(self, symbol: str) -> int:
        return -2 * 10**10 if symbol in self.crossed else self.spread[symbol]

    def _variables(self) -> tuple[bytes, Any]:
        self.number += 1
        return json.dumps(self._state()).encode(), self._terms_of(SYMBOLS)

    def _state(self) -> dict[str, Any]:
        count = len(SYMBOLS)
        nothing = [_interest(0) | {"beforeV10": {"max": "1"}}] * count
        skewed = [_interest(self.net[s]) | {"beforeV10": {"max": "1"}} for s in SYMBOLS]
        return {
            "tradingState": 0,
            "pairs": [
                {"from": symbol[:-4], "to": "USD", "spreadP": str(self._spread(symbol)),
                 "groupIndex": "0", "feeIndex": "0"}
                for symbol in SYMBOLS
            ],
            "groups": [{"name": "crypto", "minLeverage": "1100", "maxLeverage": "200000"}],
            "pairInfos": {
                "maxLeverages": [],
                "pairDepthBands": [NO_DEPTH] * count,
                "pairFactors": [{"cumulativeFactor": "10000000000", "exemptOnOpen": False}] * count,
            },
            "depthBandsMapping": {"slot1": "0", "slot2": "0"},
            "collaterals": [
                {"collateralIndex": 1, "symbol": "DAI", "isActive": True, "pairOis": skewed,
                 "pairSkewDepths": [str(DEPTH_TOKENS * 10**18)] * count},
                {"collateralIndex": 3, "symbol": "USDC", "isActive": True, "pairOis": nothing,
                 "pairSkewDepths": []},
            ],
            "oiWindowsSettings": {"startTs": 1_760_000_000, "windowsDuration": 7200,
                                  "windowsCount": 2},
            "oiWindows": [{}] * count,
            "isForexOpen": True, "isStocksOpen": True, "isIndicesOpen": True,
            "isCommoditiesOpen": True,
        }  # fmt: skip

    # What is known where it arrives ---------------------------------------------------------------

    def _forget_prices(self) -> None:
        self.proved_ns: int | None = None
        self._newest_ms = 0
        self._marks: dict[str, tuple[int, int]] = {}
        self._seeded: set[str] = set()

    def _open_prices(self, now_ns: int) -> Socket:
        self._forget_prices()
        self.prices = Socket(self.faults, self.rng, self._told_prints, self._held_prints)
        return self.prices

    def _lost_prices(self) -> None:
        self._forget_prices()
        self.prices = None

    def _open_stream(self, now_ns: int) -> Socket:
        self._stream = Socket(Faults(), self.rng, self._told_terms, lambda *_: None)
        return self._stream

    def _held_prints(self, told: Any, due_ns: int) -> None:
        for symbol in told[1]:
            self._excuse(symbol, due_ns + 2 * STEP_NS)

    def _excuse(self, symbol: str, until_ns: int) -> None:
        self._excused_ns[symbol] = max(self._excused_ns[symbol], until_ns)

    def _told_prints(self, told: Any, wall_us: int, now_ns: int) -> None:
        time_ms, prints = told
        late = time_ms < self._newest_ms
        if not late:
            self.proved_ns, self._newest_ms = now_ns, time_ms
        for symbol, (number, cents) in prints.items():
            if late and symbol in self._seeded:
                # Charts do not tell as of when they are, so nobody knows which of the two is newer.
                continue
            if number >= self._marks.get(symbol, (-1, 0))[0]:
                self._marks[symbol] = number, cents
                self._seeded.discard(symbol)

    def told_charts(self, told: Any, wall_us: int, now_ns: int) -> None:
        connection, marks = told
        if connection is self.prices and connection is not None:
            for symbol, mark in marks.items():
                halted = self._terms.get(symbol, (0, 0, 0))[1] < 0
                if symbol not in self._marks and not halted:
                    self._marks[symbol] = mark
                    self._seeded.add(symbol)
                self._excuse(symbol, now_ns + TOLD_NS)

    def _told_terms(self, told: Any, wall_us: int, now_ns: int) -> None:
        for symbol, terms in (told or {}).items():
            known = self._terms.get(symbol)
            if known is not None and known[0] > terms[0]:
                continue
            if known is None or known[1:] != terms[1:]:
                self._excuse(symbol, now_ns + TOLD_NS)
            self._terms[symbol] = terms
            if terms[1] < 0 and (known is None or known[1] >= 0):
                # A market that cannot be traded has no price; the next print is the first again.
                self._marks.pop(symbol, None)

    def seen(self, symbol: str) -> Seen | None:
        mark, terms = self._marks.get(symbol), self._terms.get(symbol)
        if mark is None or terms is None or terms[1] < 0:
            return None
        known = self._seen.get(symbol)
        if known is None or known[0] is not mark or known[1] is not terms:
            known = self._seen[symbol] = mark, terms, self._see(mark, terms)
        return known[2]

    @staticmethod
    def _see(mark: tuple[int, int], terms: tuple[int, int, int]) -> Seen:
        mark_e10 = mark[1] * 10**8
        _, spread_p, net = terms
        skew_p = _cut(net * 10**10, 2 * DEPTH_TOKENS)
        plain, skewed = _touch(mark_e10, spread_p, 0), _touch(mark_e10, spread_p, skew_p)
        pools = dict(zip(POOLS, (plain, skewed), strict=True))
        return Seen(*plain, mark_e10 * 10**8, pools, POOLS[0], True)

    def excused_ns(self, symbol: str) -> int:
        return self._excused_ns[symbol]

    def watched(self) -> list[str]:
        """A crossed price of an oracle is none at all, so nothing has to last."""
        return []

    def crossed_for_s(self, symbol: str, now_ns: int, *, is_live: bool) -> float:
        return 0.0

    # Faults -------------------------------------------------------------------------------------

    def freeze(self, now_ns: int, until_ns: int) -> None:
        if not self.faults.on("freeze", now_ns):
            self.faults.until_ns["freeze"] = until_ns
            for symbol, excused_ns in self._excused_ns.items():
                if excused_ns > now_ns:
                    # What was excused is noticed so much later.
                    self._excused_ns[symbol] = until_ns + excused_ns - now_ns + 2 * STEP_NS

    def cross(self, symbol: str, until_ns: int) -> None:
        self.crossed[symbol] = until_ns
        self._tell_variables()

    def skew(self, seconds: int) -> int:
        """Returns by how many seconds the timestamps go back."""
        back_ms, self.skew_ms = self.skew_ms - seconds * 1000, seconds * 1000
        if back_ms > 0:
            # What is older by its timestamp is no news until so much of it shows a clock set back.
            for symbol in SYMBOLS:
                self._excuse(symbol, self.now_ns + self.max_age_ns + 4 * STEP_NS)
        return max(0, back_ms) // 1000


class Charts(Poll):
    """The latest price of every pair. ``asked_by``: the connection that misses prices."""

    def __init__(self, venue: GainsVenue, faults: Faults, rng: Random) -> None:
        path, answer, tell = c.CHARTS_PATH, venue.charts, venue.told_charts
        super().__init__(path, faults, rng, REST_TIMEOUT_S, answer, tell)
        self._venue = venue
        self.asked_by: Socket | None = None

    def request(self, text: str) -> None:
        super().request(text)
        self.asked_by = self._venue.prices


def _interest(net: int) -> dict[str, Any]:
    """500 tokens short, and as many more long as is net."""
    tokens = {"oiLongToken": str((500 + net) * 10**18), "oiShortToken": str(500 * 10**18)}
    return {"token": tokens}


def _touch(mark_e10: int, spread_p: int, skew_p: int) -> tuple[int, int]:
    half = spread_p // 2
    bid, ask = (
        mark_e10 + _cut(_cut(mark_e10 * (side + skew_p), 10**10), 100) for side in (-half, half)
    )
    return bid * 10**8, ask * 10**8


def _nothing() -> None:
    """A poll that is given up leaves nothing behind."""
