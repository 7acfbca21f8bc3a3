"""Events of all venues in, consolidated quotes out. Pure: time is an argument, so the same events
with the same times give the same quotes, live or replayed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aggregator.news import Mark, News
from aggregator.outliers import compare_venues
from aggregator.rows import NEVER_NS, Row, SourceRecord
from domain.errors import VenueProtocolError
from domain.events import (
    BookAudit,
    BookSnapshot,
    Event,
    Funding,
    Liveness,
    MarketState,
    OraclePrice,
    PoolQuote,
    Trade,
    VenueStatus,
)
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import BestQuote, Cause, VenueQuote, best_of

AUDIT_TOLERANCE_DIVISOR: Final = 500
"""REST lags the socket by a second or so: only 1/500 = 20 bps apart is a difference."""

MANY_EVENTS: Final = 16
"""A frame with more prices than this waits behind those with fewer: a poll tells of every market at
once, a tick of one."""


class VenueTrade(NamedTuple):
    venue: VenueId
    trade: Trade
    received_us: int


@dataclass(slots=True)
class Counts:
    """What happened, for the metrics; only ever grows."""

    audits: int = 0
    audit_mismatches: int = 0
    snapshots_asked: int = 0
    quarantines: int = 0
    unknown_markets: int = 0


@dataclass(slots=True)
class _Consolidated:
    """All rows of one market, in venue order, and what was last said of it."""

    rows: list[Row] = field(default_factory=list)
    said: tuple[tuple[VenueQuote, ...], float | None, bool] | None = None


class Consolidator:
    """Books and states of every (venue, market), the best of them, and why the others are left out.

    ``max_age_ns`` by venue, in the order that breaks ties. Feed it with ``apply`` (one frame's
    events) and ``advance`` (time), then take ``flush``. Owned by one task.
    """

    def __init__(self, max_age_ns: Mapping[VenueId, int]) -> None:
        self._max_age_ns = dict(max_age_ns)
        self._order = {venue: place for place, venue in enumerate(max_age_ns)}
        self._sources: dict[SourceId, SourceRecord] = {}
        self._rows: dict[tuple[VenueId, MarketId], Row] = {}
        self._markets: dict[MarketId, _Consolidated] = {}
        self._news = News()
        self._suspects: dict[Row, None] = {}
        self._trades: list[VenueTrade] = []
        self._fundings: dict[tuple[VenueId, MarketId, str | None], Funding] = {}
        self._snapshots_wanted: list[tuple[SourceId, MarketId]] = []
        self.counts = Counts()

    # What is listed -----------------------------------------------------------------------------

    def attach(self, source_id: SourceId, venue: VenueId, markets: Iterable[Market]) -> None:
        """A source and the markets whose books it carries; they may be known from another one."""
        source = SourceRecord(source_id, venue, self._max_age_ns[venue])
        self._sources[source_id] = source
        for market in markets:
            row = self._rows.get((venue, market.market))
            if row is None:
                row = Row(venue, market)
                self._rows[venue, market.market] = row
                consolidated = self._markets.setdefault(market.market, _Consolidated())
                consolidated.rows.append(row)
                consolidated.rows.sort(key=lambda item: self._order[item.venue])
            row.market = market
            row.status = market.status
            row.source = source
            row.invalidate(None)
            source.rows[market.market] = row
            self._news.add(market.market, ("status", 0))

    def detach(self, source_id: SourceId, received_us: int) -> None:
        """Forgets a source; its markets stay listed as ``connecting``."""
        source = self._sources.pop(source_id)
        # Rows of other sources may hold an oracle price of this one.
        self._set_stale(source, stale=True)
        self._forget_funding(source)
        for row in source.rows.values():
            if row.source is source:
                row.source = None
                row.invalidate(None)
                self._news.add(row.market.market, ("status", received_us))

    def relist(self, venue: VenueId, market: Market) -> None:
        """A listed market with other pools."""
        row = self._rows.get((venue, market.market))
        if row is not None:
            row.relist(market)
            self._news.add_first(market.market, ("status", 0))

    def unlist(self, venue: VenueId, market: MarketId, received_us: int) -> None:
        """The venue does not list the market any more."""
        row = self._rows.pop((venue, market), None)
        if row is None:
            return
        if row.source is not None:
            row.source.rows.pop(market, None)
        self._suspects.pop(row, None)
        self._markets[market].rows.remove(row)
        self._news.add(market, ("status", received_us))

    def listed(self) -> Mapping[MarketId, Sequence[Market]]:
        """Every market with what each venue says of it."""
        return {
            name: [row.market for row in consolidated.rows]
            for name, consolidated in self._markets.items()
            if consolidated.rows
        }

    def market_names(self) -> list[MarketId]:
        return [name for name, consolidated in self._markets.items() if consolidated.rows]

    def rows_at(self, market: MarketId) -> Sequence[Row]:
        """What every venue has of a market, in venue order; nothing of one nobody lists."""
        consolidated = self._markets.get(market)
        return () if consolidated is None else consolidated.rows

    def is_open(self, market: MarketId) -> bool:
        return any(row.status == "open" for row in self._markets[market].rows)

    def rows_of(self, venue: VenueId) -> Iterable[Row]:
        return [row for (owner, _), row in self._rows.items() if owner == venue]

    def sources_of(self, venue: VenueId) -> Iterable[SourceRecord]:
        """Sources that carry books of the venue."""
        return [s for s in self._sources.values() if s.venue == venue and s.rows]

    # What happens -------------------------------------------------------------------------------

    def apply(
        self, source_id: SourceId, events: Sequence[Event], wall_us: int, mono_ns: int
    ) -> None:
        """The events of one frame or timer of one source. Unknown sources are ignored: their last
        events may arrive after they were detached."""
        source = self._sources.get(source_id)
        if source is None:
            return
        source.last_frame_us = wall_us
        mark: Mark = ("frame", wall_us)
        many = len(events) > MANY_EVENTS
        for event in events:
            kind = type(event)
            if kind is tuple:
                # mypy takes a Trade for a plain tuple here.
                market, is_bid, price_ticks, size_steps, stamp = event  # type: ignore[misc]
                row = source.rows.get(market)
                if row is not None and row.trusted:
                    try:
                        moved = row.book.apply(is_bid, price_ticks, size_steps, stamp)
                        self._news.add_level(market, mark, moved=moved)
                    except VenueProtocolError as error:
                        self._distrust(row, error.code, wall_us)
                        if row.ask_snapshot(mono_ns):
                            self._want_snapshot(row)
            elif kind is PoolQuote:
                self._on_pool(source, event, mark, many)  # type: ignore[arg-type]  # it is one
            elif kind is OraclePrice:
                self._on_oracle(source, event, mark, many)  # type: ignore[arg-type]  # it is one
            else:
                self._apply_rare(source, event, wall_us, mono_ns)

    def _apply_rare(self, source: SourceRecord, event: Event, wall_us: int, mono_ns: int) -> None:
        if isinstance(event, Trade):
            self._on_trade(source, event, wall_us)
        elif isinstance(event, BookSnapshot):
            self._on_snapshot(source, event, wall_us)
        elif isinstance(event, Liveness):
            source.live_ns = mono_ns
            if source.stale:
                self._set_stale(source, stale=False)
                self._mark_all(source, "status", wall_us)
        elif isinstance(event, VenueStatus):
            self._on_status(source, event, wall_us)
        elif isinstance(event, MarketState):
            self._on_market_state(source, event, wall_us)
        elif isinstance(event, Funding):
            self._on_funding(source, event)
        elif isinstance(event, BookAudit):
            self._on_audit(source, event, mono_ns)

    def _on_snapshot(self, source: SourceRecord, event: BookSnapshot, wall_us: int) -> None:
        row = source.rows.get(event.market)
        if row is None:
            self.counts.unknown_markets += 1
            return
        row.book.snapshot(event.bids, event.asks, event.stamp)
        row.trusted = True
        row.doubt = None
        self._news.add(event.market, ("frame", wall_us))

    def _on_pool(self, source: SourceRecord, event: PoolQuote, mark: Mark, many: bool) -> None:
        row = source.rows.get(event.market)
        if row is None or row.source is not source:
            row = self._rows.get((source.venue, event.market))
        # Of a pool that the row holds it is known that the market has it.
        if row is None or (event.pool not in row.pools and event.pool not in row.market.pools):
            self.counts.unknown_markets += 1
            return
        # What a pool adds to a price does not make the price current: only its own source does.
        if source is row.source or (row.source is not None and row.trusted):
            row.take_pool(event, mark[1])
            (self._news.add_bulk if many else self._news.add)(event.market, mark)

    def _on_oracle(self, source: SourceRecord, event: OraclePrice, mark: Mark, many: bool) -> None:
        row = self._rows.get((source.venue, event.market))
        if row is not None:
            row.oracle_e18, row.oracle_source = event.price_e18, source
            news = self._news
            (news.add_first_bulk if many else news.add_first)(event.market, mark)

    def _on_status(self, source: SourceRecord, event: VenueStatus, wall_us: int) -> None:
        source.state, source.reason = event.state, event.reason
        if event.state == "connecting":
            # The books go with the connection that numbered them.
            self._set_stale(source, stale=True)
            source.live_ns = NEVER_NS
            self._forget_funding(source)
        if event.state != "live":
            for row in source.rows.values():
                row.invalidate(None)
        self._mark_all(source, "status", wall_us)

    def _on_trade(self, source: SourceRecord, event: Trade, wall_us: int) -> None:
        row = self._rows.get((source.venue, event.market))
        if row is not None and row.is_new_trade(event.trade_id):
            self._trades.append(VenueTrade(source.venue, event, wall_us))

    def _on_funding(self, source: SourceRecord, event: Funding) -> None:
        row = self._rows.get((source.venue, event.market))
        if row is None:
            self.counts.unknown_markets += 1
            return
        row.funding[event.pool] = source, event
        self._fundings[source.venue, event.market, event.pool] = event

    def _forget_funding(self, source: SourceRecord) -> None:
        for row in self.rows_of(source.venue):
            row.forget_funding(source)

    def _on_market_state(self, source: SourceRecord, event: MarketState, wall_us: int) -> None:
        row = self._rows.get((source.venue, event.market))
        if row is None:
            self.counts.unknown_markets += 1
            return
        if event.status is not None:
            row.status, row.status_reason = event.status, event.reason
        if event.trusted is False:
            self._distrust(row, event.reason, wall_us)
        if event.change_24h is not None:
            row.change_24h = event.change_24h
        self._news.add(event.market, ("status", wall_us))

    def _distrust(self, row: Row, reason: str | None, wall_us: int) -> None:
        row.invalidate(reason)
        self._news.add(row.market.market, ("status", wall_us))

    def _on_audit(self, source: SourceRecord, event: BookAudit, mono_ns: int) -> None:
        row = self._rows.get((source.venue, event.market))
        if row is None or row.touch is None or not row.trusted or row.source is None:
            return
        self.counts.audits += 1
        pairs = (
            (event.bid_ticks, row.touch.bid_ticks),
            (event.ask_ticks, row.touch.ask_ticks),
        )
        if any(_differ(theirs, ours) for theirs, ours in pairs):
            self.counts.audit_mismatches += 1
            if row.ask_snapshot(mono_ns):
                self._want_snapshot(row)

    def _want_snapshot(self, row: Row) -> None:
        if row.source is not None:
            self.counts.snapshots_asked += 1
            self._snapshots_wanted.append((row.source.source_id, row.market.market))

    def _mark_all(self, source: SourceRecord, cause: Cause, wall_us: int) -> None:
        names = [row.market.market for row in source.rows.values()]
        self._news.add_all(names, (cause, wall_us))

    def _set_stale(self, source: SourceRecord, *, stale: bool) -> None:
        """Rows of other sources may be judged by an oracle price of this one."""
        source.stale = stale
        self._news.moved.update([row.market.market for row in self.rows_of(source.venue)])

    def advance(self, wall_us: int, mono_ns: int) -> None:
        """The passing of time: sources grow stale, quarantines begin and end."""
        for source in self._sources.values():
            if not source.stale and source.age_exceeded(mono_ns):
                self._set_stale(source, stale=True)
                self._mark_all(source, "timer", wall_us)
        for row in list(self._suspects):
            was = row.cross_quarantined, row.outlier
            row.judge_cross(mono_ns)
            row.judge_outlier(mono_ns)
            if row.wants_snapshot(mono_ns):
                self._want_snapshot(row)
            if (row.cross_quarantined, row.outlier) != was:
                self.counts.quarantines += row.cross_quarantined and not was[0]
                self._news.add_first(row.market.market, ("timer", wall_us))
            if not row.cross_score_ns and not row.outlier and not row.crossed:
                del self._suspects[row]

    # What comes out -----------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        return bool(self._news)

    def flush(self, mono_ns: int, limit: int | None = None) -> list[BestQuote]:
        """Every market of which there is something new to say, each once, the newest only; of more
        than ``limit`` those that have waited longest."""
        dirty, moved = self._news.take(limit), self._news.moved
        said = []
        for market, (cause, received_us) in dirty.items():
            consolidated = self._markets[market]
            rows = consolidated.rows
            if market in moved:
                moved.remove(market)
            elif not any(row.outlier for row in rows):
                continue
            for row in rows:
                if row.trusted and row.market.kind == "book":
                    row.read_touch(received_us)
            disagree = len(rows) > 1 and compare_venues(rows)
            for row in rows:
                self._refresh(row, mono_ns)
            quotes = tuple([row.quote for row in rows if row.quote is not None])
            change = next((row.change_24h for row in rows if row.change_24h is not None), None)
            now_said = quotes, change, disagree
            if now_said == consolidated.said:
                continue
            consolidated.said = now_said
            said.append(best_of(market, quotes, change, cause, received_us, disagree=disagree))
        return said

    def _refresh(self, row: Row, mono_ns: int) -> None:
        """Brings the row's quote up to date; keeps the very object where nothing changed."""
        if row.trusted:
            was_outlier = row.outlier
            row.judge_outlier(mono_ns)
            if row.outlier and not was_outlier:
                self.counts.quarantines += 1
        if (row.outlier or row.crossed) and row not in self._suspects:
            row.cross_seen_ns = mono_ns
            self._suspects[row] = None
        quote = row.venue_quote()
        if quote is not row.quote and quote != row.quote:
            row.quote = quote

    def forget_said(self) -> None:
        """The next flush tells everything again."""
        for market, consolidated in self._markets.items():
            consolidated.said = None
            self._news.add_first(market, ("status", 0))

    def trades(self) -> list[VenueTrade]:
        drained, self._trades = self._trades, []
        return drained

    def fundings(self) -> list[tuple[VenueId, Funding]]:
        """What was told of funding since the last time, the newest of each pool."""
        if not self._fundings:
            return []
        drained, self._fundings = self._fundings, {}
        return [(venue, funding) for (venue, _, _), funding in drained.items()]

    def snapshots_wanted(self) -> list[tuple[SourceId, MarketId]]:
        drained, self._snapshots_wanted = self._snapshots_wanted, []
        return drained


def _differ(theirs: int | None, ours: int | None) -> bool:
    if theirs is None or ours is None:
        return (theirs is None) != (ours is None)
    return abs(theirs - ours) * AUDIT_TOLERANCE_DIVISOR > theirs
