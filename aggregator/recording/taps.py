"""What is put around a feed's parts so that everything they are given is recorded, in the order in
which they are given it. A feed that is not recorded has none of this."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from aggregator.consolidate import Consolidator
from aggregator.depth import Depths
from aggregator.recording.format import VERSION, Kind, market_rows, packed, reply_body
from connectors.base.decoding import decoded
from connectors.base.economics import PoolDepth
from connectors.base.protocol import (
    Decoded,
    Failure,
    Frame,
    HttpReply,
    Session,
    Source,
    VenueConnector,
)
from domain.book import BookLevels
from domain.events import Event, VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from domain.quote import BestQuote
from runtime.clock import mono_ns, wall_us


class Journal:
    """Numbers the sources and packs the entries. ``drained``: the events that a session gave out
    last, which tells them from what the driver itself reports."""

    def __init__(self, put: Callable[[bytes], None], facts: object) -> None:
        self.drained: Sequence[Event] | None = None
        self._put = put
        self._numbers: dict[SourceId, int] = {}
        self._listed: dict[VenueId, bytes] = {}
        body = orjson.dumps({"version": VERSION, "facts": facts})
        self.add(Kind.BEGIN, wall=wall_us(), mono=mono_ns(), body=body)

    def add(
        self, kind: Kind, source: int = 0, wall: int = 0, mono: int = 0, body: bytes = b""
    ) -> None:
        self._put(packed(kind, source, wall, mono, body))

    def number(self, source_id: SourceId) -> int:
        number = self._numbers.get(source_id)
        if number is None:
            number = self._numbers[source_id] = len(self._numbers) + 1
            self.add(Kind.NAME, number, body=source_id.encode())
        return number

    def listed(self, venue: VenueId, markets: Sequence[Market], notes: object) -> None:
        """The same list again says so only."""
        content: dict[str, Any] = {"markets": market_rows(markets), "notes": notes}
        body = orjson.dumps(content)
        if self._listed.get(venue) == body:
            content = {}
        self._listed[venue] = body
        self.add(Kind.LISTED, body=orjson.dumps({"venue": venue, **content}))

    def market(self, kind: Kind, venue: VenueId, market: MarketId, wall: int = 0) -> None:
        self.add(kind, wall=wall, body=orjson.dumps({"venue": venue, "market": market}))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A long body and what was made of it."""

    body: bytes
    decoded: Decoded


def _decode_and_keep(decode: Callable[[bytes], Any], body: bytes) -> _Kept:
    """In the process that reads long frames, which knows it by its name."""
    return _Kept(body, decoded(decode, body))


class RecordedSession:
    """See ``connectors.base.protocol.Session``."""

    def __init__(self, session: Session, number: int, journal: Journal) -> None:
        self._session = session
        self._number = number
        self._journal = journal

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        kind, body = Kind.FRAME, b""
        if isinstance(frame, HttpReply):
            kind, body = Kind.REPLY, reply_body(frame.path, frame.body)
        elif isinstance(frame, Decoded):
            kept: _Kept = frame.get()
            kind, body, frame = Kind.LONG, kept.body, kept.decoded
        else:
            body = frame.encode() if isinstance(frame, str) else frame
        self._journal.add(kind, self._number, wall_us, mono_ns, body)
        self._session.receive(frame, wall_us, mono_ns)

    def advance(self, mono_ns: int) -> None:
        self._journal.add(Kind.TICK, self._number, mono=mono_ns)
        self._session.advance(mono_ns)

    def resync(self, market: MarketId, mono_ns: int) -> None:
        self._journal.add(Kind.RESYNC, self._number, mono=mono_ns, body=market.encode())
        self._session.resync(market, mono_ns)

    def events(self) -> list[Event]:
        events = self._session.events()
        self._journal.drained = events
        return events

    def outgoing(self) -> list[str]:
        return self._session.outgoing()

    def next_deadline_ns(self) -> int:
        return self._session.next_deadline_ns()

    @property
    def failure(self) -> Failure | None:
        return self._session.failure

    @property
    def healthy(self) -> bool:
        return self._session.healthy


