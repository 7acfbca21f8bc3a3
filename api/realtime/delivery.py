"""How packets reach clients: straight into the socket while it takes them, else owed.

A room at one rate is a lane. A lane writes one shared frame through a cached list of bound writes;
nothing else happens per socket. Who cannot be written to now (a full socket, a client that polls)
is owed: of a state room only that it changed, of a stream the packets themselves, to a bound. What
a client in several rooms gets is gathered for a moment, see ``windows``. What may wait a little
rides along with the next frame, see ``Ride``.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from api import metrics
from api.realtime.packets import Packet

STREAM_BOUND: Final = 256
"""Packets of streams one client may be owed before it is cut off."""
GATHERED_FROM: Final = 3
"""Lanes from which on a socket is written to through its window. Everybody is in the heartbeat's;
with one room beside it there is nothing to gather."""
WRITES_PER_STEP: Final = 128
"""Sockets written to before a fan-out looks at the clock: half a millisecond to two."""

Write = Callable[[bytes], None]


class Channel(Protocol):
    """A room as its subscribers see it."""

    @property
    def stream(self) -> bool:
        """Every packet counts, in order; otherwise only the newest does."""

    @property
    def version(self) -> int:
        """Of the newest change."""

    def newest(self) -> Packet:
        """What brings a client up to date that missed any number of packets."""


class Windows(Protocol):
    """Who looks after the windows of recipients."""

    def opened(self, recipient: "Recipient") -> None:
        """Something was gathered for it for the first time since its last window ended."""


class Ride:
    """What each of many is sent once a round: in one write with whatever else is sent to it first.
    ``frame``: its newest form, from the beginning of a round to the end."""

    __slots__ = ("frame", "is_open", "round")

    def __init__(self) -> None:
        self.frame = b""
        self.round = 0
        self.is_open = False

    def begin(self) -> None:
        self.round += 1
        self.is_open = True

    def end(self) -> None:
        """Who comes from now on waits for the next round."""
        self.is_open = False


_NO_RIDE: Final = Ride()


class Recipient:
    """Who can be a member of lanes. ``write`` takes frames and is None while packets are owed."""

    __slots__ = (
        "_gathered",
        "_owed",
        "_ridden",
        "_ride",
        "_socket",
        "_stream",
        "_windows",
        "in_window",
        "lanes",
        "write",
    )

    def __init__(self) -> None:
        self.lanes: dict[Channel, Lane] = {}
        self.write: Write | None = None
        self.in_window = False
        self._socket: Write | None = None
        self._ride = _NO_RIDE
        self._ridden = _NO_RIDE.round
        self._windows: Windows | None = None
        self._gathered: list[bytes] = []
        self._owed: dict[Channel, None] = {}
        self._stream: list[tuple[Channel, Packet]] = []

    # Owed packets

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
            # A change that the lane has not sent yet is in this packet.
            self.lanes[channel].readmit(self, channel.version)
        else:
            return None
        metrics.DELIVERIES.inc()
        return packet

    @property
    def is_owed(self) -> bool:
        return bool(self._owed or self._stream)

    @property
    def backlog(self) -> int:
        """Packets of streams that are owed."""
        return len(self._stream)

    # Written packets

    def set_write(self, write: Write | None) -> None:
        """``write``: of the socket, None while it takes nothing."""
        self.uncork()
        self._socket = write
        self._choose_write()

    def uncork(self) -> bool:
        """Writes what was gathered, in one piece; False when there was nothing."""
        gathered = self._gathered
        if not gathered or self._socket is None:
            return False
        frames = b"".join(gathered)
        gathered.clear()
        self._write_through(frames)
        return True

    def ride(self, ride: Ride) -> None:
        self._ride, self._ridden = ride, ride.round - ride.is_open

    def ends_round(self) -> bool:
        """Whether this round brought the recipient nothing yet. It is not to ride any more."""
        if self._ridden == self._ride.round:
            return False
        self._ridden = self._ride.round
        return True

    def _write_through(self, frame: bytes) -> None:
        ride = self._ride
        if self._ridden != ride.round:
            self._ridden = ride.round
            frame = ride.frame + frame
        if self._socket is not None:
            self._socket(frame)

    def _gather(self, frame: bytes) -> None:
        gathered = self._gathered
        if not gathered and not self.in_window and self._windows is not None:
            self._windows.opened(self)
        gathered.append(frame)

    def _choose_write(self) -> None:
        write: Write | None = None
        if self._socket is not None:
            write = self._write_through
        if write is not None and self._windows is not None and len(self.lanes) >= GATHERED_FROM:
            write = self._gather
        else:
            self.uncork()
        if write != self.write:
            self.write = write
            for lane in self.lanes.values():
                lane.invalidate()

    # Membership

    def join(
        self, channel: Channel, lane: "Lane", version: int, windows: Windows | None = None
    ) -> None:
        """Moves to ``lane``, from another lane of the same room if need be. ``version``: of the
        channel, up to which the recipient knows it."""
        previous = self.lanes.get(channel)
        if previous is not None:
            previous.discard(self)
        self._windows = windows
        self.lanes[channel] = lane
        self._choose_write()
        self._owe_nothing(channel)
        lane.add(self, version)

    def leave(self, channel: Channel) -> None:
        lane = self.lanes.pop(channel, None)
        if lane is not None:
            lane.discard(self)
            self._owe_nothing(channel)
            self._choose_write()

    def _owe_nothing(self, channel: Channel) -> None:
        self._owed.pop(channel, None)
        if channel.stream:
            self._stream = [item for item in self._stream if item[0] is not channel]

    def leave_all(self) -> None:
        for lane in self.lanes.values():
            lane.discard(self)
        self.lanes.clear()
        self._owed.clear()
        self._stream.clear()
        self._gathered.clear()


class Lane:
    """The members of one room at one rate. ``sent`` is the version they have been sent."""

    __slots__ = ("_behind", "_changes", "_channel", "_fast", "_late", "_members", "_writes", "sent")

    def __init__(self, channel: Channel, sent: int) -> None:
        self.sent = sent
        self._channel = channel
        self._members: dict[Recipient, int] = {}
        """With the number of changes of the membership before each came."""
        self._late: dict[Recipient, int] = {}
        """Who knows more than ``sent``, and up to where."""
        self._changes = 0
        # Caches; ``_fast`` are those whose writes are in ``_writes``, in the same order.
        self._writes: list[Write] | None = None
        self._fast: list[Recipient] = []
        self._behind: list[Recipient] = []

    def __len__(self) -> int:
        return len(self._members)

    def add(self, recipient: Recipient, version: int) -> None:
        if version != self.sent:
            self._late[recipient] = version
            return
        self._changes += 1
        self._members[recipient] = self._changes
        if self._writes is None:
            return
        # A fan-out under way goes to those who were there when it began.
        if recipient.write is None:
            self._behind.append(recipient)
        else:
            self._writes.append(recipient.write)
            self._fast.append(recipient)

    def discard(self, recipient: Recipient) -> None:
        if self._late.pop(recipient, None) is None and recipient in self._members:
            del self._members[recipient]
            self.invalidate()

    def readmit(self, recipient: Recipient, version: int) -> None:
        """The recipient was given the newest by another way."""
        if version != self.sent or recipient in self._late:
            self.discard(recipient)
            self.add(recipient, version)

    def invalidate(self) -> None:
        """A member went, or its ``write`` changed."""
        self._changes += 1
        self._writes = None

    def take_late(self) -> dict[Recipient, int]:
        late, self._late = self._late, {}
        return late

    def send(self, packet: Packet) -> Iterator[None]:
        """Gives the packet to all who are members now, step by step."""
        if self._writes is None:
            self._rebuild()
        writes, fast = self._writes or [], self._fast
        # Lists that are walked may be replaced; but for what comes at their end none is changed.
        for recipient in self._behind[:]:
            recipient.owe(self._channel, packet)
        metrics.DELIVERIES.inc(len(writes))
        return self._write(packet, writes, fast, len(writes), self._changes)

    def _write(
        self, packet: Packet, writes: list[Write], fast: list[Recipient], count: int, changes: int
    ) -> Iterator[None]:
        frame = packet.frame
        for start in range(0, count, WRITES_PER_STEP):
            if start:
                yield
            end = min(start + WRITES_PER_STEP, count)
            if self._writes is writes:
                for write in writes[start:end]:
                    write(frame)
                continue
            for recipient in fast[start:end]:
                if self._members.get(recipient, changes + 1) <= changes:
                    self._give(recipient, packet)

    def send_to(self, recipient: Recipient, packet: Packet) -> None:
        metrics.DELIVERIES.inc()
        self._give(recipient, packet)

    def _give(self, recipient: Recipient, packet: Packet) -> None:
        if recipient.write is None:
            recipient.owe(self._channel, packet)
        else:
            recipient.write(packet.frame)

    def _rebuild(self) -> None:
        self._writes, self._fast, self._behind = [], [], []
        for recipient in self._members:
            if recipient.write is None:
                self._behind.append(recipient)
            else:
                self._writes.append(recipient.write)
                self._fast.append(recipient)


class PulseLane(Lane):
    """Members of one pulse of the heartbeat. ``send`` is for those of whom the round found nothing
    else to ride with."""

    __slots__ = ("_ride",)

    def __init__(self, channel: Channel, sent: int, ride: Ride) -> None:
        super().__init__(channel, sent)
        self._ride = ride

    def add(self, recipient: Recipient, version: int) -> None:
        recipient.ride(self._ride)
        super().add(recipient, version)

    def send(self, packet: Packet) -> Iterator[None]:
        for number, recipient in enumerate(list(self._members)):
            if number and not number % WRITES_PER_STEP:
                yield
            if recipient in self._members and recipient.ends_round():
                self.send_to(recipient, packet)
