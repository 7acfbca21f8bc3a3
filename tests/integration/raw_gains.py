"""A gTrade replica on a free port, and a raw client that reads as naively as a first script."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from runtime.clock import mono_ns
from sandbox.faults import FaultBoard, Kind
from sandbox.gains import server
from sandbox.prices import PriceProcess, load_assets
from tests.integration.raw_dydx import free_port

# A Wednesday on which everything is open, and a Saturday.
OPEN_US = 1_773_846_000_000_000
CLOSED_US = 1_774_094_400_000_000
BTC, ETH, EUR_USD, XAU = 0, 1, 21, 90

Frame = Any


class Running:
    """A replica on a port of its own, with a clock that runs from a given time."""

    def __init__(self, start_us: int = OPEN_US, rate: float = 5, seed: int = 1) -> None:
        self._offset_us = start_us - mono_ns() // 1000
        self.prices = PriceProcess(load_assets(), seed)
        self.board = FaultBoard()
        self.replica = server.Replica(
            self.prices,
            self.board,
            seed=seed,
            rate=rate,
            clock=lambda: self._offset_us + mono_ns() // 1000,
        )
        self.port = free_port()
        self.stop = asyncio.Event()
        self.running = asyncio.create_task(self.replica.run(self.port, self.stop))
        self.rest = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5)

    def pass_time(self, seconds: float) -> None:
        """Moves the replica's clock on."""
        self._offset_us += int(seconds * 1e6)

    async def wait_ready(self) -> None:
        while True:
            with contextlib.suppress(httpx.ConnectError):
                await self.get("/pricing/charts")
                return
            assert not self.running.done()
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        self.stop.set()
        async with asyncio.timeout(5):
            await self.running
        await self.rest.aclose()

    async def fault(self, kind: Kind, market: str | None = None) -> None:
        """Posts the fault and waits until the replica has seen it."""
        self.board.add("gains", kind, market, 30, mono_ns())
        await self.until(lambda: self.replica.faults.hits(kind, market))

    async def end_faults(self) -> None:
        self.board.clear()
        await self.until(lambda: not self.replica.faults)

    async def until(self, is_seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_seen():
                await asyncio.sleep(0.005)

    async def get(self, path: str) -> Any:
        answer = await self.rest.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def variables(self, chain_id: int = 42161) -> Any:
        return await self.get(f"/backend/{chain_id}/trading-variables")

    @contextlib.asynccontextmanager
    async def client(self, path: str = "/v4") -> AsyncIterator["Client"]:
        url = f"ws://127.0.0.1:{self.port}{path}"
        async with connect(url, compression=None, close_timeout=0.2, max_size=2**25) as socket:
            yield Client(socket)


class Client:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []

    async def raw(self, timeout_s: float = 5) -> str:
        async with asyncio.timeout(timeout_s):
            text = await self.socket.recv()
        assert isinstance(text, str)
        return text

    async def next(self, timeout_s: float = 5) -> Frame:
        frame = json.loads(await self.raw(timeout_s))
        self.frames.append(frame)
        return frame

    async def until(self, wanted: Callable[[Frame], Any]) -> Frame:
        async with asyncio.timeout(15):
            while not wanted(frame := await self.next()):
                pass
        return frame

    async def price(self, index: int, fits: Callable[[float], bool]) -> float:
        """The first streamed mark of a pair that fits."""
        frame = await self.until(
            lambda frame: any(fits(price) for i, price in pairs_of(frame) if i == index)
        )
        return next(price for i, price in pairs_of(frame) if i == index and fits(price))


def pairs_of(frame: Frame, key: str = "m") -> Iterator[tuple[int, float]]:
    flat = frame if isinstance(frame, list) else frame.get(key, [])
    if len(flat) > 1:
        assert len(flat) % 2 == 0
        yield from zip(flat[::2], flat[1::2], strict=True)


def is_named(name: str) -> Callable[[Frame], bool]:
    return lambda frame: bool(frame["name"] == name)
