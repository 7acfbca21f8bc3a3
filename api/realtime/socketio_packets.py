"""What clients send in the Socket.IO protocol, version 5, as the reference parser takes it. Pure.

Source: https://github.com/socketio/socket.io-protocol and the package socket.io-parser 4.2.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

NAMESPACE: Final = "/"
ATTACHMENTS_BOUND: Final = 10

Kind = Literal["connect", "disconnect", "event", "ack"]

_KINDS: Final[dict[str, Kind]] = {
    "0": "connect",
    "1": "disconnect",
    "2": "event",
    "3": "ack",
    "5": "event",
    "6": "ack",
}
_WITH_ATTACHMENTS: Final = ("5", "6")
_ATTACHMENTS: Final = re.compile(r"([0-9]{1,9})-")
# What is left of a longer number fails as payload.
_ADDRESS: Final = re.compile(r"(?:(/[^,]*)(?:,|\Z))?([0-9]{0,100})")
_RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


class ClientPacketError(ValueError):
    """What came is no packet of a client."""


@dataclass(slots=True)
class ClientPacket:
    """``data`` is the handshake of a connect or None, the array of an event or ack. ``missing``
    counts the attachments still to come; the last one puts all in their places."""

    kind: Kind
    namespace: str
    number: int | None
    data: Any
    missing: int = 0
    attachments: list[bytes] = field(default_factory=list)

    def attach(self, attachment: str | bytes) -> None:
        """Raises ClientPacketError for text, and for a placeholder without attachment."""
        if isinstance(attachment, str):
            raise ClientPacketError("text where an attachment was announced")
        self.attachments.append(attachment)
        self.missing -= 1
        if not self.missing:
            try:
                self.data = _filled(self.data, self.attachments)
            except RecursionError:
                raise ClientPacketError("nested too deeply") from None


def decode(text: str | bytes) -> ClientPacket:
    """Raises ClientPacketError."""
    if isinstance(text, bytes):
        raise ClientPacketError("an attachment that was not announced")
    digit = text[:1]
    kind = _KINDS.get(digit)
    if kind is None:
        raise ClientPacketError("a type that no client sends")
    start, missing = 1, 0
    if digit in _WITH_ATTACHMENTS:
        announced = _ATTACHMENTS.match(text, start)
        if announced is None or not 1 <= int(announced[1]) <= ATTACHMENTS_BOUND:
            raise ClientPacketError("no number of attachments, or too many")
        start, missing = announced.end(), int(announced[1])
    address = _ADDRESS.match(text, start)
    assert address is not None  # every part of it is optional
    packet = ClientPacket(
        kind,
        address[1] or NAMESPACE,
        int(address[2]) if address[2] else None,
        _parsed(text[address.end() :]),
        missing,
    )
    if not _is_valid(packet):
        raise ClientPacketError("not the payload of its type")
    return packet


def _parsed(payload: str) -> Any:
    if not payload:
        return None
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise ClientPacketError("the payload is no JSON") from None
    if data is None:
        raise ClientPacketError("the payload is null")
    return data


def _is_valid(packet: ClientPacket) -> bool:
    data, number = packet.data, packet.number
    match packet.kind:
        case "connect":
            return number is None and (data is None or isinstance(data, dict))
        case "disconnect":
            return number is None and data is None
        case "event":
            return isinstance(data, list) and bool(data) and _is_event_name(data[0])
        case "ack":
            return isinstance(data, list) and number is not None


def _is_event_name(name: Any) -> bool:
    if isinstance(name, str):
        return name not in _RESERVED_EVENTS
    return isinstance(name, int | float) and not isinstance(name, bool)


def _filled(data: Any, attachments: list[bytes]) -> Any:
    if isinstance(data, list):
        return [_filled(item, attachments) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("_placeholder") is not True:
        return {key: _filled(value, attachments) for key, value in data.items()}
    place = data.get("num")
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(attachments):
        raise ClientPacketError("a placeholder without attachment")
    return attachments[place]
