"""A dYdX indexer that does one thing: a fixed count of markets, each updated at an exact rate.

The sandbox's replica follows a price process; a latency budget needs a schedule that is known. Run
as ``python -m benchmarks.dydx_source PORT MARKETS RATE``; the touch changes with every update.
"""

import asyncio
import sys
import time
from collections.abc import Iterator

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmarks.support import ROOT

LISTED = ROOT / "tests" / "data" / "dydx" / "nautilus_2024" / "http" / "list_perpetual_markets.json"


def listed(count: int) -> dict[str, dict[str, object]]:
    rows = orjson.loads(LISTED.read_bytes())["markets"]
    active = [t for t, row in rows.items() if row["status"] == "ACTIVE" and row["oraclePrice"]]
    return {ticker: rows[ticker] for ticker in active[:count]}


class Source:
    def __init__(self, count: int, rate: float) -> None:
        self._rows = listed(count)
        self._rate = rate

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v4/perpetualMarkets", self.markets),
                Route("/v4/orderbooks/perpetualMarket/{ticker}", self.book),
                WebSocketRoute("/v4/ws", self.socket),
            ]
        )

    async def markets(self, request: Request) -> Response:
        return JSONResponse({"markets": self._rows})

    async def book(self, request: Request) -> Response:
        return JSONResponse(self._book(request.path_params["ticker"]))

    def _book(self, ticker: str) -> dict[str, object]:
        """Ten levels a side, one tick apart, around the recorded oracle price."""
        tick, mid = self._ticks(ticker)
        bids = [{"price": _price(mid - i, tick), "size": self._size(ticker, 1)} for i in range(10)]
        asks = [
            {"price": _price(mid + 1 + i, tick), "size": self._size(ticker, 1)} for i in range(10)
        ]
        return {"bids": bids, "asks": asks}

    def _ticks(self, ticker: str) -> tuple[str, int]:
        row = self._rows[ticker]
        tick = str(row["tickSize"])
        return tick, round(float(str(row["oraclePrice"])) / float(tick))

    def _size(self, ticker: str, steps: int) -> str:
        return _price(steps, str(self._rows[ticker]["stepSize"]))

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        number = 0
        subscribed: list[str] = []

        async def send(kind: str, **fields: object) -> None:
            nonlocal number
            frame = {"type": kind, "connection_id": "bench", "message_id": number, **fields}
            number += 1
            await socket.send_bytes(orjson.dumps(frame))

        await send("connected")
        writer = asyncio.create_task(self._write(send, subscribed))
        try:
            while True:
                request = orjson.loads(await socket.receive_text())
                channel = request["channel"]
                named = {"id": request["id"]} if "id" in request else {}
                contents: object = {"trades": []}
                if channel == "v4_orderbook":
                    contents = self._book(request["id"])
                elif channel == "v4_markets":
                    contents = {"markets": self._rows}
                elif channel == "v4_block_height":
                    contents = {"height": str(int(time.time())), "time": "2026-01-01T00:00:00Z"}
                if request["type"] == "unsubscribe":
                    subscribed.remove(request["id"])
                    await send("unsubscribed", channel=channel, **named)
                    continue
                await send("subscribed", channel=channel, **named, contents=contents)
                if channel == "v4_orderbook":
                    subscribed.append(request["id"])
        except WebSocketDisconnect:
            pass
        finally:
            writer.cancel()

    async def _write(self, send: object, subscribed: list[str]) -> None:
        """Open loop: every update has its time, and lateness is caught up, never forgotten."""
        assert callable(send)
        started = time.monotonic()
        done, height = 0, 0
        steps = self._steps()
        while True:
            await asyncio.sleep(0.001)
            elapsed = time.monotonic() - started
            if elapsed > height * 0.5:
                height += 1
                block = str(int(time.time()) + height)
                await send(
                    "channel_data",
                    id="v4_block_height",
                    channel="v4_block_height",
                    version="1.0.0",
                    contents={"blockHeight": block, "time": "2026-01-01T00:00:00Z"},
                )
            due = int(elapsed * self._rate * len(subscribed))
            if not subscribed or due - done > 1000:
                done = due
            for turn in range(done, due):
                ticker = subscribed[turn % len(subscribed)]
                tick, mid = self._ticks(ticker)
                level = [_price(mid, tick), self._size(ticker, next(steps))]
                await send(
                    "channel_data",
                    id=ticker,
                    channel="v4_orderbook",
                    version="1.0.0",
                    contents={"bids": [level]},
                )
            done = due

    @staticmethod
    def _steps() -> Iterator[int]:
        while True:
            yield from range(1, 10_000)


def _price(count: int, increment: str) -> str:
    decimals = len(increment.partition(".")[2])
    scaled = count * int(increment.replace(".", ""))
    text = str(scaled).rjust(decimals + 1, "0")
    if not decimals:
        return text
    return f"{text[:-decimals]}.{text[-decimals:]}".rstrip("0").rstrip(".")


def main() -> None:
    port, count, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    uvicorn.run(Source(count, rate).app(), port=port, log_level="error", ws="websockets-sansio")


if __name__ == "__main__":
    main()
