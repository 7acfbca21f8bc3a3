"""Sessions and the consolidator against the model venue, one step after the other, with the checks
that must hold at each. The loop of the driver is played here: its sockets are the model's."""

import hashlib
from dataclasses import dataclass
from random import Random

from aggregator.consolidate import Consolidator
from connectors.base.protocol import Failure
from connectors.dydx.session import DydxSession
from domain.events import VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import BestQuote, price_data
from domain.units import Grid
from runtime.wire import encode_envelope
from tests.simulation.model import STEP_NS, View
from tests.simulation.venue import Connection, Frame, S, Venue

VENUE = VenueId("dydx")
SYMBOLS = [f"M{number}-USD" for number in range(20)]
MARKETS = [Market(VENUE, MarketId(name), name, Grid("0.1"), Grid("0.01")) for name in SYMBOLS]
START_NS = 10**15
START_US = 1_790_000_000_000_000
MAX_AGE_NS = 5 * S
FAULTS = ("gap", "duplicate", "reorder", "garbage", "freeze", "drop", "cross", "spike")


@dataclass(slots=True)
class Link:
    """The client's side of one place."""

    place: int
    markets: list[Market]
    states: list[Market]
    session: DydxSession | None = None
    retry_ns: int = 0
    failures: int = 0
    tick_ns: int = 0

    @property
    def source(self) -> SourceId:
        return SourceId(f"dydx:ws:{self.place}")


def encoded(best: BestQuote, seq: int) -> bytes:
    return encode_envelope(
        "update", best.market, seq, 1, best.cause, best.received_us, 0, price_data(best)
    )


