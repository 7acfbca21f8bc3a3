"""The server that the official Engine.IO v4 and Socket.IO v5 suites run against, made of the
gateway's own classes.

    python -m tests.protocol.server --port 3000

At `/engine.io/` every message is sent back. At `/socket.io/` there are the namespaces `/` and
`/custom`: both send `auth` with the handshake to who connects, `message` comes back as
`message-back`, `message-with-ack` is acknowledged with its own arguments.
"""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import uvloop
from socketio import packet
from starlette.applications import Starlette
from starlette.routing import Route

from api.realtime.engine import Engine, Limits
from api.realtime.limits import QUOTAS
from api.realtime.polling import PollingEndpoint
from api.realtime.session import Session
from api.realtime.socketio_server import SocketServer
from api.realtime.websocket import WebSocketTransport
from api.service import HttpServer, http_config, listen
from runtime.logs import configure_logs
from runtime.tasks import end_all

SUITE: Final = Limits(
    ping_interval_s=0.3,
    ping_timeout_s=0.2,
    join_timeout_s=1.2,
    max_payload=1_000_000,
    quotas=QUOTAS.scaled(1_000),
)
"""What the suites expect to be told in the handshake. They wait for three pings before they enter a
namespace, so there is time for a fourth. They send all they have at once."""
AUTH_AFTER_S: Final = 0.02
"""The suite listens for one packet at a time: it misses the second of two that it reads together,
as a busy machine does with an answer and an event that follow each other at once."""
NAMESPACES: Final = ("/", "/custom")


class EchoSockets(SocketServer):
    """The handlers of the Socket.IO suite."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, list(NAMESPACES))
        self.reasons: list[str] = []
        for namespace in NAMESPACES:
            self.on("connect", self._connected, namespace)
            self.on("disconnect", self._disconnected, namespace)
        self.on("message", self._message)
        self.on("message-with-ack", self._message_with_ack)

    async def _connected(self, sid: str, environ: Any, auth: Any) -> None:
        """Without a handler the library would not call back at all."""

    async def _disconnected(self, sid: str, reason: str) -> None:
        self.reasons.append(reason)

    async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        if namespace in NAMESPACES:
            await asyncio.sleep(AUTH_AFTER_S)
            await self._send(eio_sid, namespace, "auth", data or {})

    async def _message(self, sid: str, *arguments: Any) -> None:
        await self._send(self.manager.eio_sid_from_sid(sid, "/"), "/", "message-back", *arguments)

    async def _message_with_ack(self, sid: str, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    async def _send(self, eio_sid: str, namespace: str, *event: Any) -> None:
        await self._send_packet(
            eio_sid, self.packet_class(packet.EVENT, data=list(event), namespace=namespace)
        )


@dataclass
class EchoEngine:
    """The handlers of the Engine.IO suite."""

    engine: Engine
    peers: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine.on("connect", self._connected)
        self.engine.on("message", self.engine.send)
        self.engine.on("disconnect", self._disconnected)

    async def _connected(self, sid: str, environ: dict[str, str]) -> None:
        self.peers.append(environ["REMOTE_ADDR"])
        # There are no namespaces to enter.
        self.engine.sessions[sid].joined()

    async def _disconnected(self, sid: str, reason: str) -> None:
        self.reasons.append(reason)


@dataclass(frozen=True)
class Server:
    """A running one."""

    url: str
    http: HttpServer
    echo: EchoEngine
    sockets: EchoSockets

    def sessions(self) -> list[Session]:
        return [*self.echo.engine.sessions.values(), *self.sockets.eio.sessions.values()]


@contextlib.asynccontextmanager
async def serving(limits: Limits = SUITE, port: int = 0) -> AsyncIterator[Server]:
    """Port 0: any free one."""
    echo = EchoEngine(Engine(limits, "/engine.io"))
    sockets = EchoSockets(limits)
    engines = {engine.path: engine for engine in (echo.engine, sockets.eio)}

    class EitherTransport(WebSocketTransport):
        """Which engine it belongs to is seen in the request."""

        engine = sockets.eio

        def _shake_hands(self, data: bytes) -> None:
            for path, engine in engines.items():
                if data.startswith(b"GET " + path.encode() + b"/"):
                    self.engine = engine
            super()._shake_hands(data)

    app = Starlette(
        routes=[Route(f"{path}/", PollingEndpoint(engine)) for path, engine in engines.items()]
    )
    http = HttpServer(http_config(app, EitherTransport), sockets.eio)
    listeners = [listen("127.0.0.1", port, shared=False)]
    port = listeners[0].getsockname()[1]
    with contextlib.suppress(OSError):
        # What `localhost` is first for some clients.
        listeners.append(listen("::1", port, shared=False))
    attending = [asyncio.create_task(engine.run()) for engine in engines.values()]
    working = asyncio.create_task(http.serve(listeners))
    try:
        yield Server(f"http://127.0.0.1:{port}", http, echo, sockets)
    finally:
        await echo.engine.close_all(0.2)
        http.should_exit = True
        await working
        await end_all(attending)


async def main(port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(port=port) as server:
        print(f"ready {server.url}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--port", type=int, default=3000)
    configure_logs("protocol", "WARNING")
    uvloop.run(main(arguments.parse_args().port))
