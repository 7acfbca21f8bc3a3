"""The loop of the driver (``connectors/base/driver.py``) on a clock that the simulation moves:
connect, feed the session, drain it, back off, again. Its sockets and polls are those of a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from aggregator.consolidate import Consolidator
from connectors.base.protocol import Failure, Frame, Session
from domain.events import VenueStatus
from domain.ids import SourceId

S = 1_000_000_000
STEP_NS = 40_000_000
START_NS = 10**15
START_US = 1_790_000_000_000_000
MAX_TICK_NS = S // 10


class Letter(Protocol):
    """What the other end sent; a ``Failure`` in place of a frame says that a poll was refused."""

    @property
    def body(self) -> Frame | Failure: ...


class Peer(Protocol):
    """The other end of a source. ``waiting``: a poll is not answered yet.

    ``delivered`` tells it that a letter reaches the client: before that nothing is known there.
    """

    waiting: bool

    def arriving(self, now_ns: int) -> Sequence[Letter]: ...
    def delivered(self, letter: Any, wall_us: int, now_ns: int) -> None: ...
    def request(self, text: str) -> None: ...


@dataclass(slots=True)
class Link:
    """The client's side of one source. ``hung_up``: tells the model that the connection is gone."""

    source: SourceId
    new_session: Callable[[int], Session]
    connect: Callable[[int], Peer]
    hung_up: Callable[[], None]
    is_poll: bool = False
    session: Session | None = None
    peer: Peer | None = None
    retry_ns: int = 0
    failures: int = 0
    tick_ns: int = 0


class Loop:
    """Links and the consolidator they feed. ``skew_us``: how wrong our wall clock is."""

    def __init__(self, rng: Random, core: Consolidator) -> None:
        self.rng = rng
        self.core = core
        self.now_ns = START_NS
        self.skew_us = 0
        self.links: list[Link] = []
        self.failures: list[str] = []

    @property
    def wall_us(self) -> int:
        return START_US + (self.now_ns - START_NS) // 1000 + self.skew_us

    @property
    def elapsed_s(self) -> float:
        return (self.now_ns - START_NS) / S

    def turn(self, link: Link) -> None:
        """All that one source does at this moment."""
        session, peer = link.session, link.peer
        if session is None or peer is None:
            if self.now_ns >= link.retry_ns:
                link.session, link.peer = link.new_session(self.now_ns), link.connect(self.now_ns)
                link.tick_ns = 0
            return
        if link.is_poll and not peer.waiting and self.now_ns < link.tick_ns:
            return
        for letter in peer.arriving(self.now_ns):
            if isinstance(letter.body, Failure):
                self.close(link, letter.body)
                return
            peer.delivered(letter, self.wall_us, self.now_ns)
            session.receive(letter.body, self.wall_us, self.now_ns)
            self.drain(link)
            if session.failure is not None:
                break
        if self.now_ns >= link.tick_ns and not peer.waiting:
            session.advance(self.now_ns)
            self.drain(link)
            deadline_ns = session.next_deadline_ns()
            latest_ns = deadline_ns if link.is_poll else self.now_ns + MAX_TICK_NS
            link.tick_ns = min(deadline_ns, latest_ns)
            if session.healthy:
                link.failures = 0
        if session.failure is not None:
            self.close(link, session.failure)

    def drain(self, link: Link) -> None:
        assert link.session is not None
        assert link.peer is not None
        events = link.session.events()
        if events:
            self.core.apply(link.source, events, self.wall_us, self.now_ns)
        for text in link.session.outgoing():
            link.peer.request(text)

    def close(self, link: Link, failure: Failure) -> None:
        if link.session is None:
            return
        link.session = link.peer = None
        link.hung_up()
        self.failures.append(failure.code)
        event = VenueStatus("connecting", str(failure))
        self.core.apply(link.source, [event], self.wall_us, self.now_ns)
        delay_s = min(2.0, 0.25 * 2**link.failures) * self.rng.uniform(0.5, 1.0)
        link.failures += 1
        link.retry_ns = self.now_ns + int(delay_s * S)

    def resync(self) -> None:
        """Hands on what the consolidator wants fetched again."""
        for source, market in self.core.snapshots_wanted():
            link = next(link for link in self.links if link.source == source)
            if link.session is not None:
                link.session.resync(market, self.now_ns)
                self.drain(link)
