"""From the outbox to a worker over a real Redis that forgets, and a real Postgres that does not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import orjson
import pytest
from redis.asyncio import Redis

from db import order_telling, orders, outbox, tx_attempts
from db.order_changes import lease
from db.orders import NewOrder, OrderRow
from db.pool import Database
from db.tx_attempts import Attempt
from domain.errors import InputError
from domain.outcomes import EventPlace, Resting
from execution import teller
from execution.dead_letters import replay
from execution.intake import MAX_DELIVERIES, Delivery, Intake
from execution.lifecycle import Seen, Step, Undone
from execution.outbox import Relay
from execution.store import record
from execution.teller import Teller
from execution.worker import Handle, Worker
from perptape import dead_commands
from perptape.embedded_redis import EmbeddedRedis
from runtime import events
from runtime.channels import ORDERS_DEAD_STREAM, ORDERS_GROUP, ORDERS_STREAM
from runtime.redis import subscriber_client
from tests.integration.orders_kit import LONG, NOW, accepted, pool_of
from tests.servers import running

NOTHING = timedelta(0)
SOON_MS = 1


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """One of its own: it is emptied."""
    with running(EmbeddedRedis) as url:
        yield url


@dataclass
class Desk:
    redis: Redis
    database: Database
    connection: asyncpg.Connection
    relay: Relay
    url: str

    def intake(self, name: str, idle_ms: int = 60_000) -> Intake:
        return Intake(self.redis, name, idle_ms)

    def worker(self, intake: Intake, name: str, handle: Handle) -> Worker:
        return Worker(self.database, intake, name, handle)

    async def prepare(self, row: OrderRow, epoch: int) -> None:
        if row.state == "accepted":
            await record(self.connection, row.new.id, [Step("prepared")], NOW, epoch)

    async def stale(self, intake: Intake) -> list[Delivery]:
        """What is claimed once it is idle for the shortest time there is."""
        async with asyncio.timeout(5):
            while not (found := (await intake.claim(10)).deliveries):
                await asyncio.sleep(0.002)
        return found

    async def row(self, new: NewOrder) -> OrderRow:
        found = await orders.read(self.connection, new.id)
        assert found is not None
        return found


@pytest.fixture
async def desk(redis_url: str, database_url: str) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        redis = subscriber_client(redis_url)
        stack.push_async_callback(redis.aclose)
        await redis.flushall()
        connection = await asyncpg.connect(database_url)
        stack.push_async_callback(connection.close)
        await connection.execute("DELETE FROM outbox; DELETE FROM dead_letters")
        database = await stack.enter_async_context(pool_of(database_url))
        yield Desk(redis, database, connection, Relay(database, redis, NOTHING), database_url)


async def explode(row: OrderRow, epoch: int) -> None:
    del epoch
    raise InputError("POISON", f"nobody can read {row.new.id}")


async def test_what_was_accepted_comes_to_a_worker_once(desk: Desk) -> None:
    new = await accepted(desk.connection)
    assert await desk.relay.relay() == 1
    assert await desk.relay.relay() == 0
    intake = desk.intake("one")
    [delivery] = await intake.read(10, 100)
    assert delivery[1:] == (new.id, 1, 1)
    assert await desk.worker(intake, "one", desk.prepare).work(delivery)
    assert (await desk.row(new)).state == "prepared"
    assert await intake.read(10, 1) == []
    assert (await intake.claim(10)).deliveries == []
    assert await desk.relay.sweep() == 0


async def test_a_relay_that_died_before_it_could_mark_tells_twice_and_it_counts_once(
    desk: Desk,
) -> None:
    new = await accepted(desk.connection)
    await desk.relay.relay()
    await desk.connection.execute("UPDATE outbox SET relayed_at = NULL")
    await desk.relay.relay()
    intake = desk.intake("one")
    worker = desk.worker(intake, "one", desk.prepare)
    deliveries = await intake.read(10, 100)
    assert [item.order_id for item in deliveries] == [new.id, new.id]
    for delivery in deliveries:
        assert await worker.work(delivery)
    assert (await desk.row(new)).version == 2


async def test_relays_at_once_share_the_work(desk: Desk) -> None:
    news = [await accepted(desk.connection) for _ in range(7)]
    assert sum(await asyncio.gather(*(desk.relay.relay() for _ in range(4)))) == 7
    found = await desk.intake("one").read(100, 100)
    assert {item.order_id for item in found} == {new.id for new in news}
    assert len(found) == 7


async def test_a_worker_that_died_is_replaced(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await desk.relay.relay()
    [read] = await desk.intake("dead").read(10, 100)
    successor = desk.intake("alive", SOON_MS)
    [delivery] = await desk.stale(successor)
    assert delivery == read._replace(deliveries=2)
    assert await desk.worker(successor, "alive", desk.prepare).work(delivery)
    assert (await desk.row(new)).state == "prepared"


async def test_an_order_somebody_works_on_is_left_alone(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await desk.relay.relay()
    assert await lease(desk.connection, new.id, "other", LONG) == 1
    intake = desk.intake("one")
    [delivery] = await intake.read(10, 100)
    assert not await desk.worker(intake, "one", desk.prepare).work(delivery)
    assert (await desk.row(new)).state == "accepted"


async def test_who_was_stopped_too_long_writes_nothing(desk: Desk) -> None:
    """SIGSTOP of a worker: another one takes over, and what the first does then is refused."""
    new = await accepted(desk.connection)
    await desk.relay.relay()

    async def overtaken(row: OrderRow, epoch: int) -> None:
        await desk.connection.execute("UPDATE orders SET lease_until = now() - interval '1 s'")
        assert await lease(desk.connection, new.id, "other", LONG) == epoch + 1
        await desk.prepare(row, epoch)

    intake = desk.intake("one")
    [delivery] = await intake.read(10, 100)
    assert not await desk.worker(intake, "one", overtaken).work(delivery)
    assert (await desk.row(new)).state == "accepted"


async def test_a_redis_that_forgot_everything_is_filled_again(desk: Desk) -> None:
    done, waiting = await accepted(desk.connection), await accepted(desk.connection)
    await desk.relay.relay()
    intake = desk.intake("one")
    worker = desk.worker(intake, "one", desk.prepare)
    first, second = await intake.read(10, 100)
    assert first.order_id == done.id
    await worker.work(first)
    await desk.redis.flushall()
    # The group is gone with the stream; the acknowledgement of the other one has nobody to go to.
    assert await intake.read(10, 1) == []
    assert await worker.work(second)
    await desk.redis.flushall()
    await desk.connection.execute(
        "UPDATE outbox SET done_at = NULL WHERE order_id = $1", waiting.id
    )
    assert await intake.claim(10) == ([], 0)
    assert await desk.relay.sweep() == 1
    [again] = await intake.read(10, 100)
    assert again.order_id == waiting.id


@pytest.mark.parametrize("how", ["xdel", "xtrim"])
async def test_an_entry_deleted_under_a_worker_is_told_again(desk: Desk, how: str) -> None:
    new = await accepted(desk.connection)
    await desk.relay.relay()
    [read] = await desk.intake("dead").read(10, 100)
    if how == "xdel":
        await desk.redis.xdel(ORDERS_STREAM, read.entry_id)
    else:
        await desk.redis.xtrim(ORDERS_STREAM, maxlen=0, approximate=False)
    successor = desk.intake("alive", SOON_MS)
    async with asyncio.timeout(5):
        while not (found := await successor.claim(10)).gone:
            # Redis 7 forgets by itself that it was pending.
            if not (await desk.redis.xpending(ORDERS_STREAM, ORDERS_GROUP))["pending"]:
                break
            await asyncio.sleep(0.002)
    assert found.deliveries == []
    assert (await desk.redis.xpending(ORDERS_STREAM, ORDERS_GROUP))["pending"] == 0
    assert await desk.relay.sweep() == 1
    [again] = await successor.read(10, 100)
    assert (again.order_id, again.deliveries) == (new.id, 1)


async def test_what_is_slow_is_not_told_again(desk: Desk) -> None:
    await accepted(desk.connection)
    patient = Relay(desk.database, desk.redis)
    await patient.relay()
    assert await patient.sweep() == 0


async def test_an_entry_that_is_no_entry_hurts_nobody(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await desk.intake("one").prepare()
    for fields in ({"x": "y"}, {"order": "x", "version": "1"}, {"order": new.id, "version": "x"}):
        await desk.redis.xadd(ORDERS_STREAM, fields)  # type: ignore[arg-type]
    await desk.relay.relay()
    intake = desk.intake("one")
    [delivery] = await intake.read(10, 100)
    assert delivery.order_id == new.id
    assert (await desk.redis.xpending(ORDERS_STREAM, ORDERS_GROUP))["pending"] == 1


async def test_the_stream_is_trimmed_below_what_somebody_has(desk: Desk) -> None:
    for _ in range(4):
        await accepted(desk.connection)
    await desk.relay.relay()
    intake = desk.intake("one")
    first, second, third = await intake.read(3, 100)
    await intake.acknowledge([first.entry_id, third.entry_id])
    await intake.trim()
    kept = [entry_id.decode() for entry_id, _ in await desk.redis.xrange(ORDERS_STREAM)]
    assert kept[:2] == [second.entry_id, third.entry_id]
    assert len(kept) == 3
    await intake.acknowledge([second.entry_id])
    await intake.trim()
    # What nobody has read stays.
    assert len(await intake.read(10, 100)) == 1


# Dead letters -------------------------------------------------------------------------------------


async def poisoned(desk: Desk, new: NewOrder) -> None:
    """Delivered until nobody tries any more."""
    await desk.relay.relay()
    intake = desk.intake("one", SOON_MS)
    worker = desk.worker(intake, "one", explode)
    [delivery] = await intake.read(10, 100)
    for number in range(1, MAX_DELIVERIES):
        assert not await worker.work(delivery)
        [delivery] = await desk.stale(intake)
        assert delivery.deliveries == number + 1
    assert await worker.work(delivery)
    assert (await desk.redis.xpending(ORDERS_STREAM, ORDERS_GROUP))["pending"] == 0


async def test_a_poisoned_order_is_buried_and_replayed_once(desk: Desk) -> None:
    new, healthy = await accepted(desk.connection), await accepted(desk.connection)
    await desk.connection.execute("UPDATE outbox SET relayed_at = now() WHERE order_id = $1",
                                  healthy.id)  # fmt: skip
    await poisoned(desk, new)
    assert (await desk.row(new)).state == "dead"
    [letter] = await outbox.dead_letters(desk.connection, 10)
    assert (letter.order_id, letter.code, letter.deliveries) == (new.id, "POISON", MAX_DELIVERIES)
    [(_, fields)] = await desk.redis.xrange(ORDERS_DEAD_STREAM)
    assert fields == {
        b"letter": str(letter.id).encode(), b"order": new.id.encode(), b"code": b"POISON"
    }  # fmt: skip
    assert await replay(desk.connection, letter.id, NOW) == new.id
    assert (await desk.row(new)).state == "accepted"
    assert await replay(desk.connection, letter.id, NOW) is None
    assert (await desk.row(new)).version == 3
    assert await outbox.dead_letters(desk.connection, 10) == []
    await desk.relay.relay()
    intake = desk.intake("one")
    [delivery] = await intake.read(10, 100)
    assert await desk.worker(intake, "one", desk.prepare).work(delivery)
    assert (await desk.row(new)).state == "prepared"


async def test_an_order_past_its_deadline_is_not_replayed(desk: Desk) -> None:
    new = await accepted(desk.connection, deadline=NOW + timedelta(seconds=5))
    await poisoned(desk, new)
    [letter] = await outbox.dead_letters(desk.connection, 10)
    with pytest.raises(InputError) as late:
        await replay(desk.connection, letter.id, NOW + timedelta(seconds=5))
    assert late.value.code == "DEADLINE_PASSED"
    assert (await desk.row(new)).state == "dead"
    assert await outbox.dead_letters(desk.connection, 10) == [letter]
    with pytest.raises(InputError) as unknown:
        await replay(desk.connection, letter.id + 1, NOW)
    assert unknown.value.code == "NO_SUCH_LETTER"


async def test_what_was_submitted_is_never_dead(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await record(desk.connection, new.id, [Step("prepared"), Step("submitted")], NOW)
    await poisoned(desk, new)
    assert (await desk.row(new)).state == "unknown"
    assert await outbox.dead_letters(desk.connection, 10) == []


async def test_what_was_signed_is_never_dead(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await record(desk.connection, new.id, [Step("prepared")], NOW)
    given = Attempt(42161, "0x77", new.id, "order", 1, new.owner, 7, None, NOW)
    assert await tx_attempts.add(desk.connection, given)
    await desk.relay.relay()
    intake = desk.intake("one", SOON_MS)
    worker = desk.worker(intake, "one", explode)
    [delivery] = await intake.read(10, 100)
    for number in range(1, MAX_DELIVERIES + 3):
        assert delivery.deliveries == number
        assert not await worker.work(delivery)
        [delivery] = await desk.stale(intake)
    assert (await desk.row(new)).state == "prepared"
    assert await outbox.dead_letters(desk.connection, 10) == []


async def test_an_order_that_the_chain_has_after_all_is_no_dead_letter(desk: Desk) -> None:
    new = await accepted(desk.connection)
    await poisoned(desk, new)
    [letter] = await outbox.dead_letters(desk.connection, 10)
    place = EventPlace(42161, 7, "0x07", "0x77", 3)
    resting = Resting(place, new.owner, "r", "limit", reduces=False)
    await record(desk.connection, new.id, [Seen(resting)], NOW)
    assert (await desk.row(new)).state == "working"
    assert await outbox.dead_letters(desk.connection, 10) == []
    assert await replay(desk.connection, letter.id, NOW) is None
    await record(desk.connection, new.id, [Undone(place)], NOW)
    assert (await desk.row(new)).state == "dead"
    assert await outbox.dead_letters(desk.connection, 10) == [letter]


async def test_the_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = await accepted(desk.connection)
    await poisoned(desk, new)
    [letter] = await outbox.dead_letters(desk.connection, 10)
    monkeypatch.setenv("DATABASE_URL", desk.url)

    capsys.readouterr()

    async def command(action: str, number: int = letter.id) -> tuple[int, str]:
        options = SimpleNamespace(action=action, letter=number)
        code = await asyncio.to_thread(dead_commands.run, options)  # type: ignore[arg-type]
        return code, capsys.readouterr().out

    code, out = await command("list")
    number, _, order_id, why, _ = out.split("\t")
    assert (code, number, order_id, why) == (0, str(letter.id), new.id, "POISON")
    code, out = await command("show")
    assert (code, new.id in out, '"state": "dead"' in out) == (0, True, True)
    assert (await command("show", letter.id + 1))[0] == 1
    assert (await command("replay", letter.id + 1))[0] == 1
    assert "tried again" in (await command("replay"))[1]
    assert "nothing is done" in (await command("replay"))[1]


async def test_the_age_of_the_outbox(desk: Desk) -> None:
    assert await outbox.oldest_s(desk.connection) == 0
    await accepted(desk.connection)
    await desk.connection.execute("UPDATE outbox SET created_at = now() - interval '7 s'")
    assert 7 <= await outbox.oldest_s(desk.connection) < 60
    await desk.relay.relay()
    assert await outbox.oldest_s(desk.connection) == 0


async def versions_told(desk: Desk, new: NewOrder) -> list[int]:
    page = await events.read_after(desk.redis, new.account_id, 0, 1_000)
    found = [orjson.loads(event.body)["data"] for event in page.events]
    return [data["version"] for data in found if data["order_id"] == new.id]


async def test_what_a_teller_told_before_it_died_is_not_told_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has told the account before, and knows what its stream had then."""
    one, other = (Teller(desk.database, desk.redis) for _ in range(2))
    new = await accepted(desk.connection)
    while await one.tell():
        pass
    await record(desk.connection, new.id, [Step("prepared")], NOW)

    def die(point: str) -> None:
        raise ConnectionError(point)

    with monkeypatch.context() as dying:
        dying.setattr(teller, "reach", die)
        with pytest.raises(ConnectionError, match="P12"):
            await other.tell()
    assert await versions_told(desk, new) == [1, 2]
    assert await one.tell() == 1
    assert await versions_told(desk, new) == [1, 2]


async def test_who_stood_still_while_another_one_told_writes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Teller(desk.database, desk.redis) for _ in range(2))
    new = await accepted(desk.connection)
    append = events.append

    async def overtaken(*given: Any, **more: Any) -> int:
        monkeypatch.setattr(events, "append", append)
        # Postgres has ended the transaction of who stands still, and with it the lock.
        monkeypatch.setattr(order_telling, "alone", free)
        assert await other.tell() >= 1
        return await append(*given, **more)

    async def free(connection: asyncpg.Connection) -> bool:
        del connection
        return True

    monkeypatch.setattr(events, "append", overtaken)
    with pytest.raises(ConnectionError, match="another one"):
        await one.tell()
    assert await versions_told(desk, new) == [1]
