"""What becomes of steps that were handed out before an order was changed: a wallet may have signed
any of them, and sends what it wants. Real Postgres, no chain: what lands is chosen by a seed."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import pytest

from connectors.base.order_tag import order_tag
from connectors.base.orders import Transaction
from db import order_amendments, order_changes, order_steps, order_views, orders, tx_attempts
from db.order_steps import NewStep
from db.orders import NewOrder, OrderRow
from db.tx_attempts import Attempt
from domain.amendments import Amendment, amended
from domain.ids import VenueId
from domain.orders import OrderIntent, OrderLeg, Reason
from domain.outcomes import Cancelled, EventPlace, Resting
from execution import amend, landings
from execution.desk import Desk
from execution.lifecycle import Event, Seen, Step
from execution.metrics import ORDERS_LANDED_LATE
from execution.store import record
from tests.integration.orders_kit import ADDRESS, FAR, INTENT, NOW, accepted, pool_of, schema

SEEDS = 25
LIMIT = replace(INTENT, type="limit", limit_price=Decimal(90_000))
Terms = tuple[OrderIntent, OrderLeg]


@pytest.fixture(scope="module")
def url(embedded_postgres_dsn: str) -> Iterator[str]:
    with asyncio.Runner() as runner:
        context = schema(embedded_postgres_dsn)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(url)
    yield found
    await found.close()


async def read(connection: asyncpg.Connection, new: NewOrder) -> OrderRow:
    row = await orders.read(connection, new.id)
    assert row is not None
    return row


async def leased(connection: asyncpg.Connection, new: NewOrder) -> int:
    epoch = await order_changes.lease(connection, new.id, "worker", FAR - NOW)
    assert epoch is not None
    return epoch


async def hand_out(connection: asyncpg.Connection, new: NewOrder, nonce: int) -> int:
    """As the executor does; the data are others for other terms."""
    row = await read(connection, new)
    said = str(_told(row.new.intent, row.new.leg)).encode().hex()
    payload = {"chain_id": "42161", "from": ADDRESS, "data": f"0x{said}", "nonce": str(nonce)}
    [version] = await order_steps.replace(
        connection, new.id, [NewStep("order", "ready", FAR, payload)]
    )
    await record(connection, new.id, [Step("prepared")], NOW)
    return version


async def change(connection: asyncpg.Connection, new: NewOrder, asked: Amendment) -> None:
    await order_amendments.ask(connection, new.account_id, new.id, asked, NOW)


async def carry_out(connection: asyncpg.Connection, new: NewOrder) -> None:
    epoch = await leased(connection, new)
    found = await order_amendments.asked(connection, new.id)
    if found is not None:
        async with connection.transaction():
            row = await read(connection, new)
            await amend.change_unsent(connection, row, found, NOW, epoch)


async def land(connection: asyncpg.Connection, new: NewOrder, version: int, nonce: int) -> None:
    """The wallet has sent this version by itself."""
    steps = await order_steps.handed_out(connection, new.id)
    [step] = [step for step in steps if step.version == version]
    tx_hash = f"0x{new.id}-{version}"
    place = EventPlace(42161, 5, "0xb5", tx_hash, 3)
    data = bytes.fromhex(step.new.payload["data"][2:]) + new.tag
    sent = Transaction(42161, ADDRESS, ADDRESS, 0, data, nonce, 200_000)
    async with connection.transaction():
        row = await orders.read(connection, new.id, lock=True)
        assert row is not None
        await landings.seen(connection, None, row, place, sent, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whichever_lands_the_order_is_what_that_asked_for(
    connection: asyncpg.Connection, seed: int
) -> None:
    """And what was changed since is asked for again: the venue has it in the end, or says no."""
    rng = Random(seed)
    new = await accepted(connection, intent=LIMIT)
    built: dict[int, Terms] = {}
    newest: Terms = (new.intent, new.leg)
    for turn in range(rng.randint(2, 9)):
        if rng.random() < 0.5 or not built:
            await carry_out(connection, new)
            row = await read(connection, new)
            version = await hand_out(connection, new, nonce=7)
            built[version] = row.new.intent, row.new.leg
            assert built[version] == newest
            continue
        asked = rng.choice(
            [
                Amendment(limit_price=Decimal(80_000 + 7 * turn + seed)),
                Amendment(size_base=Decimal(turn + 1) / 100),
                Amendment(stop_loss=Decimal(70_000 + turn)),
            ]
        )
        await change(connection, new, asked)
        newest = amended(*newest, asked, posted=False)
        if rng.random() < 0.7:
            await carry_out(connection, new)
    landed = rng.choice(list(built))
    await land(connection, new, landed, nonce=7)
    row = await read(connection, new)
    asked_again = await order_amendments.asked(connection, new.id)
    assert _told(row.new.intent, row.new.leg) == _told(*built[landed])
    if asked_again is None:
        assert _told(*built[landed]) == _told(*newest)
    else:
        again = amended(row.new.intent, row.new.leg, asked_again.change, posted=False)
        assert _told(*again) == _told(*newest)
    statuses = [
        item.status for item in (await order_amendments.of_orders(connection, [new.id]))[new.id]
    ]
    assert statuses.count("asked") <= 1
    assert not (await read(connection, new)).reason


def _told(intent: OrderIntent, leg: OrderLeg) -> Any:
    """What the venue is told of an order."""
    return intent.limit_price, intent.brackets, leg.size_base, leg.guard_price


async def test_what_is_placed_a_second_time_is_told(connection: asyncpg.Connection) -> None:
    new = await accepted(connection, intent=LIMIT)
    first = await hand_out(connection, new, nonce=7)
    await change(connection, new, Amendment(limit_price=Decimal(80_000)))
    await carry_out(connection, new)
    second = await hand_out(connection, new, nonce=8)
    await land(connection, new, second, nonce=8)
    await land(connection, new, second, nonce=8)
    assert (await read(connection, new)).reason is None
    await land(connection, new, first, nonce=7)
    row = await read(connection, new)
    assert row.reason is not None
    assert row.reason.code == "DOUBLED"
    assert [event.type for event in await orders.history(connection, new.id)].count("doubled") == 1


@pytest.mark.parametrize("placed", [True, False], ids=["a second time", "after all"])
async def test_what_lands_of_an_order_that_is_over_is_told_once(
    connection: asyncpg.Connection, placed: bool
) -> None:
    """Whatever its wallet does, the order stays what it was. Nobody else's transaction tells."""
    order_id = str(uuid.uuid4())
    new = await accepted(connection, intent=LIMIT, id=order_id, tag=order_tag(order_id))
    version = await hand_out(connection, new, nonce=7)
    first = EventPlace(42161, 5, "0xb5", f"0x{order_id}-1", 3)
    facts = (
        Resting(first, ADDRESS, "one", "limit", reduces=False),
        Cancelled(
            replace(first, log_index=9),
            ADDRESS,
            "one",
            Reason("CANCELLED", "by its owner"),
            by_user=True,
        ),
    )
    over: list[Event] = [Step("expired", Reason("DEADLINE", "nobody signed"))]
    if placed:
        over = [Seen(fact) for fact in facts]
    again = replace(first, tx_hash=f"0x{order_id}-2")

    async def late(place: EventPlace, account: str = ADDRESS, venue: str = "gmx") -> bool:
        [step] = await order_steps.handed_out(connection, new.id)
        # Inside the call of a contract wallet as well.
        data = b"call" + bytes.fromhex(step.new.payload["data"][2:]) + new.tag + bytes(28)
        sent = Transaction(42161, ADDRESS, ADDRESS, 0, data, 8, 200_000)
        outcome = Resting(place, account, "two", "limit", reduces=False)
        return await landings.seen_late(connection, VenueId(venue), outcome, sent)

    await record(connection, new.id, over, NOW)
    assert not await late(again)
    await record(connection, new.id, [Step("finalised")], NOW)
    before, counted = await read(connection, new), ORDERS_LANDED_LATE._value.get()
    assert not await late(again, account=f"0x{'1' * 40}")
    assert not await late(again, venue="gains")
    if placed:
        # Read again, its own landing is none.
        assert await late(first)
    assert (await read(connection, new)).version == before.version
    assert await late(again)
    assert await late(again)
    row = await read(connection, new)
    assert (row.state, row.final, row.version) == (before.state, True, before.version + 1)
    assert row.reason is not None
    assert row.reason.code == "LANDED_LATE"
    assert ("a second time" if placed else "after all") in row.reason.message
    assert (await orders.history(connection, new.id))[-1].type == "landed_late"
    [attempt] = await tx_attempts.of_order(connection, new.id)
    assert (attempt.tx_hash, attempt.status, attempt.nonce) == (again.tx_hash, "mined", 8)
    assert attempt.step_version == version
    assert ORDERS_LANDED_LATE._value.get() == counted + 1
    [audited] = await connection.fetch("SELECT * FROM audit WHERE subject = $1", new.id)
    assert (audited["actor"], audited["action"]) == ("executor", "landed_late")
    assert again.tx_hash in audited["data"]
    assert str(audited["account_id"]) == new.account_id


