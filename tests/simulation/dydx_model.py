"""The model of dYdX with books that follow the common price process, on one connection."""

from datetime import UTC, datetime
from functools import partial
from random import Random

from connectors.dydx import constants as c
from connectors.dydx.session import DydxSession
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from tests.simulation.fair import SYMBOLS, Basis, Fair
from tests.simulation.loop import START_NS, START_US, Link, S
from tests.simulation.model import MarketModel, View
from tests.simulation.observer import Seen
from tests.simulation.venue import Venue

MARKETS = [
    Market(c.VENUE, MarketId(symbol), symbol, Grid("0.1"), Grid("0.01")) for symbol in SYMBOLS
]
UPDATES_A_STEP = 0.12
"""Three a second for each market."""
E18_OF_TICK = 10**17


class Follower(MarketModel):
    """A book whose middle goes where the price goes, tick by tick within one update."""

    def __init__(self, symbol: str, rng: Random, fair: Fair, basis: Basis) -> None:
        super().__init__(symbol, rng)
        self._fair = fair
        self._basis = basis
        self.mid = self._target()
        self.rebuild()

    def _target(self) -> int:
        return round(self._fair.now[self.symbol] * self._basis.walk(self.symbol) * 10)

    def walk(self) -> list[tuple[int, int, int]]:
        target = self._target()
        if self.scale != 1:
            self.mid = target
            return self.rebuild()
        if target == self.mid:
            side = self.rng.randrange(2)
            price = self.rng.choice(list(self.sides[side]))
            self.sides[side][price] = size = self.rng.randint(1, 500)
            return [(side, price, size)]
        changes, up = [], target > self.mid
        while self.mid != target:
            self.mid += 1 if up else -1
            changes += self._shift(self.mid, up)
        return changes


class DydxVenue(Venue):
    name = c.VENUE
    max_age_ns = 5_000_000_000
    kinds = ("freeze", "drop", "duplicate", "reorder", "cross", "spike", "skew")

    def __init__(self, fair: Fair, rng: Random) -> None:
        super().__init__([], rng)
        basis = Basis(rng, 0.5)
        self.markets = {symbol: Follower(symbol, rng, fair, basis) for symbol in SYMBOLS}
        self.connections = [None]
        self.rate = UPDATES_A_STEP
        self.skew_s = 0
        self._touches: dict[str, tuple[View, int, Seen]] = {}

    def links(self) -> list[Link]:
        return [
            Link(
                SourceId("dydx:ws:0"),
                partial(DydxSession, MARKETS, MARKETS),
                partial(self.connect, 0),
                partial(self.hung_up, 0),
            )
        ]

    def place(self, symbol: str) -> int:
        return 0

    def time_text(self, now_ns: int) -> str:
        seconds = (START_US + (now_ns - START_NS) // 1000) / 1e6 + self.skew_s
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    # What is known where it arrives ---------------------------------------------------------------

    def seen(self, symbol: str) -> Seen | None:
        connection = self.connections[0]
        view = None if connection is None else connection.views[symbol]
        if view is None or not view.valid:
            return None
        known = self._touches.get(symbol)
        if known is not None and known[0] is view and known[1] == view.version:
            return known[2]
        bid, _, ask, _ = view.touch()
        sides = [ticks * E18_OF_TICK for ticks in (bid, ask) if ticks is not None]
        found = Seen(
            None if bid is None else bid * E18_OF_TICK,
            None if ask is None else ask * E18_OF_TICK,
            sum(sides) // len(sides) if sides else None,
            {},
            None,
            True,
        )
        self._touches[symbol] = view, view.version, found
        return found

    def excused_ns(self, symbol: str) -> int:
        connection = self.connections[0]
        return 0 if connection is None else connection.views[symbol].excused_ns

    @property
    def proved_ns(self) -> int | None:
        connection = self.connections[0]
        return None if connection is None else connection.proved_ns

    def watched(self) -> list[str]:
        connection = self.connections[0]
        if connection is None:
            return []
        return [
            symbol
            for symbol, view in connection.views.items()
            if symbol in self.crossed or view.crossed_ns is not None
        ]

    def crossed_for_s(self, symbol: str, now_ns: int, *, is_live: bool) -> float:
        """For how long a market that is shown is crossed."""
        connection = self.connections[0]
        assert connection is not None
        view = connection.views[symbol]
        if not is_live:
            view.crossed_ns = None
        return view.crossed_for_ns(now_ns) / S if is_live else 0.0
