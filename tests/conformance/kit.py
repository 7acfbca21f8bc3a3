"""What every venue has to pass, whatever its wire looks like.

A ``Wire`` plays one venue: it makes the frames the venue would send, in its true shape, and hands
them to the real sessions of the venue's connector. A ``Bench`` runs these against the real
consolidator on a clock that the test moves, and tells what would be published. What needs a market
list or a transport is played over real sockets, see ``stage``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aggregator.consolidate import Consolidator
from connectors.base.protocol import Frame, Session, Source, VenueConnector, VenueRules
from domain.events import PoolQuote, VenueStatus
from domain.ids import MarketId, SourceId, VenueId
from domain.quote import BestQuote, VenueQuote

S = 1_000_000_000
STEP_NS = 40_000_000
LEAVES_S = 0.25
RETRY_NS = S // 2
START_NS = 10**15
START_US = 1_790_000_000_000_000
A, B = MarketId("BTC-USD"), MarketId("ETH-USD")

Sent = tuple[SourceId, Frame]
"""A frame and the source over which it comes."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a market is worth at the venue: decimal strings."""

    bid: str
    ask: str


Meaning: TypeAlias = Mapping[tuple[MarketId, str | None], tuple[int | None, int | None]]
"""(market, pool) -> (bid, ask) 1e18; the pool is None where the venue has books."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a venue was recorded to say. ``lists``: bodies of its market list by path; ``frames``:
    of the sources whose name begins like this, received at ``wall_us``; ``means``: worked out from
    them without the connector."""

    lists: Mapping[str, bytes]
    frames: Sequence[tuple[str, Frame]]
    wall_us: int
    means: Meaning


