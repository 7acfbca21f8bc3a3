"""Reads of the history for requests."""

import asyncio
from typing import Final

import asyncpg

from api.problems import Unavailable
from db.candles import CandleReader
from db.pool import Database
from domain.candles import Candle

READ_S: Final = 2.5
READS_AT_ONCE: Final = 3
"""Of the pool's five connections: health checks must not wait for charts."""

_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class CandleHistory:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(READS_AT_ONCE)

    async def read(
        self, market: str, venue: str, period: str, from_us: int, to_us: int, limit: int
    ) -> list[Candle]:
        """Raises Unavailable ``DATABASE_UNAVAILABLE`` when they cannot be had in time."""
        try:
            async with asyncio.timeout(READ_S), self._turns:
                pool = await self._database.pool()
                async with pool.acquire() as connection:
                    reader = CandleReader(connection, market, venue)
                    return await reader.read(period, from_us, to_us, limit)
        except _FAILURES as error:
            raise Unavailable("DATABASE_UNAVAILABLE", "candles cannot be read now") from error
