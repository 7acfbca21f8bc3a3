"""Rooms and who listens to them: a lane for each rate, one timer for all paced lanes.

All writing to sockets happens in turns of ``Hub``. A fan-out that takes long lets the event loop on
between its steps; rooms that change meanwhile are sent afterwards, the newest only.
"""

import asyncio
from collections.abc import Iterator
from typing import Final, Literal, Protocol

from api.realtime import packets
from api.realtime.delivery import Channel, Lane, PulseLane, Recipient, Ride
from api.realtime.packets import Packet
from api.realtime.windows import WINDOW_S, GatheringWindows
from runtime.channels import room_kind
from runtime.clock import mono_ns

Rate = Literal["max", 1, 4, 10, 20]

RATES: Final[tuple[Rate, ...]] = ("max", 1, 4, 10, 20)
_WHEEL_HZ: Final = 20
SLICE_NS: Final = 2_000_000
"""The event loop is let on after so long, then the fan-out goes on."""


class Source(Protocol):
    """What a channel sends: a room of the board, or the heartbeat."""

    name: str
    version: int
    stream: bool

    @property
    def shown(self) -> bytes: ...

    def since(self, version: int) -> bytes: ...

    def catch_up(self) -> bytes: ...


class RoomChannel:
    """The subscribers of one room, in a lane for each rate they asked for. ``ride``: what they are
    sent may come before its turn, with another room's frame."""

    def __init__(self, source: Source, ride: Ride | None) -> None:
        self.stream = source.stream
        self._source = source
        self._ride = ride
        self._event = room_kind(source.name)
        self._lanes: dict[Rate, Lane] = {}
        self._newest: tuple[int, Packet] | None = None

    @property
    def version(self) -> int:
        return self._source.version

    def lane(self, rate: Rate) -> Lane:
        if rate not in self._lanes:
            version, ride = self._source.version, self._ride
            self._lanes[rate] = (
                Lane(self, version) if ride is None else PulseLane(self, version, ride)
            )
        return self._lanes[rate]

    def newest(self) -> Packet:
        version = self._source.version
        if self._newest is None or self._newest[0] != version:
            self._newest = version, packets.event(self._event, self._source.catch_up())
        return self._newest[1]

    def advance(self, rate: Rate) -> Iterator[None]:
        """Sends one lane what changed since it was last sent anything."""
        source = self._source
        lane = self._lanes.get(rate)
        if lane is None or lane.sent == source.version:
            return
        sent, lane.sent = lane.sent, source.version
        late = lane.take_late()
        steps = lane.send(self._since(sent)) if len(lane) else None
        # Who came while the change was waiting to be sent knows it, or a part of it.
        known: dict[int, Packet] = {}
        for recipient, version in late.items():
            if version != lane.sent:
                if version not in known:
                    known[version] = self._since(version)
                lane.send_to(recipient, known[version])
            if recipient.lanes.get(self) is lane:
                lane.add(recipient, lane.sent)
        if steps is not None:
            yield from steps

    def _since(self, version: int) -> Packet:
        source = self._source
        # As a rule one change at a time comes by, and is passed on as the feed wrote it.
        one_step = version == source.version - 1
        return packets.event(self._event, source.shown if one_step else source.since(version))

    def paced(self, rates: set[Rate]) -> Iterator[None]:
        """A tick of the wheel, for the lanes that are due."""
        for rate in self._lanes.keys() & rates:
            yield from self.advance(rate)


class Hub:
    """All channels that ever had subscribers. ``run`` turns the wheel."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._channels: dict[str, RoomChannel] = {}
        self._changed: dict[str, None] = {}
        self._due: set[Rate] = set()
        self._windows = GatheringWindows(window_s, self._schedule)
        self._scheduled = False
        self._round: Iterator[None] | None = None

    def join(
        self, recipient: Recipient, source: Source, rate: Rate | None, ride: Ride | None = None
    ) -> None:
        """From now on the recipient gets what changes after the present version of ``source``.
        ``rate``: None is the one it has, else full."""
        channel = self._channels.get(source.name)
        if channel is None:
            channel = self._channels[source.name] = RoomChannel(source, ride)
        lane = recipient.lanes.get(channel) if rate is None else None
        if lane is None:
            lane = channel.lane(rate or "max")
        recipient.join(channel, lane, source.version, self._windows)

    def join_lane(self, recipient: Recipient, channel: Channel, lane: Lane) -> None:
        """For a channel that is looked after elsewhere."""
        recipient.join(channel, lane, lane.sent, self._windows)

    def has(self, recipient: Recipient, room: str) -> bool:
        return self._channels.get(room) in recipient.lanes

    def leave(self, recipient: Recipient, room: str) -> None:
        channel = self._channels.get(room)
        if channel is not None:
            recipient.leave(channel)

    def mark(self, room: str) -> None:
        """The room changed. Sent at the next turn of the event loop: what is already waiting to be
        read comes first, so a gateway that fell behind sends the newest and skips the rest."""
        if room in self._channels:
            self._changed[room] = None
            self._schedule()

    async def run(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(1 / _WHEEL_HZ)
            tick += 1
            self._due.update(
                rate for rate in RATES if rate != "max" and not tick % (_WHEEL_HZ // rate)
            )
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """A slice of what there is to do."""
        self._scheduled = False
        until_ns = mono_ns() + SLICE_NS
        while self._round is not None or self._changed or self._due or self._windows.is_due:
            if self._round is None:
                self._round = self._one_round()
            for _ in self._round:
                if mono_ns() >= until_ns:
                    self._schedule()
                    return
            self._round = None

    def _one_round(self) -> Iterator[None]:
        """Sends what is marked now: to all at full rate, and to the paced whose tick has come."""
        changed, self._changed = self._changed, {}
        for room in changed:
            yield from self._channels[room].advance("max")
            yield
        due, self._due = self._due, set()
        if due:
            for channel in list(self._channels.values()):
                yield from channel.paced(due)
        yield from self._windows.work()
