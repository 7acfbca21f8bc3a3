"""What clients feel while Redis or Postgres is away: the longest request, the lag of the gateway's
event loop, the time until all works again.

    python benchmarks/outages.py [SECONDS [DOWN_SECONDS]]

The running program is asked for a quote (Redis), for the session of a token that nobody has and
for an order (Postgres), and whether it lives (neither), by some clients at once without a pause.
For SECONDS (10) Redis is frozen, then Postgres; after that each is killed, and the supervisor
starts it again. Last, Postgres is killed as often as it comes back, for DOWN_SECONDS (60): quotes
go on, every order is refused with 503 and Retry-After, none is taken, and ``back`` is counted from
when Postgres takes connections again.
``longest``: of the requests while it was away, as seen by this process, which needs a core of its
own. ``open``: until its breaker was open. ``back``: from the end of the outage, or from the kill,
to the first good answer. ``over``: of how many requests the gateway itself took more than 250 ms,
and how often of how many times a timer in it came more than 50 ms late. Budgets: no request waits
for Redis longer than 300 ms, its breaker opens within 1 s, no lag over 50 ms.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import httpx
import orjson
import psutil
from eth_account import Account
from eth_account.messages import encode_defunct
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from benchmarks.support import program

CLIENTS: Final = 2
WARM_S: Final = 5.0
PATIENCE_S: Final = 60.0
STEP_S: Final = 0.05
LAG_BUCKET: Final = "0.05"
LONG_BUCKET: Final = "0.25"
TITLES: Final = {
    "quote": "quotes", "refresh": "refreshes", "order": "orders", "live": "/health/live"
}  # fmt: skip
GOOD: Final = {"quote": 200, "refresh": 401, "order": 404, "live": 200}
"""401, 404: Postgres was asked, and does not know the token or the guarded quote."""
KEY: Final = b"outages".rjust(32)
CHAIN_ID: Final = 42161


@dataclass
class Asked:
    """``longest`` in seconds and ``codes`` since ``clear``; ``good_at``: the last good answer."""

    longest: dict[str, float] = field(default_factory=dict)
    codes: dict[str, set[int]] = field(default_factory=dict)
    good_at: dict[str, float] = field(default_factory=dict)
    count: Counter[tuple[str, int]] = field(default_factory=Counter)
    untold: int = 0
    """Answers of 503 without Retry-After."""

    def clear(self) -> None:
        self.longest.clear()
        self.codes.clear()
        self.count.clear()
        self.untold = 0

    def take(self, name: str, answer: httpx.Response, seconds: float) -> None:
        status = answer.status_code
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))
        self.codes.setdefault(name, set()).add(status)
        self.count[name, status] += 1
        self.untold += status == 503 and "retry-after" not in answer.headers
        if status == GOOD[name]:
            self.good_at[name] = time.monotonic()


async def sign_in(http: httpx.AsyncClient) -> str:
    """An access token."""
    wallet = Account.from_key(KEY)
    body = {"address": wallet.address, "chain_id": CHAIN_ID}
    text = (await http.post("/v1/auth/nonce", json=body)).json()["data"]["message"]
    signature = bytes(wallet.sign_message(encode_defunct(text=text)).signature)
    signed = {"message": text, "signature": "0x" + signature.hex()}
    answer = await http.post("/v1/auth/login", json=signed)
    return str(answer.json()["data"]["access_token"])


async def client(name: str, http: httpx.AsyncClient, token: str, asked: Asked) -> None:
    while True:
        began = time.monotonic()
        if name == "quote":
            answer = await http.get("/v1/quotes/BTC-USD")
        elif name == "live":
            answer = await http.get("/health/live")
        elif name == "order":
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex()}
            body = {"quote_id": str(uuid.uuid4())}
            answer = await http.post("/v1/orders", json=body, headers=headers)
        else:
            body = {"refresh_token": secrets.token_urlsafe(32)}
            answer = await http.post("/v1/auth/refresh", json=body)
        asked.take(name, answer, time.monotonic() - began)
        await asyncio.sleep(STEP_S)


class Counted(NamedTuple):
    """Timers more than 50 ms late, and all; requests of more than 250 ms, and all."""

    late: int
    timers: int
    long: int
    requests: int

    def since(self, before: "Counted") -> str:
        late, timers, long, requests = (a - b for a, b in zip(self, before, strict=True))
        return f"over 250 ms {long} of {requests} requests, over 50 ms late {late} of {timers}"


class Gateway:
    """What the metrics page says of it, and its log."""

    def __init__(self, url: str, log: Path) -> None:
        self._url = url
        self._log = log

    async def _samples(self) -> list[Sample]:
        async with httpx.AsyncClient() as http:
            text = (await http.get(self._url)).text
        families = text_string_to_metric_families(text)
        found = (sample for family in families for sample in family.samples)
        return [sample for sample in found if sample.labels.get("role") == "gateway"]

    async def read(self) -> Counted:
        samples = await self._samples()

        def total(name: str, **labels: str) -> int:
            return int(sum(
                sample.value
                for sample in samples
                if sample.name == name and labels.items() <= sample.labels.items()
            ))  # fmt: skip

        timers = total("perptape_loop_lag_seconds_count")
        requests = total("perptape_http_request_seconds_count")
        return Counted(
            timers - total("perptape_loop_lag_seconds_bucket", le=LAG_BUCKET),
            timers,
            requests - total("perptape_http_request_seconds_bucket", le=LONG_BUCKET),
            requests,
        )

    async def waiting(self) -> float:
        """Who waits for a connection to Postgres."""
        return sum(
            sample.value
            for sample in await self._samples()
            if sample.name == "perptape_pool_waiting"
        )

    async def until_open(self, server: str, began: datetime) -> float | None:
        """Seconds, by its log: the page of metrics is made of all roles, and comes later."""
        looked = time.monotonic()
        while time.monotonic() - looked < PATIENCE_S:
            for line in self._log.read_bytes().splitlines():
                told = orjson.loads(line)
                if told["event"] == "breaker_opened" and told["server"] == server:
                    took_s = (datetime.fromisoformat(told["at"]) - began).total_seconds()
                    if took_s > 0:
                        return took_s
            await asyncio.sleep(STEP_S)
        return None


class Drill:
    def __init__(self, folder: Path, gateway: Gateway, asked: Asked) -> None:
        self._folder = folder
        self._gateway = gateway
        self._asked = asked

    def _processes(self, server: str) -> list[psutil.Process]:
        runtime = orjson.loads((self._folder / "runtime.json").read_bytes())
        parent = psutil.Process(runtime["pids"][server][0])
        return [parent, *parent.children()]

    async def freeze(self, server: str, name: str, seconds: float) -> None:
        before = await self._gateway.read()
        processes = self._processes(server)
        self._asked.clear()
        began, began_at = time.monotonic(), datetime.now(UTC)
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            opened = await self._gateway.until_open(server, began_at)
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)
        back = await self._back(name)
        shown = "never" if opened is None else f"{opened * 1e3:.0f} ms"
        await self.report(f"{server} frozen for {seconds:.0f} s", before, f"open {shown}", back)

    async def kill(self, server: str, name: str) -> None:
        before = await self._gateway.read()
        parent, *_ = self._processes(server)
        self._asked.clear()
        os.kill(parent.pid, signal.SIGKILL)
        # Until somebody has noticed.
        began = time.monotonic()
        while not self._asked.codes.get(name, set()) - {GOOD[name]}:
            if time.monotonic() - began > 5:
                break
            await asyncio.sleep(0.001)
        back = await self._back(name, began)
        await self.report(f"{server} killed", before, "", back)

    async def down(self, server: str, name: str, database_url: str, seconds: float) -> None:
        before = await self._gateway.read()
        self._asked.clear()
        began, kills = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            with contextlib.suppress(KeyError, psutil.NoSuchProcess, ProcessLookupError):
                parent, *_ = self._processes(server)
                os.kill(parent.pid, signal.SIGKILL)
                kills += 1
            await asyncio.sleep(STEP_S)
        counted = self._asked.count
        orders = ", ".join(
            f"{count} x {code}"
            for (asked, code), count in sorted(counted.items())
            if asked == "order"
        )
        quotes = counted["quote", 200] / max(
            1, sum(n for (q, _), n in counted.items() if q == "quote")
        )
        untold = self._asked.untold
        takes_at = await _until_taken(database_url)
        back = await self._back(name, takes_at)
        waiting = await self._gateway.waiting()
        await self.report(
            f"{server} down for {seconds:.0f} s (killed {kills} times)", before,
            f"orders {orders}, {untold} of 503 without Retry-After; quotes {quotes:.2%} good;"
            f" {waiting:.0f} wait for the pool afterwards", back,
        )  # fmt: skip

    async def _back(self, name: str, began: float | None = None) -> float | None:
        ended = began or time.monotonic()
        looked = time.monotonic()
        while time.monotonic() - looked < PATIENCE_S:
            if self._asked.good_at.get(name, 0.0) > looked:
                return self._asked.good_at[name] - ended
            await asyncio.sleep(0.001)
        return None

    async def report(self, title: str, before: Counted, opened: str, back: float | None) -> None:
        after = await self._gateway.read()
        longest = ", ".join(
            f"{TITLES[name]} {seconds * 1e3:.0f} ms {sorted(self._asked.codes[name])}"
            for name, seconds in sorted(self._asked.longest.items())
        )
        shown = "NOT back" if back is None else f"back {back * 1e3:.0f} ms"
        print(
            f"{title}: longest {longest}; {opened + '; ' if opened else ''}{shown};"
            f" {after.since(before)}",
            flush=True,
        )
        await asyncio.sleep(3)


async def _until_taken(database_url: str) -> float:
    """When Postgres took a connection."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await (await asyncpg.connect(database_url, timeout=1)).close()
            except (OSError, TimeoutError, asyncpg.PostgresError):
                await asyncio.sleep(STEP_S)
            else:
                return time.monotonic()