class Simulation:
    def __init__(self, seed: int, core: Consolidator | None = None) -> None:
        self.rng = Random(seed)
        self.venue = Venue(SYMBOLS, self.rng)
        self.now_ns = START_NS
        self.core = core or Consolidator({VENUE: MAX_AGE_NS})
        self.links = [Link(0, MARKETS[:10], MARKETS), Link(1, MARKETS[10:], [])]
        for link in self.links:
            self.core.attach(link.source, VENUE, link.markets)
        self.said: dict[str, BestQuote] = {}
        self.checked: dict[str, tuple[View, int, BestQuote]] = {}
        self.excluded = 0
        self.failures: list[str] = []
        self.seq = 0
        self.digest = hashlib.sha256()

    # Time ---------------------------------------------------------------------------------------

    @property
    def wall_us(self) -> int:
        return START_US + (self.now_ns - START_NS) // 1000

    @property
    def elapsed_s(self) -> float:
        return (self.now_ns - START_NS) / S

    def run(self, seconds: float, fault_every_s: float = 0.0) -> None:
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns:
            self.now_ns += STEP_NS
            left_s = (end_ns - self.now_ns) / S
            if fault_every_s and self.rng.random() < STEP_NS / S / fault_every_s:
                self.start_fault(left_s)
            self.venue.step(self.now_ns)
            for link in self.links:
                self.turn(link)
            self.core.advance(self.wall_us, self.now_ns)
            self.publish()
            self.check()

    def start_fault(self, left_s: float) -> None:
        """Some fault for some seconds, which ends before the faults do."""
        rng, kind = self.rng, self.rng.choice(FAULTS)
        seconds = min(left_s, rng.choice((0.2, 1.0, 3.0, rng.uniform(4, 6), rng.uniform(6, 12))))
        until_ns = self.now_ns + int(seconds * S)
        if kind in ("cross", "spike"):
            getattr(self.venue, kind)(rng.choice(SYMBOLS), until_ns)
            return
        place = rng.randrange(2)
        connection = self.venue.connections[place]
        if kind == "drop":
            self.close(self.links[place], Failure("CONNECTION_LOST", ""))
            return
        faults = self.venue.places[place]
        if kind == "freeze" and not faults.on(kind, self.now_ns) and connection is not None:
            # What was excused is noticed so much later.
            for view in connection.views.values():
                left_ns = max(0, view.excused_ns - self.now_ns)
                view.excused_ns = until_ns + left_ns + 2 * STEP_NS
            faults.until_ns[kind] = until_ns
        elif kind != "freeze":
            faults.until_ns[kind] = until_ns

    # What the driver does -----------------------------------------------------------------------

    def turn(self, link: Link) -> None:
        if link.session is None:
            if self.now_ns >= link.retry_ns:
                link.session = DydxSession(link.markets, link.states, self.now_ns)
                self.venue.connect(link.place, self.now_ns)
                link.tick_ns = 0
            return
        connection = self.venue.connections[link.place]
        assert connection is not None
        for frame in connection.arriving(self.now_ns):
            self.deliver(connection, frame)
            link.session.receive(frame.body, self.wall_us, self.now_ns)
            self.drain(link, connection)
            if link.session.failure is not None:
                break
        if self.now_ns >= link.tick_ns:
            link.session.advance(self.now_ns)
            self.drain(link, connection)
            link.tick_ns = min(link.session.next_deadline_ns(), self.now_ns + S // 10)
            if link.session.healthy:
                link.failures = 0
        if link.session.failure is not None:
            self.close(link, link.session.failure)

    def drain(self, link: Link, connection: Connection) -> None:
        assert link.session is not None
        events = link.session.events()
        if events:
            self.core.apply(link.source, events, self.wall_us, self.now_ns)
        for text in link.session.outgoing():
            connection.request(text)

    def close(self, link: Link, failure: Failure) -> None:
        if link.session is None:
            return
        link.session = None
        self.venue.connections[link.place] = None
        self.failures.append(failure.code)
        event = VenueStatus("connecting", str(failure))
        self.core.apply(link.source, [event], self.wall_us, self.now_ns)
        delay_s = min(2.0, 0.25 * 2**link.failures) * self.rng.uniform(0.5, 1.0)
        link.failures += 1
        link.retry_ns = self.now_ns + int(delay_s * S)

    def deliver(self, connection: Connection, frame: Frame) -> None:
        """What the model knows of a frame that reaches the client."""
        kind, _, detail = frame.kind.partition(" ")
        if kind == "height" and int(detail) > connection.height:
            connection.height, connection.proved_ns = int(detail), self.now_ns
        elif kind == "snapshot":
            view = connection.views[frame.market]
            view.valid, view.snapshot_number = True, frame.number
        elif kind == "spoiled" and frame.market:
            view = connection.views[frame.market]
            # One that comes after a newer snapshot can do no harm.
            view.valid &= frame.number < view.snapshot_number

    def publish(self) -> None:
        for best in self.core.flush(self.now_ns):
            self.said[best.market] = best
            self.seq += 1
            self.digest.update(encoded(best, self.seq))
        for source, market in self.core.snapshots_wanted():
            link = next(link for link in self.links if link.source == source)
            connection = self.venue.connections[link.place]
            if link.session is not None and connection is not None:
                link.session.resync(market, self.now_ns)
                self.drain(link, connection)
        self.core.trades()

    # What must hold -----------------------------------------------------------------------------

    def state(self, symbol: str) -> str:
        return self.said[symbol].quotes[0].state

    def live(self) -> list[str]:
        return [symbol for symbol in SYMBOLS if self.state(symbol) == "live"]

    def check(self) -> None:
        for symbol in SYMBOLS:
            quote = self.said[symbol].quotes[0]
            connection = self.venue.owner(symbol)
            if quote.state != "live":
                self.excluded += 1
                assert quote.bid_e18 is None
                assert quote.ask_e18 is None
                if connection is not None:
                    connection.views[symbol].crossed_ns = None
                continue
            assert connection is not None, f"{self.at(symbol)}: live without a connection"
            assert connection.proved_ns is not None, f"{self.at(symbol)}: live without a block"
            age_ns = self.now_ns - connection.proved_ns
            assert age_ns <= MAX_AGE_NS + STEP_NS, f"{self.at(symbol)}: live at {age_ns / S} s"
            view = connection.views[symbol]
            assert view.valid, f"{self.at(symbol)}: live without a book that can be trusted"
            crossed_s = view.crossed_for_ns(self.now_ns) / S
            assert crossed_s < 5, f"{self.at(symbol)}: live and crossed for {crossed_s} s"
            now = (view, view.version, self.said[symbol])
            if self.checked.get(symbol) != now and self.now_ns > view.excused_ns:
                self.check_touch(symbol, view)
                self.checked[symbol] = now

    def at(self, symbol: str) -> str:
        return f"{symbol} at {self.elapsed_s:.2f} s"

    def check_touch(self, symbol: str, view: View) -> None:
        """What is published is what was sent, and not far from the oracle price."""
        best = self.said[symbol]
        bid, ask = best.bid_e18, best.ask_e18
        mid = self.venue.markets[symbol].mid
        sides = [price / 10**17 for price in (bid, ask) if price is not None]
        first = self.venue.connections[0]
        if sides and first is not None and first.proved_ns is not None:
            current = self.now_ns - first.proved_ns <= MAX_AGE_NS - S
            away = abs(sum(sides) / len(sides) - mid) / mid
            # The oracle price moves by a tick now and then, far less than a percent.
            assert not current or away < 0.06, f"{self.at(symbol)}: {away:.0%} from the oracle"
        found = (
            None if bid is None else bid // 10**17,
            0 if best.bid is None else _hundredths(best.bid.bid_size),
            None if ask is None else ask // 10**17,
            0 if best.ask is None else _hundredths(best.ask.ask_size),
        )
        expected = view.touch()
        assert found == expected, f"{self.at(symbol)}: {found} published, {expected} sent"


def _hundredths(size: str | None) -> int:
    return round(float(size or 0) * 100)
