"""WebSocket frames (RFC 6455) as the server sees them, without I/O.

Frames of ours are never masked and never fragmented, so one framing serves every socket. Nothing is
compressed: a compressed frame cannot be shared.
"""

import struct
from collections.abc import Iterator
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
INVALID_DATA: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
SERVICE_RESTART: Final = 1012
SESSION_ENDED: Final = 4001
SLOW_CONSUMER: Final = 4008

_FINAL: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_CONTROL_LIMIT: Final = 125
_MEDIUM: Final = struct.Struct("!BBH")
_LARGE: Final = struct.Struct("!BBQ")
_NEVER_ON_THE_WIRE: Final = frozenset({1004, 1005, 1006})


class FrameError(Exception):
    """What the peer sent is no WebSocket. ``code``: the close code that says why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole unmasked frame."""
    size = len(payload)
    if size <= _CONTROL_LIMIT:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 1 << 16:
        return _MEDIUM.pack(_FINAL | opcode, 126, size) + payload
    return _LARGE.pack(_FINAL | opcode, 127, size) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[: _CONTROL_LIMIT - 2])


def close_code(payload: bytes) -> int:
    """The code to answer a peer's close frame with: its own, where it sent a valid one.

    Raises FrameError when the payload breaks the protocol.
    """
    if not payload:
        return NORMAL
    code = int.from_bytes(payload[:2], "big")
    known = 1000 <= code <= 1014 and code not in _NEVER_ON_THE_WIRE
    if len(payload) == 1 or not (known or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_ERROR, "invalid close code")
    decode_text(payload[2:])
    return code


def decode_text(payload: bytes) -> str:
    """Raises FrameError when ``payload`` is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_DATA, "text is not UTF-8") from None


class FrameParser:
    """Bytes of a client in, whole messages and control frames out. ``max_bytes`` bounds a message
    over all of its fragments, and with it what is ever buffered."""

    __slots__ = ("_buffer", "_max_bytes", "_opcode", "_parts")

    def __init__(self, max_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._opcode: int | None = None
        self._parts = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of what ``data`` completes. Raises FrameError where it breaks off."""
        self._buffer += data
        while (cut := self._cut()) is not None:
            final, opcode, payload = cut
            if opcode >= CLOSE:
                yield opcode, payload
                continue
            if (opcode == CONTINUATION) != (self._opcode is not None):
                raise FrameError(PROTOCOL_ERROR, "fragments out of order")
            if self._opcode is None:
                if final:
                    yield opcode, payload
                    continue
                self._opcode = opcode
            self._parts += payload
            if final:
                opcode, whole = self._opcode, bytes(self._parts)
                self._opcode = None
                self._parts.clear()
                yield opcode, whole

    def _cut(self) -> tuple[bool, int, bytes] | None:
        """(final, opcode, payload) of the first frame, taken off; None until all of it is here."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        opcode, size, start = first & 0x0F, second & 0x7F, 2
        if first & _RESERVED or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameError(PROTOCOL_ERROR, "reserved bits or opcode")
        if not second & _MASKED:
            raise FrameError(PROTOCOL_ERROR, "frames of a client must be masked")
        final = bool(first & _FINAL)
        if opcode >= CLOSE and (size > _CONTROL_LIMIT or not final):
            raise FrameError(PROTOCOL_ERROR, "control frame too long or fragmented")
        if size > _CONTROL_LIMIT:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if opcode < CLOSE and size + len(self._parts) > self._max_bytes:
            raise FrameError(TOO_BIG, f"message over {self._max_bytes} bytes")
        body = start + 4
        end = body + size
        if len(buffer) < end:
            return None
        payload = _unmask(bytes(buffer[body:end]), bytes(buffer[start:body]))
        del buffer[:end]
        return final, opcode, payload


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(repeated, "little")).to_bytes(
        size, "little"
    )
