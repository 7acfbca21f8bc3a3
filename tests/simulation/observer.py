"""What must hold of everything that is published, as somebody sees it who knows what every venue
sent and when it arrived. Shares no rule with the aggregator: each is written down once more."""

from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import NamedTuple, Protocol

from domain.quote import BestQuote, VenueQuote
from tests.simulation.loop import S

LEAVES_NS = S // 4
"""How long a venue past its age may still be shown."""
AGREEMENT_NS = 10 * S
RELEASE_NS = AGREEMENT_NS + S // 2
CROSSED_S = 5.0
"""A book is quarantined when it was crossed for 4 s; what a moment without crossing takes off, and
the step in which it is noticed, come on top."""
COMPARED = (("live", None), ("quarantined", "OUTLIER"))


class Seen(NamedTuple):
    """The touch that a venue sent, what it takes the market to be worth (both x 1e18), the touches
    of its pools, the pool that is to be shown, and whether there is any price."""

    bid: int | None
    ask: int | None
    worth: int | None
    pools: Mapping[str, tuple[int | None, int | None]]
    pool: str | None
    quoted: bool


class Model(Protocol):
    """A venue as its model knows it. ``seen``: None while nothing that arrived can be relied on.

    ``proved_ns``: when it last proved itself current on the connection there is. ``excused_ns``:
    until then a difference has a known cause, such as a frame that is held back. ``watched``: whose
    own book is or was crossed.
    """

    name: str
    max_age_ns: int

    @property
    def proved_ns(self) -> int | None: ...
    def seen(self, symbol: str) -> Seen | None: ...
    def excused_ns(self, symbol: str) -> int: ...
    def watched(self) -> Sequence[str]: ...
    def crossed_for_s(self, symbol: str, now_ns: int, *, is_live: bool) -> float: ...


