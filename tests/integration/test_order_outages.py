"""Orders while Redis or Postgres freeze, die, are full, forget their last writes or are slow: what
was answered 202 is in Postgres, is told to a worker, and is there once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from db.migrate import migrate
from db.orders import OrderRow
from execution.intake import Intake
from execution.worker import Worker
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from runtime.channels import ORDERS_STREAM, nonce_key
from tests.integration.auth_kit import Wallet, running
from tests.integration.gateway_kit import eventually
from tests.integration.orders_kit import accepted, pool_of
from tests.integration.outage_kit import Mortal, pipeline, post_all
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import PATH, SEAL, Trader, trader
from tests.servers import open_folder

pytestmark = pytest.mark.timeout(120)

AWAY = (RedisError, OSError, TimeoutError)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Mortal]:
    with open_folder() as folder, ExitStack() as stack:
        yield Mortal(EmbeddedRedis, folder, stack)


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Mortal]:
    with open_folder() as folder, ExitStack() as stack:
        yield Mortal(EmbeddedPostgres, folder, stack)


# Redis --------------------------------------------------------------------------------------------


async def test_orders_while_redis_is_frozen(redis_server: Mortal, database_url: str) -> None:
    """Row 14, and 12 for what may be asked without it."""
    async with (
        pipeline(redis_server.url, database_url) as line,
        running(redis_server.url, database_url, seal=SEAL) as rig,
    ):
        me = await trader(rig, database_url)
        quotes = [await me.quote() for _ in range(5)]
        redis_server.signal(signal.SIGSTOP)
        try:
            ids = await post_all(me, quotes)
            body = {"market": "BTC-USD", "side": "BUY", "intent": "open", "type": "market",
                    "notional_usd": "1000", "leverage": "5"}  # fmt: skip
            fresh = await me.ask("POST", "/v1/guarded-quotes", body, "new")
            assert fresh.status_code == 503, fresh.text
            with pytest.raises(AWAY):
                await line.relay.relay()
        finally:
            redis_server.signal(signal.SIGCONT)
        await line.run()
        await line.check(set(ids))


async def test_orders_while_redis_is_dead(redis_server: Mortal, database_url: str) -> None:
    """Row 12: some were told before, one of them is being worked on, some come meanwhile."""
    async with (
        pipeline(redis_server.url, database_url) as line,
        running(redis_server.url, database_url, seal=SEAL) as rig,
    ):
        me = await trader(rig, database_url)
        before = await post_all(me, [await me.quote() for _ in range(3)])
        quotes = [await me.quote() for _ in range(6)]
        await line.relay.relay()
        assert await line.intake.read(1, 100)
        await asyncio.to_thread(redis_server.kill)
        after = [
            (await me.post(each, f"later{number}")).json()["data"]["id"]
            for number, each in enumerate(quotes[3:])
        ]
        with pytest.raises(AWAY):
            await line.relay.relay()
        await redis_server.restart()
        await line.redis.connection_pool.disconnect()
        await line.run()
        await line.check({*before, *after})


async def test_orders_while_redis_is_full(redis_server: Mortal, database_url: str) -> None:
    """Row 16: quotes are gone, orders with a guarded quote are taken, and told when there is
    room."""
    async with (
        pipeline(redis_server.url, database_url) as line,
        running(redis_server.url, database_url, seal=SEAL) as rig,
    ):
        me = await trader(rig, database_url)
        quotes = [await me.quote() for _ in range(3)]
        limit = (await line.redis.config_get("maxmemory"))["maxmemory"]
        await line.redis.config_set("maxmemory", 1)
        try:
            ids = await post_all(me, quotes)
            with pytest.raises(OutOfMemoryError):
                await line.relay.relay()
            await eventually(
                lambda: rig.http.get("/v1/quotes/BTC-USD"),
                lambda answer: answer.json().get("code") == "QUOTE_STALE",
            )
        finally:
            await line.redis.config_set("maxmemory", limit)
        await line.run()
        await line.check(set(ids))
        await eventually(
            lambda: rig.http.get("/v1/quotes/BTC-USD"), lambda answer: answer.status_code == 200
        )


async def test_a_failover_that_loses_the_last_writes(
    redis_server: Mortal, database_url: str
) -> None:
    """Row 15: the stream as a replica had it before entries, a reading and an acknowledgement."""
    async with pipeline(redis_server.url, database_url) as line:
        await line.redis.flushall()
        news = [await accepted(line.connection) for _ in range(2)]
        await line.relay.relay()
        await line.intake.prepare()
        kept = await line.redis.dump(ORDERS_STREAM)
        news += [await accepted(line.connection) for _ in range(2)]
        await line.relay.relay()
        first, *_ = await line.intake.read(2, 100)
        assert await line.worker.work(first)
        assert kept is not None
        await line.redis.restore(ORDERS_STREAM, 0, kept, replace=True)
        await line.run()
        await line.check({new.id for new in news})


async def test_a_sign_in_that_a_failover_forgot_is_not_made_twice(
    redis_server: Mortal, database_url: str
) -> None:
    """Row 15: a nonce that was lost is asked for again, one whose use was lost is used up."""
    async with running(redis_server.url, database_url) as rig:
        redis = Redis.from_url(redis_server.url)
        wallet = Wallet(rig.http)
        lost = await wallet.challenge()
        await redis.delete(nonce_key(lost["nonce"]))
        check_problem(await wallet.login(lost["message"]), 401, "NONCE_UNKNOWN")
        used = await wallet.challenge()
        kept = await redis.get(nonce_key(used["nonce"]))
        assert (await wallet.login(used["message"])).status_code == 200
        await redis.set(nonce_key(used["nonce"]), kept, ex=60)
        check_problem(await wallet.login(used["message"]), 401, "NONCE_UNKNOWN")
        assert (await wallet.login()).status_code == 200
        await redis.aclose()


# Postgres -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mortal_url(postgres_server: Mortal) -> str:
    async def create() -> str:
        server = await asyncpg.connect(postgres_server.url)
        await server.execute("CREATE DATABASE orders")
        await server.close()
        url = f"{postgres_server.url.rpartition('/')[0]}/orders"
        connection = await asyncpg.connect(url)
        await migrate(connection)
        await connection.close()
        return url

    return asyncio.run(create())


async def counted(url: str, me: Trader) -> dict[str, str]:
    """Order ids by the quote they came from."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT id, quote_id FROM orders WHERE account_id = $1", me.account_id
        )
    finally:
        await connection.close()
    found = {str(row["quote_id"]): str(row["id"]) for row in rows}
    assert len(found) == len(rows)
    return found


