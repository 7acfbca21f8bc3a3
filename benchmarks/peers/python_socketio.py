"""python-socketio as its documentation shows it: ``enter_room`` and ``await emit(room=...)``."""

import asyncio
from typing import Any

import socketio
import uvicorn

from benchmarks.peers.plan import Arguments, envelope, publish


async def main(arguments: Arguments) -> None:
    server = socketio.AsyncServer(async_mode="asgi", ping_interval=3600, ping_timeout=3600)

    async def subscribe(sid: str, request: dict[str, Any]) -> dict[str, Any]:
        for room in request["rooms"]:
            await server.enter_room(sid, room)
        return {"ok": True, "rooms": {room: envelope(room, 0, 0) for room in request["rooms"]}}

    server.on("subscribe", subscribe)

    async def send(room: str, seq: int, due_us: int) -> None:
        await server.emit("price", envelope(room, seq, due_us), room=room)

    config = uvicorn.Config(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=arguments.port,
        log_level="error",
        ws_per_message_deflate=False,
        backlog=2048,
    )
    publishing = asyncio.create_task(publish(arguments.rooms, arguments.hz, send))
    await uvicorn.Server(config).serve()
    publishing.cancel()


if __name__ == "__main__":
    asyncio.run(main(Arguments()))
