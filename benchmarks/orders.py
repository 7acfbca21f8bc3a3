"""Orders by REST through a whole sandbox: how long until 202, how long until there is something to
sign, and how many a second are accepted, signed, mined and filled; beside what bounds them: a bare
commit, a bare eth_call, the transactions of Postgres that one order takes, and who had the CPU.

Aims: accepted within 50 ms and prepared within 250 ms (99th percentile); at least half of (bare
commits a second / commits an order). The clients are in this process.

The rate is that of a steady state: as many orders as there are wallets are in work all the time,
and what is counted lies between two moments well inside the run.
"""

import asyncio
import contextlib
import math
import os
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import orjson
import uvloop
from eth_account import Account
from eth_account.messages import encode_defunct

from benchmarks.support import CpuShares, percentile, program

ALONE: Final = int(os.environ.get("BENCH_ORDERS", "60"))
"""Orders of a venue, one after the other."""
TRADERS: Final = int(os.environ.get("BENCH_CLIENTS", "120"))
"""Wallets, each with one order in work at any time."""
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "20"))
WARM_S: Final = 5.0
"""Orders go through that long before what is counted."""
LAST_S: Final = 30.0
"""So long what is still in work at the end may take."""
AGAIN: Final = 100
COMING: Final = 8
"""Wallets that sign in at once."""
PLACES: Final = (("gmx", 42161), ("gains", 42161), ("gains", 137))
GMX_POOL: Final = "0x70d95587d40a2caf56bd97485ab3eec10bee6336"
ACCEPTED_MS: Final = 50.0
PREPARED_MS: Final = 250.0
SHARE: Final = 0.5
BARE_S: Final = 3.0
SESSIONS: Final = 8
"""That commit at once: as many orders as the executor works on at once."""
_ENDED: Final = ("filled", "cancelled", "expired", "rejected", "dead")
_AGAIN: Final = ("STEP_SUPERSEDED", "STEP_BLOCKED")
"""The order is not any more as it was read."""


class Refused(Exception):
    def __init__(self, asked: str, status: int, text: str) -> None:
        super().__init__(f"{asked}: {status} {text[:300]}")
        self.code = str(orjson.loads(text).get("code"))


