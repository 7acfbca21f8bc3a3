"""What is to be signed and what was: rows in a real Postgres."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db import order_steps, tx_attempts
from db.order_steps import NewStep
from db.tx_attempts import Attempt
from tests.integration.orders_kit import ADDRESS, FAR, NOW, accepted

TX = {"chain_id": "42161", "from": ADDRESS, "nonce": "7"}
APPROVE = NewStep("approve", "ready", FAR, TX, {"ok": True, "block_number": "5"})
ORDER = NewStep("order", "blocked", FAR, TX | {"nonce": "8"}, None, "approve")


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(database_url)
    yield found
    await found.close()


async def test_steps_are_read_as_they_were_prepared(connection: asyncpg.Connection) -> None:
    new = await accepted(connection)
    await order_steps.replace(connection, new.id, [ORDER, APPROVE])
    rows = await order_steps.current(connection, new.id)
    assert [(row.version, row.new) for row in rows] == [(1, APPROVE), (1, ORDER)]
    async with connection.transaction():
        assert await order_steps.lock(connection, new.id, "order") == rows[1]
        assert await order_steps.lock(connection, new.id, "cancel") is None


async def test_what_is_prepared_again_takes_the_place_of_what_was_not_sent(
    connection: asyncpg.Connection,
) -> None:
    new = await accepted(connection)
    await order_steps.replace(connection, new.id, [APPROVE, ORDER])
    await order_steps.mark(connection, new.id, "approve", 1, "submitted")
    ready = ORDER._replace(status="ready", blocked_by=None)
    await order_steps.replace(connection, new.id, [ready])
    rows = await order_steps.current(connection, new.id)
    assert [(row.version, row.new.status) for row in rows] == [(1, "submitted"), (2, "ready")]
    old = await connection.fetchval(
        "SELECT status FROM order_steps WHERE order_id = $1 AND step_id = 'order' AND version = 1",
        new.id,
    )
    assert old == "expired"


async def test_who_counted_on_an_approval_that_another_used_is_prepared_again(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute("UPDATE order_steps SET status = 'done'")
    ready = ORDER._replace(status="ready", blocked_by=None)
    one, two, three = [await accepted(connection) for _ in range(3)]
    await order_steps.replace(connection, one.id, [ready])
    await order_steps.replace(connection, two.id, [ready])
    await order_steps.replace(connection, three.id, [APPROVE, ready])
    for chain_id, sender in ((137, ADDRESS), (42161, "0x" + "1" * 40)):
        assert await order_steps.outspent(connection, chain_id, sender, two.id) == []
    assert await order_steps.outspent(connection, 42161, ADDRESS.lower(), two.id) == [(one.id, 1)]
    status = [row.new.status for row in await order_steps.current(connection, one.id)]
    assert status == ["expired"]


async def test_who_is_sent_first_has_the_nonce(connection: asyncpg.Connection) -> None:
    await connection.execute("UPDATE order_steps SET status = 'done'")
    one, two = await accepted(connection), await accepted(connection)
    await order_steps.replace(connection, one.id, [APPROVE, ORDER])
    assert await order_steps.highest_nonce(connection, one.id) == 8
    assert await order_steps.highest_nonce(connection, two.id) is None
    for chain_id, nonce, by in ((42161, 9, two), (137, 7, two), (42161, 7, one)):
        assert await order_steps.overtaken(connection, chain_id, ADDRESS, nonce, by.id) == []
    found = await order_steps.overtaken(connection, 42161, ADDRESS.lower(), 7, two.id)
    assert found == [(one.id, 1)]
    status = [row.new.status for row in await order_steps.current(connection, one.id)]
    assert status == ["expired", "blocked"]
    assert await order_steps.overtaken(connection, 42161, ADDRESS, 7, two.id) == []


async def test_what_nobody_signed_in_time_is_overdue(connection: asyncpg.Connection) -> None:
    await connection.execute("UPDATE order_steps SET status = 'done'")
    new = await accepted(connection)
    await order_steps.replace(connection, new.id, [APPROVE])
    assert await order_steps.overdue(connection, NOW, 10) == []
    assert await order_steps.overdue(connection, FAR.replace(month=2), 10) == [new.id]
    await order_steps.supersede(connection, new.id)
    assert await order_steps.overdue(connection, FAR.replace(month=2), 10) == []


async def test_a_hash_is_kept_once_and_through_all_that_becomes_of_it(
    connection: asyncpg.Connection,
) -> None:
    new = await accepted(connection)
    attempt = Attempt(42161, f"0x{new.id}", new.id, "order", 1, ADDRESS, 9, b"sealed", NOW,
                      max_fee_wei=10**30)  # fmt: skip
    assert await tx_attempts.add(connection, attempt)
    assert not await tx_attempts.add(connection, attempt._replace(raw=b"other"))
    assert await tx_attempts.of_order(connection, new.id) == [attempt]
    assert await tx_attempts.with_status(connection, 42161, ("stored",), 10) == [attempt]
    assert await tx_attempts.with_status(connection, 137, ("stored",), 10) == []
    assert await tx_attempts.used_nonces(connection, 42161, ADDRESS, 9) == {9}
    assert await tx_attempts.used_nonces(connection, 42161, ADDRESS, 10) == set()
    await tx_attempts.sent(connection, 42161, attempt.tx_hash, NOW)
    await tx_attempts.included(connection, 42161, attempt.tx_hash, "mined", 12, "0xb")
    found = await tx_attempts.read(connection, 42161, attempt.tx_hash)
    assert found == attempt._replace(status="mined", sent_at=NOW, block_number=12, block_hash="0xb")
    await tx_attempts.mark(connection, 42161, attempt.tx_hash, "dropped")
    assert await tx_attempts.used_nonces(connection, 42161, ADDRESS, 9) == set()
    found = await tx_attempts.read(connection, 42161, attempt.tx_hash)
    assert found is not None
    assert (found.status, found.block_number) == ("dropped", None)


async def test_what_was_never_the_step_gives_way_to_what_is(
    connection: asyncpg.Connection,
) -> None:
    """Whoever names somebody else's hash does not keep its owner from it."""
    one, two = await accepted(connection), await accepted(connection)
    named = Attempt(42161, f"0x{one.id}", one.id, "order", 1, ADDRESS, 9, None, NOW)
    assert await tx_attempts.add(connection, named)
    assert not await tx_attempts.add(connection, named._replace(order_id=two.id))
    signed = named._replace(order_id=two.id, raw=b"sealed")
    assert await tx_attempts.add(connection, signed)
    assert await tx_attempts.of_order(connection, one.id) == []
    assert not await tx_attempts.add(connection, named)
    await tx_attempts.mark(connection, 42161, named.tx_hash, "dropped")
    assert await tx_attempts.add(connection, named)
    assert await tx_attempts.read(connection, 42161, named.tx_hash) == named


