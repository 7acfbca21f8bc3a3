"""Venue frame received -> Redis, and -> browser socket, with all three venues at their cadence:
dYdX 40 markets x 20 updates a second, GMX every token polled each 500 ms, Gains a batch of pairs
each 50 to 500 ms, and 100 sockets, each in one ``price`` room and on the ``prices`` board, as the
page is. The rooms are those of dYdX's markets, the busiest.

Budgets: p99 within 10 ms to Redis and 30 ms to the socket. Beside them, measured in the same run
on the same loaded machine: the round trip of a bare Redis SET and of a bare TCP echo, and what
else the machine was doing. Times are differences of one machine's wall clock: ``received_us`` is
taken by the feed when the frame comes out of the socket, the other end when the reader holds the
message. A quote is of the venue whose price came at that moment. Who reads the tape is a process of
its own: the sockets of the other receive a hundred boards at once. BENCH_VENUES=dydx measures the
books alone.
"""

import asyncio
import contextlib
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import orjson
import redis.asyncio as aioredis
import uvloop
from websockets.asyncio.client import connect

from benchmarks.dydx_source import listed
from benchmarks.support import CpuShares, child, free_port, program, summary, wait_for_port
from connectors.base import markets as market_table
from domain.ids import VenueId
from runtime.channels import TAPE, VENUES_STATE, quote_key
from runtime.wire import decode_batch

VENUES = tuple(os.environ.get("BENCH_VENUES", "dydx,gmx,gains").split(","))
MARKETS = 40
RATE = 20
SOCKETS = 100
WARM_UP_S = 5.0
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
REDIS_BUDGET_MS = 10.0
SOCKET_BUDGET_MS = 30.0


class Samples:
    """Latencies in ms, collected only while ``on``."""

    def __init__(self) -> None:
        self.on = False
        self.redis: list[float] = []
        self.socket: list[float] = []
        self.set_rtt: list[float] = []
        self.echo_rtt: list[float] = []
        self.redis_of: dict[str, list[float]] = {venue: [] for venue in VENUES}
        self.socket_of: dict[str, list[float]] = {venue: [] for venue in VENUES}


def note(body: Any, now_us: float, times: list[float], times_of: dict[str, list[float]]) -> None:
    """The time since the frame that a ``price`` envelope comes from, also under its venue."""
    received_us = body["received_us"]
    elapsed_ms = (now_us - received_us) / 1000
    times.append(elapsed_ms)
    for venue, quote in body["data"]["venues"].items():
        if quote["price_us"] == received_us:
            times_of[venue].append(elapsed_ms)


async def read_tape(url: str, samples: Samples) -> None:
    client = aioredis.Redis.from_url(url)
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(TAPE)
        async for message in pubsub.listen():
            if message["type"] != "message" or not samples.on:
                continue
            now = time.time() * 1e6
            for envelope in decode_batch(message["data"]).envelopes:
                if envelope.room.startswith("price:"):
                    body = orjson.loads(envelope.body)
                    if body["cause"] == "frame":
                        note(body, now, samples.redis, samples.redis_of)


async def read_socket(url: str, market: str, samples: Samples, ready: asyncio.Event) -> None:
    async with connect(url, compression=None, max_size=None) as socket:
        await socket.recv()
        await socket.send("40")
        await socket.recv()
        rooms = orjson.dumps({"rooms": [f"price:{market}", "prices"]}).decode()
        await socket.send(f'420["subscribe",{rooms}]')
        async for message in socket:
            text = str(message)
            if text == "2":
                await socket.send("3")
            elif text.startswith("430"):
                answer = orjson.loads(text[3:])[0]
                if not answer["ok"]:
                    raise SystemExit(f"subscribe refused: {answer}")
                ready.set()
            elif samples.on and text.startswith('42["price"'):
                now = time.time() * 1e6
                body = orjson.loads(text[2:])[1]
                if body["cause"] == "frame":
                    note(body, now, samples.socket, samples.socket_of)


async def time_set(url: str, samples: Samples) -> None:
    client = aioredis.Redis.from_url(url)
    while True:
        started = time.perf_counter()
        await client.set("bench:set", b"x" * 500, px=100)
        if samples.on:
            samples.set_rtt.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.01)


async def time_echo(port: int, samples: Samples) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        started = time.perf_counter()
        writer.write(b"x" * 500)
        await reader.readexactly(500)
        if samples.on:
            samples.echo_rtt.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.01)


def watch_redis(url: str, asked: Connection) -> None:
    """The process that reads the tape: samples from the first word on, hands them over at the
    second."""
    uvloop.run(_watch_redis(url, asked))


async def _watch_redis(url: str, asked: Connection) -> None:
    samples = Samples()
    tasks = [asyncio.create_task(task(url, samples)) for task in (read_tape, time_set)]
    for on in (True, False):
        await asyncio.to_thread(asked.recv)
        samples.on = on
    for task in tasks:
        if task.done():
            raise SystemExit(f"a reader ended early: {task.exception()!r}")
        task.cancel()
    asked.send((samples.redis, samples.redis_of, samples.set_rtt))


