"""How packets reach clients: straight into the socket while it takes them, else owed.

A room at one rate is a lane. A lane writes one shared frame through a cached list of bound
transport writes; nothing else happens per socket. Who cannot be written to now (a full socket, a
client that polls) is owed: of a state room only that it changed, of a stream the packets
themselves, to a bound.
"""

from collections.abc import Callable
from typing import Final, Protocol

from api import metrics
from api.realtime.packets import Packet

STREAM_BOUND: Final = 256
"""Packets of streams one client may be owed before it is cut off."""


class Channel(Protocol):
    """A room as its subscribers see it."""

    @property
    def stream(self) -> bool:
        """Every packet counts, in order; otherwise only the newest does."""

    def newest(self) -> Packet:
        """What brings a client up to date that missed any number of packets."""


class Recipient:
    """Who can be a member of lanes. ``write`` takes frames and is None while packets are owed."""

    __slots__ = ("_owed", "_stream", "lanes", "write")

    def __init__(self) -> None:
        self.lanes: dict[Channel, Lane] = {}
        self.write: Callable[[bytes], None] | None = None
        self._owed: dict[Channel, None] = {}
        self._stream: list[tuple[Channel, Packet]] = []

    def owe(self, channel: Channel, packet: Packet) -> None:
        """Notes that this packet was not written."""
        if channel.stream:
            if len(self._stream) >= STREAM_BOUND:
                self.cut_off()
                return
            self._stream.append((channel, packet))
        elif channel in self._owed:
            metrics.CONFLATED.inc()
        else:
            self._owed[channel] = None
        self.wake()

    def wake(self) -> None:
        """Something is owed now."""
        raise NotImplementedError

    def cut_off(self) -> None:
        """More is owed than the bound."""
        raise NotImplementedError

    def next_owed(self) -> Packet | None:
        """The next packet to pay, taken off; None when nothing is owed."""
        if self._stream:
            packet = self._stream.pop(0)[1]
        elif self._owed:
            channel = next(iter(self._owed))
            del self._owed[channel]
            packet = channel.newest()
        else:
            return None
        metrics.DELIVERIES.inc()
        return packet

    @property
    def is_owed(self) -> bool:
        return bool(self._owed or self._stream)

    def set_write(self, write: Callable[[bytes], None] | None) -> None:
        self.write = write
        for lane in self.lanes.values():
            lane.invalidate()

    def join(self, channel: Channel, lane: "Lane") -> None:
        """Moves to ``lane``, from another lane of the same room if need be."""
        previous = self.lanes.get(channel)
        if previous is not lane:
            if previous is not None:
                previous.discard(self)
            self.lanes[channel] = lane
            lane.add(self)

    def leave(self, channel: Channel) -> None:
        lane = self.lanes.pop(channel, None)
        if lane is not None:
            lane.discard(self)
            self._owed.pop(channel, None)
            if channel.stream:
                self._stream = [item for item in self._stream if item[0] is not channel]

    def leave_all(self) -> None:
        for lane in self.lanes.values():
            lane.discard(self)
        self.lanes.clear()
        self._owed.clear()
        self._stream.clear()


class Lane:
    """The members of one room at one rate."""

    __slots__ = ("_behind", "_channel", "_members", "_writes")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._members: dict[Recipient, None] = {}
        self._writes: list[Callable[[bytes], None]] | None = None
        self._behind: list[Recipient] = []

    def __len__(self) -> int:
        return len(self._members)

    def add(self, recipient: Recipient) -> None:
        self._members[recipient] = None
        self._writes = None

    def discard(self, recipient: Recipient) -> None:
        self._members.pop(recipient, None)
        self._writes = None

    def invalidate(self) -> None:
        """A member's ``write`` changed."""
        self._writes = None

    def send(self, packet: Packet) -> None:
        writes = self._writes
        if writes is None:
            writes = self._writes = [
                member.write for member in self._members if member.write is not None
            ]
            self._behind = [member for member in self._members if member.write is None]
        # Both lists may be replaced while they are walked (a write that fills a socket, a client
        # that is cut off): whoever is affected gets this packet as the lists stood.
        behind = self._behind
        frame = packet.frame
        for write in writes:
            write(frame)
        for recipient in behind:
            recipient.owe(self._channel, packet)
        metrics.DELIVERIES.inc(len(writes))
