"""Requests for a session of another gateway of this host go to that gateway, by its unix socket.

``OpenPolling`` and ``OpenWebSocket`` are what the public port has. On the unix sockets are their
bases, which know of no other gateway: nothing is passed on twice.
"""

import asyncio
import socket
from typing import ClassVar, Final

import h11
from starlette.responses import Response
from starlette.types import Receive, Scope

from api import metrics
from api.peers import FORWARDED_FOR, Peers
from api.realtime import handshake
from api.realtime.engine import Engine
from api.realtime.polling import PollingEndpoint, disconnected, read_body
from api.realtime.relay import Relays
from api.realtime.siblings import Siblings
from api.realtime.websocket import SEND_BUFFER, WebSocketTransport
from runtime.tasks import end_all

ANSWER_BOUND: Final = 16 * 1024 * 1024
READ_BYTES: Final = 64 * 1024

_KEPT: Final = frozenset({b"host", b"origin"})
"""What the client said that decides something; the rest is said by us."""


class Passing:
    """All that this gateway passes on. ``bound``: of WebSockets."""

    def __init__(self, siblings: Siblings, bound: int) -> None:
        self.siblings = siblings
        self.relays = Relays(bound)
        self.asked: set[asyncio.Task[Response]] = set()

    def abort_all(self) -> None:
        self.relays.abort_all()
        for task in self.asked:
            task.cancel()


class OpenPolling(PollingEndpoint):
    def __init__(self, engine: Engine, passing: Passing) -> None:
        super().__init__(engine)
        self._passing = passing
        # A poll is answered when a ping is due, if not before.
        self._patience_s = engine.limits.ping_interval_s + engine.limits.ping_timeout_s

    async def answer(self, sid: str, scope: Scope, receive: Receive) -> Response | None:
        path = self._passing.siblings.path_of(sid)
        if path is None:
            return await super().answer(sid, scope, receive)
        metrics.PASSED_ON.labels(transport="polling").inc()
        body = await read_body(receive, self.engine.limits.max_payload)
        asked = asyncio.create_task(_ask(path, _request(scope, body), body))
        gone = asyncio.ensure_future(disconnected(receive))
        self._passing.asked.add(asked)
        try:
            await asyncio.wait(
                {asked, gone}, timeout=self._patience_s, return_when=asyncio.FIRST_COMPLETED
            )
            if asked.done() and not asked.cancelled():
                return asked.result()
            if gone.done():
                return None
            raise handshake.unknown_session()
        except (OSError, h11.RemoteProtocolError):
            raise handshake.unknown_session() from None
        finally:
            self._passing.asked.discard(asked)
            await end_all([asked, gone])


def _request(scope: Scope, body: bytes) -> h11.Request:
    return h11.Request(
        method=scope["method"],
        target=scope["raw_path"] + b"?" + scope["query_string"],
        headers=[
            *(item for item in scope["headers"] if item[0] in _KEPT),
            (FORWARDED_FOR, scope["client"][0]),
            ("x-request-id", scope["request_id"]),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ],
    )


async def _ask(path: str, request: h11.Request, body: bytes) -> Response:
    """The answer of who listens there. Raises OSError and RemoteProtocolError."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        wire = h11.Connection(h11.CLIENT)
        for said in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(wire.send(said) or b"")
        head, received = None, bytearray()
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await reader.read(READ_BYTES))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data) and len(received) <= ANSWER_BOUND:
                received += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                kind = dict(head.headers).get(b"content-type", b"").decode()
                return Response(bytes(received), head.status_code, {"content-type": kind})
            else:
                raise h11.RemoteProtocolError("no answer that we would give")
    finally:
        writer.close()


class OpenWebSocket(WebSocketTransport):
    passing: ClassVar[Passing]

    def passes_on(self, sid: str, request: bytes, peer: str) -> bool:
        path = self.passing.siblings.path_of(sid)
        if path is None:
            return False
        self.passing.relays.begin(self._transport, path, with_address(request, peer))
        metrics.PASSED_ON.labels(transport="websocket").inc()
        return True


def with_address(request: bytes, peer: str) -> bytes:
    """The request with this address in place of what the client said of it."""
    name = FORWARDED_FOR.encode() + b":"
    first, *lines = request.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(name)]
    return b"\r\n".join([first, name + b" " + peer.encode(), *kept])


class InnerWebSocket(WebSocketTransport):
    """On the unix socket, whose connections do not inherit the size of their buffers."""

    peers = Peers(passed_on=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
