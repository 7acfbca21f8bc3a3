"""Orders on the chains of a running sandbox that wait: for a trigger, for gas, for a change."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from db import order_changes
from db.orders import NewOrder
from domain.amendments import Amendment
from domain.fee_caps import FEE_CAPS_WEI
from domain.outcomes import Executed
from tests.integration.changes_kit import ask, changes, told
from tests.integration.execution_kit import GMX, Desk, opened_desk, trading_program, until
from tests.integration.program_kit import Program

pytestmark = pytest.mark.timeout(180)

GAINS = ("gains", 137, "137:USDC")
POLYGON = 137


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with trading_program() as running:
        yield running


@pytest.fixture
async def desk(program: Program) -> AsyncIterator[Desk]:
    async with opened_desk(program) as found:
        yield found


async def test_an_older_step_that_its_wallet_sends_places_what_it_says(desk: Desk) -> None:
    """The order was changed after it was handed out: the venue has the old terms, and is asked for
    the new ones. The new step of the same nonce can never land."""
    price = await desk.price("ETH-USD")
    limit = (price * Decimal("0.8")).quantize(Decimal(1))
    leg = await desk.leg(*GMX, guard_price=limit, expected_price=limit)
    new = await desk.accept(leg, type="limit", limit_price=limit, life_s=120)
    await desk.submit(new, "approve")
    older = await desk.step(new, "order")
    await ask(desk, new, Amendment(limit_price=limit - 7))
    await changes(desk, new, "applied")
    _, raw = desk.signed(older)
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{raw.hex()}")
    row = await desk.state(new, "working")
    assert row.new.intent.limit_price == limit
    await changes(desk, new, "asked")
    await desk.submit(new, "update")
    await changes(desk, new, "applied")
    row = await desk.read(new)
    assert row.new.intent.limit_price == row.new.leg.guard_price == limit - 7
    assert "doubled" not in await told(desk, new)


async def again(desk: Desk, new: NewOrder) -> None:
    """Now, not in 15 s."""
    row = await desk.read(new)
    now = datetime.now(UTC)
    await order_changes.notify(desk.connection, new.id, row.version, now)


async def base_fee(desk: Desk, wei: int) -> None:
    await desk.rpc(POLYGON, "anvil_setNextBlockBaseFeePerGas", hex(wei))
    await desk.rpc(POLYGON, "anvil_mine", "0x1")


async def test_while_gas_is_above_the_limit_orders_wait(desk: Desk) -> None:
    cap = FEE_CAPS_WEI[POLYGON]
    try:
        await base_fee(desk, 1_000 * cap)
        waits = await desk.accept(await desk.leg(*GAINS), life_s=120)
        late = await desk.accept(await desk.leg(*GAINS), life_s=2)

        async def held(new: NewOrder) -> Any:
            row = await desk.read(new)
            return row if row.reason is not None else None

        for new in (waits, late):
            row = await until(lambda new=new: held(new), "an order to be held")
            assert row.reason.code == "GAS_PRICE"

        async def expired() -> Any:
            await again(desk, late)
            row = await desk.read(late)
            return row if row.state != "accepted" else None

        row = await until(expired, "the deadline to pass")
        assert (row.state, row.reason.code) == ("expired", "GAS_PRICE")
        assert (await told(desk, late))[:2] == ["accepted", "held"]
    finally:
        await base_fee(desk, 10**9)
    await again(desk, waits)
    row = await desk.state(waits, "prepared", "dead", "rejected")
    assert (row.state, row.reason) == ("prepared", None)


async def test_stops_are_filled_when_their_trigger_is_passed(desk: Desk) -> None:
    """Breakouts at two venues: they rest above the market, which is moved there. The last test:
    nobody knows the depth until venues agree on the new price."""
    price = await desk.price("ETH-USD")
    trigger = (price * Decimal("1.005")).quantize(Decimal(1))
    bound = (price * Decimal("1.05")).quantize(Decimal(1))
    placed = []
    for where in (GMX, GAINS):
        leg = await desk.leg(*where, guard_price=bound, expected_price=trigger)
        new = await desk.accept(leg, type="stop", trigger_price=trigger, life_s=120)
        await desk.submit(new, "approve")
        await desk.submit(new, "order")
        row = await desk.state(new, "working", "filled", "rejected")
        assert row.state == "working", row.reason
        placed.append(new)
    higher = (price * Decimal("1.01")).quantize(Decimal(1))
    await desk.control("/prices", {"ETH-USD": str(higher)})
    for new in placed:
        row = await desk.state(new, "filled", "cancelled")
        assert row.state == "filled", row.reason
        [fill] = [fact for fact in row.facts if isinstance(fact, Executed)]
        assert price < fill.price <= bound
