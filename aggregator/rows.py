"""What is known of one market at one venue and of one source, and when it may be used. Pure."""

from dataclasses import dataclass, field
from typing import Final

from domain.book import Book, Touch
from domain.events import Funding, PoolQuote
from domain.ids import SourceId, VenueId
from domain.market import Market
from domain.quote import VenueQuote, VenueState

NEVER_NS: Final = -(2**63)

ORACLE_BAND_DIVISOR: Final = 20
"""A mid further than 1/20 = 5 % from the venue's own oracle price is an outlier."""
OUTLIER_RELEASE_NS: Final = 10_000_000_000

CROSS_SNAPSHOT_NS: Final = 2_000_000_000
CROSS_QUARANTINE_NS: Final = 4_000_000_000
CROSS_DECAY: Final = 4
"""A crossed book is usual for a block or two. The score grows with the time it stays crossed and
falls this many times faster: a fresh snapshot is asked for at the first limit, the book is
quarantined at the second and released when the score is back at zero."""

WIDTHS: Final = 100_000
"""Tenths of a basis point in 1."""

SNAPSHOT_SPACING_NS: Final = 5_000_000_000
TRADE_IDS_KEPT: Final = 256


@dataclass(slots=True)
class SourceRecord:
    """A connection. ``live_ns``: monotonic time of the last proof that its prices are current."""

    source_id: SourceId
    venue: VenueId
    max_age_ns: int
    rows: "dict[str, Row]" = field(default_factory=dict)
    state: VenueState = "connecting"
    reason: str | None = None
    live_ns: int = NEVER_NS
    stale: bool = True
    last_frame_us: int | None = None

    def age_exceeded(self, mono_ns: int) -> bool:
        return mono_ns - self.live_ns > self.max_age_ns


