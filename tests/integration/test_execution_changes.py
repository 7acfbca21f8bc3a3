"""Orders that are changed after they were accepted, on the chains of a running sandbox."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from db import order_amendments, order_requests, order_steps, orders
from db.order_amendments import AmendmentRow
from db.orders import NewOrder
from domain.amendments import Amendment
from domain.orders import Brackets
from domain.outcomes import Executed
from runtime.redis import fast_client
from runtime.sealing import seal_of
from tests.integration.execution_kit import ETH_MARKET, Desk, until
from tests.integration.program_kit import Program
from tests.servers import open_folder

pytestmark = pytest.mark.timeout(180)

GMX = ("gmx", 42161, ETH_MARKET)
GAINS = ("gains", 137, "137:USDC")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with open_folder() as folder:
        program = Program(folder / "data")
        program.env |= {
            "PERP_MARKETS": "ETH-USD",
            "PERP_FINALITY_DEPTH_42161": "3",
            "PERP_FINALITY_DEPTH_137": "3",
            "PERP_FINALITY_DEPTH_8453": "3",
        }
        program.start()
        yield program
        program.end()


@pytest.fixture
async def desk(program: Program) -> AsyncIterator[Desk]:
    content = program.runtime
    connection = await asyncpg.connect(content["database_url"])
    redis = fast_client(content["redis_url"])
    yield Desk(content, connection, redis, seal_of(program.data_dir))
    await redis.aclose()
    await connection.close()


async def resting(desk: Desk, where: tuple[str, int, str], times: str, **more: Any) -> NewOrder:
    """A limit order away from the price."""
    limit = (await desk.price("ETH-USD") * Decimal(times)).quantize(Decimal(1))
    leg = await desk.leg(*where, guard_price=limit, expected_price=limit)
    new = await desk.accept(leg, type="limit", limit_price=limit, life_s=120, **more)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    row = await desk.state(new, "working", "filled")
    assert row.state == "working"
    return new


async def ask(desk: Desk, new: NewOrder, change: Amendment) -> None:
    async with desk.connection.transaction():
        asked = order_amendments.ask(
            desk.connection, new.account_id, new.id, change, datetime.now(UTC)
        )
        assert await asked is not None


async def changes(desk: Desk, new: NewOrder, *statuses: str) -> list[AmendmentRow]:
    async def read() -> list[AmendmentRow] | None:
        found = (await order_amendments.of_orders(desk.connection, [new.id]))[new.id]
        return found if [change.status for change in found] == list(statuses) else None

    async def show() -> Any:
        return await order_amendments.of_orders(desk.connection, [new.id])

    found: list[AmendmentRow] = await until(read, f"changes to be {statuses}", show)
    return found


async def with_ref(desk: Desk, new: NewOrder, name: str) -> Any:
    async def read() -> Any:
        found = (await desk.read(new)).venue_refs
        return found if name in found else None

    return await until(read, f"the venue's {name}")


async def told(desk: Desk, new: NewOrder) -> list[str]:
    return [event.type for event in await orders.history(desk.connection, new.id)]


@pytest.mark.parametrize("where", [GMX, GAINS], ids=["gmx", "gains"])
async def test_a_limit_that_is_moved_to_the_price_is_filled_there(
    desk: Desk, where: tuple[str, int, str]
) -> None:
    new = await resting(desk, where, "0.8")
    price = await desk.price("ETH-USD")
    limit = (price * Decimal("1.01")).quantize(Decimal(1))
    await ask(desk, new, Amendment(limit_price=limit))
    await desk.submit(new, "update")
    await changes(desk, new, "applied")
    row = await desk.state(new, "filled", "cancelled")
    assert row.state == "filled", row.reason
    assert row.new.intent.limit_price == row.new.leg.guard_price == limit
    [fill] = [fact for fact in row.facts if isinstance(fact, Executed)]
    assert price * Decimal("0.9") < fill.price <= limit
    events = await told(desk, new)
    asked = [events.index(name) for name in ("update_requested", "to_sign", "amended")]
    assert asked == sorted(asked)
    steps = {step.new.step_id: step.new.status for step in await _steps(desk, new)}
    assert steps["update"] == "done"
    await desk.final(new)


async def test_before_it_was_sent_an_order_is_prepared_anew(desk: Desk) -> None:
    price = await desk.price("ETH-USD")
    limit = (price * Decimal("0.8")).quantize(Decimal(1))
    leg = await desk.leg(*GMX, guard_price=limit, expected_price=limit)
    new = await desk.accept(leg, type="limit", limit_price=limit, life_s=120)
    await desk.submit(new, "approve")
    before = await desk.step(new, "order")
    await ask(desk, new, Amendment(limit_price=limit - 7, size_base=new.leg.size_base * 2))
    await changes(desk, new, "applied")

    async def again() -> Any:
        step = await desk.step(new, "order")
        return step if step.version > before.version else None

    step = await until(again, "another version of the step")
    assert step.new.payload["data"] != before.new.payload["data"]
    await desk.submit(new, "order")
    row = await desk.state(new, "working")
    assert (row.new.intent.limit_price, row.new.leg.guard_price) == (limit - 7, limit - 7)
    assert row.new.leg.size_base == new.leg.size_base * 2


async def test_what_the_venue_keeps_is_refused_and_the_order_stays(desk: Desk) -> None:
    new = await resting(desk, GAINS, "0.8")
    await ask(desk, new, Amendment(size_base=new.leg.size_base * 2))
    [change] = await changes(desk, new, "refused")
    assert change.reason is not None
    assert change.reason.code == "NOT_AMENDABLE"
    row = await desk.read(new)
    assert (row.state, row.new) == ("working", new)
    assert (await told(desk, new))[-1] == "update_refused"


async def test_exits_of_what_rests_are_moved_added_and_taken_away(desk: Desk) -> None:
    """At GMX each is an order of its own, in one transaction with the others."""
    price = await desk.price("ETH-USD")
    low = (price * Decimal("0.6")).quantize(Decimal(1))
    new = await resting(desk, GMX, "0.8", brackets=Brackets(stop_loss=low))
    refs = await with_ref(desk, new, "stop_loss_key")
    high = (price * Decimal("1.2")).quantize(Decimal(1))
    await ask(desk, new, Amendment(stop_loss=low + 5, take_profit=high))
    await desk.submit(new, "update")
    await changes(desk, new, "applied")
    found = await with_ref(desk, new, "take_profit_key")
    assert found["stop_loss_key"] == refs["stop_loss_key"]
    await ask(desk, new, Amendment(stop_loss=Decimal(0)))
    await desk.submit(new, "update")
    await changes(desk, new, "applied", "applied")
    row = await desk.read(new)
    assert row.state == "working"
    assert row.new.intent.brackets == Brackets(take_profit=high)
    async with desk.connection.transaction():
        now = datetime.now(UTC)
        await order_requests.cancel(desk.connection, new.account_id, now, order_id=new.id)
    await desk.submit(new, "cancel")
    await desk.state(new, "cancelled")


async def test_a_market_order_is_cancelled_from_its_time_on(desk: Desk) -> None:
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    await desk.submit(new, "approve")
    await desk.step(new, "order")
    await desk.control("/keeper", {"mode": "hold"})
    try:
        await desk.submit(new, "order")
        await desk.state(new, "working")
        now = datetime.now(UTC)
        async with desk.connection.transaction():
            await order_requests.cancel(desk.connection, new.account_id, now, order_id=new.id)

        async def blocked() -> Any:
            steps = {step.new.step_id: step.new for step in await _steps(desk, new)}
            return steps.get("cancel")

        step = await until(blocked, "a step to cancel")
        assert step.status == "blocked"
        assert step.not_before > now
        assert step.sign_by > step.not_before
        assert (await told(desk, new))[-1] == "to_sign"
        ahead = int((step.not_before - now).total_seconds()) + 5
        await desk.rpc(42161, "evm_increaseTime", hex(ahead))
        await desk.rpc(42161, "anvil_mine", "0x1")
    finally:
        await desk.control("/keeper", {"mode": "auto"})


async def _steps(desk: Desk, new: NewOrder) -> list[order_steps.StepRow]:
    return await order_steps.current(desk.connection, new.id)
