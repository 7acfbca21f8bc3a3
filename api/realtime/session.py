"""One Engine.IO session: what was agreed with one client, over whichever transport it has now."""

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from api import metrics
from api.realtime import frames, packets
from api.realtime.delivery import Channel, Lane, Recipient, Windows
from api.realtime.handshake import TransportName
from api.realtime.limits import Use, Verdict
from api.realtime.packets import Packet, PacketError

if TYPE_CHECKING:
    from api.realtime.engine import Engine

ANSWERS_BOUND: Final = 1024 * 1024
"""Bytes of answers a client may leave unread: with more it is cut off at the next one."""
INBOX_BOUND: Final = 64
"""Messages of one client waiting to be handled before no more are read from it."""

Reason = Literal[
    "server disconnect", "client disconnect", "ping timeout", "transport close", "transport error"
]
"""Why a session ended, in the words of the Socket.IO library."""


Event = Literal["connect", "message", "refused", "disconnect"]
"""What the layer above is told of; ``refused`` is a message past what the client may send."""


class Transport(Protocol):
    """What carries a session."""

    name: TransportName

    def send(self, packet: Packet) -> None:
        """Takes a packet that must arrive, after all packets taken before."""

    def wake(self) -> None:
        """The session owes something."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self, reason: Reason, code: int, text: str) -> None: ...


class Session(Recipient):
    """Made by the engine, which also looks after its deadlines."""

    __slots__ = (
        "_awaits_pong",
        "_engine",
        "_forfeited",
        "_inbox",
        "_pump",
        "_unjoined_until_ns",
        "closed",
        "due_ns",
        "sid",
        "transport",
        "use",
    )

    def __init__(self, engine: "Engine", sid: str, now_ns: int, use: Use) -> None:
        super().__init__()
        self.sid = sid
        self.use = use
        self.transport: Transport
        self.closed = False
        self.due_ns = now_ns + engine.limits.ping_interval_ns
        self._engine = engine
        self._awaits_pong = False
        self._unjoined_until_ns: int | None = now_ns + engine.limits.join_timeout_ns
        self._inbox: list[tuple[Event, Any]] = []
        self._pump: asyncio.Task[None] | None = None
        self._forfeited = False

    def send(self, packet: Packet) -> None:
        if not self.closed:
            # An answer never overtakes what a room said before.
            self.uncork()
            self.transport.send(packet)

    def wake(self) -> None:
        self.transport.wake()

    def cut_off(self) -> None:
        metrics.SLOW_CONSUMERS.inc()
        self.close("server disconnect", frames.SLOW_CONSUMER, "SLOW_CONSUMER")

    def joined(self) -> None:
        """The client has entered a namespace, so it may stay."""
        self._unjoined_until_ns = None

    def on_time(self, now_ns: int) -> None:
        """Does what is due: a ping is to be sent, or was not answered."""
        while self.due_ns <= now_ns and not self.closed:
            if self._awaits_pong:
                self.close("ping timeout")
            elif self._unjoined_until_ns is not None and now_ns >= self._unjoined_until_ns:
                self.close("server disconnect")
            else:
                self._awaits_pong = True
                self.due_ns += self._engine.limits.ping_timeout_ns
                self.send(packets.PING)

    def receive(self, packet: str | bytes) -> None:
        """A packet of the client; nothing after its end. Raises PacketError."""
        if self.closed:
            return
        event = self.charge(len(packet))
        if isinstance(packet, bytes):
            self._enqueue(event, packet)
            return
        kind = packet[:1]
        if kind == "4":
            self._enqueue(event, packet[1:])
        elif kind == "3":
            if self._awaits_pong:
                self._awaits_pong = False
                self.due_ns = self._engine.now_ns() + self._engine.limits.ping_interval_ns
        elif kind == "1":
            self.close("client disconnect")
        else:
            raise PacketError("unexpected packet")

    def charge(self, size: int) -> Event:
        """Counts a message of the client, and sends one away that will not stop."""
        verdict = self.use.spend(size, self._engine.now_ns())
        if verdict is Verdict.TAKE:
            return "message"
        metrics.MESSAGES_REFUSED.inc()
        if verdict is Verdict.CLOSE:
            self.close("server disconnect", frames.POLICY, "RATE_LIMITED")
        return "refused"

    def join(
        self, channel: Channel, lane: Lane, version: int, windows: Windows | None = None
    ) -> None:
        self.use.address.rooms += channel not in self.lanes
        super().join(channel, lane, version, windows)

    def leave(self, channel: Channel) -> None:
        self.use.address.rooms -= channel in self.lanes
        super().leave(channel)

    def leave_all(self) -> None:
        self.use.address.rooms -= len(self.lanes)
        super().leave_all()

    def open(self, transport: Transport, peer: str) -> None:
        self.transport = transport
        self._enqueue("connect", {"REMOTE_ADDR": peer})

    def close(self, reason: Reason, code: int = frames.NORMAL, text: str = "") -> None:
        if self.closed:
            return
        self.closed = True
        # What a client said before it went still counts, unless it was sent away.
        self._forfeited = reason not in ("client disconnect", "transport close")
        self.write = None
        self.leave_all()
        self._engine.forget(self)
        self.transport.close(reason, code, text)
        self._enqueue("disconnect", reason)

    async def settled(self) -> None:
        """Returns when what was received has been handled."""
        if self._pump is not None:
            await asyncio.wait({self._pump})

    def _enqueue(self, event: Event, argument: Any) -> None:
        self._inbox.append((event, argument))
        if self._pump is None:
            self._pump = self._engine.spawn(self._handle_inbox())
        elif len(self._inbox) == INBOX_BOUND:
            self.transport.pause_reading()

    async def _handle_inbox(self) -> None:
        """Runs only while there is something to handle, one message after the other."""
        while self._inbox:
            taken, self._inbox = self._inbox, []
            for event, argument in taken:
                if not self._forfeited or event not in ("message", "refused"):
                    await self._engine.dispatch(self, event, argument)
                    await asyncio.sleep(0)
        self._pump = None
        self.transport.resume_reading()
