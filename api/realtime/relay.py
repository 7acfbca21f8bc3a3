"""A connection that becomes a WebSocket of another gateway: its bytes go there and back unread.

When one side does not take what it is given, no more is read from the other: what waits here is at
most a write buffer and one read each way.
"""

import asyncio
from typing import Final, cast

from api.realtime import handshake
from api.realtime.engine import CLOSING_NS, LIMITS
from api.realtime.websocket import HIGH_WATER, LOW_WATER

CONNECT_S: Final = 1.0
ANSWER_S: Final = 5.0
"""How long the other gateway may take to begin its answer."""
LINGER_S: Final = CLOSING_NS / 1e9 + 5.0
"""How long one side may stay when the other has ended; the other gateway itself waits less long for
a client that does not go."""
STUCK_S: Final = LIMITS.ping_interval_s + LIMITS.ping_timeout_s + LINGER_S
"""How long one side may take nothing. Its session has been given up long before, which cannot be
seen here while no more is read."""


class Relays:
    """All of this process, at most ``bound``."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._open: set[Relay] = set()

    def begin(self, client: asyncio.Transport, path: str, request: bytes) -> None:
        """Takes over the client's connection, which has made this request. Raises Refused."""
        if len(self._open) >= self._bound:
            raise handshake.full()
        # What comes meanwhile waits in the kernel.
        client.pause_reading()
        relay = Relay(client, self._open)
        relay.opening = asyncio.create_task(relay.open(path, request))

    def abort_all(self) -> None:
        for relay in list(self._open):
            relay.abort()


class Relay:
    """``near`` is the client's connection, ``far`` the one to the other gateway."""

    def __init__(self, client: asyncio.Transport, register: "set[Relay]") -> None:
        self.opening: asyncio.Task[None]
        self._near = _End(self, client)
        self._far = _End(self)
        self._near.other, self._far.other = self._far, self._near
        self._answered = False
        self._timer: asyncio.TimerHandle | None = None
        self._register = register
        register.add(self)

    async def open(self, path: str, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_unix_connection(lambda: self._far, path)
        except OSError:
            self._refuse()
            return
        client = self._near.connection
        if client is None or client.is_closing():
            self.abort()
            return
        self._set_timer(ANSWER_S)
        self._far.write(request)
        client.set_protocol(self._near)
        client.resume_reading()

    def abort(self) -> None:
        """Ends both connections now."""
        for end in (self._near, self._far):
            if end.connection is not None:
                end.connection.abort()
        self._end()

    # Called by the ends

    def received(self, end: "_End", data: bytes) -> None:
        if end is self._far and not self._answered:
            self._answered = True
            self._set_timer(None)
        end.other.write(data)

    def half_ended(self, end: "_End") -> None:
        """Nothing more will come from it, but it may still be told something."""
        if end is self._far and not self._answered:
            self._refuse()
        elif end.other.has_ended:
            self._near.close()
            self._far.close()
        else:
            end.other.write_eof()
            self._set_timer(LINGER_S)

    def ended(self, end: "_End") -> None:
        if end is self._far and not self._answered:
            self._refuse()
        elif end.other.connection is None:
            self._end()
        else:
            end.other.close()
            self._set_timer(LINGER_S)

    def expired(self) -> None:
        if self._answered:
            self.abort()
        else:
            self._refuse()

    def _refuse(self) -> None:
        """The other gateway is not there or does not answer, and so there is no such session."""
        self._near.write(handshake.unknown_session().http())
        self._near.close()
        if self._far.connection is not None:
            self._far.connection.abort()
        self._end()

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.expired)

    def _end(self) -> None:
        self._set_timer(None)
        self._register.discard(self)


class _End(asyncio.Protocol):
    """One of the two connections; ``connection`` is None before it is made and when it is lost."""

    def __init__(self, relay: Relay, connection: asyncio.Transport | None = None) -> None:
        self.connection = connection
        self.other: _End
        self.has_ended = False
        self._relay = relay
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connection = cast(asyncio.Transport, transport)
        self.connection.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)

    def data_received(self, data: bytes) -> None:
        self._relay.received(self, data)

    def eof_received(self) -> bool:
        if not self.has_ended:
            self.has_ended = True
            self._relay.half_ended(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self.connection = None
        self._unstick()
        self._relay.ended(self)

    def pause_writing(self) -> None:
        self._stuck = asyncio.get_running_loop().call_later(STUCK_S, self._relay.abort)
        if self.other.connection is not None:
            self.other.connection.pause_reading()

    def resume_writing(self) -> None:
        self._unstick()
        if self.other.connection is not None and not self.other.has_ended:
            self.other.connection.resume_reading()

    def _unstick(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def write(self, data: bytes) -> None:
        if self.connection is not None and not self.connection.is_closing():
            self.connection.write(data)

    def write_eof(self) -> None:
        if self.connection is not None and not self.connection.is_closing():
            self.connection.write_eof()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
