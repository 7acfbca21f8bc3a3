"""Connections to Postgres. A slow or missing database costs its callers a bounded time."""

import asyncio
from typing import Final

import asyncpg

CONNECT_TIMEOUT_S: Final = 2.0
STATEMENT_TIMEOUT_MS: Final = 2_000
_COMMAND_TIMEOUT_S: Final = 2.5
"""A little more than the server's own limit, for a server that does not answer at all."""
_SIZE: Final = (1, 5)


class Database:
    """A pool that is opened when it is first needed, so that a role starts without the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def pool(self) -> asyncpg.Pool:
        """Raises OSError, TimeoutError or asyncpg.PostgresError while the database is away."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=_SIZE[0],
                    max_size=_SIZE[1],
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=_COMMAND_TIMEOUT_S,
                    server_settings={"statement_timeout": str(STATEMENT_TIMEOUT_MS)},
                )
            return self._pool

    async def ping(self) -> None:
        """Raises what ``pool`` raises, and asyncpg.InterfaceError, when the database does not
        answer."""
        pool = await self.pool()
        async with asyncio.timeout(CONNECT_TIMEOUT_S), pool.acquire() as connection:
            await connection.execute("SELECT 1")

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