class Trader:
    """Signed in, with money on the chain. ``busy``: how often it was told to ask again."""

    def __init__(self, content: dict[str, Any], venue: str, chain: int, side: str = "BUY") -> None:
        self._content = content
        self._body = {
            "market": "ETH-USD", "side": side, "intent": "open", "type": "market",
            "notional_usd": "1000", "leverage": "5", "slippage_bps": "200", "venues": [venue],
            "chain_ids": [chain],
        }  # fmt: skip
        self._chain = chain
        self._pool = GMX_POOL if venue == "gmx" else "usdc"
        self._route = ""
        self.busy = 0
        self._wallet: Any = Account.create()
        self._http = httpx.AsyncClient(base_url=content["http_url"], timeout=30.0, trust_env=False)

    async def __aenter__(self) -> "Trader":
        body = {"address": self._wallet.address, "chain_id": self._chain}
        control = self._content["sandbox"]["control_url"]
        money = body | {"eth": "50", "usdc": "900000"}
        (await self._http.post(f"{control}/fund", json=money)).raise_for_status()
        for _ in range(AGAIN):
            # A nonce counts once, and who asks again does not know whether it was taken.
            with contextlib.suppress(Refused):
                await self._sign_in(body)
                return self
        raise SystemExit("nobody can sign in")

    async def _sign_in(self, body: dict[str, Any]) -> None:
        text = (await self.ask("POST", "/v1/auth/nonce", body))["message"]
        signature = self._wallet.sign_message(encode_defunct(text=text)).signature
        signed = {"message": text, "signature": f"0x{bytes(signature).hex()}"}
        grant = await self.ask("POST", "/v1/auth/login", signed)
        self._http.headers["Authorization"] = f"Bearer {grant['access_token']}"

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Again where the server says so: the key and the hash make it one request."""
        for _ in range(AGAIN):
            answer = await self._http.request(method, path, json=body, **more)
            if answer.status_code != 503:
                break
            self.busy += 1
            await asyncio.sleep(0.1)
        if answer.status_code >= 400:
            raise Refused(f"{method} {path}", answer.status_code, answer.text)
        return answer.json()["data"]

    async def quote(self) -> str:
        """Once there is one: on a busy machine quotes of 100 ms lapse."""
        for _ in range(100):
            path = "/v1/guarded-quotes" if self._route else "/v1/routes"
            body = self._body | ({"route_id": self._route} if self._route else {})
            answer = await self._http.post(path, json=body)
            if answer.status_code == 201:
                return str(answer.json()["data"]["quote_id"])
            if answer.status_code == 200:
                names = [item["route_id"] for item in answer.json()["data"]["routes"]]
                self._route = next((name for name in names if self._pool in name.lower()), "")
            if answer.status_code != 200 or not self._route:
                await asyncio.sleep(0.2)
        raise SystemExit(f"no route for {self._body}")

    async def place(self) -> tuple[dict[str, Any], float]:
        """The order, and milliseconds until it was accepted."""
        body = {
            "quote_id": await self.quote(),
            "owner": {"address": self._wallet.address},
            "approval": "unlimited",
        }
        key = {"Idempotency-Key": str(uuid.uuid4())}
        started = time.perf_counter()
        order = await self.ask("POST", "/v1/orders", body, headers=key)
        return order, (time.perf_counter() - started) * 1000

    async def next(self, order: dict[str, Any]) -> dict[str, Any]:
        """At its next version."""
        query = {"wait_version": str(order["version"] + 1)}
        found: dict[str, Any] = await self.ask("GET", f"/v1/orders/{order['id']}", params=query)
        return found

    async def to_end(self) -> str:
        """One order until it has ended; the state."""
        order, _ = await self.place()
        sent: set[tuple[str, int]] = set()
        while order["state"] not in _ENDED:
            for step in order["steps"]:
                name = step["id"], step["version"]
                if step["status"] == "ready" and name not in sent:
                    try:
                        await self._sign(order["id"], step)
                    except Refused as refused:
                        if refused.code not in _AGAIN:
                            raise
                    sent.add(name)
            if any(step["status"] == "blocked" for step in order["steps"]):
                # That the step before is mined makes no version.
                await asyncio.sleep(0.05)
                order = await self.ask("GET", f"/v1/orders/{order['id']}")
            else:
                order = await self.next(order)
        return str(order["state"])

    async def _sign(self, order_id: str, step: dict[str, Any]) -> None:
        tx = step["tx"]
        fields = {
            "chainId": int(tx["chain_id"]), "to": tx["to"], "value": int(tx["value"]),
            "data": tx["data"], "nonce": int(tx["nonce"]), "gas": int(tx["gas"]), "type": 2,
            "maxFeePerGas": int(tx["max_fee_per_gas"]),
            "maxPriorityFeePerGas": int(tx["max_priority_fee_per_gas"]),
        }  # fmt: skip
        signed = self._wallet.sign_transaction(fields)
        body = {
            "step_id": step["id"],
            "step_version": step["version"],
            "raw_transaction": f"0x{bytes(signed.raw_transaction).hex()}",
        }
        await self.ask("POST", f"/v1/orders/{order_id}/submission", body)


# Bounds -------------------------------------------------------------------------------------------


async def bare_commits(url: str) -> float:
    """A second, of ``SESSIONS`` that each insert one row a transaction."""
    owner = await asyncpg.connect(url)
    await owner.execute("CREATE TABLE bench_commits (at timestamptz, what text)")
    try:
        return await _repeated(lambda: _committing(url), SESSIONS)
    finally:
        await owner.execute("DROP TABLE bench_commits")
        await owner.close()


async def _committing(url: str) -> Callable[[], Awaitable[object]]:
    connection = await asyncpg.connect(url)
    statement = await connection.prepare("INSERT INTO bench_commits VALUES (now(), 'an order')")
    found: Callable[[], Awaitable[object]] = statement.fetch
    return found


async def bare_calls(url: str) -> list[float]:
    """Milliseconds of an eth_call to the node, one after the other."""
    call = {"to": "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "data": "0x18160ddd"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    found = []
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(200):
            started = time.perf_counter()
            (await http.post(url, json=body)).raise_for_status()
            found.append((time.perf_counter() - started) * 1000)
    return sorted(found)


async def _repeated(
    make: Callable[[], Awaitable[Callable[[], Awaitable[object]]]], count: int
) -> float:
    acts = [await make() for _ in range(count)]
    until, done = time.perf_counter() + BARE_S, 0

    async def go_on(act: Callable[[], Awaitable[object]]) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await act()
            done += 1

    await asyncio.gather(*(go_on(act) for act in acts))
    return done / BARE_S


async def transactions(url: str) -> int:
    """That have written something, since the database was made: only those get a number."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return int(found)
    finally:
        await connection.close()


# The runs -----------------------------------------------------------------------------------------


async def latencies(content: dict[str, Any], venue: str, chain: int) -> tuple[list[float], ...]:
    """Milliseconds until 202, and from then until something can be signed, in order of size."""
    accepted, prepared = [], []
    async with Trader(content, venue, chain) as trader:
        for _ in range(ALONE):
            order, took_ms = await trader.place()
            started = time.perf_counter()
            while order["state"] == "accepted":
                order = await trader.next(order)
            if order["state"] != "prepared":
                raise SystemExit(f"{order['state']}: {order['reason']}")
            accepted.append(took_ms)
            prepared.append((time.perf_counter() - started) * 1000)
    return sorted(accepted), sorted(prepared)