@dataclass(slots=True, eq=False)
class Row:
    """A market at a venue. ``trusted``: nothing casts doubt on what its book or pools hold now.
    ``apart``: far from the other venues; None where they are too few to tell."""

    venue: VenueId
    market: Market
    source: SourceRecord | None = None
    book: Book = field(default_factory=Book)
    trusted: bool = False
    doubt: str | None = None
    status: str = "open"
    status_reason: str | None = None
    touch: Touch | None = None
    price_us: int | None = None
    oracle_e18: int | None = None
    oracle_source: SourceRecord | None = None
    change_24h: float | None = None
    cross_score_ns: int = 0
    cross_seen_ns: int = 0
    cross_quarantined: bool = False
    outlier: bool = False
    agrees_since_ns: int | None = None
    snapshot_asked_ns: int = NEVER_NS
    quote: VenueQuote | None = None
    trade_ids: dict[str, None] = field(default_factory=dict)
    pools: dict[str, PoolQuote] = field(default_factory=dict)
    apart: bool | None = None
    funding: dict[str | None, tuple[SourceRecord, Funding]] = field(default_factory=dict)
    _best_pool: PoolQuote | None = None
    _best_known: bool = True
    _pools_shown: bool = False
    _touch_shown: Touch | None = None

    def state(self) -> tuple[VenueState, str | None]:
        """(state, reason code) with the gravest cause first."""
        source = self.source
        if self.status != "open":
            return ("closed" if self.status == "closed" else "halted"), (
                self.status_reason or self.status.upper()
            )
        if source is None or (source.state == "connecting" and not self.trusted):
            return "connecting", "CONNECTING"
        if not self.trusted:
            return "resyncing", self.doubt or reason_code(source.reason) or "NO_SNAPSHOT"
        if source.stale:
            return "stale", "STALE"
        if self.cross_quarantined:
            return "quarantined", "CROSSED"
        if self.outlier:
            return "quarantined", "OUTLIER"
        return "live", None

    def is_new_trade(self, trade_id: str) -> bool:
        """Whether it is seen for the first time; the newest TRADE_IDS_KEPT are remembered."""
        if trade_id in self.trade_ids:
            return False
        self.trade_ids[trade_id] = None
        if len(self.trade_ids) > TRADE_IDS_KEPT:
            del self.trade_ids[next(iter(self.trade_ids))]
        return True

    def relist(self, market: Market) -> None:
        """The market has other pools; what is known of those that stay is kept."""
        self.market = market
        self.pools = {name: pool for name, pool in self.pools.items() if name in market.pools}
        for name in [name for name in self.funding if name is not None]:
            if name not in market.pools:
                del self.funding[name]
        self._best_known = False
        self._pools_shown = False

    def take_pool(self, quote: PoolQuote, received_us: int) -> None:
        """The newest touch of one pool; the market can be trusted with it."""
        known = self.pools.get(quote.pool)
        # Nearly every price is new, and then the rest need not be compared.
        if known is None or known.bid_e18 != quote.bid_e18 or known != quote:
            self.pools[quote.pool] = quote
            self._best_known = False
            self._pools_shown = False
            self.price_us = received_us
        self.trusted = True
        self.doubt = None

    def read_touch(self, received_us: int) -> None:
        """Takes the book's touch over; ``price_us`` moves only with the prices or sizes."""
        touch = self.book.touch()
        if touch is not self.touch and touch != self.touch:
            self.touch = touch
            self.price_us = received_us

    @property
    def funding_shown(self) -> tuple[Funding, ...]:
        """What is known of its funding, by pool; nothing while the venue is not there."""
        source = self.source
        if source is None or source.stale or source.state == "connecting":
            return ()
        return tuple([funding for _, funding in self.funding.values()])

    def forget_funding(self, source: SourceRecord) -> None:
        """What a source told that is gone."""
        told = [pool for pool, (teller, _) in self.funding.items() if teller is source]
        for pool in told:
            del self.funding[pool]

    @property
    def reference_e18(self) -> int | None:
        """What the venue takes the market to be worth: the price of its oracle, or the mid of its
        book, or the one side there is; None while that may be wrong. Standing impact moves the
        touch of a pool, not this."""
        source = self.source
        if self.status != "open" or not self.trusted or source is None or source.stale:
            return None
        if self.market.kind == "oracle":
            if self.oracle_e18 is not None:
                return self.oracle_e18
            pool = self.best_pool
            if pool is None:
                return None
            sides = [price for price in (pool.bid_e18, pool.ask_e18) if price is not None]
            return sum(sides) // len(sides)
        touch = self.touch
        if self.cross_quarantined or touch is None:
            return None
        count, total = touch.sides
        return total * self.market.tick.unit_e18 // count if count else None

    @property
    def best_pool(self) -> PoolQuote | None:
        """The pool with the narrowest touch, to a tenth of a basis point; of equals the first that
        the venue lists, so that pools with the same spread do not take turns. One with both sides
        comes before one with a single side."""
        # Asked several times for every change of any venue of the market.
        if not self._best_known:
            self._best_pool, self._best_known = self._narrowest(), True
        return self._best_pool

    def _narrowest(self) -> PoolQuote | None:
        best = single = None
        narrowest = 0
        for name in self.market.pools:
            pool = self.pools.get(name)
            if pool is None:
                continue
            bid, ask = pool.bid_e18, pool.ask_e18
            if bid is not None and ask is not None:
                width = round((ask - bid) / ask * WIDTHS)
                if best is None or width < narrowest:
                    best, narrowest = pool, width
            elif single is None and (bid is not None or ask is not None):
                single = pool
        return best or single

    def judge_outlier(self, mono_ns: int) -> None:
        """``apart`` from the other venues, or a book from its own oracle."""
        deviates = None if self.touch is None else self._deviates()
        if deviates is None:
            deviates = self.apart
        elif self.apart:
            deviates = True
        if deviates is None:
            # Time without a comparison is no agreement.
            self.agrees_since_ns = None
        elif deviates:
            self.outlier = True
            self.agrees_since_ns = None
        elif self.outlier:
            if self.agrees_since_ns is None:
                self.agrees_since_ns = mono_ns
            elif mono_ns - self.agrees_since_ns >= OUTLIER_RELEASE_NS:
                self.outlier = False
                self.agrees_since_ns = None

    def _deviates(self) -> bool | None:
        """A book from the oracle of its venue; None while there is nothing to compare."""
        touch, oracle, source = self.touch, self.oracle_e18, self.oracle_source
        if not self.trusted or touch is None or oracle is None or source is None or source.stale:
            return None
        count, total = touch.sides
        if not count:
            return None
        total, expected = total * self.market.tick.unit_e18, count * oracle
        return abs(total - expected) * ORACLE_BAND_DIVISOR > expected

    @property
    def crossed(self) -> bool:
        """Whether its book was crossed under the touch."""
        touch = self.touch
        return touch is not None and touch.dropped_bids + touch.dropped_asks > 0

    def judge_cross(self, mono_ns: int) -> None:
        """Moves the score on by the time since it was last looked at."""
        elapsed = mono_ns - self.cross_seen_ns
        self.cross_seen_ns = mono_ns
        if self.trusted and self.crossed:
            self.cross_score_ns = min(CROSS_QUARANTINE_NS, self.cross_score_ns + elapsed)
        else:
            self.cross_score_ns = max(0, self.cross_score_ns - CROSS_DECAY * elapsed)
        if self.cross_score_ns >= CROSS_QUARANTINE_NS:
            self.cross_quarantined = True
        elif self.cross_score_ns == 0:
            self.cross_quarantined = False

    def wants_snapshot(self, mono_ns: int) -> bool:
        """True, once a spacing, while the crossing lasts long enough to doubt the book."""
        if self.cross_score_ns < CROSS_SNAPSHOT_NS or not self.trusted:
            return False
        return self.ask_snapshot(mono_ns)

    def ask_snapshot(self, mono_ns: int) -> bool:
        if mono_ns - self.snapshot_asked_ns < SNAPSHOT_SPACING_NS:
            return False
        self.snapshot_asked_ns = mono_ns
        return True

    def invalidate(self, doubt: str | None) -> None:
        """Drops the levels: nothing of them may come back without a snapshot."""
        self.book = Book()
        self.touch = None
        self.pools.clear()
        self._best_known = False
        self._pools_shown = False
        self.trusted = False
        self.doubt = doubt
        self.cross_score_ns = 0
        self.cross_quarantined = False

    def venue_quote(self) -> VenueQuote:
        """What there is to say; ``quote`` itself while its prices are what it says."""
        state, reason = self.state()
        # Any venue of the market brings us here, and mostly it is another one.
        said = self.quote if state == "live" else None
        if state == "live" and self.market.kind == "oracle":
            if said is not None and said.state == "live" and self._pools_shown:
                return said
            self._pools_shown = True
            return self._pool_quote()
        touch = self.touch
        if said is not None and said.state == "live" and touch is self._touch_shown:
            return said
        self._touch_shown = touch
        if state != "live" or touch is None:
            return VenueQuote(
                self.venue,
                state,
                reason,
                self.market.kind,
                None,
                None,
                None,
                None,
                None,
                self.price_us,
            )
        unit, step = self.market.tick.unit_e18, self.market.step
        return VenueQuote(
            self.venue,
            state,
            reason,
            "book",
            None,
            None if touch.bid_ticks is None else touch.bid_ticks * unit,
            None if touch.ask_ticks is None else touch.ask_ticks * unit,
            None if touch.bid_ticks is None else step.format(touch.bid_steps),
            None if touch.ask_ticks is None else step.format(touch.ask_steps),
            self.price_us,
            touch.dropped_bids + touch.dropped_asks,
        )

    def _pool_quote(self) -> VenueQuote:
        best, pools = self.best_pool, tuple(self.pools.values())
        if best is None:
            return VenueQuote(
                self.venue,
                "halted",
                "NO_POOL",
                "oracle",
                None,
                None,
                None,
                None,
                None,
                self.price_us,
                pools=pools,
            )
        return VenueQuote(
            self.venue,
            "live",
            None,
            "oracle",
            best.pool,
            best.bid_e18,
            best.ask_e18,
            best.bid_size,
            best.ask_size,
            self.price_us,
            pools=pools,
        )


def reason_code(reason: str | None) -> str | None:
    """``"GAP: 3 messages missing"`` -> ``"GAP"``."""
    return None if reason is None else reason.partition(":")[0]
