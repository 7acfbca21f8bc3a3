"""One socket of the load: its handshakes, its subscription and the order of what it receives.

``Link`` writes to its own socket but neither reads nor closes it: that is the swarm's.
"""

import errno
import functools
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from benchmarks.load import scanner
from benchmarks.load.plan import Counts, LoadError
from benchmarks.load.scanner import Chunk, Control, Update

NEVER: Final = 1 << 63
"""Above every sequence: of a room nobody subscribed to no update is the next."""

_KEY: Final = "bG9hZCBraXQgc29ja2V0cw=="
_ACCEPTED: Final = b"7E6hdHfVP7kfkm1iTTruVB7ri/M="
_CONNECT: Final = scanner.masked(scanner.TEXT, b"40")
_PONG: Final = scanner.masked(scanner.TEXT, b"3")
_HEAD_BOUND: Final = 16 * 1024


class Stage(Enum):
    WAITING = auto()
    CONNECTING = auto()
    UPGRADING = auto()
    JOINING = auto()
    SUBSCRIBED = auto()


class LinkEnd(Exception):
    """The connection is over; ``reason`` is what it is counted under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Server:
    """Where to connect. Raises LoadError for a URL that is not plain HTTP or has no address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise LoadError(f"{url} is no http://host:port (end TLS in front of what is loaded)")
        try:
            found = socket.getaddrinfo(
                parts.hostname, parts.port or 80, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except OSError as error:
            raise LoadError(f"{parts.hostname} has no address: {error}") from None
        self.family: int = found[0][0]
        self.address: Any = found[0][4]
        self.upgrade = (
            f"GET {parts.path.rstrip('/')}/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()


class Link:
    """``last``: of each room it subscribed to the highest sequence it has seen. ``slow``: it is one
    of those that stop reading, and no latency of its is counted; ``resumed_us``: since when it
    reads again and has not caught up, else 0."""

    __slots__ = (
        "_counts",
        "_known",
        "_silent",
        "began_ns",
        "caught_up",
        "last",
        "lost_ns",
        "recv",
        "rest",
        "resumed_us",
        "rooms",
        "slow",
        "socket",
        "stage",
        "subscribe",
    )

    def __init__(
        self,
        rooms: tuple[str, ...],
        subscribe: bytes,
        slow: bool,
        counts: Counts,
        caught_up: Callable[[int], None],
    ) -> None:
        self.rooms = rooms
        self.subscribe = subscribe
        self.slow = slow
        self.last: dict[str, int] = {}
        self.stage = Stage.WAITING
        self.rest = b""
        self.began_ns = 0
        self.lost_ns = 0
        self.resumed_us = 0
        self.caught_up = caught_up
        self.socket: socket.socket
        self.recv: Callable[[int], bytes]
        self._counts = counts
        self._known: dict[str, int] = {}
        self._silent: dict[str, int] = {}

    # Connecting

    def opened(self, connection: socket.socket, now_ns: int) -> None:
        self.socket, self.recv = connection, connection.recv
        self.stage = Stage.CONNECTING
        self.began_ns = self.began_ns or now_ns

    def forget(self) -> None:
        """The connection is over; what was seen on it is kept to judge the next snapshots by."""
        self._known = self.last or self._known
        self.last, self.rest = {}, b""
        self._silent.clear()
        self.resumed_us = 0
        self.stage = Stage.WAITING

    def send(self, frame: bytes) -> None:
        """Raises LinkEnd where the little this client says does not fit into the socket."""
        try:
            sent = self.socket.send(frame)
        except OSError as error:
            raise LinkEnd(reason_of(error)) from None
        if sent < len(frame):
            raise LinkEnd("the server does not read")

    def upgraded(self, data: bytes) -> bytes | None:
        """The first bytes behind the head of the HTTP answer; None while it is not whole."""
        head, end, rest = (self.rest + data).partition(b"\r\n\r\n")
        if not end:
            self.rest = head
            if len(head) > _HEAD_BOUND:
                raise LinkEnd("no HTTP answer")
            return None
        status = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")[2]
        if not status.startswith("101"):
            raise LinkEnd(f"HTTP {status} {rest[:80].decode('latin-1')}".rstrip())
        if _ACCEPTED not in head:
            raise LinkEnd("another WebSocket key was accepted")
        self.stage, self.rest = Stage.JOINING, b""
        return rest

    # Receiving

    def take(self, message: Update | Control) -> None:
        """Any message. Raises LinkEnd."""
        if isinstance(message, Update):
            self._counts.deliveries += 1
            self.see(message)
            if 0 < self.resumed_us <= message.published_us:
                self.caught_up(self.resumed_us)
                self.resumed_us = 0
        elif message.opcode == scanner.TEXT:
            self._take_packet(message.payload)
        elif message.opcode == scanner.CLOSE:
            code = int.from_bytes(message.payload[:2], "big") or 1005
            self.send(scanner.masked(scanner.CLOSE, message.payload[:2]))
            raise LinkEnd(f"closed with {code} {message.payload[2:].decode('latin-1')}".rstrip())
        elif message.opcode == scanner.PING:
            self.send(scanner.masked(scanner.PONG, message.payload))
        else:
            self._counts.other_events += 1

    def see(self, update: Update) -> None:
        """Compares its sequence with the last of the room."""
        room, seq = update.room, update.seq
        known = self.last.get(room)
        if known is None:
            self._counts.before_answer += 1
        elif seq > known:
            self.last[room] = seq
        elif seq < known:
            self._counts.backwards += 1
        elif update.is_status:
            self._silent[room] = known
        elif self._silent.pop(room, None) != known and not self.slow:
            self._counts.repeated += 1

    def doubt(self, room: str, chunk: Chunk) -> None:
        """Compares one by one the sequences of a room that do not all come after its last."""
        for update in chunk.updates:
            if update.room == room:
                self.see(update)

    def _take_packet(self, packet: bytes) -> None:
        if packet == b"2":
            self._counts.pings += 1
            self.send(_PONG)
        elif packet.startswith(b"430"):
            self._take_answer(packet[3:])
        elif packet.startswith(b"40"):
            self.send(self.subscribe)
        elif packet.startswith(b"44"):
            raise LinkEnd(f"connect error {packet[2:82].decode('latin-1')}")
        elif packet.startswith(b"41"):
            raise LinkEnd("disconnected from the namespace")
        elif packet.startswith(b"0"):
            self.send(_CONNECT)
        elif packet == b"1":
            raise LinkEnd("closed by Engine.IO")
        else:
            self._counts.other_events += 1

    def _take_answer(self, body: bytes) -> None:
        """Of ``subscribe``: with snapshots, or a mere acknowledgement that all rooms are joined."""
        values = orjson.loads(body)
        answer: Any = values[0] if values else None
        rooms = answer.get("rooms") if isinstance(answer, dict) else None
        if isinstance(answer, dict):
            for error in answer.get("errors") or ():
                self._counts.rooms_refused[str(error.get("code"))] += 1
        if isinstance(rooms, dict):
            self.last = {room: envelope["seq"] for room, envelope in rooms.items()}
            for room, envelope in rooms.items():
                # While the feed is silent; its first word may repeat the sequence.
                if envelope.get("cause") == "status":
                    self._silent[room] = envelope["seq"]
        else:
            self.last = dict.fromkeys(self.rooms, -1)
        for room, seq in self.last.items():
            self._counts.older_snapshots += 0 <= seq < self._known.get(room, 0)
        self.stage = Stage.SUBSCRIBED


def reason_of(error: OSError) -> str:
    """A word for the statistics: ``ECONNRESET``."""
    return errno.errorcode.get(error.errno or 0, str(error))


@functools.cache
def subscription(rooms: tuple[str, ...], rate: str | int) -> bytes:
    """The frame that asks for ``rooms``; answered with number 0."""
    request: dict[str, Any] = {"rooms": rooms}
    if rate != "max":
        request["rate"] = rate
    return scanner.masked(scanner.TEXT, b'420["subscribe",' + orjson.dumps(request) + b"]")