class Wire(Protocol):
    """One venue with the markets A and B. ``prices``: what it shows of each now.

    ``proof_every_s``: how often it sends something while nothing happens. ``stall_s``: how long a
    price may be used after what proves it stands still, though frames go on; ``stalled``: it does.
    ``listed``: what its market list has; ``rescaled``: of these, what it lists in other scales or,
    where there are none to change, as another thing under the same key.
    """

    venue: VenueId
    rules: VenueRules
    proof_every_s: float
    stall_s: float
    stalled: bool
    prices: dict[MarketId, Touch]
    listed: set[MarketId]
    rescaled: set[MarketId]

    def sources(self) -> Sequence[Source]:
        """As the connector hands them out."""

    def truth(self, market: MarketId) -> tuple[int | None, int | None]:
        """(bid, ask) that follow from ``prices``, 1e18; None where the market is none any more."""

    def frame(self, source: SourceId, body: bytes) -> Frame:
        """Any bytes as they would come over a source."""

    def opened(self, source: SourceId, now_ns: int) -> Iterable[Frame]:
        """A connection is there: what the venue sends without being asked."""

    def answer(self, source: SourceId, request: str, now_ns: int) -> Iterable[Frame]:
        """To what a session sends, or polls."""

    def proof(self, now_ns: int) -> Iterable[Sent]:
        """That it lives, and nothing else."""

    def noise(self, now_ns: int) -> Iterable[Sent]:
        """What goes on while it is ``stalled``."""

    def update(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        """The price of a market as it is now, in as few frames as the venue would send. A bid above
        the ask is shown the way this venue would come to show it."""

    def lost(self, market: MarketId, now_ns: int) -> Sequence[Sent]:
        """What comes instead of ``update`` where that is lost on the way."""

    def spoiled(self, market: MarketId, now_ns: int) -> Mapping[str, Sent]:
        """Frames about a market that the protocol does not allow, by what is wrong with them."""

    def stranger(self, now_ns: int) -> Sequence[Sent]:
        """Prices of a market nobody asked for."""

    # Over real sockets

    def connector(self, http_url: str, ws_url: str) -> VenueConnector:
        """As the registry makes it, for a venue at these addresses."""

    def speaks(self, path: str) -> SourceId:
        """Which of ``sources`` a socket on this path is."""

    def get(self, path: str, now_ns: int) -> bytes | None:
        """The body of a GET; None where there is nothing."""

    def relisted(self, now_ns: int) -> Sequence[Sent]:
        """What its streams tell when ``listed`` or ``rescaled`` have changed."""

    def retry_after(self, seconds: int) -> str:
        """As this venue writes the header."""

    def recording(self) -> Recording:
        """Market lists and prices as recorded."""


class Bench:
    """A venue, its sessions and the consolidator. ``wall_skew_us``: how wrong our wall clock is."""

    def __init__(self, wire: Wire, wall_skew_us: int = 0) -> None:
        self.wire = wire
        self.now_ns = START_NS
        self.wall_us = START_US + wall_skew_us
        self.core = Consolidator({wire.venue: wire.rules.max_age_ns})
        self.said: dict[MarketId, BestQuote] = {}
        self.history: list[BestQuote] = []
        self.up = True
        self.sources = {source.source_id: source for source in wire.sources()}
        self.delivered: list[Sent] = []
        self._sessions: dict[SourceId, Session] = {}
        self._retry_ns: dict[SourceId, int] = {}
        self._proved_ns = 0
        for source in self.sources.values():
            self.core.attach(source.source_id, wire.venue, source.markets)
        self.wait(3)

    # Time ---------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """The venue goes on: it proves that it lives, answers, takes new connections."""
        end_ns = self.now_ns + int(seconds * S)
        while self.now_ns < end_ns:
            self.now_ns += STEP_NS
            self.wall_us += STEP_NS // 1000
            if self.up:
                self._venue_turn()
            for source_id, session in list(self._sessions.items()):
                session.advance(self.now_ns)
                self._drain(source_id)
            self.core.advance(self.wall_us, self.now_ns)
            self.flush()

    def _venue_turn(self) -> None:
        for source_id, source in self.sources.items():
            if source_id not in self._sessions and self.now_ns >= self._retry_ns.get(source_id, 0):
                self._sessions[source_id] = source.new_session(self.now_ns)
                for frame in self.wire.opened(source_id, self.now_ns):
                    self.deliver((source_id, frame))
        if self.now_ns - self._proved_ns >= self.wire.proof_every_s * S:
            self._proved_ns = self.now_ns
            says = self.wire.noise if self.wire.stalled else self.wire.proof
            for sent in says(self.now_ns):
                self.deliver(sent)

    # Frames -------------------------------------------------------------------------------------

    def deliver(self, sent: Sent) -> None:
        source_id, frame = sent
        session = self._sessions.get(source_id)
        if session is not None and session.failure is None:
            self.delivered.append(sent)
            session.receive(frame, self.wall_us, self.now_ns)
            self._drain(source_id)

    def _drain(self, source_id: SourceId) -> None:
        session = self._sessions[source_id]
        if events := session.events():
            self.core.apply(source_id, events, self.wall_us, self.now_ns)
        for request in session.outgoing():
            if self.up:
                for frame in self.wire.answer(source_id, request, self.now_ns):
                    self.deliver((source_id, frame))
        if session.failure is not None and self._sessions.get(source_id) is session:
            self._lose(source_id, str(session.failure))

    def _lose(self, source_id: SourceId, why: str) -> None:
        del self._sessions[source_id]
        self._retry_ns[source_id] = self.now_ns + RETRY_NS
        status = VenueStatus("connecting", why)
        self.core.apply(source_id, [status], self.wall_us, self.now_ns)

    def drop(self, *only: SourceId) -> None:
        """Every connection is lost, or these."""
        for source_id in only or list(self._sessions):
            self._lose(source_id, "CONNECTION_LOST")
        self.flush()

    def connected(self, source_id: SourceId) -> bool:
        return source_id in self._sessions

    def price(self, market: MarketId, bid: str, ask: str) -> Sequence[Sent]:
        """A new price, delivered; returns the frames."""
        self.wire.prices[market] = Touch(bid, ask)
        frames = self.wire.update(market, self.now_ns)
        self.deliver_all(frames)
        return frames

    def deliver_all(self, frames: Iterable[Sent]) -> None:
        for sent in frames:
            self.deliver(sent)
        self.flush()

    # What is published --------------------------------------------------------------------------

    def flush(self) -> None:
        for best in self.core.flush(self.now_ns):
            self.said[best.market] = best
            self.history.append(best)
        for source_id, market in self.core.snapshots_wanted():
            session = self._sessions.get(source_id)
            if session is not None:
                session.resync(market, self.now_ns)
                self._drain(source_id)

    def quote(self, market: MarketId = A) -> VenueQuote:
        (quote,) = self.said[market].quotes
        return quote

    def shown(self, market: MarketId = A) -> tuple[int | None, int | None]:
        """(bid, ask) as published, 1e18."""
        best = self.said[market]
        return best.bid_e18, best.ask_e18

    def truth(self, market: MarketId = A) -> tuple[int | None, int | None]:
        """(bid, ask) the venue shows now, 1e18."""
        return self.wire.truth(market)

    def since(self, market: MarketId = A) -> list[VenueQuote]:
        """Everything said of a market since ``history`` was cleared."""
        return [best.quotes[0] for best in self.history if best.market == market]


def touches(quotes: Iterable[VenueQuote]) -> Iterator[VenueQuote | PoolQuote]:
    """Of the venue and of each of its pools."""
    for quote in quotes:
        yield quote
        yield from quote.pools


def prices_of(quotes: Iterable[VenueQuote]) -> set[int]:
    """Every price among them."""
    found = ((at.bid_e18, at.ask_e18) for at in touches(quotes))
    return {price for touch in found for price in touch if price is not None}


def unexplained(quotes: Iterable[VenueQuote]) -> list[VenueQuote]:
    """Those without a price that do not say why."""
    return [quote for quote in quotes if quote.state != "live" and not quote.reason]


async def never(path: str) -> bytes:
    """The fetch of a poll: the wire answers itself."""
    raise AssertionError(f"GET {path}")


def e18(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(18, "0"))
