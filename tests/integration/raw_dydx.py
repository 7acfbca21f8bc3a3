"""A sandbox on free ports, and a raw client that reads as naively as a first script does."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from runtime.clock import mono_ns
from runtime.settings import Settings
from sandbox import service

Frame = dict[str, Any]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Sandbox:
    def __init__(self, rate: float) -> None:
        self.port = free_port()
        settings = Settings(
            sandbox_control_port=free_port(),
            sandbox_dydx_port=self.port,
            sandbox_gmx_port=free_port(),
            sandbox_gains_port=free_port(),
            sandbox_rate=rate,
        )
        self.stop = asyncio.Event()
        self.running = asyncio.create_task(service.main(settings, self.stop))
        self.control = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.sandbox_control_port}"
        )
        self.rest = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5)

    async def wait_ready(self) -> None:
        for client, path in ((self.rest, "/v4/height"), (self.control, "/faults")):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    assert (await client.get(path)).status_code == 200
                    break
                assert not self.running.done()
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.running, 5)
        await self.control.aclose()
        await self.rest.aclose()

    async def fault(self, kind: str, market: str | None = None, seconds: float = 1) -> None:
        body = {"venue": "dydx", "kind": kind, "market": market, "seconds": seconds}
        answer = await self.control.post("/faults", json=body)
        assert answer.status_code == 200
        # The replica looks at the board every 10 ms.
        await asyncio.sleep(0.05)

    async def get(self, path: str) -> Any:
        answer = await self.rest.get(path)
        assert answer.status_code == 200
        return answer.json()

    async def book(self, ticker: str) -> dict[str, dict[str, str]]:
        return _levels(await self.get(f"/v4/orderbooks/perpetualMarket/{ticker}"))

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        url = f"ws://127.0.0.1:{self.port}/v4/ws"
        async with connect(url, compression=None, close_timeout=0.2) as socket_:
            yield Client(socket_)


def _levels(contents: Any) -> dict[str, dict[str, str]]:
    return {
        side: {level["price"]: level["size"] for level in levels}
        for side, levels in contents.items()
    }


class Client:
    """Keeps every frame, and books as a naive reader does."""

    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_
        self.frames: list[Frame] = []
        self.books: dict[str, dict[str, dict[str, str]]] = {}

    async def subscribe(self, channel: str, id_: str | None = None) -> None:
        message = {"type": "subscribe", "channel": channel}
        await self.socket.send(json.dumps(message if id_ is None else message | {"id": id_}))

    async def unsubscribe(self, channel: str, id_: str) -> None:
        await self.socket.send(json.dumps({"type": "unsubscribe", "channel": channel, "id": id_}))

    async def next(self, timeout_s: float = 3) -> Frame:
        async with asyncio.timeout(timeout_s):
            frame: Frame = json.loads(await self.socket.recv())
        self.frames.append(frame)
        if frame.get("channel") == "v4_orderbook":
            self._apply(frame)
        return frame

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        end_ns = mono_ns() + 4_000_000_000
        while not wanted(frame := await self.next()):
            assert mono_ns() < end_ns
        return frame

    async def drain(self, seconds: float) -> list[Frame]:
        """What arrives within the time."""
        seen = len(self.frames)
        end_ns = mono_ns() + int(seconds * 1e9)
        with contextlib.suppress(TimeoutError):
            while (left_ns := end_ns - mono_ns()) > 0:
                await self.next(left_ns / 1e9)
        return self.frames[seen:]

    def best(self, ticker: str) -> tuple[float, float]:
        book = self.books[ticker]
        return max(map(float, book["bids"])), min(map(float, book["asks"]))

    def _apply(self, frame: Frame) -> None:
        if frame["type"] == "subscribed":
            self.books[frame["id"]] = _levels(frame["contents"])
        elif frame["type"] == "channel_data":
            for side, changes in frame["contents"].items():
                for price, size in changes:
                    self.books[frame["id"]][side].pop(price, None)
                    if size != "0":
                        self.books[frame["id"]][side][price] = size
