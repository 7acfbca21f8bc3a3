"""Fills the disk of Postgres under orders, and makes room: ``python -m tests.drills.full_disk``.

As root, in a mount namespace of its own: a file system of 160 MB in memory, Postgres and a gateway
on it. Ends with 0 when every order that was answered 202 is there once, nothing else is, what could
not be stored was told 503, reads and prices went on, and all of it was stored once there was room,
by the same Postgres.
"""

import asyncio
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from db.migrate import migrate
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from tests.integration import auth_kit
from tests.integration.trading_kit import SEAL, Trader, trader
from tests.servers import open_folder, prepared, running, started

SIZE: Final = "160m"
ORDERS: Final = 120
LEFT: Final = 256 * 1024
"""Bytes: room for some orders."""
INSIDE: Final = "inside"


def main() -> int:
    if os.geteuid() != 0:
        print("needs root: it mounts a file system")
        return 2
    if sys.argv[1:] != [INSIDE]:
        command = ["unshare", "--mount", sys.executable, "-m", "tests.drills.full_disk", INSIDE]
        return subprocess.call(command)
    with open_folder() as folder, ExitStack() as stack:
        options = f"size={SIZE},mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "perptape", folder], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
        redis_url = stack.enter_context(running(EmbeddedRedis))
        server = prepared(EmbeddedPostgres, folder)
        process = stack.enter_context(started(server, folder))
        problems = asyncio.run(_drill(redis_url, server.url, folder / "filler"))
        if process.poll() is not None:
            problems.append("Postgres has ended")
    print("\n".join(problems) or "kept")
    return 1 if problems else 0


async def _drill(redis_url: str, database_url: str, filler: Path) -> list[str]:
    connection = await asyncpg.connect(database_url)
    await migrate(connection)
    async with auth_kit.running(redis_url, database_url, seal=SEAL) as rig:
        me = await trader(rig, database_url)
        quotes = [await me.quote() for _ in range(ORDERS)]
        full_at = _fill(filler)
        first = [await me.post(quote, f"k{number}") for number, quote in enumerate(quotes)]
        seen = [answer.status_code for answer in first]
        accepted, refused = seen.count(202), seen.count(503)
        print(f"{full_at / 2**20:.0f} MiB filled: {accepted} orders accepted, {refused} told 503")
        problems = [] if refused else ["the disk was never full"]
        if accepted + refused != ORDERS:
            problems.append(f"other answers: {sorted(set(seen) - {202, 503})}")
        problems += await _reads(me, rig.http)
        filler.unlink()
        stored = await _stored(connection)
        problems += _compared(quotes, first, stored)
        fresh = [await me.quote() for _ in range(20)]
        again = [await me.post(quote, f"later{number}") for number, quote in enumerate(fresh)]
        if {answer.status_code for answer in again} != {202}:
            problems.append("orders are refused though there is room")
        if len(await _stored(connection)) != accepted + len(fresh):
            problems.append("not every order is there once")
    await connection.close()
    return problems


def _fill(filler: Path) -> int:
    """Until there is next to no room; bytes written."""
    written = 0
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                written += file.write(bytes(4096))
        except OSError:
            file.truncate(written - LEFT)
            return written - LEFT


async def _reads(me: Trader, http: httpx.AsyncClient) -> list[str]:
    listed = await http.get("/v1/orders", headers=me.headers)
    quoted = await http.get("/v1/quotes/BTC-USD")
    answers = {"orders": listed.status_code, "quotes": quoted.status_code}
    return [f"reading {what}: {status}" for what, status in answers.items() if status != 200]


async def _stored(connection: asyncpg.Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT id, quote_id FROM orders")
    return {str(row["quote_id"]): str(row["id"]) for row in rows}


def _compared(
    quotes: list[str], answers: list[httpx.Response], stored: dict[str, str]
) -> list[str]:
    told = {
        quote: answer.json()["data"]["id"]
        for quote, answer in zip(quotes, answers, strict=True)
        if answer.status_code == 202
    }
    return [] if told == stored else [f"told {len(told)} orders, stored {len(stored)}"]


if __name__ == "__main__":
    sys.exit(main())
