"""Rooms and who listens to them: a lane for each rate, one timer for all paced lanes."""

import asyncio
from typing import Final, Literal, Protocol

from api.realtime import packets
from api.realtime.delivery import Lane, Recipient
from api.realtime.packets import Packet
from runtime.channels import room_kind

Rate = Literal["max", 1, 4, 10, 20]

RATES: Final[tuple[Rate, ...]] = ("max", 1, 4, 10, 20)
_WHEEL_HZ: Final = 20


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
    """The subscribers of one room, in a lane for each rate they asked for."""

    def __init__(self, source: Source) -> None:
        self.stream = source.stream
        self._source = source
        self._event = room_kind(source.name)
        self._lanes: dict[Rate, Lane] = {}
        self._sent: dict[Rate, int] = {}
        self._newest: tuple[int, Packet] | None = None

    def lane(self, rate: Rate) -> Lane:
        if rate not in self._lanes:
            self._lanes[rate] = Lane(self)
            self._sent[rate] = self._source.version
        return self._lanes[rate]

    def newest(self) -> Packet:
        version = self._source.version
        if self._newest is None or self._newest[0] != version:
            self._newest = version, packets.event(self._event, self._source.catch_up())
        return self._newest[1]

    def advance(self, rate: Rate) -> None:
        """Sends one lane what changed since it was last sent anything."""
        source = self._source
        sent = self._sent.get(rate)
        if sent is None or sent == source.version:
            return
        self._sent[rate] = source.version
        lane = self._lanes[rate]
        if len(lane):
            # As a rule one change at a time comes by, and is passed on as the feed wrote it.
            one_step = sent == source.version - 1
            body = source.shown if one_step else source.since(sent)
            lane.send(packets.event(self._event, body))

    def turn(self, tick: int) -> None:
        """A tick of the wheel: the paced lanes that are due."""
        for rate in self._lanes:
            if rate != "max" and tick % (_WHEEL_HZ // rate) == 0:
                self.advance(rate)


class Hub:
    """All channels that ever had subscribers. ``run`` turns the wheel."""

    def __init__(self) -> None:
        self._channels: dict[str, RoomChannel] = {}
        self._changed: dict[str, None] = {}

    def join(self, recipient: Recipient, source: Source, rate: Rate) -> None:
        channel = self._channels.get(source.name)
        if channel is None:
            channel = self._channels[source.name] = RoomChannel(source)
        recipient.join(channel, channel.lane(rate))

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
            if not self._changed:
                asyncio.get_running_loop().call_soon(self.flush)
            self._changed[room] = None

    def flush(self) -> None:
        """Sends what is marked to all at full rate."""
        changed, self._changed = self._changed, {}
        for room in changed:
            self._channels[room].advance("max")

    async def run(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(1 / _WHEEL_HZ)
            tick += 1
            for channel in list(self._channels.values()):
                channel.turn(tick)
