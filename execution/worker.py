"""One delivery after the other: lease, work, release, done, acknowledged."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

import asyncpg

from db import order_changes, orders
from db.instants import instant
from db.order_changes import LeaseLost
from db.orders import OrderRow
from db.pool import Database
from domain.errors import PerpError
from domain.orders import Reason
from execution.dead_letters import TryAgain, bury
from execution.intake import MAX_DELIVERIES, Delivery, Intake
from runtime.clock import wall_us
from runtime.logs import get_logger

LEASE: Final = timedelta(seconds=15)
TURN_S: Final = 12.0
"""Less than the lease: who works longer has lost the order before it notices."""
HAND_OVER_S: Final = 0.4

Handle: TypeAlias = Callable[[OrderRow, int], Awaitable[None]]
"""Takes an order as far as it goes now. Called with the epoch of its lease, which every write of it
has to name."""

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
        async with self._database.acquire() as connection:
            epoch = await order_changes.lease(connection, delivery.order_id, self._name, LEASE)
            row = await orders.read(connection, delivery.order_id)
        if row is not None and epoch is None:
            # Somebody works on it; if they die, this entry is claimed later.
            return False
        if row is not None and epoch is not None:
            try:
                if not await self._handled(delivery, row, epoch):
                    return False
            except LeaseLost:
                _log.warning("lease_lost", order_id=row.new.id, epoch=epoch)
                return False
            except asyncio.CancelledError:
                await self._hand_over(row, epoch)
                raise
        await self._intake.acknowledge([delivery.entry_id])
        return True

    async def _hand_over(self, row: OrderRow, epoch: int) -> None:
        """This process ends: who comes next waits neither for the lease nor for the entry."""
        with contextlib.suppress(
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, LeaseLost
        ):
            async with (
                asyncio.timeout(HAND_OVER_S),
                self._database.acquire() as connection,
                connection.transaction(),
            ):
                await order_changes.hold(connection, row.new.id, epoch)
                await order_changes.release(connection, row.new.id, epoch)
                await order_changes.notify(connection, row.new.id, row.version, instant(wall_us()))

    async def _handled(self, delivery: Delivery, row: OrderRow, epoch: int) -> bool:
        """Raises LeaseLost."""
        order_id = row.new.id
        letter, failure = None, await self._failure(delivery, row, epoch)
        async with self._database.acquire() as connection:
            try:
                if failure is not None:
                    letter = await _bury(connection, delivery, failure, epoch)
            except TryAgain:
                await order_changes.release(connection, order_id, epoch)
                return False
            await order_changes.finish(connection, order_id, epoch, delivery.version)
        if letter is not None and failure is not None:
            await self._intake.tell_dead(letter, order_id, failure.code)
        return True

    async def _failure(self, delivery: Delivery, row: OrderRow, epoch: int) -> Reason | None:
        """Why it could not be dealt with; None when it was."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._handle(row, epoch)
        except LeaseLost:
            raise
        except Exception as error:
            _log.error(
                "order_failed",
                order_id=row.new.id,
                deliveries=delivery.deliveries,
                error=repr(error),
            )
            code = error.code if isinstance(error, PerpError) else "FAILED"
            return Reason(code, f"{type(error).__name__}: {error}"[:300])
        return None


async def _bury(
    connection: asyncpg.Connection, delivery: Delivery, failure: Reason, epoch: int
) -> int | None:
    """As ``dead_letters.bury``, after ``MAX_DELIVERIES``. Raises TryAgain before that too."""
    count, now = delivery.deliveries, instant(wall_us())
    if count < MAX_DELIVERIES:
        raise TryAgain
    return await bury(connection, delivery.order_id, count, failure, now, epoch)
