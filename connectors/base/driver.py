"""The one loop that runs every source: connect, feed the session, drain it, back off, again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from connectors.base.decoding import LONG_FRAME_BYTES, read_long
from connectors.base.protocol import (
    Decoded,
    Failure,
    HttpReply,
    HttpTransport,
    Session,
    Source,
    WsTransport,
)
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.events import Event, VenueStatus
from domain.ids import MarketId, SourceId
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from runtime.metrics import Counter
from runtime.tasks import Backoff

Sink: TypeAlias = Callable[[SourceId, Sequence[Event], int, int], None]
"""(source, events, wall_us, mono_ns) of one frame or timer; must not block."""

OPEN_TIMEOUT_S: Final = 4.0
CLOSE_TIMEOUT_S: Final = 1.0
SEND_TIMEOUT_S: Final = 4.0
MAX_TICK_S: Final = 0.1
LONG_NS: Final = 500_000
FIRST_RETRY_S: Final = 0.25
QUICK_RETRY_S: Final = 2.0
QUICK_RETRIES: Final = 30
SLOW_RETRY_S: Final = 10.0
RATE_LIMIT_RETRY_S: Final = 30.0

FRAMES: Final = Counter("perptape_venue_frames_total", "Frames received", ["source"])
RECONNECTS: Final = Counter(
    "perptape_venue_reconnects_total", "Connections given up", ["source", "code"]
)
_log = get_logger(__name__)


class SourceDriver:
    """Runs one source for ever; ``run`` ends only by cancellation."""

    def __init__(self, source: Source, sink: Sink) -> None:
        self.source = source
        self._sink = sink
        self._session: Session | None = None
        self._backoff = Backoff(FIRST_RETRY_S, QUICK_RETRY_S)
        self._slow_backoff = Backoff(FIRST_RETRY_S, SLOW_RETRY_S)
        self._limit_backoff = Backoff(1.0, RATE_LIMIT_RETRY_S)
        self._frames = FRAMES.labels(source=source.source_id)

    def resync(self, market: MarketId) -> None:
        """Asks for a fresh snapshot of one market; a no-op while not connected."""
        if self._session is not None:
            self._session.resync(market, mono_ns())

    async def run(self) -> None:
        transport = self.source.transport
        while True:
            try:
                if isinstance(transport, WsTransport):
                    failure = await self._run_socket(transport)
                else:
                    failure = await self._run_polls(transport)
            except VenueUnavailable as error:
                failure = Failure(error.code, error.message)
            except Exception as error:
                # A bug: who supervises this starts it again, and until then nothing is current.
                self._report(VenueStatus("connecting", f"CRASHED: {error!r}"))
                raise
            finally:
                self._session = None
            RECONNECTS.labels(source=self.source.source_id, code=failure.code).inc()
            self._report(VenueStatus("connecting", str(failure)))
            delay_s = self._next_delay_s(failure)
            _log.warning(
                "source_lost",
                source=self.source.source_id,
                reason=str(failure),
                retry_in_s=round(delay_s, 3),
            )
            await asyncio.sleep(delay_s)

    def _next_delay_s(self, failure: Failure) -> float:
        if failure.code == "RATE_LIMITED":
            return self._limit_backoff.next_s()
        if self._backoff.failures < QUICK_RETRIES:
            return self._backoff.next_s()
        return self._slow_backoff.next_s()

    def _report(self, event: Event) -> None:
        self._sink(self.source.source_id, (event,), wall_us(), mono_ns())

    def _drain(self, session: Session, wall: int, mono: int) -> None:
        events = session.events()
        if events:
            self._sink(self.source.source_id, events, wall, mono)

    async def _run_socket(self, transport: WsTransport) -> Failure:
        try:
            socket = await transport.connect(
                transport.url,
                OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=transport.max_frame_bytes,
                max_queue=64,
                compression=None,
                # Silence is judged by the session: it knows how often this venue must speak.
                ping_interval=None,
                user_agent_header="perptape",
            )
        except InvalidStatus as error:
            status = error.response.status_code
            code = "RATE_LIMITED" if status in (403, 418, 429) else f"HTTP_{status}"
            return Failure(code, transport.host)
        except TimeoutError:
            return Failure("TIMEOUT", f"no handshake with {transport.host}")
        except (OSError, InvalidHandshake, InvalidURI, EOFError) as error:
            return Failure("UNREACHABLE", f"{transport.host}: {error}")
        session = self.source.new_session(mono_ns())
        self._session = session
        ticker = asyncio.create_task(self._tick(socket, session))
        try:
            failure = await self._read(socket, session)
        finally:
            ticker.cancel()
            # The peer may be gone: closing must not hold up the next connection.
            socket.transport.abort()
        if ticker.done():
            ticker.result()
        return failure

    async def _read(self, socket: ClientConnection, session: Session) -> Failure:
        """Feeds frames until the session gives up or the socket ends."""
        try:
            while session.failure is None:
                frame = await socket.recv(decode=False)
                wall, mono = wall_us(), mono_ns()
                self._frames.inc()
                session.receive(await self._read_frame(frame), wall, mono)
                self._drain(session, wall, mono)
                await _send_all(socket, session)
                if mono_ns() - mono > LONG_NS:
                    # Frames that wait are read without a pause, and all others would wait for them.
                    await asyncio.sleep(0)
        except ConnectionClosed as error:
            if session.failure is not None:
                return session.failure
            if error.rcvd is not None:
                code = "RATE_LIMITED" if error.rcvd.code == 1008 else "CLOSED_BY_VENUE"
                return Failure(code, f"{error.rcvd.code} {error.rcvd.reason}".strip())
            if error.sent is not None:
                return Failure("PROTOCOL", f"{error.sent.code} {error.sent.reason}".strip())
            return Failure("CONNECTION_LOST", "")
        return session.failure

    async def _tick(self, socket: ClientConnection, session: Session) -> None:
        """Gives the session its timers; ends the socket when the session has given up."""
        try:
            while session.failure is None:
                wait_s = (session.next_deadline_ns() - mono_ns()) / 1e9
                await asyncio.sleep(min(MAX_TICK_S, max(0.005, wait_s)))
                wall, mono = wall_us(), mono_ns()
                session.advance(mono)
                self._drain(session, wall, mono)
                if session.healthy:
                    self._reset_backoff()
                await _send_all(socket, session)
        except ConnectionClosed:
            return
        finally:
            socket.transport.abort()

    async def _read_frame(self, body: bytes) -> bytes | Decoded:
        decode = self.source.decode
        if decode is None or len(body) < LONG_FRAME_BYTES:
            return body
        return await read_long(decode, body)

    def _reset_backoff(self) -> None:
        self._backoff.reset()
        self._slow_backoff.reset()
        self._limit_backoff.reset()

    async def _run_polls(self, transport: HttpTransport) -> Failure:
        session = self.source.new_session(mono_ns())
        self._session = session
        while session.failure is None:
            wait_s = (session.next_deadline_ns() - mono_ns()) / 1e9
            await asyncio.sleep(max(0.005, wait_s))
            session.advance(mono_ns())
            for path in session.outgoing():
                try:
                    body = await transport.fetch(path)
                except VenueUnavailable as error:
                    return Failure(error.code, error.message)
                except VenueProtocolError as error:
                    return Failure(error.code, error.message)
                wall, mono = wall_us(), mono_ns()
                self._frames.inc()
                reply = await self._read_frame(body)
                session.receive(
                    reply if isinstance(reply, Decoded) else HttpReply(path, body), wall, mono
                )
                self._drain(session, wall, mono)
            if session.healthy:
                self._reset_backoff()
        return session.failure


async def _send_all(socket: ClientConnection, session: Session) -> None:
    """Raises ConnectionClosed. A peer that takes nothing any more is cut off."""
    for text in session.outgoing():
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await socket.send(text)
        except TimeoutError:
            socket.transport.abort()
            return
