"""Transactions whose failures have an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from api.problems import Unavailable
from db.pool import Database, PoolBusy
from runtime.guard import Resting
from runtime.logs import get_logger

TIMEOUT_S: Final = 3.0

_log = get_logger(__name__)


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a transaction that is committed at the end.

    Raises Unavailable ``DATABASE_UNAVAILABLE``; whether it was committed is not known then.
    """
    async with reading(database) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection whose statements each stand by themselves. Raises Unavailable
    ``DATABASE_UNAVAILABLE``."""
    try:
        async with asyncio.timeout(TIMEOUT_S), database.acquire() as connection:
            yield connection
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # What was not even tried is counted.
        if not isinstance(error, Resting | PoolBusy):
            _log.warning("transaction_failed", error=type(error).__name__)
        full = isinstance(error, asyncpg.DiskFullError)
        said = "Postgres has no room to store anything" if full else "Postgres does not answer"
        raise Unavailable("DATABASE_UNAVAILABLE", said) from error
