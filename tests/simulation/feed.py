"""Sessions and the consolidator against the model venue, one step after the other, with the checks
that must hold at each."""

import hashlib
from functools import partial
from random import Random

from aggregator.consolidate import Consolidator
from connectors.base.protocol import Failure
from connectors.dydx.session import DydxSession
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import BestQuote, price_data
from domain.units import Grid
from runtime.wire import encode_envelope
from tests.simulation.loop import STEP_NS, Link, Loop, S
from tests.simulation.model import View
from tests.simulation.venue import Venue

VENUE = VenueId("dydx")
SYMBOLS = [f"M{number}-USD" for number in range(20)]
MARKETS = [Market(VENUE, MarketId(name), name, Grid("0.1"), Grid("0.01")) for name in SYMBOLS]
MAX_AGE_NS = 5 * S
FAULTS = ("gap", "duplicate", "reorder", "garbage", "freeze", "drop", "cross", "spike")


def encoded(best: BestQuote, seq: int) -> bytes:
    return encode_envelope(
        "update", best.market, seq, 1, best.cause, best.received_us, 0, price_data(best)
    )


class Simulation(Loop):
    def __init__(self, seed: int, core: Consolidator | None = None) -> None:
        super().__init__(Random(seed), core or Consolidator({VENUE: MAX_AGE_NS}))
        self.venue = Venue(SYMBOLS, self.rng)
        for place, markets in enumerate((MARKETS[:10], MARKETS[10:])):
            states = () if place else MARKETS
            link = Link(
                SourceId(f"dydx:ws:{place}"),
                partial(DydxSession, markets, states),
                partial(self.venue.connect, place),
                partial(self.venue.hung_up, place),
            )
            self.links.append(link)
            self.core.attach(link.source, VENUE, markets)
        self.said: dict[str, BestQuote] = {}
        self.checked: dict[str, tuple[View, int, BestQuote]] = {}
        self.excluded = 0
        self.seq = 0
        self.digest = hashlib.sha256()

    # Time ---------------------------------------------------------------------------------------

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
        if kind == "drop":
            self.close(self.links[place], Failure("CONNECTION_LOST", ""))
        elif kind == "freeze":
            self.venue.freeze(place, self.now_ns, until_ns)
        else:
            self.venue.places[place].until_ns[kind] = until_ns

    def publish(self) -> None:
        for best in self.core.flush(self.now_ns):
            self.said[best.market] = best
            self.seq += 1
            self.digest.update(encoded(best, self.seq))
        self.resync()
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