class Observer:
    """``blame`` holds until when a market may be absent at a venue because of a fault; an absent
    one without a fault is a false exclusion. ``suspected``: may be an outlier by a truth that is
    not known here. Raises AssertionError with what is wrong."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = {model.name: model for model in models}
        self.blame: dict[tuple[str, str], int] = {}
        self.said: dict[str, BestQuote] = {}
        self.absent: dict[tuple[str, str], VenueQuote] = {}
        self.suspected: set[tuple[str, str]] = set()
        self.deviated_ns: dict[tuple[str, str], int] = {}
        self.agreed_ns: dict[tuple[str, str], int] = {}
        self.checks = 0
        self.crossed = 0
        self.disagreed = 0
        self.outliers = 0
        self.now_ns = 0

    def may_miss(self, venue: str, symbol: str, until_ns: int) -> None:
        key = venue, symbol
        self.blame[key] = max(self.blame.get(key, 0), until_ns)

    # Everything that is published ---------------------------------------------------------------

    def published(self, best: BestQuote, now_ns: int) -> None:
        self.now_ns = now_ns
        self.checks += 1
        self.said[best.market] = best
        self.crossed += best.crossed
        self.disagreed += best.disagree
        assert [quote.venue for quote in best.quotes] == list(self.models), best
        for quote in best.quotes:
            if quote.state == "live":
                self.absent.pop((quote.venue, best.market), None)
                self._live(best.market, quote)
            else:
                self.absent[quote.venue, best.market] = quote
                empty = (quote.bid_e18, quote.ask_e18, quote.pools)
                assert empty == (None, None, ()) or quote.reason == "NO_POOL", quote
        self._best(best)
        self._compare(best)

    def _live(self, symbol: str, quote: VenueQuote) -> None:
        model, at = self.models[quote.venue], f"{symbol} at {quote.venue}"
        proved_ns = model.proved_ns
        assert proved_ns is not None, f"{at}: live without a proof of life"
        age_s = (self.now_ns - proved_ns) / S
        assert age_s <= (model.max_age_ns + LEAVES_NS) / S, f"{at}: live at an age of {age_s} s"
        if self.now_ns <= model.excused_ns(symbol):
            return
        seen = model.seen(symbol)
        assert seen is not None, f"{at}: live without a price that can be relied on"
        found = quote.bid_e18, quote.ask_e18, quote.pool
        assert found == (*seen[:2], seen.pool), f"{at}: {found} published, {seen} sent"
        pools = {pool.pool: (pool.bid_e18, pool.ask_e18) for pool in quote.pools}
        assert pools == seen.pools, f"{at}: {pools} published, {seen} sent"

    def _best(self, best: BestQuote) -> None:
        """Not worse than any venue that counts, and from the first that has it."""
        live = [quote for quote in best.quotes if quote.state == "live"]
        bids = [(quote.bid_e18, quote.venue) for quote in live if quote.bid_e18 is not None]
        asks = [(quote.ask_e18, quote.venue) for quote in live if quote.ask_e18 is not None]
        bid = max(bids, key=lambda side: side[0], default=(None, None))
        ask = min(asks, key=lambda side: side[0], default=(None, None))
        found_bid = best.bid_e18, None if best.bid is None else best.bid.venue
        found_ask = best.ask_e18, None if best.ask is None else best.ask.venue
        assert (found_bid, found_ask) == (bid, ask), f"{best.market}: {best}"

    # Outliers -----------------------------------------------------------------------------------

    def _worths(self, best: BestQuote) -> dict[str, int] | None:
        """Of the venues that can be compared; None where the truth is not known exactly."""
        worths = {}
        for quote in best.quotes:
            if (quote.state, quote.reason) not in COMPARED:
                continue
            model = self.models[quote.venue]
            seen = model.seen(best.market)
            if seen is None or seen.worth is None or self.now_ns <= model.excused_ns(best.market):
                return None
            worths[quote.venue] = seen.worth
        return worths

    def _compare(self, best: BestQuote) -> None:
        worths = self._worths(best)
        if worths is None:
            for quote in best.quotes:
                key = quote.venue, best.market
                self.agreed_ns.pop(key, None)
                if quote.reason == "OUTLIER":
                    self.suspected.add(key)
            return
        low, high = min(worths.values(), default=0), max(worths.values(), default=0)
        assert best.disagree == (len(worths) == 2 and (high - low) * 200 > low), best
        apart = _apart(worths) if len(worths) == 3 else {}
        for quote in best.quotes:
            key, is_apart = (quote.venue, best.market), apart.get(quote.venue)
            if is_apart:
                self.deviated_ns[key] = self.now_ns
                self.outliers += 1
            if is_apart is None or is_apart:
                self.agreed_ns.pop(key, None)
            else:
                self.agreed_ns.setdefault(key, self.now_ns)
            if quote.state == "live" and key in self.deviated_ns:
                since_ns = self.now_ns - self.deviated_ns[key]
                assert since_ns >= AGREEMENT_NS, f"{key} live {since_ns / S} s after being apart"

    # As time passes -----------------------------------------------------------------------------

    def passed(self, now_ns: int) -> None:
        """Whoever should have gone is gone, and whoever should be back is back."""
        self.now_ns = now_ns
        for name, model in self.models.items():
            proved_ns = model.proved_ns
            if proved_ns is None or now_ns - proved_ns > model.max_age_ns + LEAVES_NS:
                shown = [symbol for symbol in self.said if (name, symbol) not in self.absent]
                assert not shown, f"{shown}: {name} shown past its age"
            for symbol in model.watched():
                is_live = (name, symbol) not in self.absent
                crossed_s = model.crossed_for_s(symbol, now_ns, is_live=is_live)
                if now_ns > model.excused_ns(symbol):
                    assert crossed_s < CROSSED_S, f"{symbol}: {name} crossed for {crossed_s} s"
        for key, quote in self.absent.items():
            venue, symbol = key
            if quote.reason == "OUTLIER":
                self._compare(self.said[symbol])
                agreed_ns = self.agreed_ns.get(key, now_ns)
                was_apart = key in self.deviated_ns or key in self.suspected
                assert was_apart, f"{symbol}: {venue} was never an outlier"
                assert now_ns - agreed_ns <= RELEASE_NS, f"{symbol}: {venue} agrees for too long"
            else:
                late_s = (now_ns - self.blame.get(key, 0)) / S
                assert late_s <= 0, f"{symbol}: {venue} {quote.state} {quote.reason} without cause"


def _apart(worths: Mapping[str, int]) -> dict[str, bool]:
    """Further from the median than five times the median of all distances, and than 10 bps."""
    middle = median_low(worths.values())
    distances = {venue: abs(worth - middle) for venue, worth in worths.items()}
    usual = median_low(distances.values())
    return {
        venue: distance > 5 * usual and distance * 1000 > middle
        for venue, distance in distances.items()
    }
