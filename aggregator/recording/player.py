"""Plays a recording: the same sessions, consolidator and envelopes, on the recording's clock.

Nothing here waits or reads a clock. What the driver and the feed did is in the recording, call by
call, and is done again in that order; so the same file gives the same bytes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from aggregator import rooms
from aggregator.consolidate import Consolidator
from aggregator.depth import TOGETHER, Depths
from aggregator.envelopes import Envelopes
from aggregator.ladders import price
from aggregator.recording.candles import ReplayedCandles
from aggregator.recording.facts import offline_settings
from aggregator.recording.format import Entry, Kind, header, market, reply
from connectors import registry
from connectors.base.decoding import decoded
from connectors.base.protocol import Frame, HttpReply, Session, Source, VenueConnector
from domain.events import VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from runtime import channels
from runtime.wire import Envelope


class Said(NamedTuple):
    """``place``: the number of the entry that caused it, and what tells it from others of that
    entry; the same whoever plays the recording."""

    place: tuple[int, int, int]
    envelope: Envelope


class _Asked(NamedTuple):
    """A ladder that is still to be priced: of which entry, where in it, and its time."""

    number: int
    at: int
    wall_us: int


@dataclass(slots=True)
class _Played:
    """A source by its number. ``source`` is None while it is not attached."""

    source_id: SourceId
    source: Source | None = None
    session: Session | None = None


class Player:
    """One recording, some entries at a time. ``frames``: given to sessions; ``missing``: entries
    the recording does not have; ``crashes``: sessions that raised, as they did when it was made.

    Of ``shares`` players that are given the same entries each says another part of the markets.
    After a gap every source counts as lost until it is connected anew: what was in between may
    have changed its books.
    """

    def __init__(self, beginning: Entry, share: int = 0, shares: int = 1) -> None:
        """Raises InputError when this is no beginning that can be read."""
        made = registry.build(offline_settings(header(beginning)["facts"]))
        self._connectors: Mapping[VenueId, VenueConnector] = {c.venue: c for c in made}
        self._core = Consolidator({c.venue: c.rules.max_age_ns for c in made})
        self._depths = Depths(self._core, made)
        self._candles = ReplayedCandles()
        self._said = Envelopes()
        self._said.begin(beginning.wall_us // 1_000_000)
        self._markets: dict[VenueId, dict[MarketId, Market]] = {}
        self._lists: dict[VenueId, Mapping[str, Any]] = {}
        self._sources: dict[SourceId, Source] = {}
        self._played: dict[int, _Played] = {}
        self._wall_us, self._mono_ns = beginning.wall_us, beginning.mono_ns
        self.first_ns = beginning.mono_ns
        self.frames = self.missing = self.crashes = 0
        self._share, self._shares = share, shares
        self._mine: dict[MarketId, bool] = {}
        self._number = 0
        self._told: list[Said] = []
        self._asked: dict[MarketId, _Asked] = {}
        self._does: Mapping[int, Callable[[Entry], None]] = {
            Kind.GAP: self._on_gap,
            Kind.NAME: self._on_name,
            Kind.LISTED: self._on_listed,
            Kind.SOURCES: self._on_sources,
            Kind.ATTACH: self._on_attach,
            Kind.DETACH: self._on_detach,
            Kind.RELIST: self._on_relist,
            Kind.UNLIST: self._on_unlist,
            Kind.OPEN: self._on_open,
            Kind.FRAME: self._on_frame,
            Kind.REPLY: self._on_reply,
            Kind.LONG: self._on_long,
            Kind.TICK: self._on_tick,
            Kind.RESYNC: self._on_resync,
            Kind.TAKEN: self._on_taken,
            Kind.STATUS: self._on_status,
            Kind.TIME: self._on_time,
            Kind.FLUSH: self._on_flush,
            Kind.LADDERS: self._on_ladders,
            Kind.ANEW: self._on_anew,
            Kind.END: self._on_end,
        }

    @property
    def seconds(self) -> float:
        """How long the part took to record that was played so far."""
        return (self._mono_ns - self.first_ns) / 1e9

    def play(self, entries: Iterable[Entry]) -> list[Said]:
        """What was said because of some entries, in order. Raises KeyError for a kind that there
        is not."""
        does = self._does
        for entry in entries:
            self._number += 1
            if entry.mono_ns:
                self._mono_ns = entry.mono_ns
            if entry.wall_us:
                self._wall_us = entry.wall_us
            does[entry.kind](entry)
        self._price()
        told, self._told = self._told, []
        told.sort(key=attrgetter("place"))
        return told

    def _is_mine(self, market: MarketId) -> bool:
        mine = self._mine.get(market)
        if mine is None:
            mine = channels.share_of(market, self._shares) == self._share
            self._mine[market] = mine
        return mine

    def _on_flush(self, entry: Entry) -> None:
        """What is due next depends on all markets: they are only told apart when it is said."""
        number, wall_us, told = self._number, entry.wall_us, self._told
        for at, best in enumerate(self._core.flush(entry.mono_ns, entry.source or None)):
            self._candles.offer(best, wall_us)
            if self._is_mine(best.market):
                told.append(Said((number, 0, at), self._said.quote(best, wall_us)))
        trades = self._core.trades()
        if trades:
            for at, (name, rows) in enumerate(rooms.trade_rows(trades).items()):
                if self._is_mine(name):
                    room = channels.trades_room(name)
                    envelope = self._said.room(room, "frame", 0, wall_us, rows)
                    told.append(Said((number, 1, at), envelope))
        # What was asked for again is in the recording as well.
        self._core.snapshots_wanted()
        self._core.fundings()

    def _on_ladders(self, entry: Entry) -> None:
        """Prices them with those of other entries: forty take little longer than five."""
        names = [MarketId(name) for name in entry.body.decode().split(",")]
        mine = [name for name in names if self._is_mine(name)]
        if len(self._asked) >= TOGETHER or any(name in self._asked for name in mine):
            self._price()
        self._depths.collect(mine, entry.mono_ns)
        for at, name in enumerate(names):
            if self._is_mine(name):
                self._asked[name] = _Asked(self._number, at, entry.wall_us)

    def _price(self) -> None:
        asked, self._asked = self._asked, {}
        while found := self._depths.take():
            for name, data in price(registry.ECONOMICS, found).items():
                number, at, wall_us = asked[name]
                envelope = self._said.ladder(name, data, wall_us)
                self._told.append(Said((number, 0, at), envelope))

    # Markets and sources --------------------------------------------------------------------------

    def _on_name(self, entry: Entry) -> None:
        self._played[entry.source] = _Played(SourceId(entry.body.decode()))

    def _on_listed(self, entry: Entry) -> None:
        content = orjson.loads(entry.body)
        venue = VenueId(content["venue"])
        if "markets" in content:
            self._lists[venue] = content
            listed = [market(venue, row) for row in content["markets"]]
            self._markets[venue] = {item.market: item for item in listed}
        # The list that this one repeats may be what a gap has taken.
        if venue in self._lists:
            markets = list(self._markets[venue].values())
            self._connectors[venue].take_list(markets, self._lists[venue]["notes"])

    def _on_sources(self, entry: Entry) -> None:
        content = orjson.loads(entry.body)
        venue = VenueId(content["venue"])
        listed = self._markets.get(venue, {})
        markets = [listed[MarketId(name)] for name in content["markets"] if name in listed]
        for source in self._connectors[venue].sources(markets):
            self._sources[source.source_id] = source

    def _on_attach(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        source = None if played is None else self._sources.get(played.source_id)
        if played is not None and source is not None:
            played.source = source
            self._core.attach(played.source_id, VenueId(entry.body.decode()), source.markets)

    def _on_detach(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.source is not None:
            played.source = played.session = None
            self._core.detach(played.source_id, entry.wall_us)

    def _on_relist(self, entry: Entry) -> None:
        content = orjson.loads(entry.body)
        venue = VenueId(content["venue"])
        item = self._markets.get(venue, {}).get(MarketId(content["market"]))
        if item is not None:
            self._core.relist(venue, item)

    def _on_unlist(self, entry: Entry) -> None:
        content = orjson.loads(entry.body)
        self._core.unlist(VenueId(content["venue"]), MarketId(content["market"]), entry.wall_us)

    # Sessions -------------------------------------------------------------------------------------

    def _on_open(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.source is not None:
            played.session = played.source.new_session(entry.mono_ns)

    def _on_frame(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            self._receive(played, played.session, entry.body, entry)

    def _on_reply(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            self._receive(played, played.session, HttpReply(*reply(entry.body)), entry)

    def _on_long(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            decode = None if played.source is None else played.source.decode
            frame = entry.body if decode is None else decoded(decode, entry.body)
            self._receive(played, played.session, frame, entry)

    def _receive(self, played: _Played, session: Session, frame: Frame, entry: Entry) -> None:
        self.frames += 1
        self._do(played, session, session.receive, frame, entry.wall_us, entry.mono_ns)

    def _on_tick(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            self._do(played, played.session, played.session.advance, entry.mono_ns)

    def _on_resync(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            session, name = played.session, MarketId(entry.body.decode())
            self._do(played, session, session.resync, name, entry.mono_ns)

    def _do(
        self, played: _Played, session: Session, call: Callable[..., None], *arguments: Any
    ) -> None:
        """What a session asks for is not sent: the answers are in the recording."""
        try:
            call(*arguments)
        except Exception:
            self.crashes += 1
            played.session = None
        else:
            session.outgoing()

    def _on_taken(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None and played.session is not None:
            events = played.session.events()
            self._core.apply(played.source_id, events, entry.wall_us, entry.mono_ns)

    def _on_status(self, entry: Entry) -> None:
        played = self._played.get(entry.source)
        if played is not None:
            status = VenueStatus(*orjson.loads(entry.body))
            self._core.apply(played.source_id, (status,), entry.wall_us, entry.mono_ns)

    # Time -----------------------------------------------------------------------------------------

    def _on_time(self, entry: Entry) -> None:
        self._core.advance(entry.wall_us, entry.mono_ns)
        for at, name in enumerate(self._candles.due(entry.wall_us)):
            if self._is_mine(name):
                room, candles = channels.candles_tape_room(name), self._candles.shown(name)
                envelope = self._said.room(room, "timer", 0, entry.wall_us, candles)
                self._told.append(Said((self._number, 0, at), envelope))

    def _on_anew(self, entry: Entry) -> None:
        self._core.forget_said()
        self._depths.forget_said()

    def _on_gap(self, entry: Entry) -> None:
        count = int(entry.body)
        self.missing += count
        status = VenueStatus("connecting", f"RECORDING_GAP: {count} entries are missing")
        for played in self._played.values():
            played.session = None
            self._core.apply(played.source_id, (status,), self._wall_us, self._mono_ns)

    def _on_end(self, entry: Entry) -> None:
        """The recording was finished."""