async def test_what_can_never_be_mined_is_to_be_signed_again(
    connection: asyncpg.Connection,
) -> None:
    new = await accepted(connection)
    await order_steps.replace(connection, new.id, [APPROVE])
    assert not await order_steps.lost(connection, new.id, "approve", 1)
    await order_steps.submitted(connection, new.id, "approve", 1)
    assert await order_steps.lost(connection, new.id, "approve", 1)
    [row] = await order_steps.current(connection, new.id)
    assert row.new.status == "expired"
    await order_steps.submitted(connection, new.id, "approve", 1)
    await order_steps.returned(connection, new.id, "approve", 1)
    [row] = await order_steps.current(connection, new.id)
    assert row.new.status == "expired"


async def test_a_cancel_is_due_when_its_time_has_come(connection: asyncpg.Connection) -> None:
    await connection.execute("UPDATE order_steps SET status = 'done'")
    new = await accepted(connection)
    cancel = NewStep("cancel", "blocked", FAR, TX, not_before=NOW)
    assert await order_steps.replace(connection, new.id, [cancel]) == [1]
    [row] = await order_steps.current(connection, new.id)
    assert row.new == cancel
    assert await order_steps.overdue(connection, NOW, 10) == []
    assert await order_steps.overdue(connection, NOW.replace(minute=1), 10) == [new.id]
