"""The feed as a process of its own, the sandbox it listens to, and a reader of the tape."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from perptape.embedded import EmbeddedServer
from perptape.layout import SANDBOX_PORTS, sandbox_listens, sandbox_venues
from perptape.ports import free_ports
from runtime.channels import TAPE, quote_key
from runtime.wire import Batch, Envelope, decode_batch
from tests.servers import started

ROOT = Path(__file__).parents[2]
MARKETS = ["BTC-USD", "ETH-USD", "SOL-USD", "KAS-USD"]
KEYS = [quote_key(market) for market in MARKETS]
WAIT_S = 30.0


async def until(true: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Waits for something that has to come; how long it may take is not what is tested."""
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = true()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never: {what}") from None


def _environment(**variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PERP_")}
    return kept | variables


@contextmanager
def sandbox(folder: Path, **more: str) -> Iterator[dict[str, str]]:
    """Replicas of the venues; yields their ports and the settings that lead to them. ``more``:
    settings of the role."""
    metrics, *free = free_ports(1 + len(SANDBOX_PORTS))
    ports = dict(zip(SANDBOX_PORTS, free, strict=True))
    variables = sandbox_listens(ports) | {"PERP_METRICS_PORT": str(metrics)} | more
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "perptape", "sandbox"],
            cwd=ROOT, env=_environment(**variables), stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield sandbox_listens(ports) | sandbox_venues(ports)
    finally:
        process.kill()
        process.wait()


class Feed:
    """``python -m perptape feed``."""

    def __init__(self, redis_url: str, venue: dict[str, str], log: Path) -> None:
        (self.metrics_port,) = free_ports(1)
        self.log = log
        settings = {
            "REDIS_URL": redis_url,
            "PERP_METRICS_PORT": str(self.metrics_port),
            "PERP_MARKETS": ",".join(MARKETS),
            **venue,
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "perptape", "feed"],
                cwd=ROOT, env=_environment(**settings), stdout=output, stderr=output,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_beside(self) -> list[int]:
        """Kills what it has started itself; the ids."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        pids = [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    async def terminate(self) -> int:
        """Asks it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 10)

    async def metrics(self) -> dict[str, float]:
        """All samples by name and labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        samples = (line.rpartition(" ") for line in text.splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in samples}

    def says(self, event: str) -> int:
        """How often it logged an event."""
        return self.log.read_text().count(f'"event": "{event}"')


@contextmanager
def feeds(folder: Path) -> Iterator[Callable[[str, dict[str, str]], Feed]]:
    """Starts feeds and ends those that are left."""
    started: list[Feed] = []

    def start(redis_url: str, venue: dict[str, str]) -> Feed:
        feed = Feed(redis_url, venue, folder / f"feed-{len(started)}.log")
        started.append(feed)
        return feed

    try:
        yield start
    finally:
        for feed in started:
            feed.kill()
        if any(b"Traceback" in feed.log.read_bytes() for feed in started):
            for feed in started:
                print(feed.log.read_text()[-4000:])


class Tape:
    """Everything said on the tape, in order."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def _read(self, redis: "Redis", ready: asyncio.Event) -> None:
        async with redis.pubsub() as pubsub:
            await pubsub.subscribe(TAPE)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    self.batches.append(decode_batch(message["data"]))
                ready.set()

    def epochs(self) -> list[int]:
        """Every epoch in the order of its first appearance."""
        return list(dict.fromkeys(batch.epoch for batch in self.batches))

    def envelopes(self, epoch: int | None = None) -> Iterator[Envelope]:
        for batch in self.batches:
            if epoch in (None, batch.epoch):
                yield from batch.envelopes

    def seqs(self, epoch: int) -> dict[str, list[int]]:
        """By room, without those of trades: a market may have none for long."""
        found: dict[str, list[int]] = {}
        for envelope in self.envelopes(epoch):
            if not envelope.room.startswith("trades:"):
                found.setdefault(envelope.room, []).append(envelope.seq)
        return found

    def newest(self, room: str) -> Any:
        """Data of the newest envelope of a room, None before the first."""
        bodies = [envelope.body for envelope in self.envelopes() if envelope.room == room]
        return orjson.loads(bodies[-1])["data"] if bodies else None


@asynccontextmanager
async def listening(redis_url: str) -> AsyncIterator[tuple[Tape, "Redis"]]:
    """A tape being read and a client for keys. A reader whose Redis went away comes back."""
    tape, redis, ready = Tape(), Redis.from_url(redis_url), asyncio.Event()

    async def read() -> None:
        while True:
            with contextlib.suppress(OSError, Exception):
                await tape._read(redis, ready)
            await asyncio.sleep(0.02)

    reader = asyncio.create_task(read())
    try:
        await ready.wait()
        yield tape, redis
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await redis.aclose()


async def all_live(redis: "Redis") -> bool:
    with contextlib.suppress(RedisError, OSError):
        return int(await redis.exists(*KEYS)) == len(KEYS)
    return False


@asynccontextmanager
async def redis_running(
    server: EmbeddedServer, folder: Path
) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """The server until the block ends, whether or not it lives as long."""
    running = started(server, folder)
    process = await asyncio.to_thread(running.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
