"""A consolidator on a clock that the test moves."""

from collections.abc import Sequence

from aggregator.consolidate import Consolidator
from aggregator.rooms import VenueReport, venue_report
from domain.events import BookSnapshot, Event, Levels, Liveness, VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import BestQuote, VenueQuote
from domain.units import Grid

S = 1_000_000_000
STEP_NS = 40_000_000
START_NS = 10**15
START_US = 1_790_000_000_000_000
BTC, ETH = MarketId("BTC-USD"), MarketId("ETH-USD")
DYDX, GMX = VenueId("dydx"), VenueId("gmx")

BIDS: Levels = ((1000, 1), (999, 2))
ASKS: Levels = ((1010, 3),)


def market(venue: str = "dydx", name: str = "BTC-USD", tick: str = "0.1") -> Market:
    return Market(VenueId(venue), MarketId(name), name, Grid(tick), Grid("0.001"))


def snapshot(
    name: MarketId = BTC, bids: Levels = BIDS, asks: Levels = ASKS, stamp: int = 1
) -> BookSnapshot:
    return BookSnapshot(name, stamp, bids, asks)


class World:
    """Sources ``<venue>:0``, each with all markets. ``said``: the newest quote of every market."""

    def __init__(self, venues: Sequence[str] = ("dydx",), markets: Sequence[str] = (BTC,)) -> None:
        self.now_ns = START_NS
        self.wall_us = START_US
        self.core = Consolidator({VenueId(venue): 5 * S for venue in venues})
        self.said: dict[MarketId, BestQuote] = {}
        for venue in venues:
            listed = [market(venue, name) for name in markets]
            self.core.attach(self.source(venue), VenueId(venue), listed)

    @staticmethod
    def source(venue: str, number: int = 0) -> SourceId:
        return SourceId(f"{venue}:{number}")

    def apply(self, *events: Event, venue: str = "dydx", number: int = 0) -> None:
        self.core.apply(self.source(venue, number), events, self.wall_us, self.now_ns)

    def live(self, *names: MarketId, venue: str = "dydx") -> None:
        """Connected, current, a book for every market named."""
        books = [snapshot(name) for name in names or (BTC,)]
        self.apply(VenueStatus("live"), Liveness(1), *books, venue=venue)

    def wait(
        self, seconds: float, *beat: Event, every_s: float = 1.0, venue: str = "dydx"
    ) -> list[BestQuote]:
        """Time passes in the steps of the feed; ``beat`` comes now and then. What was said."""
        said = []
        end_ns = self.now_ns + int(seconds * S)
        next_beat_ns = self.now_ns + int(every_s * S)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + STEP_NS, end_ns)
            self.wall_us += STEP_NS // 1000
            if beat and self.now_ns >= next_beat_ns:
                next_beat_ns += int(every_s * S)
                self.apply(*beat, venue=venue)
            self.core.advance(self.wall_us, self.now_ns)
            said += self.flush()
        return said

    def flush(self) -> list[BestQuote]:
        said = self.core.flush(self.now_ns)
        self.said.update({best.market: best for best in said})
        return said

    def quote(self, venue: str = "dydx", name: MarketId = BTC) -> VenueQuote:
        self.flush()
        return next(quote for quote in self.said[name].quotes if quote.venue == venue)

    def state(self, venue: str = "dydx", name: MarketId = BTC) -> tuple[str, str | None]:
        found = self.quote(venue, name)
        priced = found.bid_e18 is not None or found.ask_e18 is not None
        assert priced is (found.state == "live"), "a price that is not live, or the reverse"
        return found.state, found.reason

    def report(self, trouble: str | None = None) -> VenueReport:
        return venue_report(self.core, DYDX, trouble)
