"""Orders in a real Postgres: accepted once, changed by who holds the lease, rebuilt from facts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial

import asyncpg
import pytest

from db import order_amendments, order_changes, orders
from db.order_changes import LeaseLost
from db.orders import Answer, Request
from domain.amendments import Amendment, amended
from domain.errors import InputError, InvariantViolation
from domain.orders import Reason
from domain.outcomes import Reverted
from execution.lifecycle import CancelAtVenue, Seen, SendAgain, Step, Undone
from execution.store import order_of, record
from tests.integration.orders_kit import (
    ANSWER,
    INTENT,
    LONG,
    NOW,
    SHORT,
    accept,
    accepted,
    account,
    executed,
    mined,
    order,
    place,
    resting,
)

KEY = Request("key", b"\x01" * 32)
WAITS = replace(INTENT, type="limit", limit_price=Decimal(95_000))


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with opened(database_url) as found:
        yield found


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(database_url)
    try:
        yield found
    finally:
        await found.close()


async def count(connection: asyncpg.Connection, table: str, order_id: str) -> int:
    column = "id" if table == "orders" else "order_id"
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM {table} WHERE {column} = $1", order_id
    )
    return found


async def test_an_order_is_read_as_it_was_accepted(connection: asyncpg.Connection) -> None:
    new = await accepted(connection, client_order_id="mine", allow_reroute=True)
    row = await orders.read(connection, new.id)
    assert row is not None
    assert row.new == new
    assert (row.state, row.version, row.facts, row.lease_epoch) == ("accepted", 1, frozenset(), 0)
    assert await orders.find(connection, new.account_id, "mine") == new.id
    assert await orders.find(connection, new.account_id, "other") is None
    assert await orders.read(connection, new.group_id) is None
    [told] = await orders.history(connection, new.id)
    assert told == (1, NOW, "accepted", None, "accepted")
    assert await count(connection, "outbox", new.id) == 1


async def test_a_hundred_requests_with_one_key_are_one_order(database_url: str) -> None:
    async with opened(database_url) as connection:
        account_id = await account(connection, 100)
    gate = asyncio.Semaphore(20)
    request = Request("once", b"\x07" * 32)

    async def ask(number: int) -> Answer | str:
        new = order(account_id)
        answer = Answer(202, f"order {number}".encode(), None)
        async with gate, opened(database_url) as connection:
            try:
                return await accept(connection, new, request, answer)
            except InputError as error:
                return error.code

    found = set(await asyncio.gather(*(ask(number) for number in range(100))))
    assert len(found - {"IDEMPOTENCY_IN_PROGRESS"}) == 1
    async with opened(database_url) as connection:
        sql = "SELECT count(*) FROM orders WHERE account_id = $1"
        assert await connection.fetchval(sql, account_id) == 1


async def test_a_key_means_one_request_of_one_account(connection: asyncpg.Connection) -> None:
    mine, other = await account(connection, 1), await account(connection, 2)
    later = Answer(202, b"later", None)
    assert await accept(connection, order(mine), KEY) == ANSWER
    assert await accept(connection, order(mine), KEY, later) == ANSWER
    with pytest.raises(InputError) as refused:
        await accept(connection, order(mine), Request(KEY.key, b"\x02" * 32))
    assert refused.value.code == "IDEMPOTENCY_MISMATCH"
    assert await accept(connection, order(other), KEY, later) == later


async def test_while_a_request_runs_another_with_its_key_is_told_so(
    database_url: str, connection: asyncpg.Connection
) -> None:
    account_id = await account(connection, 3)
    async with opened(database_url) as other:
        async with connection.transaction():
            await accept(connection, order(account_id), KEY)
            with pytest.raises(InputError) as refused:
                await accept(other, order(account_id), KEY)
            assert refused.value.code == "IDEMPOTENCY_IN_PROGRESS"
        assert await accept(other, order(account_id), KEY, Answer(1, b"", None)) == ANSWER


async def test_all_of_it_or_nothing(connection: asyncpg.Connection) -> None:
    account_id = await account(connection, 4)
    await accept(connection, order(account_id, client_order_id="same"), KEY)
    twice = order(account_id, client_order_id="same")
    second = Request("second", b"\x03" * 32)
    with pytest.raises(InputError) as refused:
        await accept(connection, twice, second)
    assert refused.value.code == "CLIENT_ORDER_ID_USED"
    for table in ("orders", "order_events", "outbox"):
        assert await count(connection, table, twice.id) == 0
    # The key of what was refused is free.
    assert await accept(connection, order(account_id), second) == ANSWER


async def test_a_lease_is_of_one_and_its_epoch_only_rises(connection: asyncpg.Connection) -> None:
    new = await accepted(connection)
    assert await order_changes.lease(connection, new.id, "one", LONG) == 1
    assert await order_changes.lease(connection, new.id, "two", LONG) is None
    assert await order_changes.lease(connection, new.id, "one", SHORT) == 2
    await connection.execute("SELECT pg_sleep(0.005)")
    assert await order_changes.lease(connection, new.id, "two", LONG) == 3
    # The old one lets go of nothing that is not its own.
    await order_changes.release(connection, new.id, 2)
    assert await order_changes.lease(connection, new.id, "one", LONG) is None
    await order_changes.release(connection, new.id, 3)
    assert await order_changes.lease(connection, new.id, "one", LONG) == 4


async def test_a_write_under_an_old_epoch_is_refused_and_leaves_nothing(
    connection: asyncpg.Connection,
) -> None:
    new = await accepted(connection)
    old = await order_changes.lease(connection, new.id, "one", SHORT)
    await connection.execute("SELECT pg_sleep(0.005)")
    epoch = await order_changes.lease(connection, new.id, "two", LONG)
    with pytest.raises(LeaseLost):
        await record(connection, new.id, [Step("prepared")], NOW, old)
    assert len(await orders.history(connection, new.id)) == 1
    recorded = await record(connection, new.id, [Step("prepared")], NOW, epoch)
    assert recorded.order.state == "prepared"


async def test_an_order_is_rebuilt_from_what_is_stored(connection: asyncpg.Connection) -> None:
    new = await accepted(connection)
    why = Reason("CANCELLED", "gone", "0x5dac504d")
    facts = [mined(), resting(), executed(), Reverted(place(4, -1), why)]
    events = [Step("prepared"), Step("submitted"), *(Seen(fact) for fact in facts)]
    recorded = await record(connection, new.id, events, NOW)
    row = await orders.read(connection, new.id)
    assert row is not None
    assert order_of(row) == recorded.order
    assert (row.state, row.version) == ("filled", 7)
    history = await orders.history(connection, new.id)
    assert [item.seq for item in history] == list(range(1, 8))
    assert [item.to_state for item in history][-2:] == ["filled", "filled"]
    await order_changes.add_refs(connection, new.id, {"order_key": "0x1"})
    await order_changes.add_refs(connection, new.id, {"position": "0x2"})
    row = await orders.read(connection, new.id)
    assert row is not None
    assert row.venue_refs == {"order_key": "0x1", "position": "0x2"}


async def test_a_reorganised_chain_takes_back_fact_and_fill_and_brings_them_again(
    connection: asyncpg.Connection,
) -> None:
    new = await accepted(connection)
    landed, fill = mined(), executed()
    events = [Step("prepared"), Step("submitted"), Seen(landed), Seen(fill)]
    await record(connection, new.id, events, NOW)
    assert await count(connection, "fills", new.id) == 1
    back = await record(connection, new.id, [Undone(fill.place), Undone(landed.place)], NOW)
    assert (back.order.state, SendAgain() in back.effects) == ("submitted", True)
    assert await count(connection, "fills", new.id) == 0
    # What it was is still known, and a worker is told to send again.
    assert await count(connection, "chain_events", new.id) == 2
    assert await count(connection, "outbox", new.id) == 2
    again = await record(connection, new.id, [Seen(fill), Seen(fill)], NOW)
    assert again.order.state == "filled"
    row = await orders.read(connection, new.id)
    assert row is not None
    assert row.facts == {fill}
    assert await connection.fetchval("SELECT price FROM fills WHERE order_id = $1", new.id) == (
        fill.price
    )


async def test_a_fact_asks_for_a_worker_where_one_is_needed(connection: asyncpg.Connection) -> None:
    new = await accepted(connection)
    events = [Step("prepared"), Step("submitted"), Step("cancel_requested"), Seen(resting())]
    recorded = await record(connection, new.id, events, NOW)
    assert CancelAtVenue() in recorded.effects
    assert await count(connection, "outbox", new.id) == 2


async def test_an_illegal_event_changes_nothing(connection: asyncpg.Connection) -> None:
    new = await accepted(connection)
    with pytest.raises(InvariantViolation):
        await record(connection, new.id, [Step("prepared"), Step("lost")], NOW)
    row = await orders.read(connection, new.id)
    assert row is not None
    assert (row.state, row.version) == ("accepted", 1)
    with pytest.raises(InvariantViolation) as caught:
        await record(connection, new.group_id, [Step("prepared")], NOW)
    assert caught.value.code == "NO_SUCH_ORDER"


async def test_a_change_is_asked_for_applied_and_taken_back(connection: asyncpg.Connection) -> None:
    new = await accepted(connection, intent=WAITS)
    ask = partial(order_amendments.ask, connection, new.account_id, new.id)
    async with connection.transaction():
        assert await ask(Amendment(limit_price=Decimal(90_000)), NOW) == 2
        assert await ask(Amendment(stop_loss=Decimal(80_000)), NOW) == 3
    assert await count(connection, "outbox", new.id) == 3
    [first, found] = (await order_amendments.of_orders(connection, [new.id]))[new.id]
    assert (first.status, found.status) == ("superseded", "asked")
    assert found.change == Amendment(limit_price=Decimal(90_000), stop_loss=Decimal(80_000))
    assert found == await order_amendments.asked(connection, new.id)
    row = await orders.read(connection, new.id)
    assert row is not None
    terms = amended(row.new.intent, row.new.leg, found.change, posted=False)
    await order_amendments.handed_out(connection, found, 1)
    await order_amendments.apply(connection, found, row, *terms)
    changed = await orders.read(connection, new.id)
    assert changed is not None
    assert (changed.new.intent, changed.new.leg) == terms
    assert await order_amendments.asked(connection, new.id) is None
    assert await order_amendments.take_back(connection, new.id, 1)
    assert not await order_amendments.take_back(connection, new.id, 1)
    assert await orders.read(connection, new.id) == row
    asked = await order_amendments.of_step(connection, new.id, 1)
    assert asked is not None
    assert asked.status == "asked"
    await order_amendments.refuse(connection, asked, Reason("TRIGGER_SIDE", "passed"))
    asked = await order_amendments.of_step(connection, new.id, 1)
    assert asked is not None
    assert (asked.status, asked.reason) == ("refused", Reason("TRIGGER_SIDE", "passed"))


async def test_what_has_ended_or_is_another_s_is_not_changed(
    connection: asyncpg.Connection,
) -> None:
    change = Amendment(limit_price=Decimal(90_000))
    new = await accepted(connection, intent=WAITS)
    other = await account(connection, chain_id=137)
    assert await order_amendments.ask(connection, other, new.id, change, NOW) is None
    with pytest.raises(InputError, match="no trigger_price"):
        await order_amendments.ask(
            connection, new.account_id, new.id, Amendment(trigger_price=Decimal(1)), NOW
        )
    await record(connection, new.id, [Step("cancel_requested")], NOW)
    assert await order_amendments.ask(connection, new.account_id, new.id, change, NOW) is None
    await record(connection, new.id, [Step("withdrawn", Reason("CANCELLED", ""))], NOW)
    assert await order_amendments.ask(connection, new.account_id, new.id, change, NOW) is None
    assert (await order_amendments.of_orders(connection, [new.id]))[new.id] == []
