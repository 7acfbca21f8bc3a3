"""A gateway whose servers freeze, die and stall: who asks is told so at once, what does not need
them goes on, and all works again by itself. How long each took is a figure of
`benchmarks/outages.py`."""

import asyncio
import contextlib
import secrets
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from prometheus_client import REGISTRY

from db.pool import WAITING_BOUND
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from tests.integration.auth_kit import Wallet, migrated, refresh, running, session
from tests.integration.gateway_kit import Rig, eventually, running_gateway
from tests.servers import open_folder, prepared, started

pytestmark = pytest.mark.timeout(120)


def sample(name: str, server: str) -> float:
    value = REGISTRY.get_sample_value(name, {"server": server})
    assert value is not None
    return value


async def until(satisfied: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not satisfied():
            await asyncio.sleep(0.02)


def codes(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((each.status_code, each.json().get("code", "")) for each in answers)


async def wanting(rig: Rig, count: int) -> list[httpx.Response]:
    """Refreshes with tokens that nobody has: each is a read of Postgres."""
    tokens = (secrets.token_urlsafe(32) for _ in range(count))
    return list(await asyncio.gather(*(refresh(rig.http, token) for token in tokens)))


@pytest.fixture
def redis() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with open_folder() as folder:
        server = prepared(EmbeddedRedis, folder)
        with started(server, folder) as process:
            yield server.url, process


async def test_a_frozen_redis_is_left_alone_and_asked_again(
    redis: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    url, process = redis
    async with running_gateway(url) as rig:
        process.send_signal(signal.SIGSTOP)
        try:
            # Somebody has to find out; nobody who comes later waits for it.
            await until(lambda: sample("perptape_breaker_open", "redis") == 1)
            refused = sample("perptape_calls_refused_total", "redis")
            for _ in range(20):
                answers = await asyncio.gather(
                    *(rig.http.get("/v1/quotes/BTC-USD") for _ in range(20))
                )
                assert codes(answers) == {(503, "REDIS_UNAVAILABLE"): 20}
                assert all("retry-after" in answer.headers for answer in answers)
            assert sample("perptape_calls_refused_total", "redis") > refused
            # What needs no Redis goes on.
            assert (await rig.http.get("/v1/markets")).status_code == 200
        finally:
            process.send_signal(signal.SIGCONT)
        await until(lambda: sample("perptape_breaker_open", "redis") == 0)
        await eventually(
            lambda: rig.http.get("/v1/quotes/BTC-USD"), lambda answer: answer.status_code == 200
        )


# Postgres -----------------------------------------------------------------------------------------


class Postgres:
    """A server with the tables of accounts, to be frozen, killed and started again."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._server = prepared(EmbeddedPostgres, folder)
        self.start()
        self.url = stack.enter_context(migrated(self._server.url, folder / "migrations"))

    def start(self) -> None:
        # The pid file of the one before goes, as at every start.
        asyncio.run(self._server.prepare())
        self._process = self._stack.enter_context(started(self._server, self._folder))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To every process of it: they are in groups of their own."""
        parent = psutil.Process(self._process.pid)
        for process in (parent, *parent.children()):
            process.send_signal(number)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with open_folder() as folder, contextlib.ExitStack() as stack:
        yield Postgres(folder, stack)


async def until_it_answers(rig: Rig) -> None:
    """Refuses tokens because it looked for them."""
    await eventually(lambda: wanting(rig, 1), lambda answers: answers[0].status_code == 401)


async def test_a_frozen_postgres_holds_up_nobody_for_long(
    postgres: Postgres, embedded_redis_url: str
) -> None:
    async with running(embedded_redis_url, postgres.url) as rig:
        await until_it_answers(rig)
        postgres.signal(signal.SIGSTOP)
        try:
            assert codes(await wanting(rig, 60)) == {(503, "DATABASE_UNAVAILABLE"): 60}
            await until(lambda: sample("perptape_breaker_open", "postgres") == 1)
            refused = sample("perptape_calls_refused_total", "postgres")
            assert codes(await wanting(rig, 60)) == {(503, "DATABASE_UNAVAILABLE"): 60}
            assert sample("perptape_calls_refused_total", "postgres") >= refused + 59
            assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
        finally:
            postgres.signal(signal.SIGCONT)
        await until_it_answers(rig)


async def test_a_lock_piles_up_no_more_than_the_pool_and_its_queue(
    postgres: Postgres, embedded_redis_url: str
) -> None:
    async with running(embedded_redis_url, postgres.url) as rig:
        await until_it_answers(rig)
        holder = await asyncpg.connect(postgres.url)
        try:
            async with holder.transaction():
                await holder.execute("LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE")
                stalled = asyncio.create_task(wanting(rig, 80))
                await until(
                    lambda: REGISTRY.get_sample_value("perptape_pool_waiting") == WAITING_BOUND
                )
                assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
                # Postgres is there: nobody has to send clients elsewhere.
                assert (await rig.http.get("/health/ready")).status_code == 200
                assert codes(await stalled) == {(503, "DATABASE_UNAVAILABLE"): 80}
                waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                # The server ended what waited for the lock; nothing goes on behind our back.
                assert await holder.fetchval(waits) == 0
        finally:
            await holder.close()
        await until_it_answers(rig)


# The last one: what it starts in a thread ends with the thread, at the end of its test.
async def test_postgres_dies_and_comes_back(postgres: Postgres, embedded_redis_url: str) -> None:
    async with running(embedded_redis_url, postgres.url) as rig:
        wallet = Wallet(rig.http)
        grant = await wallet.grant()
        text = (await wallet.challenge())["message"]
        await asyncio.to_thread(postgres.kill)
        await until(lambda: sample("perptape_breaker_open", "postgres") == 1)
        for _ in range(5):
            answers = await wanting(rig, 60)
            assert codes(answers) == {(503, "DATABASE_UNAVAILABLE"): 60}
            assert all("retry-after" in answer.headers for answer in answers)
        assert (await wallet.login(text)).status_code == 503
        # Prices, and who is signed in, do not need it.
        assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
        assert (await session(rig.http, grant["access_token"])).status_code == 200
        health = await rig.http.get("/health/ready")
        assert (health.status_code, health.json()["code"]) == (503, "NOT_READY")

        await asyncio.to_thread(postgres.start)
        await until_it_answers(rig)
        assert (await wallet.grant())["account_id"] == grant["account_id"]
        # What was granted before the fall was committed.
        assert (await refresh(rig.http, grant["refresh_token"])).status_code == 200
