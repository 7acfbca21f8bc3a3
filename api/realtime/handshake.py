"""What a client must say to get an Engine.IO session, the same for both transports. Pure."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson

PATH: Final = "/socket.io"
PROTOCOL: Final = "4"

TransportName = Literal["polling", "websocket"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FIELDS_BOUND: Final = 16
_PHRASES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    503: "Unavailable",
}


class Refused(Exception):
    """A request Engine.IO does not take. ``code`` and message are those of the reference server."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = orjson.dumps({"code": code, "message": message})

    def http(self) -> bytes:
        """The whole HTTP answer, for a connection that asked to become a WebSocket."""
        return (
            f"HTTP/1.1 {self.status} {_PHRASES[self.status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(self.body)}\r\nconnection: close\r\n\r\n"
        ).encode() + self.body


def unknown_session() -> Refused:
    return Refused(1, "Session ID unknown")


def bad_method() -> Refused:
    return Refused(2, "Bad handshake method")


def bad_request() -> Refused:
    return Refused(3, "Bad request")


def not_found() -> Refused:
    return Refused(3, "Not found", 404)


def full() -> Refused:
    return Refused(3, "Too many sessions", 503)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The request of a WebSocket client; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def parse_upgrade(raw: bytes) -> Upgrade:
    """Reads the request as the HTTP server, which has parsed and checked it, wrote it out again."""
    request, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = request.split(" ")
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        value = value.strip()
        # Fields of one name are one list.
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Upgrade(method, path, query, headers)


def accept_upgrade(headers: Mapping[str, str]) -> bytes:
    """The answer that makes the connection a WebSocket. Raises Refused on a bad key or version."""
    key = headers.get("sec-websocket-key", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != 16 or headers.get("sec-websocket-version") != "13":
        raise bad_request()
    digest = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: " + digest + b"\r\n\r\n"
    )


def check(query: str, headers: Mapping[str, str], transport: TransportName) -> str | None:
    """The session id the request names, None when it asks for a new session.

    Raises Refused.
    """
    if not same_origin(headers.get("origin"), headers.get("host", "")):
        raise Refused(4, "Forbidden", 403)
    try:
        fields = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_BOUND))
    except ValueError:
        raise bad_request() from None
    if fields.get("transport") not in ("polling", "websocket"):
        raise Refused(0, "Transport unknown")
    if fields["transport"] != transport or "j" in fields:
        raise bad_request()
    if fields.get("EIO") != PROTOCOL:
        raise Refused(5, "Unsupported protocol version")
    return fields.get("sid")


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a page of ours asks, or a program that is no browser and sends no origin. The scheme
    is not compared: TLS may end in front of us."""
    if origin is None:
        return True
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