async def test_a_table_that_is_locked_is_a_503_and_nothing_piles_up(
    embedded_redis_url: str, database_url: str
) -> None:
    """Row 20: whatever the server ended later, nobody was told 202, and the keys are good again."""
    async with running(embedded_redis_url, database_url, seal=SEAL) as rig:
        me = await trader(rig, database_url)
        quote = await me.quote()
        holder = await asyncpg.connect(database_url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            answers = await asyncio.gather(*(me.post(quote, f"k{n}") for n in range(50)))
            for answer in answers:
                check_problem(answer, 503, "DATABASE_UNAVAILABLE")
                assert answer.headers["Retry-After"]
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert await holder.fetchval(waits) == 0
        await holder.close()
        assert await counted(database_url, me) == {}
        await eventually(lambda: me.post(quote, "k0"), lambda got: got.status_code == 202)
        assert list(await counted(database_url, me)) == [quote]


NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END
$$;
CREATE TRIGGER no_room BEFORE INSERT ON order_events EXECUTE FUNCTION no_room()
"""


async def test_orders_while_postgres_has_no_room(
    embedded_redis_url: str, database_url: str
) -> None:
    """Row 21, with what Postgres says then in the middle of an order; ``tests.drills.full_disk``
    really fills the disk."""
    async with running(embedded_redis_url, database_url, seal=SEAL) as rig:
        me = await trader(rig, database_url)
        before = (await me.order())["id"]
        quotes = [await me.quote() for _ in range(5)]
        told = REGISTRY.get_sample_value("perptape_postgres_full_total") or 0
        async with me.connection() as operator:
            await operator.execute(NO_ROOM)
            try:
                for number, quote in enumerate(quotes):
                    answer = await me.post(quote, f"k{number}")
                    check_problem(answer, 503, "DATABASE_UNAVAILABLE")
                    assert answer.headers["Retry-After"]
                # What is there can be read, and prices go on.
                assert (await me.read(before))["state"] == "accepted"
                assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
            finally:
                await operator.execute("DROP FUNCTION no_room CASCADE")
        assert REGISTRY.get_sample_value("perptape_postgres_full_total") == told + 5
        assert await me.count("outbox", before) == 1
        assert len(await counted(database_url, me)) == 1
        ids = await post_all(me, quotes)
        assert len({before, *ids}) == len(await counted(database_url, me)) == 6


async def test_postgres_dies_under_orders(
    postgres_server: Mortal, mortal_url: str, embedded_redis_url: str
) -> None:
    """Row 18, and 19 while it is away: every 202 stands, and who was told nothing asks again."""
    async with running(embedded_redis_url, mortal_url, seal=SEAL) as rig:
        me = await trader(rig, mortal_url)
        quotes = [await me.quote() for _ in range(60)]

        async def post(number: int) -> httpx.Response:
            return await me.post(quotes[number], f"k{number}")

        sending = [asyncio.create_task(post(number)) for number in range(60)]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(postgres_server.kill)
        first = await asyncio.gather(*sending)
        assert {answer.status_code for answer in first} <= {202, 503}
        check_problem(await post(0), 503, "DATABASE_UNAVAILABLE")
        # Prices do not need it.
        assert (await rig.http.get("/v1/quotes/BTC-USD")).status_code == 200
        await postgres_server.restart()
        await eventually(lambda: me.ask("GET", PATH), lambda answer: answer.status_code == 200)
        stored = await counted(mortal_url, me)
        for number, answer in enumerate(first):
            if answer.status_code == 202:
                assert stored[quotes[number]] == answer.json()["data"]["id"]
        for number in range(60):
            again = await eventually(
                lambda number=number: post(number),  # type: ignore[misc]
                lambda answer: answer.status_code in (202, 410),
            )
            # The quote may have expired meanwhile; what was stored has its answer all the same.
            expected = 202 if quotes[number] in stored else again.status_code
            assert again.status_code == expected
            if quotes[number] in stored:
                assert again.json()["data"]["id"] == stored[quotes[number]]


# The processes themselves -------------------------------------------------------------------------


async def test_a_gateway_that_stops_under_orders_loses_none(
    embedded_redis_url: str, database_url: str
) -> None:
    """Row 50: each was answered and stands, or was not answered and the next gateway says what
    became of it."""
    async with running(embedded_redis_url, database_url, seal=SEAL) as rig:
        me = await trader(rig, database_url)
        quotes = [await me.quote() for _ in range(60)]

        async def post(number: int) -> httpx.Response | None:
            try:
                return await me.post(quotes[number], f"k{number}")
            except httpx.TransportError:
                return None

        sending = [asyncio.create_task(post(number)) for number in range(60)]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        rig.stop.set()
        first = await asyncio.gather(*sending)
    assert any(answer is not None for answer in first)
    stored = await counted(database_url, me)
    async with running(embedded_redis_url, database_url, seal=SEAL) as rig:
        me.http = rig.http
        for number, answer in enumerate(first):
            again = await me.post(quotes[number], f"k{number}")
            if answer is not None and answer.status_code == 202:
                assert stored[quotes[number]] == answer.json()["data"]["id"]
            if quotes[number] in stored:
                assert again.json()["data"]["id"] == stored[quotes[number]]


async def test_a_worker_that_stops_hands_its_orders_over(
    redis_server: Mortal, database_url: str
) -> None:
    """Row 50: the next one waits neither for the lease nor for the entry."""
    async with pipeline(redis_server.url, database_url) as line:
        await line.redis.flushall()
        new = await accepted(line.connection)
        begun = asyncio.Event()

        async def endless(row: OrderRow, epoch: int) -> None:
            del row, epoch
            begun.set()
            await asyncio.Event().wait()

        async with pool_of(database_url) as database:
            patient = Intake(line.redis, "stopping", 60_000)
            stopping = Worker(database, patient, "stopping", endless)
            await line.relay.relay()
            [delivery] = await patient.read(10, 100)
            work = asyncio.create_task(stopping.work(delivery))
            await begun.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        assert await line.relay.relay() == 1
        [again] = await line.intake.read(10, 100)
        assert again.order_id == new.id
        assert await line.worker.work(again)
        await line.check({new.id})


async def test_a_message_of_another_version_is_told_again_and_not_dropped(
    redis_server: Mortal, database_url: str
) -> None:
    """Row 49: an entry that this version cannot read is no loss, since the order is in Postgres
    until it is done; one with more fields than it knows is read as far as it goes."""
    async with pipeline(redis_server.url, database_url) as line:
        await line.redis.flushall()
        strange, richer = await accepted(line.connection), await accepted(line.connection)
        await line.connection.execute("UPDATE outbox SET relayed_at = now()")
        await line.intake.prepare()
        await line.redis.xadd(ORDERS_STREAM, {"v": "2", "orders": f'["{strange.id}"]'})
        await line.redis.xadd(ORDERS_STREAM, {"v": "2", "order": richer.id, "version": "1"})
        [delivery] = await line.intake.read(10, 100)
        assert delivery.order_id == richer.id
        assert await line.worker.work(delivery)
        await line.run()
        await line.check({strange.id, richer.id})
