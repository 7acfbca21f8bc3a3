"""The price stream of all chains, and the seed that a new connection needs.

Only changed prices are sent, so what was missed is not sent again: after a connect and after a
frame that cannot be read every pair waits for its next print or for ``/charts``, whichever comes
first. Source: docs.gains.trade ``developer/integrators/price-feed``.
"""

from collections import deque

import orjson

from connectors.base.protocol import Failure, Frame, HttpReply
from connectors.base.session import BaseSession
from connectors.gains import constants as c
from connectors.gains import parse
from connectors.gains.board import Board
from connectors.gains.model import Frame as Prints
from connectors.gains.values import MALFORMED
from domain.events import Liveness, VenueStatus


class GarbageBudget:
    """Unreadable frames of one connection."""

    def __init__(self) -> None:
        self._seen_ns: deque[int] = deque(maxlen=c.GARBAGE_BUDGET)

    def spend(self, mono_ns: int) -> Failure | None:
        """Counts one; a failure when there were too many."""
        self._seen_ns.append(mono_ns)
        full = len(self._seen_ns) == c.GARBAGE_BUDGET
        if full and mono_ns - self._seen_ns[0] < c.GARBAGE_WINDOW_NS:
            return Failure("GARBAGE", f"{c.GARBAGE_BUDGET} unreadable frames")
        return None


class PriceSession(BaseSession):
    """One connection to the price stream. Emits everything that is said of its board's markets.

    Owned by one task. See ``connectors.base.protocol.Session`` for the contract.
    """

    def __init__(self, board: Board, mono_ns: int) -> None:
        super().__init__()
        self._board = board
        self._garbage = GarbageBudget()
        self._last_frame_ns = mono_ns
        self._wall_less_mono_us = 0
        self._newest_ms = 0
        self._older_since_ns: int | None = None
        board.open()
        self._events = board.drain()

    def next_deadline_ns(self) -> int:
        return self._last_frame_ns + c.FRAME_MAX_AGE_NS

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        """One WebSocket message: prices, or the keep-alive."""
        self._last_frame_ns = mono_ns
        self._wall_less_mono_us = wall_us - mono_ns // 1000
        try:
            message = parse.frame(orjson.loads(frame))  # type: ignore[arg-type]  # a reply raises
        except MALFORMED:
            self._board.drop_all("GARBAGE")
            self._failure = self._garbage.spend(mono_ns)
            self._events += self._board.drain()
            return
        if message.time_ms is not None:
            behind_ms = self._newest_ms - message.time_ms
            if behind_ms > 0:
                self._on_older(message, behind_ms, mono_ns)
                return
            self._newest_ms = message.time_ms
            self._older_since_ns = None
        self._board.alive_ns = mono_ns
        self._board.refresh(mono_ns, wall_us)
        self._board.take(message, mono_ns)
        self._events += self._board.drain()
        if not self._healthy:
            self._healthy = True
            self._events.append(VenueStatus("live"))
        self._events.append(Liveness())

    def _on_older(self, message: Prints, behind_ms: int, mono_ns: int) -> None:
        """A repetition or a late frame: no sign of life, and news only of the pairs that no newer
        frame named. Nothing but such frames: the clock they are dated by went back."""
        if self._older_since_ns is None:
            self._older_since_ns = mono_ns
        lasting = mono_ns - self._older_since_ns >= c.TIME_BACK_NS
        if lasting or behind_ms > c.TIME_BACK_MS:
            self._failure = Failure("TIME_WENT_BACK", f"by {behind_ms} ms")
            return
        self._board.refresh(mono_ns, mono_ns // 1000 + self._wall_less_mono_us)
        self._board.take(message, mono_ns, late=True)
        self._events += self._board.drain()

    def advance(self, mono_ns: int) -> None:
        """Silence, what the chains said meanwhile, and what holding costs."""
        if self._failure is not None:
            return
        if mono_ns - self._last_frame_ns >= c.FRAME_MAX_AGE_NS:
            self._failure = Failure("SILENT", "no frame for 3 s")
        elif self._healthy:
            wall_us = mono_ns // 1000 + self._wall_less_mono_us
            self._board.refresh(mono_ns, wall_us)
            self._board.tell_holding(mono_ns, wall_us // 1_000_000)
            self._events += self._board.drain()


class SeedSession(BaseSession):
    """A poll session: ``/charts`` whenever the board misses prices. Emits nothing."""

    def __init__(self, board: Board, mono_ns: int) -> None:
        super().__init__()
        self._board = board
        self._now_ns = self._ready_ns = mono_ns
        self._asked_era = -1

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        if not isinstance(frame, HttpReply):
            raise TypeError("a poll session takes HTTP replies only")
        try:
            marks, indices = parse.charts(orjson.loads(frame.body))
        except MALFORMED as error:
            self._failure = Failure("GARBAGE", f"{frame.path}: {error!r:.200}")
            return
        self._healthy = True
        if self._asked_era == self._board.era:
            self._board.seed(marks, indices, mono_ns)

    def advance(self, mono_ns: int) -> None:
        self._now_ns = mono_ns
        if self._board.seed_wanted and mono_ns >= self._ready_ns:
            self._ready_ns = mono_ns + c.RELOAD_SPACING_NS
            self._asked_era = self._board.era
            self._outgoing.append(c.CHARTS_PATH)

    def next_deadline_ns(self) -> int:
        return self._now_ns + c.WAKE_NS