async def measure(folder: Path, echo_port: int, source_pid: int) -> Samples:
    runtime = orjson.loads((folder / "runtime.json").read_bytes())
    markets = await wait_for_markets(runtime["redis_url"])
    samples = Samples()
    socket_url = runtime["http_url"].replace("http", "ws", 1)
    socket_url += "/socket.io/?EIO=4&transport=websocket"
    events = [asyncio.Event() for _ in range(SOCKETS)]
    tasks = [
        asyncio.create_task(read_socket(socket_url, markets[i % len(markets)], samples, event))
        for i, event in enumerate(events)
    ]
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    watcher = spawn.Process(target=watch_redis, args=(runtime["redis_url"], theirs), daemon=True)
    watcher.start()
    tasks.append(asyncio.create_task(time_echo(echo_port, samples)))
    async with asyncio.timeout(30):
        await asyncio.gather(*(event.wait() for event in events))
    await asyncio.sleep(WARM_UP_S)
    roles = {name: runtime["pids"][name][0] for name in ("feed", "gateway", "redis", "sandbox")}
    readers = {"sockets": os.getpid(), "tape reader": watcher.pid or 0}
    shares = CpuShares({**roles, "source": source_pid, **readers})
    ours.send("on")
    samples.on = True
    await asyncio.sleep(SECONDS)
    samples.on = False
    ours.send("off")
    samples.redis, samples.redis_of, samples.set_rtt = await asyncio.to_thread(ours.recv)
    print(f"CPU, shares of one core of {os.cpu_count()}: {shares.report()}")
    for task in tasks:
        if task.done():
            raise SystemExit(f"a reader ended early: {task.exception()!r}")
        task.cancel()
    return samples


async def wait_for_markets(url: str) -> list[str]:
    """The markets of the source, once they have quotes and every venue is live."""
    table = market_table.load()
    markets = [str(table.canonical(VenueId("dydx"), ticker)) for ticker in listed(MARKETS)]
    client = aioredis.Redis.from_url(url)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = orjson.loads(await client.get(VENUES_STATE) or b'{"data":{}}')["data"]
        live = [venue for venue in VENUES if state.get(venue, {}).get("state") == "live"]
        if len(live) == len(VENUES) and await client.exists(*map(quote_key, markets)) == MARKETS:
            return markets
        await asyncio.sleep(0.01)
    raise SystemExit(f"not all of {MARKETS} markets are quoted within 60 s, or only {live} live")


def report(samples: Samples) -> None:
    for venue in VENUES:
        if not samples.redis_of[venue] or not samples.socket_of[venue]:
            raise SystemExit(f"nothing of {venue} was measured")
    print(
        f"{len(samples.redis) / SECONDS:,.0f} quotes/s, dYdX {MARKETS} markets x {RATE}/s; "
        f"{SOCKETS} sockets, {len(samples.socket) / SECONDS:,.0f} price deliveries/s; "
        f"{SECONDS:.0f} s"
    )
    to_redis = "to Redis", samples.redis, samples.redis_of, "bare SET", samples.set_rtt
    to_socket = "to socket", samples.socket, samples.socket_of, "bare echo", samples.echo_rtt
    for (name, values, venues, reference, other), budget in (
        (to_redis, REDIS_BUDGET_MS),
        (to_socket, SOCKET_BUDGET_MS),
    ):
        p99 = sorted(values)[int(len(values) * 0.99)]
        base = sorted(other)[int(len(other) * 0.99)]
        verdict = "within" if p99 <= budget else "OVER"
        print(f"frame {name:9}: {summary(values)}; p99 {verdict} {budget:.0f} ms")
        print(f"   {reference:9}: {summary(other)}; p99 ratio {p99 / base:.1f} x")
        for venue, own in venues.items():
            print(f"   {venue:9}: {summary(own)}; {len(own) / SECONDS:,.0f}/s")


ECHO = """
import asyncio, sys, uvloop
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
async def main():
    await (await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))).serve_forever()
uvloop.run(main())
"""


def main() -> None:
    source_port, echo_port = free_port(), free_port()
    source = [sys.executable, "-m", "benchmarks.dydx_source", str(source_port)]
    with contextlib.ExitStack() as stack:
        feeder = stack.enter_context(child([*source, str(MARKETS), str(RATE)], {}))
        stack.enter_context(child([sys.executable, "-c", ECHO, str(echo_port)], {}))
        wait_for_port(source_port)
        wait_for_port(echo_port)
        folder = stack.enter_context(
            program(
                PERP_DYDX_WS_URL=f"ws://127.0.0.1:{source_port}/v4/ws",
                # Nobody connects to the dYdX of the sandbox; its GMX and Gains are at true rate.
                PERP_DYDX_HTTP_URL=f"http://127.0.0.1:{source_port}",
                PERP_SANDBOX_RATE="1",
                PERP_VENUES=",".join(VENUES),
            )
        )
        report(uvloop.run(measure(folder, echo_port, feeder.pid)))


if __name__ == "__main__":
    main()
