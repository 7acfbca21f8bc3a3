"""The room ``account`` of one account at this gateway: who is told, and up to where.

Every socket has a position of its own, because it may have missed something before it came. An
event is given to those that are right behind it; who is further behind missed something that is
gone, and is told so. Nothing is told to a socket that has just come: what it missed has to come
first, and it may be about to say where it stopped.
"""

from typing import Final

from api import metrics
from api.realtime import packets
from api.realtime.delivery import Lane, Recipient
from api.realtime.packets import Packet
from runtime.channels import ACCOUNT_ROOM
from runtime.clock import mono_ns, wall_us
from runtime.events import EPOCH_BITS, Event
from runtime.wire import encode_envelope

WAIT_S: Final = 2.0
"""How long a socket that came may take to ask for what it missed."""


class Follower:
    """How far a socket was told, from ``start`` to ``position``; None before that began."""

    __slots__ = ("catches_up", "position", "since_ns", "start")

    def __init__(self, position: int | None = None) -> None:
        self.since_ns = mono_ns()
        self.position = position
        self.start = position
        self.catches_up = False
        """Somebody else tells it now."""

    def begin(self, position: int) -> None:
        self.start = self.position = position


class AccountRoom(Lane):
    """Its own channel: there is one lane. ``position``: the last event that the reader brought,
    None before it is known where the stream ends."""

    stream: Final = True
    version: Final = 0

    def __init__(self, account_id: str) -> None:
        super().__init__(self, sent=0)
        self.account_id = account_id
        self.position: int | None = None
        self.followers: dict[Recipient, Follower] = {}

    def __len__(self) -> int:
        return len(self.followers)

    # As channel and lane

    def newest(self) -> Packet:
        raise NotImplementedError("events are owed one by one")

    def add(self, recipient: Recipient, version: int) -> None:
        del version
        self.followers[recipient] = Follower()

    def discard(self, recipient: Recipient) -> None:
        self.followers.pop(recipient, None)

    # The stream

    def place(self, newest: int) -> None:
        """Where the stream ends, unless that is known."""
        if self.position is None:
            self.position = newest

    def check(self, newest: int) -> None:
        """``newest`` is the last event of a stream that may have been lost, or its end."""
        if self.position is None or newest >= self.position:
            return
        self.position = newest
        for recipient, follower in list(self.followers.items()):
            if follower.position is not None and follower.position > newest:
                self._tell_gap(recipient, follower, newest)

    def accept(self, event: Event) -> None:
        """The next event, from the reader."""
        if self.position is not None and event.seq <= self.position:
            return
        self.position = event.seq
        packet = _packet(event)
        for recipient, follower in list(self.followers.items()):
            if follower.position is not None and not follower.catches_up:
                self.tell(recipient, follower, event, packet)

    # Followers

    def release(self, before_ns: int) -> None:
        """Begins with those that came before and have not asked for anything since."""
        if self.position is None:
            return
        for recipient, follower in list(self.followers.items()):
            if follower.position is None and follower.since_ns <= before_ns:
                follower.begin(self.position)
                self._send(recipient, self.snapshot(self.position))

    def tell(
        self, recipient: Recipient, follower: Follower, event: Event, packet: Packet | None = None
    ) -> None:
        """Gives the event to a follower that has begun, unless it was given it before."""
        position = follower.position
        assert position is not None
        if event.seq <= position:
            return
        if event.prev != position:
            self._tell_gap(recipient, follower, event.prev)
        follower.position = event.seq
        self.send_to(recipient, packet or _packet(event))

    def tell_lost(self, recipient: Recipient, follower: Follower) -> None:
        """What the follower waits for is gone."""
        if self.position is not None:
            self._tell_gap(recipient, follower, self.position)

    def snapshot(self, seq: int, *, gap: bool = False) -> bytes:
        """What is known of the account. ``seq``: of the last event before it."""
        now_us = wall_us()
        data = {"kind": "snapshot", "account_id": self.account_id, "gap": gap}
        epoch = seq >> EPOCH_BITS
        return encode_envelope("snapshot", ACCOUNT_ROOM, seq, epoch, "status", now_us, now_us, data)

    def _tell_gap(self, recipient: Recipient, follower: Follower, position: int) -> None:
        metrics.ACCOUNT_GAPS.inc()
        follower.begin(position)
        self._send(recipient, self.snapshot(position, gap=True))

    def _send(self, recipient: Recipient, body: bytes) -> None:
        self.send_to(recipient, packets.event(ACCOUNT_ROOM, body))


def _packet(event: Event) -> Packet:
    return packets.event(ACCOUNT_ROOM, event.body)
