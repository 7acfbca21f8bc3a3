"""The two connections of one chain: the poll of its state and the stream of what happens to it.

Both only change the chain's state; see ``board`` for who tells what came of it.
Source: docs.gains.trade ``developer/integrators/backend``.
"""

from connectors.base.protocol import Decoded, Failure, Frame, HttpReply
from connectors.base.session import BaseSession
from connectors.gains import constants as c
from connectors.gains import parse
from connectors.gains.prices import GarbageBudget
from connectors.gains.state import ChainState
from connectors.gains.values import MALFORMED


class ChainPollSession(BaseSession):
    """A poll session: ``/trading-variables`` at its interval and whenever the state asks for it."""

    def __init__(self, chain: ChainState, mono_ns: int) -> None:
        super().__init__()
        chain.load_failed(mono_ns)
        self._chain = chain
        self._now_ns = mono_ns

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        if not isinstance(frame, HttpReply | Decoded):
            raise TypeError("a poll session takes HTTP replies only")
        try:
            if isinstance(frame, HttpReply):
                variables = parse.read_variables(frame.body)
            else:
                variables = frame.get()
        except MALFORMED as error:
            self._failure = Failure("GARBAGE", f"{c.VARIABLES_PATH}: {error!r:.200}")
            return
        self._healthy = True
        self._chain.loaded(variables)

    def advance(self, mono_ns: int) -> None:
        self._now_ns = mono_ns
        if mono_ns >= self._chain.load_from_ns:
            self._chain.load_begins(mono_ns)
            self._outgoing.append(c.VARIABLES_PATH)

    def next_deadline_ns(self) -> int:
        return min(self._chain.load_from_ns, self._now_ns + c.WAKE_NS)


class ChainStreamSession(BaseSession):
    """One connection to a chain's event stream. What was missed before it is fetched."""

    def __init__(self, chain: ChainState, mono_ns: int) -> None:
        super().__init__()
        chain.want_load(mono_ns)
        self._chain = chain
        self._last_frame_ns = mono_ns
        self._garbage = GarbageBudget()

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        self._last_frame_ns = mono_ns
        try:
            # A reply to a request would raise.
            update = frame.get() if isinstance(frame, Decoded) else parse.read_update(frame)  # type: ignore[arg-type]
        except MALFORMED:
            self._chain.doubt(mono_ns)
            self._failure = self._garbage.spend(mono_ns)
            return
        self._healthy = True
        if update is not None:
            self._chain.take(update, mono_ns)

    def advance(self, mono_ns: int) -> None:
        if self._failure is None and mono_ns - self._last_frame_ns >= c.STREAM_SILENT_NS:
            self._failure = Failure("SILENT", "no frame for 60 s")

    def next_deadline_ns(self) -> int:
        return self._last_frame_ns + c.STREAM_SILENT_NS
