"""Transactions of a running sandbox that a wallet sends by itself, older than what it was shown."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest

from domain.amendments import Amendment
from tests.integration.changes_kit import ask, changes, told
from tests.integration.execution_kit import GMX, Desk, opened_desk, trading_program
from tests.integration.program_kit import Program

pytestmark = pytest.mark.timeout(180)


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