async def test_nothing_is_changed_under_what_was_signed_meanwhile(
    connection: asyncpg.Connection, url: str
) -> None:
    """It was taken after the executor had looked what there is and before it changed the order."""
    new = await accepted(connection, intent=LIMIT)
    version = await hand_out(connection, new, nonce=7)
    epoch = await leased(connection, new)
    before = await read(connection, new)
    await tx_attempts.add(
        connection,
        Attempt(42161, f"0x{new.id}", new.id, "order", version, ADDRESS, 7, b"sealed", NOW),
    )
    await change(connection, new, Amendment(limit_price=Decimal(80_000)))
    asked = await order_amendments.asked(connection, new.id)
    assert asked is not None
    async with pool_of(url) as database:
        desk = Desk(database, None, None)  # type: ignore[arg-type]
        await desk._change(before, asked, NOW, epoch)
        await desk._end(before, Step("expired", Reason("X", "late")), NOW, epoch)
    row = await read(connection, new)
    assert (row.state, row.new.intent) == ("prepared", LIMIT)
    [step] = await order_steps.current(connection, new.id)
    assert (step.version, step.new.status) == (version, "ready")
    assert await order_amendments.asked(connection, new.id) == asked


async def test_orders_that_wait_are_counted_and_looked_at_again(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute("TRUNCATE orders CASCADE")
    new = await accepted(connection)
    assert await order_steps.overdue(connection, NOW, 10) == []
    gas = Reason("GAS_PRICE", "too dear")
    await record(connection, new.id, [Step("held", gas)], NOW)
    assert await order_views.held(connection) == {"GAS_PRICE": 1}
    assert await order_steps.overdue(connection, NOW, 10) == [new.id]
    await hand_out(connection, new, nonce=7)
    assert await order_views.held(connection) == {}
    assert await order_steps.overdue(connection, NOW, 10) == []