async def measure(
    folder: Path, runtime: Mapping[str, Any], seconds: float, down_seconds: float
) -> None:
    asked = Asked()
    gateway = Gateway(runtime["metrics_url"], folder / "logs" / "gateway.log")
    async with httpx.AsyncClient(base_url=runtime["http_url"], timeout=30) as http:
        token = await sign_in(http)
        asking = [
            asyncio.create_task(client(name, http, token, asked))
            for name in GOOD
            for _ in range(CLIENTS)
        ]
        await asyncio.sleep(WARM_S)
        before = await gateway.read()
        asked.clear()
        await asyncio.sleep(seconds)
        drill = Drill(folder, gateway, asked)
        await drill.report(f"quiet for {seconds:.0f} s", before, "", 0.0)
        await drill.freeze("redis", "quote", seconds)
        await drill.freeze("postgres", "refresh", seconds)
        await drill.kill("redis", "quote")
        await drill.kill("postgres", "refresh")
        await drill.down("postgres", "order", runtime["database_url"], down_seconds)
        for task in asking:
            task.cancel()
        for ended in await asyncio.gather(*asking, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                raise SystemExit(f"a client ended: {ended!r}")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    down_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    # Limits of one address are not what is measured.
    with program(PERP_MARKETS="BTC-USD,ETH-USD", PERP_RATE_LIMIT_FACTOR="100000") as folder:
        runtime = orjson.loads((folder / "runtime.json").read_bytes())
        asyncio.run(measure(folder, runtime, seconds, down_seconds))


if __name__ == "__main__":
    main()
