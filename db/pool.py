"""Connections to Postgres. A slow or missing database costs its callers a bounded time, and while
it does not answer hardly any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from runtime import metrics
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.guard import Guard

CONNECT_TIMEOUT_S: Final = 2.0
STATEMENT_TIMEOUT_MS: Final = 2_000
IDLE_TIMEOUT_MS: Final = 5_000
"""In a transaction: a process that stands still keeps what it locked no longer than this."""
WAITING_BOUND: Final = 32
"""More than these do not wait for a connection."""
_COMMAND_TIMEOUT_S: Final = 2.2
"""A little more than the server's own limit, for a server that does not answer at all."""
_PING_S: Final = 1.0
_SIZE: Final = 5
_FAILURES: Final = 3
_REST_NS: Final = 500_000_000
_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
)


class PoolBusy(ConnectionError):
    """Too many wait for a connection."""


class Database:
    """A pool that connects when it is needed, so that a role starts without the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._pinged: asyncpg.Connection | None = None
        self._opening = asyncio.Lock()
        self._waiting = 0
        self._guard = Guard("postgres", Breaker(_FAILURES, _REST_NS), _LOST)
        metrics.POOL_WAITING.set_function(lambda: self._waiting)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection. Raises OSError (``Resting``, ``PoolBusy``), TimeoutError,
        asyncpg.PostgresError and asyncpg.InterfaceError while the database is away."""
        if self._waiting >= WAITING_BOUND:
            raise PoolBusy(f"{WAITING_BOUND} wait for a connection already")
        async with self._guard.call():
            pool = await self._opened()
            connection = await self._wait_for(pool)
            try:
                yield connection
            except (*_LOST, asyncio.CancelledError):
                # In the middle of something, with a server that may not answer: whoever gives it
                # back would wait for it again.
                _give_up(connection)
                raise
            except asyncpg.DiskFullError:
                metrics.POSTGRES_FULL.inc()
                raise
            except asyncpg.InternalClientError as error:
                # A statement was given up, and the end of its transaction came before the server
                # had heard of that.
                _give_up(connection)
                if isinstance(error.__context__, asyncio.CancelledError):
                    raise error.__context__ from None
                raise ConnectionError(f"the connection was given up: {error}") from error
            finally:
                await pool.release(connection)

    async def ping(self) -> None:
        """Raises what ``acquire`` raises when the database does not answer. Over a connection of
        its own: that all others are in use does not mean that it is away."""
        async with self._guard.call():
            try:
                async with asyncio.timeout(_PING_S):
                    if self._pinged is None:
                        self._pinged = await asyncpg.connect(self._url)
                    await self._pinged.execute("SELECT 1")
            except BaseException:
                self._end_ping()
                raise

    async def close(self) -> None:
        self._end_ping()
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def _end_ping(self) -> None:
        if self._pinged is not None:
            self._pinged.terminate()
            self._pinged = None

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=_SIZE,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=_COMMAND_TIMEOUT_S,
                    reset=_keep,
                    server_settings={
                        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                        "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
                    },
                )
            return self._pool

    async def _wait_for(self, pool: asyncpg.Pool) -> asyncpg.Connection:
        self._waiting += 1
        started_ns = mono_ns()
        try:
            return await pool.acquire()
        finally:
            self._waiting -= 1
            metrics.POOL_WAIT.observe((mono_ns() - started_ns) / 1e9)


def _give_up(connection: asyncpg.Connection) -> None:
    """Also one that the server ended meanwhile: the pool has it back already, and says so."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _keep(connection: asyncpg.Connection) -> None:
    """Between two uses, after the driver has rolled back what was open. Nobody leaves anything else
    in a session (settings, listeners, locks), and asking the server to forget what there may be is
    a question more for each use."""
    del connection
