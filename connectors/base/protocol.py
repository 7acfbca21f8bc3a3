"""What a venue must offer, and the sans-I/O session that the driver runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from connectors.base.economics import PoolDepth
from domain.book import BookLevels
from domain.events import Event
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""The usual bound of one frame: the longest known is a market list of some 300 KB."""


@dataclass(frozen=True, slots=True)
class WsTransport:
    """One WebSocket. ``connect``: ``Dialer.websocket``."""

    url: str
    connect: Callable[..., Awaitable[Any]]
    max_frame_bytes: int = MAX_FRAME_BYTES

    @property
    def host(self) -> str:
        """What may be shown: the path of a node's URL can hold a key."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class HttpTransport:
    """A poll: every outgoing text is a path, fetched with GET and handed back as an HttpReply."""

    fetch: Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class HttpReply:
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """What ``Source.decode`` made of a long frame, or why it could not."""

    value: Any
    error: Exception | None = None

    def get(self) -> Any:
        """The value; raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.value


Frame: TypeAlias = str | bytes | HttpReply | Decoded


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a session wants its connection closed and made anew."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class Session(Protocol):
    """The protocol of one connection, fed with bytes and time; it never waits or reads a clock.

    After ``receive``, ``advance`` or ``resync`` drain ``events`` and ``outgoing``, look at
    ``failure``, and call ``advance`` again at ``next_deadline_ns`` at the latest. ``healthy``: the
    connection does what it is for, so that the next failure starts a new series of retries.
    """

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None: ...
    def advance(self, mono_ns: int) -> None: ...
    def resync(self, market: MarketId, mono_ns: int) -> None: ...
    def events(self) -> list[Event]: ...
    def outgoing(self) -> list[str]: ...
    def next_deadline_ns(self) -> int: ...
    @property
    def failure(self) -> Failure | None: ...
    @property
    def healthy(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A transport and the session that speaks over it, for some markets of a venue.

    ``new_session(mono_ns)`` is called for every connection: nothing outlives a lost one.
    ``decode``: a pure function of a module that reads a body, for a source whose bodies can take
    long; another process calls it, and the session gets ``Decoded`` in place of a long one.
    """

    source_id: SourceId
    transport: WsTransport | HttpTransport
    new_session: Callable[[int], Session]
    markets: tuple[Market, ...]
    decode: Callable[[bytes], Any] | None = None


@dataclass(frozen=True, slots=True)
class VenueRules:
    """How long data of a venue may be used. ``max_age_ns``: since the last proof of liveness."""

    max_age_ns: int


class VenueConnector(Protocol):
    """One venue. ``load_markets`` raises VenueUnavailable or VenueProtocolError.

    A recording is replayed without the venue: ``take_list`` does to the state that sources share
    what ``load_markets`` did, with the ``list_notes`` that there were after it (JSON; what sources
    need of the list beside its markets).

    ``depth``: what its pools can be priced with now; a pool that is not known well enough is left
    out. ``book``: the uncrossed levels held for the market, where the venue has a book.
    """

    venue: VenueId
    rules: VenueRules

    async def load_markets(self) -> Sequence[Market]: ...
    def list_notes(self) -> Any: ...
    def take_list(self, markets: Sequence[Market], notes: Any) -> None: ...
    def sources(self, markets: Sequence[Market]) -> Sequence[Source]: ...
    def depth(
        self, market: Market, book: BookLevels | None, mono_ns: int
    ) -> Sequence[PoolDepth]: ...
    async def close(self) -> None: ...
