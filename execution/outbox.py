"""From Postgres into the stream: what was committed is told, at least once, whatever crashes.

The stream only wakes workers up. Postgres knows what is not done yet, so what Redis lost is told
again, and what was told twice is found done.
"""

from datetime import timedelta
from typing import Final

import asyncpg
from redis.asyncio import Redis

from db import outbox
from db.outbox import Entry
from db.pool import Database
from runtime.channels import ORDERS_STREAM
from runtime.failpoints import reach

BATCH: Final = 100
LOST_AFTER: Final = timedelta(seconds=30)
"""Longer than a worker that died is waited for, so that what is only slow is not told twice."""
KEPT: Final = timedelta(days=1)


class Relay:
    """Any number may run: each takes other entries. Methods raise what Redis and Postgres raise; an
    entry that was written without being marked is written again."""

    def __init__(
        self, database: Database, redis: Redis, lost_after: timedelta = LOST_AFTER
    ) -> None:
        self._database = database
        self._redis = redis
        self._lost_after = lost_after

    async def relay(self) -> int:
        """Writes what waits; how many."""
        async with self._database.acquire() as connection:
            # Mostly nothing does, and one question is cheaper than a transaction.
            if not await outbox.any_waits(connection):
                return 0
            async with connection.transaction():
                entries = await outbox.waiting(connection, BATCH)
                return await self._write(connection, entries)

    async def sweep(self) -> int:
        """Writes again what was told long ago and is not done; how many. Forgets what is."""
        async with self._database.acquire() as connection:
            async with connection.transaction():
                entries = await outbox.lost(connection, BATCH, self._lost_after)
                count = await self._write(connection, entries)
            await outbox.forget(connection, KEPT, BATCH)
        return count

    async def _write(self, connection: asyncpg.Connection, entries: list[Entry]) -> int:
        if not entries:
            return 0
        async with self._redis.pipeline(transaction=False) as pipeline:
            for entry in entries:
                pipeline.xadd(ORDERS_STREAM, {"order": entry.order_id, "version": entry.version})
            await pipeline.execute()
        reach("P3")
        await outbox.relayed(connection, entries)
        return len(entries)
