"""Waiting for orders to change: one question to Postgres for all who wait."""

import asyncio
from typing import Final

from api.auth.postgres import reading
from api.problems import Unavailable
from db import orders
from db.pool import Database

POLL_S: Final = 0.05
WAITING_BOUND: Final = 1_000


class Versions:
    """Polls only while somebody waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}
        self._count = 0
        self._polling: asyncio.Task[None] | None = None

    async def wait(self, order_id: str, version: int, timeout_s: float) -> None:
        """Until the order has at least this version, or the time is up. Raises Unavailable ``BUSY``
        when too many wait."""
        if self._count >= WAITING_BOUND:
            raise Unavailable("BUSY", f"{WAITING_BOUND} requests wait already")
        waiting = self._waiting.setdefault(order_id, [])
        entry = version, asyncio.get_running_loop().create_future()
        waiting.append(entry)
        self._count += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            await asyncio.wait([entry[1]], timeout=timeout_s)
        finally:
            self._count -= 1
            waiting.remove(entry)
            if not waiting:
                self._waiting.pop(order_id, None)

    async def close(self) -> None:
        """Nobody is told any more."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _poll(self) -> None:
        while self._waiting:
            await asyncio.sleep(POLL_S)
            try:
                async with reading(self._database) as connection:
                    found = await orders.versions(connection, list(self._waiting))
            except Unavailable:
                # Who waits is told when their time is up.
                continue
            for order_id, version in found.items():
                for wanted, answer in self._waiting.get(order_id, ()):
                    if version >= wanted and not answer.done():
                        answer.set_result(None)
