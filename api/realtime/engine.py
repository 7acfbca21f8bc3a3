"""The Engine.IO server: sessions, their deadlines, and the face the Socket.IO library sees.

The library asks for its engine through ``_engineio_server_class``. Of its interface this has what
connects, events and acknowledgements need: ``on``, ``send``, ``disconnect``, ``generate_id`` and
``async_mode``. Emitting through the library is not among them; rooms go through the hub.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from api import metrics
from api.attended import AttendedClock
from api.realtime import frames, handshake, packets
from api.realtime.limits import QUOTAS, Limiter, Quotas
from api.realtime.packets import Packet
from api.realtime.session import Session
from runtime.logs import get_logger

CLOSING_NS: Final = 20_000_000_000
"""A client may take this long to read its way to our close frame."""
PROBING_NS: Final = 10_000_000_000

_log = get_logger(__name__)

Handler = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the handshake announces and the engine enforces."""

    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    join_timeout_s: float = 45.0
    max_payload: int = 64 * 1024
    max_sessions: int = 20_000
    quotas: Quotas = QUOTAS

    @property
    def ping_interval_ns(self) -> int:
        return int(self.ping_interval_s * 1e9)

    @property
    def ping_timeout_ns(self) -> int:
        return int(self.ping_timeout_s * 1e9)

    @property
    def join_timeout_ns(self) -> int:
        return int(self.join_timeout_s * 1e9)

    @property
    def tick_s(self) -> float:
        return min(1.0, self.ping_timeout_s / 20)


LIMITS: Final = Limits()


async def _ignore(sid: str, argument: Any) -> None:
    """What is refused needs no answer, unless the layer above has one."""


class Loose(Protocol):
    """A connection that carries no session: before an upgrade or after a close."""

    def expire(self) -> None: ...


class Engine:
    """``run`` looks after all deadlines with one timer. ``path`` is where clients connect,
    ``worker`` what ids of sessions begin with."""

    async_mode: Final = "asgi"

    def __init__(
        self,
        limits: Limits,
        path: str = handshake.PATH,
        worker: str = "a.1",
        **_library_options: Any,
    ) -> None:
        self.limits = limits
        self.path = path
        self.sessions: dict[str, Session] = {}
        self._worker = worker
        self._limiter = Limiter(limits.quotas)
        self._handlers: dict[str, Handler] = {"refused": _ignore}
        self._loose: dict[Loose, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # A stall uses up at most half of the time a client has to answer a ping.
        self._clock = AttendedClock(min(1.0, limits.ping_timeout_s / 4))

    def now_ns(self) -> int:
        return self._clock.now_ns()

    # Sessions

    def new_session(self, peer: str) -> Session:
        """``peer``: the address of the client. Raises Refused when there are too many."""
        if len(self.sessions) >= self.limits.max_sessions:
            raise handshake.full()
        now_ns = self.now_ns()
        use = self._limiter.admit(peer, now_ns)
        session = Session(self, self.generate_id(), now_ns, use)
        self.sessions[session.sid] = session
        return session

    def find(self, sid: str) -> Session:
        """Raises Refused; a session whose time is over is not found any more."""
        session = self.sessions.get(sid)
        if session is not None:
            session.on_time(self.now_ns())
        if session is None or session.closed:
            raise handshake.unknown_session()
        return session

    def forget(self, session: Session) -> None:
        del self.sessions[session.sid]
        self._limiter.release(session.use)

    def open_packet(self, session: Session) -> Packet:
        upgrades = ["websocket"] if session.transport.name == "polling" else []
        return Packet(
            b"0"
            + orjson.dumps(
                {
                    "sid": session.sid,
                    "upgrades": upgrades,
                    "pingInterval": round(self.limits.ping_interval_s * 1000),
                    "pingTimeout": round(self.limits.ping_timeout_s * 1000),
                    "maxPayload": self.limits.max_payload,
                }
            )
        )

    def watch(self, loose: Loose, within_ns: int) -> None:
        """Ends the connection unless it is released in time."""
        self._loose[loose] = self.now_ns() + within_ns

    def release(self, loose: Loose) -> None:
        self._loose.pop(loose, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.limits.tick_s)
            now_ns = self.now_ns()
            self._limiter.sweep(now_ns)
            polling = sum(item.transport.name == "polling" for item in self.sessions.values())
            metrics.SOCKETS.labels(transport="polling").set(polling)
            metrics.SOCKETS.labels(transport="websocket").set(len(self.sessions) - polling)
            for session in [item for item in self.sessions.values() if item.due_ns <= now_ns]:
                session.on_time(now_ns)
            for loose in [item for item, due_ns in self._loose.items() if due_ns <= now_ns]:
                loose.expire()

    async def close_all(self, grace_s: float) -> None:
        """Tells every client to come back elsewhere, then ends what is left."""
        for session in list(self.sessions.values()):
            session.close("server disconnect", frames.SERVICE_RESTART, "SERVICE_RESTART")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._loose or self._tasks:
                    await asyncio.sleep(0.02)
        for loose in list(self._loose):
            loose.expire()

    # Handlers of the layer above

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def dispatch(self, session: Session, event: str, argument: Any) -> None:
        try:
            await self._handlers[event](session.sid, argument)
        except Exception as error:
            _log.exception("engine_handler_failed", engine_event=event, error=repr(error))
            session.close("server disconnect")

    def on(self, event: str, handler: Handler) -> None:
        self._handlers[event] = handler

    def generate_id(self) -> str:
        return f"{self._worker}.{secrets.token_urlsafe(15)}"

    async def send(self, sid: str, data: str | bytes) -> None:
        session = self.sessions.get(sid)
        if session is not None:
            session.send(packets.message(data))

    async def disconnect(self, sid: str) -> None:
        session = self.sessions.get(sid)
        if session is not None:
            session.close("server disconnect")
