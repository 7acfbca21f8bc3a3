"""REST reads at 200 concurrent clients beside a bare Starlette route that answers the same bytes:
requests a second in turns in the same run, and how long an answer takes at half of the most.

Budgets: at least 0.6 of the bare route; the 99th percentile within 50 ms. ``GET /v1/quotes/{m}``
reads Redis for every answer, ``GET /v1/auth/session`` knows its session for a second; both ask for
their limit in Redis. Servers are processes of their own, the clients are this one.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import httpx
import orjson
import uvloop
from redis import Redis

from api.auth import tokens
from api.auth.keys import parse_keys
from api.auth.tokens import Claims
from benchmarks.peers.rest import KEYS, PUBLIC_URL
from benchmarks.support import child, free_port, percentile, wait_for_port
from perptape.embedded_redis import EmbeddedRedis
from perptape.process import spawn_arguments
from perptape.service_user import service_user
from runtime.channels import MARKETS_STATE, quote_key, session_key
from runtime.clock import wall_us
from runtime.wire import encode_envelope

CLIENTS: Final = 200
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "3"))
RATIO_BUDGET: Final = 0.6
P99_BUDGET_MS: Final = 50.0
SESSION: Final = "5f0c7f6e-0000-4000-8000-000000000001"


class Client(asyncio.Protocol):
    """A connection that is kept. ``ask`` while nothing is under way."""

    def __init__(self) -> None:
        self._buffer = b""
        self.answered: asyncio.Future[bool] | None = None
        """Whether it was a 200."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes) -> bool:
        self.answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self.answered

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or self.answered is None:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) == length:
            self._buffer = b""
            self.answered.set_result(head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(SystemExit(f"the server closed a connection: {exc}"))

    def close(self) -> None:
        self._transport.close()


@dataclass
class Target:
    """A server and what is asked of it."""

    port: int
    request: bytes
    clients: list[Client] = field(default_factory=list)
    refused: int = 0
    """Answers that were no 200."""

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CLIENTS):
            _, client = await loop.create_connection(Client, "127.0.0.1", self.port)
            self.clients.append(client)

    def close(self) -> None:
        for client in self.clients:
            client.close()

    async def most(self, seconds: float) -> float:
        """Answers a second when every client asks again at once."""
        until, count = time.perf_counter() + seconds, 0

        async def go_on(client: Client) -> None:
            nonlocal count
            while time.perf_counter() < until:
                if await client.ask(self.request):
                    count += 1
                else:
                    self.refused += 1

        started = time.perf_counter()
        await asyncio.gather(*(go_on(client) for client in self.clients))
        return count / (time.perf_counter() - started)

    async def paced(self, per_s: float, seconds: float) -> Sequence[float]:
        """Milliseconds from when each request was due to its answer, in order of size."""
        step = len(self.clients) / per_s
        started, found = time.perf_counter(), list[float]()

        async def keep_pace(place: int, client: Client) -> None:
            due = started + step * place / len(self.clients)
            while due < started + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                self.refused += not await client.ask(self.request)
                found.append((time.perf_counter() - due) * 1000)
                due += step

        await asyncio.gather(*(keep_pace(*item) for item in enumerate(self.clients)))
        return sorted(found)


@contextmanager
def redis_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="perptape-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = EmbeddedRedis(folder, folder, free_port(), service_user())
        asyncio.run(server.prepare())
        launch = server.launch()
        with (
            spawn_arguments(launch) as arguments,
            subprocess.Popen(launch.argv, stdout=subprocess.DEVNULL, **arguments) as process,
        ):
            while not asyncio.run(server.answers()):
                time.sleep(0.02)
            try:
                yield server.url
            finally:
                process.terminate()
                process.wait(10)


def fill(url: str) -> str:
    """A market, its quote and a session in Redis; the session's access token."""
    now_us = wall_us()
    venues = {
        name: {"bid": "97000", "ask": "97001", "kind": "book", "pool": None, "price_us": now_us,
               "state": "live", "dropped_levels": 0}
        for name in ("dydx", "gmx", "gains")
    }  # fmt: skip
    data = {
        "bid": "97000", "bid_venue": "dydx", "bid_size": "0.83", "ask": "97001",
        "ask_venue": "gmx", "ask_size": "1.5", "mid": "97000.5", "spread_bps": 0.1031,
        "crossed": False, "quality": {"venues": 3, "excluded": [], "disagree": False},
        "venues": venues,
    }  # fmt: skip
    body = encode_envelope("update", "price:BTC-USD", 1, 1, "frame", now_us, now_us, data)
    claims = Claims("an account", SESSION, "a token", now_us // 10**6, now_us // 10**6 + 3600)
    with Redis.from_url(url) as redis:
        redis.set(MARKETS_STATE, orjson.dumps([{"market": "BTC-USD", "venues": {}}]))
        redis.set(quote_key("BTC-USD"), body)
        fields = {"account_id": "an account", "address": "0x" + "0" * 40, "chain_id": "0"}
        redis.hset(session_key(SESSION), mapping=fields)
    return tokens.encode(parse_keys(KEYS), PUBLIC_URL, claims)


async def compare(name: str, bare: Target, ours: Target) -> None:
    for target in (bare, ours):
        await target.connect()
        await target.most(1.0)
    pairs = []
    for _ in range(ROUNDS):
        pairs.append((await bare.most(SECONDS), await ours.most(SECONDS)))
    ratios = sorted(ours_per_s / bare_per_s for bare_per_s, ours_per_s in pairs)
    ratio, most = statistics.median(ratios), statistics.median(pair[1] for pair in pairs)
    verdict = "within" if ratio >= RATIO_BUDGET else "UNDER"
    print(
        f"{name}: {most:,.0f} answers/s at {CLIENTS} clients, {ratio:.2f} of a bare route "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}); {verdict} the budget of {RATIO_BUDGET}"
    )
    found = await ours.paced(most / 2, 2 * SECONDS)
    p99_ms = percentile(found, 0.99)
    verdict = "within" if p99_ms <= P99_BUDGET_MS else "OVER"
    print(
        f"{name}: at {most / 2:,.0f}/s p50 {percentile(found, 0.5):.1f} ms  p99 {p99_ms:.1f} ms; "
        f"{verdict} the budget of {P99_BUDGET_MS:.0f} ms"
    )
    print(f"{name}: {ours.refused} answers were no 200")
    for target in (bare, ours):
        target.close()


def request(path: str, token: str) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}\r\n".encode()


def main() -> None:
    command = [sys.executable, "-m", "benchmarks.peers.rest"]
    with ExitStack() as stack:
        redis_url = stack.enter_context(redis_server())
        token = fill(redis_url)
        gateway = free_port()
        stack.enter_context(child([*command, str(gateway), "--redis", redis_url], {}))
        wait_for_port(gateway)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for path, bearer in (("/v1/quotes/BTC-USD", ""), ("/v1/auth/session", token)):
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            answer = httpx.get(f"http://127.0.0.1:{gateway}{path}", headers=headers)
            answer.raise_for_status()
            body, bare = folder / "body", free_port()
            body.write_bytes(answer.content)
            with child([*command, str(bare), "--body", str(body)], {}):
                wait_for_port(bare)
                asked = request(path, bearer)
                uvloop.run(compare(f"GET {path}", Target(bare, asked), Target(gateway, asked)))


if __name__ == "__main__":
    main()
