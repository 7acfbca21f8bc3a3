"""Our gateway's fan-out, from the board on: Socket.IO server, rooms, lanes and windows."""

import asyncio
from dataclasses import replace
from typing import Final

import orjson
import uvloop
from starlette.applications import Starlette
from starlette.routing import Route

from api.auth.service import Auth
from api.realtime.accounts import Accounts
from api.realtime.engine import LIMITS
from api.realtime.hub import Hub
from api.realtime.polling import PollingEndpoint
from api.realtime.socketio_server import SocketServer
from api.realtime.subscriptions import Subscriptions
from api.realtime.websocket import WebSocketTransport
from api.service import AUTH_OFF, HttpServer, http_config, listen
from api.tape.board import Board
from benchmarks.peers.plan import WARM_SEQ, Arguments, encoded, publish, room_of
from db.pool import Database
from runtime.channels import room_market
from runtime.logs import configure_logs
from runtime.redis import fast_client
from runtime.wire import Envelope

NOWHERE: Final = "redis://127.0.0.1:1"


def nobody(hub: Hub) -> Accounts:
    """Nobody signs in here, so nothing of this is ever connected to."""
    redis = fast_client(NOWHERE)
    auth = Auth(redis, Database("postgresql://127.0.0.1:1/none"), AUTH_OFF)
    return Accounts(auth, redis, NOWHERE, hub)


async def main(arguments: Arguments) -> None:
    # All sockets come from one address.
    limits = replace(LIMITS, quotas=LIMITS.quotas.scaled(1_000))
    board, hub, server = Board(), Hub(arguments.window_s), SocketServer(limits)
    names = [room_market(room_of(number)) for number in range(arguments.rooms)]
    board.take_markets(orjson.dumps([{"market": name} for name in names]))
    subscriptions = Subscriptions(server, hub, board, nobody(hub))
    engine = server.eio
    app = Starlette(routes=[Route(f"{engine.path}/", PollingEndpoint(engine))])
    http = HttpServer(http_config(app, WebSocketTransport.bound_to(engine)), engine)

    def send(room: str, seq: int, due_us: int) -> None:
        accepted = board.accept(Envelope(room, WARM_SEQ + seq, encoded(room, seq, due_us)))
        if accepted is not None:
            hub.mark(room)

    await asyncio.gather(
        http.serve([listen("127.0.0.1", arguments.port, shared=False)]),
        hub.run(),
        subscriptions.run(),
        engine.run(),
        publish(arguments.rooms, arguments.hz, send),
    )


if __name__ == "__main__":
    configure_logs("peer", "WARNING")
    uvloop.run(main(Arguments()))
