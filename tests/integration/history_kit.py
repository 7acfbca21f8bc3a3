"""A database of its own for each test on the shared server, and ticks to put there."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from aggregator.recorder import Chunk
from db.history import TICKS, HistoryStore
from db.migrate import migrate
from domain.candles import MINUTE_US, Tick, bucket
from domain.units import format_e18
from runtime.clock import iso_ms

KEPT: dict[str, int | None] = {
    "1s": 2, "1m": 30, "5m": 730, "15m": 730, "1h": 730, "4h": None, "1d": None,
}  # fmt: skip


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[str]:
    """The URL of a new database."""
    name = f"t_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    finally:
        await _drop(admin, name)
        await admin.close()


async def _drop(admin: asyncpg.Connection, name: str) -> None:
    """The server itself may be at work in it, which only its owner may end."""
    async with asyncio.timeout(20):
        while True:
            try:
                await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
                await asyncio.sleep(0.1)
            else:
                return


async def opened(url: str) -> tuple[asyncpg.Connection, HistoryStore]:
    """A connection with the schema."""
    connection = await asyncpg.connect(url)
    await migrate(connection)
    store = HistoryStore(connection)
    await store.prepare()
    return connection, store


def chunk(market: str, venue: str, *ticks: Tick) -> Chunk:
    lines = [f"{iso_ms(at)}\t{market}\t{venue}\t{format_e18(price)}\n" for at, price in ticks]
    return Chunk(ticks[0].at_us, len(lines), "".join(lines).encode())


async def write(store: HistoryStore, market: str, venue: str, ticks: Sequence[Tick]) -> int:
    minutes = {bucket(tick.at_us, MINUTE_US) for tick in ticks}
    parts = {TICKS: [chunk(market, venue, *ticks).lines]}
    return await store.write(parts, len(ticks), minutes)
