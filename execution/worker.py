"""One delivery after the other: lease, work, release, done, acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

import asyncpg

from db import order_changes, orders, outbox
from db.instants import instant
from db.order_changes import LeaseLost
from db.orders import OrderRow
from db.pool import Database
from domain.errors import PerpError
from domain.orders import Reason
from execution.dead_letters import bury
from execution.intake import MAX_DELIVERIES, Delivery, Intake
from runtime.clock import wall_us
from runtime.logs import get_logger

LEASE: Final = timedelta(seconds=15)
TURN_S: Final = 12.0
"""Less than the lease: who works longer has lost the order before it notices."""

Handle: TypeAlias = Callable[[asyncpg.Connection, OrderRow, int], Awaitable[None]]
"""Takes an order as far as it goes now. Called with the epoch of its lease."""

_log = get_logger(__name__)


class Worker:
    """``name``: of this process alone."""

    def __init__(self, database: Database, intake: Intake, name: str, handle: Handle) -> None:
        self._database = database
        self._intake = intake
        self._name = name
        self._handle = handle

    async def work(self, delivery: Delivery) -> bool:
        """Whether the entry is done with. Nothing is acknowledged before Postgres has it, and what
        is not acknowledged comes again.

        Raises what Redis and Postgres raise; the entry comes again then too.
        """
        pool = await self._database.pool()
        async with pool.acquire() as connection:
            epoch = await order_changes.lease(connection, delivery.order_id, self._name, LEASE)
            row = await orders.read(connection, delivery.order_id)
            if epoch is None and row is not None:
                # Somebody works on it; if they die, this entry is claimed later.
                return False
            if row is not None and epoch is not None:
                try:
                    if not await self._work(connection, delivery, row, epoch):
                        return False
                except LeaseLost:
                    _log.warning("lease_lost", order_id=delivery.order_id, epoch=epoch)
                    return False
                await outbox.done(connection, delivery.order_id, delivery.version)
                await order_changes.release(connection, delivery.order_id, epoch)
        await self._intake.acknowledge([delivery.entry_id])
        return True

    async def _work(
        self, connection: asyncpg.Connection, delivery: Delivery, row: OrderRow, epoch: int
    ) -> bool:
        try:
            async with asyncio.timeout(TURN_S):
                await self._handle(connection, row, epoch)
        except (LeaseLost, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            raise
        except Exception as error:
            _log.error(
                "order_failed", order_id=row.new.id, deliveries=delivery.deliveries,
                error=repr(error), exc_info=error,
            )  # fmt: skip
            if delivery.deliveries < MAX_DELIVERIES:
                await order_changes.release(connection, row.new.id, epoch)
                return False
            code = error.code if isinstance(error, PerpError) else "FAILED"
            why = Reason(code, f"{type(error).__name__}: {error}"[:300])
            now = instant(wall_us())
            letter = await bury(connection, row.new.id, delivery.deliveries, why, now, epoch)
            if letter is not None:
                await self._intake.tell_dead(letter, row.new.id, code)
        return True
