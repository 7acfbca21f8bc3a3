"""The executor role: wiring, start and stop."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db import order_changes, order_steps, orders
from db.instants import instant
from db.migrate import standing_version
from db.pool import Database
from domain.errors import ChainTransient, VenueUnavailable
from execution.desk import Desk
from execution.heartbeats import lapse_all
from execution.intake import Delivery, Intake
from execution.outbox import Relay
from execution.prepare import Preparer
from execution.submit import Submitter
from execution.teller import Teller
from execution.venues import Venues
from execution.watch import Watcher
from execution.worker import Worker
from runtime import failpoints
from runtime.clock import mono_ns, wall_us
from runtime.failpoints import reach
from runtime.logs import get_logger
from runtime.redis import cause_of, fast_client, subscriber_client
from runtime.sealing import seal_of
from runtime.settings import Settings
from runtime.tasks import Backoff, end_all, sleep_or_stop, supervise

SCHEMA: Final = 12
"""What this needs of the database."""
AT_ONCE: Final = 8
"""Orders that are worked on at once."""
BLOCK_MS: Final = 500
RELAY_S: Final = 0.02
TELL_S: Final = 0.1
WATCH_S: Final = 0.25
SWEEP_S: Final = 5.0
CLAIM_S: Final = 2.0
OVERDUE_S: Final = 1.0
HEARTBEATS_S: Final = 1.0
REMIND_NS: Final = 15_000_000_000
RELOAD_S: Final = 60.0
RELOAD_AGAIN_S: Final = 1.0
WAIT_S: Final = 0.2
FINALITY_DEPTHS: Final = {42161: 20, 137: 64, 8453: 20}
FINALITY_DEFAULT: Final = 20

_AWAY: Final = (
    ChainTransient,
    VenueUnavailable,
    RedisError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

_log = get_logger(__name__)


class Executor:
    """Everything of one process. ``name``: of this one alone."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._redis: Redis = fast_client(settings.require_redis_url())
        self._stream: Redis = subscriber_client(settings.require_redis_url())
        self._database = Database(settings.require_database_url())
        self._venues = Venues(settings, self._redis)
        seal = seal_of(settings.data_dir, settings.sealing_key)
        submitter = Submitter(self._database, self._venues, seal)
        preparer = Preparer(self._database, self._venues)
        desk = Desk(self._database, preparer, submitter)
        self._intake = Intake(self._stream, name)
        self._worker = Worker(self._database, self._intake, name, desk.handle)
        self._relay = Relay(self._database, self._redis)
        self._teller = Teller(self._database, self._redis)
        self._reminded: dict[str, int] = {}
        depths = FINALITY_DEPTHS | dict(settings.finality_depths)
        self._watchers = {
            chain_id: Watcher(
                chain,
                self._database,
                self._venues,
                submitter,
                depths.get(chain_id, FINALITY_DEFAULT),
            )
            for chain_id, chain in self._venues.chains.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        if not await self._until_schema(stop):
            return
        await self._venues.load()
        loops: dict[str, Callable[[], Awaitable[object]]] = {
            "relay": partial(_every, "relay", RELAY_S, self._relay_all),
            "sweep": partial(_every, "sweep", SWEEP_S, self._sweep),
            "tell": partial(_every, "tell", TELL_S, self._tell_all),
            "overdue": partial(_every, "overdue", OVERDUE_S, self._remind),
            "heartbeats": partial(
                _every, "heartbeats", HEARTBEATS_S, partial(lapse_all, self._database)
            ),
            "markets": self._reload,
            "claim": partial(_every, "claim", CLAIM_S, self._claim),
        }
        for number in range(AT_ONCE):
            # Each takes the next order when it has done with one: a slow one holds up no other.
            loops[f"work-{number}"] = partial(_every, "work", 0.0, self._work)
        for chain_id, watcher in self._watchers.items():
            name = f"watch-{chain_id}"
            loops[name] = partial(_every, name, WATCH_S, watcher.turn)
        tasks = [
            asyncio.create_task(_supervised(name, loop), name=name) for name, loop in loops.items()
        ]
        _log.info("executor_started", chains=sorted(self._watchers))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            await end_all([stopping, *tasks])

    async def close(self) -> None:
        await self._venues.close()
        await self._database.close()
        await self._redis.aclose()
        await self._stream.aclose()

    async def _until_schema(self, stop: asyncio.Event) -> bool:
        """False when it is asked to stop before. The feed brings the schema up to date."""
        while not stop.is_set():
            try:
                async with self._database.acquire() as connection:
                    if await standing_version(connection) >= SCHEMA:
                        return True
            except Exception as error:
                _log.info("executor_waits", reason=repr(error)[:200])
            if await sleep_or_stop(stop, WAIT_S):
                break
        return False

    # Loops ------------------------------------------------------------------------------------

    async def _relay_all(self) -> None:
        while await self._relay.relay():
            pass

    async def _sweep(self) -> None:
        await self._relay.sweep()
        await self._intake.trim()

    async def _tell_all(self) -> None:
        while await self._teller.tell():
            pass

    async def _claim(self) -> None:
        claimed = await self._intake.claim(AT_ONCE)
        await self._work_on(claimed.deliveries)

    async def _work(self) -> None:
        deliveries = await self._intake.read(1, BLOCK_MS)
        if deliveries:
            reach("P4")
        await self._work_on(deliveries)

    async def _work_on(self, deliveries: list[Delivery]) -> None:
        """All of them, whatever becomes of one; what failed comes again."""
        results = await asyncio.gather(
            *(self._worker.work(delivery) for delivery in deliveries), return_exceptions=True
        )
        for delivery, result in zip(deliveries, results, strict=True):
            if isinstance(result, BaseException):
                _log.warning("work_failed", order_id=delivery.order_id, error=repr(result)[:300])

    async def _remind(self) -> None:
        """Orders whose steps nobody signed in time are looked at again, not over and over."""
        now, now_ns = instant(wall_us()), mono_ns()
        self._reminded = {
            order_id: at_ns
            for order_id, at_ns in self._reminded.items()
            if now_ns - at_ns < REMIND_NS
        }
        async with self._database.acquire() as connection:
            for order_id in await order_steps.overdue(connection, now, AT_ONCE):
                if order_id in self._reminded:
                    continue
                self._reminded[order_id] = now_ns
                row = await orders.read(connection, order_id)
                if row is not None:
                    await order_changes.notify(connection, order_id, row.version, now)

    async def _reload(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_S if self._venues.complete else RELOAD_AGAIN_S)
            await self._venues.load()


async def _every(name: str, pause_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """For ever, also while what it needs is away: that is said once. Raises what else the work
    raises."""
    trouble, backoff = "", Backoff(max(pause_s, 0.1), 2.0)
    while True:
        try:
            await work()
            trouble = ""
            backoff.reset()
            await asyncio.sleep(pause_s)
        except _AWAY as error:
            if cause_of(error) != trouble:
                trouble = cause_of(error)
                _log.warning("executor_held_up", task=name, cause=trouble)
            await asyncio.sleep(backoff.next_s())


async def _supervised(name: str, loop: Callable[[], Awaitable[object]]) -> None:
    async def run() -> None:
        await loop()

    await supervise(name, run, cap_s=2.0)


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Raises SettingsError."""
    failpoints.arm(settings.failpoint, settings.data_dir)
    executor = Executor(settings, f"{socket.gethostname()}:{os.getpid()}")
    try:
        await executor.run(stop)
    finally:
        await executor.close()