class Load:
    """``traders`` that each place the next order when one has ended, until they are told to stop.
    ``ended``: orders by the state they ended in, or by the code of a refusal. ``took_ms``: of those
    that were filled."""

    def __init__(self, traders: Sequence[Trader]) -> None:
        self.traders = traders
        self._goes_on = True
        self.ended: Counter[str] = Counter()
        self.took_ms: list[float] = []

    async def come(self) -> None:
        """Approvals are over with the first order."""
        slots = asyncio.Semaphore(COMING)

        async def come(trader: Trader) -> None:
            async with slots:
                await trader.__aenter__()
                await trader.to_end()

        await asyncio.gather(*(come(trader) for trader in self.traders))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for trader in self.traders:
                group.create_task(self._trade(trader))

    def end(self) -> None:
        self._goes_on = False

    async def leave(self) -> None:
        for trader in self.traders:
            await trader.__aexit__()

    async def _trade(self, trader: Trader) -> None:
        while self._goes_on:
            started = time.perf_counter()
            try:
                state = await trader.to_end()
            except Refused as refused:
                state = refused.code
            self.ended[state] += 1
            if state == "filled":
                self.took_ms.append((time.perf_counter() - started) * 1000)


async def through(content: dict[str, Any]) -> tuple[float, float]:
    """Orders that were filled a second, by ``TRADERS`` at all places at once, and the transactions
    of Postgres that each took, without what the program writes at rest."""
    url = content["database_url"]
    before = await transactions(url)
    await asyncio.sleep(BARE_S)
    at_rest = (await transactions(url) - before) / BARE_S
    places = [(*PLACES[n % len(PLACES)], ("BUY", "SELL")[n // len(PLACES) % 2])
              for n in range(TRADERS)]  # fmt: skip
    load = Load([Trader(content, *place) for place in places])
    await load.come()
    running = asyncio.create_task(load.run())
    await asyncio.sleep(WARM_S)
    load.ended.clear()
    load.took_ms.clear()
    before, started = await transactions(url), time.perf_counter()
    roles = {name: pids for name, pids in content["pids"].items() if name != "supervisor"}
    shares = CpuShares({"client": os.getpid()} | roles)
    await asyncio.wait([running], timeout=SECONDS)
    seconds, ended = time.perf_counter() - started, load.ended.copy()
    spent, took_ms = shares.spent(), sorted(load.took_ms) or [math.nan]
    wrote = await transactions(url) - before - at_rest * seconds
    load.end()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_S):
            await running
    await load.leave()
    busy = sum(trader.busy for trader in load.traders)
    print(
        f"{TRADERS} in work for {seconds:.0f} s: {dict(ended)}, asked again {busy}; to filled "
        f"p50 {percentile(took_ms, 0.5):,.0f} ms  p99 {percentile(took_ms, 0.99):,.0f} ms"
    )
    each = max(ended["filled"], 1)
    told_of = (
        f"{name} {cpu_s / seconds:.0%} ({cpu_s / each * 1000:.0f} ms)"
        for name, cpu_s in spent.items()
    )
    print(f"CPU, of one core and of each order: {'  '.join(told_of)}", flush=True)
    return ended["filled"] / seconds, wrote / max(ended["filled"], 1)


def told(name: str, found: Sequence[float], budget_ms: float) -> None:
    p99 = percentile(found, 0.99)
    verdict = "within" if p99 <= budget_ms else "OVER"
    print(
        f"{name}: p50 {percentile(found, 0.5):.1f} ms  p99 {p99:.1f} ms; {verdict} the aim of "
        f"{budget_ms:.0f} ms ({len(found)} orders)",
        flush=True,
    )


async def run(folder: Path) -> None:
    content = orjson.loads((folder / "runtime.json").read_bytes())
    commits = await bare_commits(content["database_url"])
    calls = await bare_calls(content["rpc_urls"]["42161"][0])
    print(
        f"bare: {commits:,.0f} commits/s of {SESSIONS} sessions; eth_call p50 "
        f"{percentile(calls, 0.5):.1f} ms  p99 {percentile(calls, 0.99):.1f} ms",
        flush=True,
    )
    everywhere: list[float] = []
    for venue, chain in PLACES:
        accepted, prepared = await latencies(content, venue, chain)
        everywhere += accepted
        told(f"202 to prepared, {venue} {chain}", prepared, PREPARED_MS)
    told("POST to 202", sorted(everywhere), ACCEPTED_MS)
    control = content["sandbox"]["control_url"]
    async with httpx.AsyncClient(trust_env=False) as http:
        body = {"mode": "auto", "delay_ms": 0}
        (await http.post(f"{control}/keeper", json=body)).raise_for_status()
    per_s, wrote = await through(content)
    bound = commits / wrote
    verdict = "within" if per_s >= SHARE * bound else "UNDER"
    print(
        f"whole pipeline: {per_s:.1f} orders/s of {TRADERS} clients, {wrote:.1f} commits an order; "
        f"{per_s / bound:.2f} of {bound:,.0f}/s, {verdict} the aim of {SHARE}"
    )


def main() -> None:
    depths = {f"PERP_FINALITY_DEPTH_{chain}": "3" for chain in (42161, 137)}
    with program(PERP_MARKETS="ETH-USD", **depths) as folder:
        uvloop.run(run(folder))


if __name__ == "__main__":
    main()
