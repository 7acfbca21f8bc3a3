"""Servers that die and come back, and the way of orders from the outbox to a worker."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from db import orders
from db.orders import OrderRow
from db.pool import Database
from execution.intake import Intake
from execution.lifecycle import Step
from execution.outbox import Relay
from execution.store import record
from execution.worker import Worker
from runtime.redis import fast_client, subscriber_client
from tests.integration.orders_kit import NOW, pool_of
from tests.integration.trading_kit import Trader
from tests.servers import prepared, started

NOTHING = timedelta(0)


class Mortal:
    """A server that can be frozen, killed and started again on its data."""

    def __init__(self, kind: Any, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._thread = stack.enter_context(ThreadPoolExecutor(1))
        self._server = prepared(kind, folder)
        self.url = self._server.url
        self.start()

    def start(self) -> None:
        asyncio.run(self._server.prepare())
        self._process: subprocess.Popen[bytes] = self._stack.enter_context(
            started(self._server, self._folder)
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def restart(self) -> None:
        # What a thread started ends with it, so the thread has to live on.
        await asyncio.get_running_loop().run_in_executor(self._thread, self.start)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


class Pipeline:
    """From the outbox to a worker that prepares; what it handled, by order."""

    def __init__(
        self, database: Database, told: Redis, redis: Redis, connection: asyncpg.Connection
    ) -> None:
        self.redis = redis
        self.connection = connection
        self.relay = Relay(database, told, NOTHING)
        self.intake = Intake(redis, "one", 1)
        self.worker = Worker(database, self.intake, "one", self._handle)
        self.handled: list[str] = []

    async def _handle(self, row: OrderRow, epoch: int) -> None:
        if row.state == "accepted":
            await record(self.connection, row.new.id, [Step("prepared")], NOW, epoch)
            self.handled.append(row.new.id)

    async def run(self) -> None:
        """As the executor's loops do, until nothing is left to do."""
        async with asyncio.timeout(20):
            while await self.connection.fetchval(
                "SELECT count(*) FROM outbox WHERE done_at IS NULL"
            ):
                await self.relay.relay()
                await self.relay.sweep()
                claimed = (await self.intake.claim(100)).deliveries
                for delivery in [*claimed, *await self.intake.read(100, 1)]:
                    await self.worker.work(delivery)

    async def check(self, order_ids: set[str]) -> None:
        """I1 and I7: each of them is in one state and was dealt with once."""
        assert sorted(self.handled) == sorted(order_ids)
        for order_id in order_ids:
            row = await orders.read(self.connection, order_id)
            assert row is not None
            assert (row.state, row.version) == ("prepared", 2)


@asynccontextmanager
async def pipeline(redis_url: str, database_url: str) -> AsyncIterator[Pipeline]:
    async with AsyncExitStack() as stack:
        told, redis = fast_client(redis_url), subscriber_client(redis_url)
        stack.push_async_callback(told.aclose)
        stack.push_async_callback(redis.aclose)
        connection = await asyncpg.connect(database_url)
        stack.push_async_callback(connection.close)
        await connection.execute("TRUNCATE orders CASCADE")
        database = await stack.enter_async_context(pool_of(database_url))
        yield Pipeline(database, told, redis, connection)


async def post_all(me: Trader, quotes: list[str]) -> list[str]:
    """Ids of orders that have to be accepted, under the keys ``k0``, ``k1``, ..."""
    answers = await asyncio.gather(*(me.post(each, f"k{n}") for n, each in enumerate(quotes)))
    assert {answer.status_code for answer in answers} == {202}, answers[0].text
    return [answer.json()["data"]["id"] for answer in answers]
