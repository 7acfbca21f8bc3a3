"""The GMX replica on a free port, read as naively as a first script does."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from runtime.clock import mono_ns, wall_us
from sandbox.faults import FaultBoard
from sandbox.gmx.server import Replica
from sandbox.prices import PriceProcess, load_assets
from tests.integration.raw_dydx import free_port

BTC = "0x47904963fc8b2340414262125aF798B9655E58Cd"
ETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
SOL = "0x2bcC6D6CdBbDC0a4071e48bb3B969b06B3330c07"
USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"

Entry = dict[str, Any]


class Sandbox:
    def __init__(self) -> None:
        self.port = free_port()
        self.prices = PriceProcess(load_assets(), seed=1)
        self.board = FaultBoard()
        self.replica = Replica(self.prices, self.board, seed=1, rate=1)
        self.stop = asyncio.Event()
        self.running = asyncio.create_task(self.replica.run(self.port, self.stop))
        self.rest = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5)

    def fault(self, kind: str, market: str | None = None) -> None:
        self.board.add("gmx", kind, market, 60, mono_ns())

    async def get(self, path: str) -> Any:
        answer = await self.rest.get(path)
        assert answer.status_code == 200
        return answer.json()

    async def tickers(self) -> dict[str, Entry]:
        return {entry["tokenAddress"]: entry for entry in await self.get("/prices/tickers")}

    async def pool(self, index: str) -> Entry:
        """The first of the index token, from ``/markets/info``."""
        info = await self.get("/markets/info?marketTokensData=true")
        return next(m for m in info["markets"] if m["indexToken"] == index)

    async def is_healthy(self) -> bool:
        """All tokens are listed, with readable and new prices."""
        try:
            tickers = await self.get("/prices/tickers")
        except (httpx.TransportError, AssertionError, ValueError, RecursionError):
            return False
        now_s = wall_us() // 1_000_000
        return len(tickers) == 125 and all(
            entry["timestamp"] >= now_s - 2 and shape(entry["minPrice"]) == "digits"
            for entry in tickers
        )

    async def close(self) -> None:
        self.stop.set()
        async with asyncio.timeout(5):
            await self.running
        await self.rest.aclose()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.02)


def usd(entry: Entry, decimals: int) -> tuple[float, float]:
    scale = 10 ** (30 - decimals)
    return int(entry["minPrice"]) / scale, int(entry["maxPrice"]) / scale


def shape(value: Any) -> Any:
    """Keys in order and types of values; of lists, the shapes that occur."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items() if key != "_synthetic"]
    if isinstance(value, list):
        return sorted({repr(shape(inner)) for inner in value})
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        return "digits"
    return type(value).__name__
