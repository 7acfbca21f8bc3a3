"""Orders that are changed after they were accepted, on the chains of a running sandbox."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from db import accounts, order_requests, tx_attempts
from domain import order_facts
from domain.amendments import Amendment
from domain.orders import Brackets, Reason
from domain.outcomes import Executed
from execution.lifecycle import Step
from execution.store import record
from tests.integration.changes_kit import (
    ask,
    attempts_are,
    balance,
    changes,
    ordered,
    resting,
    signed_in,
    steps_of,
    told,
    with_ref,
)
from tests.integration.execution_kit import GMX, Desk, opened_desk, trading_program, until
from tests.integration.program_kit import Program

pytestmark = pytest.mark.timeout(180)

GAINS = ("gains", 137, "137:USDC")
BASE = ("gains", 8453, "8453:USDC")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with trading_program() as running:
        yield running


@pytest.fixture
async def desk(program: Program) -> AsyncIterator[Desk]:
    async with opened_desk(program) as found:
        yield found


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
    steps = {step.new.step_id: step.new.status for step in await steps_of(desk, new)}
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
            steps = {step.new.step_id: step.new for step in await steps_of(desk, new)}
            return steps.get("cancel")

        step = await until(blocked, "a step to cancel")
        assert step.status == "blocked"
        assert step.not_before > now
        assert step.sign_by > step.not_before
        assert (await told(desk, new))[-1] == "to_sign"
    finally:
        await desk.control("/keeper", {"mode": "auto"})


async def test_what_landed_under_another_hash_is_found_by_its_tag(desk: Desk) -> None:
    """The wallet told a hash and then sped the transaction up."""
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    await desk.submit(new, "approve")
    step = await desk.step(new, "order")
    told, _ = desk.signed(step)
    landed, raw = desk.signed(step, fee_times=2)
    await desk.store(new, step, told, None)
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{raw.hex()}")
    row = await desk.state(new, "filled", "rejected", "cancelled")
    assert row.state == "filled", row.reason
    attempts = {item.tx_hash: item for item in await tx_attempts.of_order(desk.connection, new.id)}
    assert (attempts[told].status, attempts[landed].status) == ("stored", "mined")
    assert attempts[landed].step_id == "order"
    assert {step.new.status for step in await steps_of(desk, new)} == {"done"}
    assert len(attempts) == 3
    await desk.final(new)


async def test_a_stranger_s_hash_and_an_altered_transaction_are_nobody_s(desk: Desk) -> None:
    """And block nothing: the right one of the same hash is taken afterwards."""
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    step = await desk.step(new, "approve")
    mine, raw = desk.signed(step)
    stranger = desk.stranger()
    await stranger.fund()
    nonce = await stranger.rpc(42161, "eth_getTransactionCount", stranger.owner, "pending")
    # What the step says, from another account, and so their own approval.
    theirs, sent = stranger.signed(step, nonce=int(nonce, 16))
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{sent.hex()}")
    await desk.store(new, step, theirs, None)
    await attempts_are(desk, new, "dropped")
    # Somebody else names ours for an order of their own.
    stranger = desk.stranger()
    await stranger.fund()
    other = await stranger.accept(await stranger.leg(*GMX), life_s=120)
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{raw.hex()}")
    await stranger.store(other, await stranger.step(other, "approve"), mine, None)
    await attempts_are(desk, other, "dropped")
    await desk.store(new, step, mine, raw)
    await attempts_are(desk, new, "dropped", "mined")
    await attempts_are(desk, other)
    assert (await desk.read(other)).state == "prepared"
    await desk.submit(new, "order")
    await desk.state(new, "filled")


async def test_an_order_of_gains_on_base_is_opened_with_exits_and_final(desk: Desk) -> None:
    price = await desk.price("ETH-USD")
    exits = Brackets(
        (price * Decimal("1.3")).quantize(Decimal(1)), (price * Decimal("0.9")).quantize(Decimal(1))
    )
    new = await desk.accept(await desk.leg(*BASE), life_s=120, brackets=exits)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    row = await desk.state(new, "filled", "cancelled", "rejected")
    assert row.state == "filled", row.reason
    [fill] = await desk.connection.fetch("SELECT * FROM fills WHERE order_id = $1", new.id)
    assert fill["fee_usd"] > 0
    assert fill["impact_usd"] is not None
    await desk.final(new)


async def test_a_frozen_order_says_why_and_a_change_frees_it(desk: Desk) -> None:
    new = await resting(desk, GMX, "0.8")
    limit = (await desk.price("ETH-USD") * Decimal("1.01")).quantize(Decimal(1))
    await desk.control("/keeper", {"mode": "freeze"})
    try:
        await ask(desk, new, Amendment(limit_price=limit))
        await desk.submit(new, "update")

        async def frozen() -> Any:
            row = await desk.read(new)
            return row if order_facts.venue_state(row.facts) == "frozen" else None

        row = await until(frozen, "the order to be frozen", lambda: desk.read(new))
    finally:
        await desk.control("/keeper", {"mode": "auto"})
    assert row.state == "working"
    reason = order_facts.why(row.facts, row.reason)
    assert reason is not None
    assert reason.venue_code
    await ask(desk, new, Amendment(limit_price=limit + 1))
    await desk.submit(new, "update")
    row = await desk.state(new, "filled", "cancelled")
    assert row.state == "filled", row.reason
    assert row.new.intent.limit_price == limit + 1


@pytest.mark.parametrize("where", [GMX, GAINS], ids=["gmx", "gains"])
async def test_one_stop_loss_of_a_position_takes_the_place_of_another(
    desk: Desk, where: tuple[str, int, str]
) -> None:
    """Gains has one for each, whose it is now says the tag; GMX is told to cancel the other."""
    opened = await desk.accept(await desk.leg(*where), life_s=120)
    await desk.submit(opened, "approve")
    await desk.submit(opened, "order")
    row = await desk.state(opened, "filled")
    price = await desk.price("ETH-USD")
    position = row.venue_refs.get("position") or row.venue_refs["position_key"]
    exits = []
    for times in ("0.9", "0.92"):
        trigger = (price * Decimal(times)).quantize(Decimal(1))
        leg = await desk.leg(
            *where, collateral=None, buys=False, position_ref=position, guard_price=None,
            size_base=row.new.leg.size_base,
        )  # fmt: skip
        new = await desk.accept(
            leg, type="stop", intent="close", side="SELL", trigger_price=trigger,
            notional_usd=None, life_s=120,
        )  # fmt: skip
        await desk.submit(new, "order")
        await desk.state(new, "working")
        exits.append(new)
    first = await desk.state(exits[0], "cancelled")
    reason = order_facts.why(first.facts, first.reason)
    assert reason is not None
    assert reason.code in ("REPLACED", "CANCELLED")
    assert (await desk.read(exits[1])).state == "working"
    await desk.final(exits[0])
    moved = (price * Decimal("0.93")).quantize(Decimal(1))
    await ask(desk, exits[1], Amendment(trigger_price=moved))
    await desk.submit(exits[1], "update")
    await changes(desk, exits[1], "applied")
    assert (await desk.read(exits[1])).new.intent.trigger_price == moved


@pytest.mark.parametrize("where", [GMX, GAINS], ids=["gmx", "gains"])
async def test_margin_is_put_to_a_position_and_taken_out(
    desk: Desk, where: tuple[str, int, str]
) -> None:
    opened = await desk.accept(await desk.leg(*where), life_s=120)
    await desk.submit(opened, "approve")
    await desk.submit(opened, "order")
    row = await desk.state(opened, "filled")
    position = row.venue_refs.get("position") or row.venue_refs["position_key"]
    balances = [await balance(desk, where[1])]
    for intent, side in (("increase", "BUY"), ("decrease", "SELL")):
        leg = await desk.leg(
            *where, notional=0, collateral=50, guard_price=None, position_ref=position
        )
        new = await desk.accept(leg, intent=intent, side=side, notional_usd=None, life_s=120)
        if intent == "increase":
            await desk.submit(new, "approve")
        await desk.submit(new, "order")
        row = await desk.state(new, "filled", "cancelled", "rejected")
        assert row.state == "filled", (row.reason, row.facts)
        balances.append(await balance(desk, where[1]))
    assert await desk.connection.fetchval(
        "SELECT count(*) FROM fills WHERE order_id = $1", new.id
    ) == 0  # fmt: skip
    put, taken = balances[0] - balances[1], balances[2] - balances[1]
    # Gains knows leverages of three decimals, and charges for each change.
    assert 49_000_000 < put <= 50_000_000
    assert 48_000_000 < taken <= 50_000_000


async def test_exits_of_an_entry_that_the_venue_cancelled_are_taken_back(desk: Desk) -> None:
    """They wait by themselves at GMX, and would meet the next position of their owner."""
    price = await desk.price("ETH-USD")
    low = (price * Decimal("0.6")).quantize(Decimal(1))
    await desk.control("/keeper", {"mode": "cancel"})
    try:
        new = await desk.accept(await desk.leg(*GMX), brackets=Brackets(stop_loss=low), life_s=120)
        await desk.submit(new, "approve")
        await desk.submit(new, "order")
        await desk.state(new, "cancelled")
    finally:
        await desk.control("/keeper", {"mode": "auto"})
    tx_hash = await desk.submit(new, "cancel")

    async def mined() -> Any:
        return await desk.rpc(42161, "eth_getTransactionReceipt", tx_hash)

    receipt = await until(mined, "the cancel to be mined")
    assert receipt["status"] == "0x1"
    key = (await desk.read(new)).venue_refs["stop_loss_key"][2:]
    assert any(key in "".join(log["topics"]) for log in receipt["logs"])
    await desk.final(new)


@pytest.mark.parametrize("where", [GMX, GAINS], ids=["gmx", "gains"])
async def test_low_gas_is_told_before_anything_is_signed(
    desk: Desk, where: tuple[str, int, str]
) -> None:
    poor = desk.stranger()
    await poor.fund(eth="0.0000001")
    new = await poor.accept(await poor.leg(*where))
    row = await desk.state(new, "rejected", "prepared")
    assert row.reason is not None
    assert (row.state, row.reason.code) == ("rejected", "GAS")
    assert await steps_of(desk, new) == []


async def test_what_nobody_knew_the_whereabouts_of_is_found_at_the_next_start(
    desk: Desk, program: Program
) -> None:
    new = await resting(desk, GMX, "0.8")
    async with desk.connection.transaction():
        lost = Step("lost", Reason("NOT_SEEN", "no node said anything"))
        await record(desk.connection, new.id, [lost], datetime.now(UTC))
    assert (await desk.read(new)).state == "unknown"
    before = program.pid("executor")
    os.kill(before, signal.SIGKILL)
    await desk.state(new, "working")
    assert program.pid("executor") != before


@pytest.mark.parametrize("where", [GMX, GAINS], ids=["gmx", "gains"])
async def test_a_position_that_was_opened_elsewhere_is_found_and_closed(
    desk: Desk, program: Program, where: tuple[str, int, str]
) -> None:
    venue, chain_id, pool = where
    opened = await desk.accept(await desk.leg(*where), life_s=120)
    await desk.submit(opened, "approve")
    await desk.submit(opened, "order")
    await desk.final((await desk.state(opened, "filled")).new)
    stranger = desk.stranger()
    other = await accounts.ensure(desk.connection, stranger.owner, 0, datetime.now(UTC))
    # As if it had never been an order of this account.
    for table in ("orders", "fills"):
        column = "id" if table == "orders" else "order_id"
        sql = f"UPDATE {table} SET account_id = $2 WHERE {column} = $1"
        await desk.connection.execute(sql, opened.id, other.id)
    body = {"market": "ETH-USD", "side": "SELL", "intent": "close", "type": "market"}
    async with signed_in(program.url, desk) as rest:
        answer = await rest.post("/v1/routes", body)
        assert len(answer["routes"]) == 1, "\n".join(map(str, answer["excluded"]))
        [route] = answer["routes"]
        assert (route["venue"], route["chain_id"], route["pool"]) == (venue, chain_id, pool)
        position = route["position"]
        assert (position["source"], position["size_base"]) == ("chain", route["size_base"])
        size = (Decimal(route["size_base"]) / 2).quantize(Decimal("1e-9"))
        half = {**body, "intent": "decrease", "size_base": str(size)}
        part = await ordered(desk, (await rest.place(half | {"reduce_only": True}))["id"])
        await desk.submit(part, "order")
        await desk.state(part, "filled")
        flat = await rest.post("/v1/orders/flatten", {}, 202)
        assert {row["source"] for row in flat["sources"]} == {"chain"}
        [shown] = flat["orders"]
        assert Decimal(shown["size_base"]) < Decimal(route["size_base"])
        assert flat["skipped"] == []
        again = await rest.post("/v1/orders/flatten", {}, 202)
        assert [row["code"] for row in again["skipped"]] == ["CLOSING"]
        closed = await ordered(desk, shown["id"])
        await desk.submit(closed, "order")
        row = await desk.state(closed, "filled", "cancelled", "rejected")
        assert row.state == "filled", row.reason
        await desk.final(closed)
        found = await rest.post("/v1/routes", body)
        assert found["routes"] == []
        assert "NO_POSITION" in {item["code"] for item in found["excluded"]}
        assert (await rest.post("/v1/orders/flatten", {}, 202))["orders"] == []


async def test_what_a_venue_refuses_goes_to_the_next_route(desk: Desk, program: Program) -> None:
    """Gains takes no 3 USDC, GMX does."""
    refused = await desk.leg(*GAINS, notional=30, collateral=3)
    taken = await desk.leg(*GMX, notional=30, collateral=3)
    price = refused.expected_price
    rows = [
        {
            "venue": leg.venue, "chain_id": leg.chain_id, "pool": leg.pool, "collateral": "USDC",
            "collateral_amount": "3", "size_base": str(leg.size_base), "notional_usd": "30",
            "expected_price": str(price), "guard": {"price": str(price * 2)},
        }
        for leg in (refused, taken)
    ]  # fmt: skip
    kept = await desk.accept(refused, life_s=120)
    row = await desk.state(kept, "rejected", "prepared")
    assert row.state == "rejected"
    assert row.reason is not None
    new = await desk.accept(refused, life_s=120, reroute=rows)
    await desk.submit(new, "approve")
    row = await desk.read(new)
    assert (row.new.leg.venue, row.new.leg.pool) == ("gmx", taken.pool)
    # Never beyond the bound that was agreed to.
    assert row.new.leg.guard_price == refused.guard_price
    assert row.reason is not None
    assert row.reason.code == "REROUTED"
    moved = await ordered(desk, new.id)
    await desk.submit(moved, "order")
    row = await desk.state(moved, "filled", "cancelled", "rejected")
    assert row.state == "filled", row.reason
    events = await told(desk, new)
    assert events[:3] == ["accepted", "rerouted", "prepared"]
    assert events.count("rerouted") == 1
