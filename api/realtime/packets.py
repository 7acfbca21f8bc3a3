"""Engine.IO v4 packets and polling payloads. Pure."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from api.realtime.frames import BINARY, TEXT, frame

SEPARATOR: Final = b"\x1e"
PACKETS_BOUND: Final = 8192
"""Packets taken from one POST. A client sends all it has, to the length that was announced: at the
length we announce this is more than there can be Socket.IO events in it."""


class PacketError(Exception):
    """The client sent what is no Engine.IO packet."""


class Packet:
    """One packet to a client, in the form of either transport. Shared by all who receive it, so
    the frame is built once."""

    __slots__ = ("_frame", "binary", "data")

    def __init__(self, data: bytes, binary: bool = False) -> None:
        self.data = data
        self.binary = binary
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """As WebSocket frame."""
        if self._frame is None:
            self._frame = frame(BINARY if self.binary else TEXT, self.data)
        return self._frame

    @property
    def text(self) -> bytes:
        """As part of a polling payload."""
        return b"b" + base64.b64encode(self.data) if self.binary else self.data


CLOSE: Final = Packet(b"1")
PING: Final = Packet(b"2")
PROBE_ANSWER: Final = Packet(b"3probe")
NOOP: Final = Packet(b"6")

CLOSE_BY_CLIENT: Final = "1"
PROBE: Final = "2probe"
UPGRADE: Final = "5"


def event(name: str, body: bytes) -> Packet:
    """A Socket.IO event of the main namespace with one JSON argument, encoded already."""
    return Packet(b'42["' + name.encode() + b'",' + body + b"]")


def message(data: str | bytes) -> Packet:
    """What the Socket.IO layer sends."""
    return Packet(b"4" + data.encode()) if isinstance(data, str) else Packet(data, binary=True)


def encode_payload(packets: Sequence[Packet]) -> bytes:
    return SEPARATOR.join([packet.text for packet in packets])


def decode_payload(raw: bytes) -> list[str | bytes]:
    """The packets of a POST: text with its type digit, or binary. Raises PacketError."""
    parts = raw.split(SEPARATOR, PACKETS_BOUND)
    if len(parts) > PACKETS_BOUND:
        raise PacketError("too many packets")
    try:
        return [
            base64.b64decode(part[1:], validate=True) if part[:1] == b"b" else part.decode()
            for part in parts
        ]
    except (binascii.Error, UnicodeDecodeError):
        raise PacketError("packet is neither text nor base64") from None