class RecordedConnector:
    """See ``connectors.base.protocol.VenueConnector``."""

    def __init__(self, connector: VenueConnector, journal: Journal) -> None:
        self.venue = connector.venue
        self.rules = connector.rules
        self._connector = connector
        self._journal = journal

    async def load_markets(self) -> Sequence[Market]:
        markets = await self._connector.load_markets()
        self._journal.listed(self.venue, markets, self._connector.list_notes())
        return markets

    def list_notes(self) -> object:
        return self._connector.list_notes()

    def take_list(self, markets: Sequence[Market], notes: Any) -> None:
        self._connector.take_list(markets, notes)

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        names = [market.market for market in markets]
        body = orjson.dumps({"venue": self.venue, "markets": names})
        self._journal.add(Kind.SOURCES, body=body)
        return [self._tapped(source) for source in self._connector.sources(markets)]

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        return self._connector.depth(market, book, mono_ns)

    async def close(self) -> None:
        await self._connector.close()

    def _tapped(self, source: Source) -> Source:
        journal, number = self._journal, self._journal.number(source.source_id)
        decode = source.decode

        def new_session(mono_ns: int) -> Session:
            journal.add(Kind.OPEN, number, mono=mono_ns)
            return RecordedSession(source.new_session(mono_ns), number, journal)

        return replace(
            source,
            new_session=new_session,
            decode=None if decode is None else partial(_decode_and_keep, decode),
        )


class RecordedConsolidator(Consolidator):
    """A consolidator that notes what it is told, and when it is asked."""

    def __init__(self, connectors: Sequence[VenueConnector], journal: Journal) -> None:
        super().__init__({c.venue: c.rules.max_age_ns for c in connectors})
        self._journal = journal

    def attach(self, source_id: SourceId, venue: VenueId, markets: Iterable[Market]) -> None:
        self._journal.add(Kind.ATTACH, self._journal.number(source_id), body=venue.encode())
        super().attach(source_id, venue, markets)

    def detach(self, source_id: SourceId, received_us: int) -> None:
        self._journal.add(Kind.DETACH, self._journal.number(source_id), wall=received_us)
        super().detach(source_id, received_us)

    def relist(self, venue: VenueId, market: Market) -> None:
        self._journal.market(Kind.RELIST, venue, market.market)
        super().relist(venue, market)

    def unlist(self, venue: VenueId, market: MarketId, received_us: int) -> None:
        self._journal.market(Kind.UNLIST, venue, market, received_us)
        super().unlist(venue, market, received_us)

    def apply(
        self, source_id: SourceId, events: Sequence[Event], wall_us: int, mono_ns: int
    ) -> None:
        journal = self._journal
        number = journal.number(source_id)
        if events is journal.drained:
            journal.add(Kind.TAKEN, number, wall_us, mono_ns)
        else:
            for event in events:
                assert isinstance(event, VenueStatus), "drivers report nothing else"
                body = orjson.dumps([event.state, event.reason])
                journal.add(Kind.STATUS, number, wall_us, mono_ns, body)
        super().apply(source_id, events, wall_us, mono_ns)

    def advance(self, wall_us: int, mono_ns: int) -> None:
        self._journal.add(Kind.TIME, 0, wall_us, mono_ns)
        super().advance(wall_us, mono_ns)

    def flush(self, mono_ns: int, limit: int | None = None) -> list[BestQuote]:
        if self.has_news or self._trades:
            self._journal.add(Kind.FLUSH, limit or 0, wall_us(), mono_ns)
        return super().flush(mono_ns, limit)

    def forget_said(self) -> None:
        self._journal.add(Kind.ANEW)
        super().forget_said()


class RecordedDepths(Depths):
    """Note what is collected when."""

    def __init__(
        self, core: Consolidator, connectors: Sequence[VenueConnector], journal: Journal
    ) -> None:
        super().__init__(core, connectors)
        self._journal = journal

    def collect(self, markets: Sequence[MarketId], mono_ns: int) -> list[MarketId]:
        if markets:
            body = ",".join(markets).encode()
            self._journal.add(Kind.LADDERS, 0, wall_us(), mono_ns, body)
        return super().collect(markets, mono_ns)
