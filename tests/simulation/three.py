"""dYdX, GMX and Gains with ten markets each, their real sessions and one consolidator, faults by a
seed, and an observer that checks everything that is published."""

from random import Random
from typing import Final

from aggregator.consolidate import Consolidator
from connectors.base.protocol import Failure
from domain.ids import VenueId
from tests.simulation import dydx_model, gains_model, gmx_model
from tests.simulation.dydx_model import DydxVenue
from tests.simulation.fair import SYMBOLS, Fair
from tests.simulation.gains_model import GainsVenue
from tests.simulation.gmx_model import GmxVenue
from tests.simulation.loop import STEP_NS, Link, Loop, S
from tests.simulation.observer import Observer

BACK_NS: Final = 6 * S
"""After a fault: two seconds until the next attempt, an answer or a seed, and a print."""
SKEW_S: Final = 5
SPIKES: Final = (10, 10, 7, 1.03)
"""What the price of an oracle is multiplied with; the least of them is hard to see alone."""
ALL: Final = len(SYMBOLS) * 3


class Simulation(Loop):
    """``felt`` counts the faults that were started, by (venue, kind)."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.fair = Fair(rng)
        self.dydx = DydxVenue(self.fair, rng)
        self.gmx = GmxVenue(self.fair, rng)
        self.gains = GainsVenue(self.fair, rng)
        self.venues = (self.dydx, self.gmx, self.gains)
        super().__init__(
            rng, Consolidator({VenueId(venue.name): venue.max_age_ns for venue in self.venues})
        )
        self.links_of: dict[str, list[Link]] = {}
        markets = (dydx_model.MARKETS, gmx_model.MARKETS, gains_model.MARKETS)
        for venue, listed in zip(self.venues, markets, strict=True):
            links = self.links_of[venue.name] = venue.links()
            for place, link in enumerate(links):
                self.core.attach(link.source, VenueId(venue.name), () if place else listed)
            self.links += links
        self.observer = Observer(self.venues)
        for venue in self.venues:
            self.may_miss(venue.name, SYMBOLS, self.now_ns + 2 * S)
        self.felt: dict[tuple[str, str], int] = {}
        self.ends: list[tuple[int, str]] = []

    # Time ---------------------------------------------------------------------------------------

    def run(self, seconds: float, fault_every_s: float = 0.0) -> None:
        end_ns = self.now_ns + int(seconds * S)
        chance = STEP_NS / S / fault_every_s if fault_every_s else 0.0
        while self.now_ns < end_ns:
            self.now_ns += STEP_NS
            if chance and self.rng.random() < chance:
                self.start_fault(end_ns)
            self.end_skews()
            self.fair.step()
            for venue in self.venues:
                venue.step(self.now_ns)
                for link in self.links_of[venue.name]:
                    self.turn(link)
                self.publish()
            self.core.advance(self.wall_us, self.now_ns)
            self.publish()
            self.observer.passed(self.now_ns)

    def publish(self) -> None:
        """What the feed does after every burst of frames."""
        for best in self.core.flush(self.now_ns):
            self.observer.published(best, self.now_ns)
        self.resync()
        self.core.trades()

    @property
    def live(self) -> int:
        return ALL - len(self.observer.absent) if len(self.observer.said) == len(SYMBOLS) else 0

    # Faults -------------------------------------------------------------------------------------

    def may_miss(self, venue: str, symbols: list[str], until_ns: int) -> None:
        for symbol in symbols:
            self.observer.may_miss(venue, symbol, until_ns)

    def start_fault(self, end_ns: int) -> None:
        """Some fault of some venue, or of our clock, which ends before the faults do."""
        rng = self.rng
        seconds = rng.choice((0.2, 1.0, 3.0, rng.uniform(4, 6), rng.uniform(6, 12)))
        until_ns = min(end_ns, self.now_ns + int(seconds * S))
        if rng.random() < 0.05:
            self.skew_us = rng.choice((-1, 1)) * SKEW_S * 1_000_000
            self.note("clock", "skew", until_ns)
            return
        venue = rng.choice(self.venues)
        kind = rng.choice(venue.kinds)
        if kind in ("cross", "spike", "close"):
            self.start_market_fault(venue.name, kind, rng.choice(SYMBOLS), until_ns)
        elif kind == "skew":
            self.skew(venue.name, rng.choice((-1, 1)) * SKEW_S)
            self.note(venue.name, kind, until_ns)
        else:
            self.start_venue_fault(venue, kind, until_ns, end_ns)

    def note(self, venue: str, kind: str, until_ns: int) -> None:
        self.felt[venue, kind] = self.felt.get((venue, kind), 0) + 1
        if kind == "skew":
            self.ends.append((until_ns, venue))

    def start_venue_fault(
        self, venue: DydxVenue | GmxVenue | GainsVenue, kind: str, until_ns: int, end_ns: int
    ) -> None:
        self.note(venue.name, kind, until_ns)
        if kind == "stall":
            # Prices of 15 s may be used, so a short one is nothing.
            until_ns = min(end_ns, self.now_ns + self.rng.randint(5, 40) * S)
        # A copy of what was sent does no harm at any venue, and a late print none at Gains.
        if kind != "duplicate" and (venue.name, kind) != ("gains", "reorder"):
            self.may_miss(venue.name, SYMBOLS, until_ns + BACK_NS)
        if kind == "freeze":
            if isinstance(venue, DydxVenue):
                venue.freeze(0, self.now_ns, until_ns)
            else:
                venue.freeze(self.now_ns, until_ns)
            return
        faults = venue.places[0] if isinstance(venue, DydxVenue) else venue.faults
        if kind == "drop":
            for link in self.links_of[venue.name]:
                if not link.is_poll:
                    self.close(link, Failure("CONNECTION_LOST", ""))
        faults.until_ns[kind] = max(until_ns, faults.until_ns.get(kind, 0))

    def start_market_fault(self, venue: str, kind: str, symbol: str, until_ns: int) -> None:
        if kind == "spike":
            if any(each.spiked.get(symbol, 0) > self.now_ns for each in self.venues):
                # Two venues with ten times the price outvote the third.
                return
            self.observer.suspected.add((venue, symbol))
            if venue == "gmx":
                # Ten times a price may be one in other decimals, and it is not even compared.
                self.may_miss(venue, [symbol], until_ns + BACK_NS)
        else:
            self.may_miss(venue, [symbol], until_ns + BACK_NS)
        self.note(venue, kind, until_ns)
        if venue == "dydx" and kind == "spike":
            self.dydx.spike(symbol, until_ns)
        elif venue == "dydx":
            self.dydx.cross(symbol, until_ns)
        elif venue == "gains" and kind == "cross":
            self.gains.cross(symbol, until_ns)
        elif kind == "spike":
            model = self.gmx if venue == "gmx" else self.gains
            model.spiked[symbol] = until_ns
            model.factor[symbol] = self.rng.choice(SPIKES)
        else:
            {"cross": self.gmx.crossed, "close": self.gmx.closed}[kind][symbol] = until_ns

    def end_skews(self) -> None:
        for until_ns, venue in self.ends:
            if self.now_ns >= until_ns:
                self.skew(venue, 0)
        self.ends = [end for end in self.ends if self.now_ns < end[0]]

    def skew(self, venue: str, seconds: int) -> None:
        """Of a venue's timestamps, or of our own clock."""
        if venue == "clock":
            self.skew_us = seconds * 1_000_000
        elif venue == "dydx":
            self.dydx.skew_s = seconds
        else:
            model = self.gmx if venue == "gmx" else self.gains
            back_s = model.skew(seconds)
            if back_s:
                # The timestamps go back: nothing is newer than what came before, until it is.
                self.may_miss(venue, SYMBOLS, self.now_ns + back_s * S + BACK_NS)
