"""Reads of the history for requests."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import asyncpg

from api.problems import Unavailable
from db import rates
from db.candles import CandleReader
from db.instants import Span
from db.pool import Database
from domain.candles import Candle

READ_S: Final = 2.5
READS_AT_ONCE: Final = 3
"""Of the pool's five connections: health checks must not wait for charts."""

_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

Found = TypeVar("Found")


class PriceHistory:
    """Every read raises Unavailable ``DATABASE_UNAVAILABLE`` when it cannot be had in time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(READS_AT_ONCE)

    async def candles(self, market: str, venue: str, period: str, span: Span) -> list[Candle]:
        async def read(connection: asyncpg.Connection) -> list[Candle]:
            return await CandleReader(connection, market, venue).read(period, span)

        return await self._in_turn(read)

    async def spreads(self, market: str, page: rates.Page) -> Sequence[Any]:
        """Rows of ``spread_history``."""
        return await self._in_turn(lambda connection: rates.spreads(connection, market, page))

    async def funding(self, market: str, page: rates.Page) -> Sequence[Any]:
        """Rows of ``funding_history``."""
        return await self._in_turn(lambda connection: rates.funding(connection, market, page))

    async def _in_turn(self, read: Callable[[asyncpg.Connection], Awaitable[Found]]) -> Found:
        try:
            async with (
                asyncio.timeout(READ_S),
                self._turns,
                self._database.acquire() as connection,
            ):
                return await read(connection)
        except _FAILURES as error:
            raise Unavailable("DATABASE_UNAVAILABLE", "history cannot be read now") from error
