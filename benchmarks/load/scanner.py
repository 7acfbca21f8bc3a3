"""What a server sends, as the load client sees it: where frames end, and of an update its room, its
sequence and its times. Pure.

The same bytes go to many sockets. What was read once is looked up the next time, so that no JSON is
looked at for every delivery.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FRAME_BOUND: Final = 64 * 1024 * 1024
REMEMBERED: Final = 4096
"""Chunks, and updates, that are remembered before all are forgotten."""
REMEMBERED_BYTES: Final = 8 * 1024
"""A longer one is not remembered."""

_WHOLE: Final = 0x80
_EVENT: Final = b'42["'
_ROOM: Final = re.compile(rb'"room":"([^"\\]+)"')
_SEQ: Final = re.compile(rb'"seq":(\d+)')
_PUBLISHED: Final = re.compile(rb'"published_us":(\d+)')
_RECEIVED: Final = re.compile(rb'"received_us":(\d+)')
_STATUS: Final = b'"cause":"status"'


class ScanError(Exception):
    """Not what a server that neither masks, fragments nor compresses sends."""


class Update(NamedTuple):
    """An event with an envelope. ``is_status``: such a one may repeat a sequence."""

    room: str
    seq: int
    published_us: int
    received_us: int
    is_status: bool


class Control(NamedTuple):
    """Any other frame but events without an envelope."""

    opcode: int
    payload: bytes


class Chunk(NamedTuple):
    """What bytes that begin with a frame hold.

    ``messages``: updates and controls in their order. ``others``: events without an envelope, as a
    heartbeat. ``rest``: of the frame that is not complete.

    ``plain``: whole, without controls, and in every room sequences rise. Then ``spans`` says all
    about them: (room, lowest, highest).
    """

    messages: tuple[Update | Control, ...]
    others: int
    rest: bytes
    plain: bool
    spans: tuple[tuple[str, int, int], ...]

    @property
    def updates(self) -> Iterator[Update]:
        return (message for message in self.messages if isinstance(message, Update))


NOTHING: Final = Chunk((), 0, b"", True, ())


class Scanner:
    """Shared by all sockets of a process."""

    def __init__(self) -> None:
        self._chunks: dict[bytes, Chunk] = {}
        self._events: dict[bytes, Update | None] = {}

    def read(self, data: bytes) -> Chunk:
        """``data`` begins where a frame does. Raises ScanError."""
        chunk = self._chunks.get(data)
        if chunk is None:
            chunk = self._cut(data)
            if chunk.plain and len(data) <= REMEMBERED_BYTES:
                if len(self._chunks) >= REMEMBERED:
                    self._chunks.clear()
                self._chunks[data] = chunk
        return chunk

    def _cut(self, data: bytes) -> Chunk:
        messages: list[Update | Control] = []
        others, position, size = 0, 0, len(data)
        while size - position >= 2:
            first, length, start = data[position], data[position + 1], position + 2
            if length > 125:
                start += _length_bytes(length)
                if start > size:
                    break
                length = int.from_bytes(data[position + 2 : start], "big")
            if first & 0xF0 != _WHOLE or length > FRAME_BOUND:
                raise ScanError("a frame that is fragmented, compressed or too long")
            if start + length > size:
                break
            position = start + length
            payload = data[start:position]
            if first != _WHOLE | TEXT or not payload.startswith(_EVENT):
                messages.append(Control(first & 0x0F, payload))
            elif (update := self._event(payload)) is not None:
                messages.append(update)
            else:
                others += 1
        spans = _spans(messages) if position == size else None
        return Chunk(tuple(messages), others, data[position:], spans is not None, spans or ())

    def _event(self, payload: bytes) -> Update | None:
        known = self._events
        if payload in known:
            return known[payload]
        update = parse_event(payload)
        if len(payload) <= REMEMBERED_BYTES:
            if len(known) >= REMEMBERED:
                known.clear()
            known[payload] = update
        return update


def _spans(messages: Sequence[Update | Control]) -> tuple[tuple[str, int, int], ...] | None:
    """None where a message is no update or a sequence does not rise."""
    found: dict[str, tuple[str, int, int]] = {}
    for message in messages:
        if isinstance(message, Control):
            return None
        room, lowest, highest = found.get(message.room, (message.room, message.seq, -1))
        if message.seq <= highest:
            return None
        found[message.room] = room, lowest, message.seq
    return tuple(found.values())


def parse_event(payload: bytes) -> Update | None:
    """None where there is no envelope with a room, a sequence and both times."""
    room, seq = _ROOM.search(payload), _SEQ.search(payload)
    published, received = _PUBLISHED.search(payload), _RECEIVED.search(payload)
    if room is None or seq is None or published is None or received is None:
        return None
    return Update(
        room=room[1].decode(),
        seq=int(seq[1]),
        published_us=int(published[1]),
        received_us=int(received[1]),
        is_status=_STATUS in payload,
    )


def _length_bytes(marker: int) -> int:
    """How many bytes of length follow. Raises ScanError."""
    if marker > 127:
        raise ScanError("a masked frame from a server")
    return 2 if marker == 126 else 8


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame of ours. The mask is zero: nothing on the way has to be protected from this
    client."""
    size = len(payload)
    if size < 126:
        head = bytes((_WHOLE | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((_WHOLE | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((_WHOLE | opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload
