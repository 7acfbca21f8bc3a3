"""Orders from Postgres to a fill on the chains of a sandbox that runs as users run it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import orjson
import pytest
from eth_account import Account

from db import order_steps, orders, tx_attempts
from db.orders import NewOrder
from domain.outcomes import Cancelled, Executed
from execution.lifecycle import Step
from execution.store import record
from runtime import events
from tests.integration.auth_kit import Wallet
from tests.integration.changes_kit import balance
from tests.integration.execution_kit import (
    ETH_MARKET,
    GMX,
    Desk,
    opened_desk,
    trading_program,
    until,
    wallet_fields,
)
from tests.integration.program_kit import Program

pytestmark = pytest.mark.timeout(180)

GAINS = ("gains", 42161, "42161:USDC")
GAINS_POLYGON = ("gains", 137, "137:USDC")


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """Killed once at P7, by the first order that gets there."""
    with trading_program(PERP_FAILPOINT="P7:kill") as running:
        yield running


@pytest.fixture
async def desk(program: Program) -> AsyncIterator[Desk]:
    async with opened_desk(program) as found:
        yield found


async def told(desk: Desk, new: NewOrder) -> list[dict[str, object]]:
    """What the account heard of an order."""
    page = await events.read_after(desk.redis, new.account_id, 0, 1_000)
    found = [orjson.loads(event.body)["data"] for event in page.events]
    return [data for data in found if data["order_id"] == new.id]


async def test_killed_before_it_was_sent_an_order_is_sent_once_and_filled(
    desk: Desk, program: Program
) -> None:
    """The first order of all: the executor dies between P7 and P8."""
    before = program.pid("executor")
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    steps = await _prepared(desk, new)
    assert [step.new.step_id for step in steps] == ["approve", "order"]
    assert [step.new.status for step in steps] == ["ready", "blocked"]
    assert [step.new.simulation is not None for step in steps] == [True, True]
    await desk.submit(new, "approve")
    tx_hash = await desk.submit(new, "order")
    row = await desk.state(new, "filled", "cancelled", "rejected")
    assert row.state == "filled", row.reason
    assert program.pid("executor") != before
    receipt = await desk.rpc(42161, "eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x1"

    async def attempted() -> bool | None:
        found = await tx_attempts.of_order(desk.connection, new.id)
        return [attempt.status for attempt in found] == ["mined", "mined"] or None

    # The events of the venue may be read before the receipt.
    await until(attempted, "the attempts to be mined")
    row = await desk.final(new)
    [fill] = [fact for fact in row.facts if isinstance(fact, Executed)]
    assert fill.price <= (new.leg.guard_price or 0)
    history = await orders.history(desk.connection, new.id)
    assert [event.seq for event in history] == list(range(1, len(history) + 1))
    assert history[-1].type == "finalised"

    async def heard() -> list[dict[str, object]] | None:
        found = await told(desk, new)
        kinds = [data["kind"] for data in found]
        return found if kinds.count("order") == len(history) else None

    found = await until(heard, "the account to hear of all")
    versions = [data["version"] for data in found if data["kind"] == "order"]
    assert versions == list(range(1, len(history) + 1))
    assert [data["tx_hash"] for data in found if data["kind"] == "fill"] == [fill.place.tx_hash]


@pytest.mark.parametrize("where", [GAINS, GAINS_POLYGON], ids=["arbitrum", "polygon"])
async def test_an_order_of_gains_is_filled_and_final(
    desk: Desk, where: tuple[str, int, str]
) -> None:
    new = await desk.accept(await desk.leg(*where), life_s=120)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    row = await desk.state(new, "filled", "cancelled", "rejected")
    assert row.state == "filled", row.reason
    fills = await desk.connection.fetch("SELECT * FROM fills WHERE order_id = $1", new.id)
    assert len(fills) == 1
    await desk.final(new)


async def test_a_wallet_that_sends_by_itself_tells_the_hash(desk: Desk) -> None:
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    await desk.submit(new, "approve", bare=True)
    await desk.submit(new, "order", bare=True)
    await desk.state(new, "filled")


async def test_a_hash_of_something_else_changes_nothing(desk: Desk) -> None:
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    step = await desk.step(new, "approve")
    other = step._replace(
        new=step.new._replace(payload={**step.new.payload, "data": "0x", "to": desk.owner})
    )
    tx_hash, raw = desk.signed(other)
    await desk.rpc(42161, "eth_sendRawTransaction", f"0x{raw.hex()}")
    await desk.store(new, step, tx_hash, None)

    async def dropped() -> bool | None:
        attempts = await tx_attempts.of_order(desk.connection, new.id)
        return True if [attempt.status for attempt in attempts] == ["dropped"] else None

    await until(dropped, "the hash to be found out")
    assert (await desk.read(new)).state == "prepared"


async def test_an_account_without_the_money_is_refused(desk: Desk) -> None:
    poor = desk.stranger()
    for where in (GMX, GAINS_POLYGON):
        new = await poor.accept(await poor.leg(*where))
        row = await desk.state(new, "rejected", "prepared")
        assert row.state == "rejected"
        assert row.reason is not None
        assert row.reason.code == "BALANCE"
        assert await order_steps.current(desk.connection, new.id) == []
        # Nothing was handed out that could still land.
        await desk.final(new)


async def test_what_nobody_signs_expires(desk: Desk) -> None:
    new = await desk.accept(await desk.leg(*GMX), life_s=4)
    await _prepared(desk, new)
    row = await desk.state(new, "expired")
    steps = await order_steps.current(desk.connection, new.id)
    assert {step.new.status for step in steps} == {"expired"}
    # The payload was handed out: as long as its nonce is free it may still land.
    assert not row.final


async def test_a_reorganised_chain_takes_a_fill_back_and_brings_it_again(desk: Desk) -> None:
    new = await desk.accept(await desk.leg(*GAINS), life_s=120)
    # Nobody sends again what gave the account its money: the chain goes back to later than that.
    await desk.rpc(42161, "anvil_mine", 8)
    await desk.submit(new, "approve")
    tx_hash = await desk.submit(new, "order")
    await desk.state(new, "filled")
    receipt = await desk.rpc(42161, "eth_getTransactionReceipt", tx_hash)
    head = int(await desk.rpc(42161, "eth_blockNumber"), 16)
    # With room for the blocks that come meanwhile.
    await desk.rpc(42161, "anvil_reorg", head - int(receipt["blockNumber"], 16) + 3, [])

    async def undone() -> bool | None:
        history = await orders.history(desk.connection, new.id)
        return True if any(event.type == "undone" for event in history) else None

    await until(undone, "the fill to be taken back")
    row = await desk.final(new)
    assert row.state == "filled", row.reason
    assert (
        await desk.connection.fetchval("SELECT count(*) FROM fills WHERE order_id = $1", new.id)
        == 1
    )
    again = await desk.rpc(42161, "eth_getTransactionReceipt", tx_hash)
    assert again["blockHash"] != receipt["blockHash"]


async def test_what_rests_is_cancelled_by_its_owner(desk: Desk) -> None:
    price = await desk.price("ETH-USD")
    low = (price * Decimal("0.8")).quantize(Decimal("1"))
    leg = await desk.leg(*GMX, guard_price=low, expected_price=low)
    new = await desk.accept(leg, type="limit", limit_price=low, life_s=120)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    await desk.state(new, "working")
    async with desk.connection.transaction():
        row = await orders.read(desk.connection, new.id, lock=True)
        assert row is not None
        now = datetime.now(UTC)
        await record(desk.connection, new.id, [Step("cancel_requested")], now)
    await desk.submit(new, "cancel")
    row = await desk.state(new, "cancelled")
    assert not await desk.connection.fetchval(
        "SELECT count(*) FROM fills WHERE order_id = $1", new.id
    )
    await desk.final(new)


async def test_health_says_that_somebody_works(program: Program) -> None:
    async def said() -> bool | None:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{program.url}/health/executor")
        return True if answer.is_success and answer.json()["data"]["status"] == "ok" else None

    await until(said, "an executor to be seen")


async def test_of_two_orders_the_one_that_is_signed_first_goes_first(desk: Desk) -> None:
    """Nobody has to sign the other one at all."""
    one = await desk.accept(await desk.leg(*GAINS_POLYGON), life_s=120)
    first = await desk.step(one, "approve")
    two = await desk.accept(await desk.leg(*GAINS_POLYGON), life_s=120)
    second = await desk.step(two, "approve")
    assert first.new.payload["nonce"] == second.new.payload["nonce"]
    await desk.submit(two, "approve")
    await desk.submit(two, "order")
    await desk.state(two, "filled")

    async def again() -> bool | None:
        """The approval was used up by then."""
        steps = await order_steps.current(desk.connection, one.id)
        fresh = {step.new.step_id for step in steps if step.new.status == "ready"}
        return True if "approve" in fresh else None

    await until(again, "the other one to be prepared again")
    await desk.submit(one, "approve")
    await desk.submit(one, "order")
    await desk.state(one, "filled")


@pytest.fixture
async def client(desk: Desk, program: Program) -> AsyncIterator[httpx.AsyncClient]:
    """Of the gateway, signed in as the desk's trader."""
    async with httpx.AsyncClient(base_url=program.url, trust_env=False) as http:
        wallet = Wallet(http, Account.from_key(desk.wallet["private_key"]))
        grant = await wallet.grant()
        http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        yield http


async def flattened(client: httpx.AsyncClient) -> dict[str, list[dict[str, object]]]:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answer = await client.post("/v1/orders/flatten", json={"venue": "gains"}, headers=headers)
    assert answer.status_code == 202, answer.text
    data: dict[str, list[dict[str, object]]] = answer.json()["data"]
    return data


async def test_what_an_account_holds_is_flattened(desk: Desk, client: httpx.AsyncClient) -> None:
    new = await desk.accept(await desk.leg(*GAINS), life_s=120)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    await desk.state(new, "filled")
    data = await flattened(client)
    assert data["skipped"] == []
    assert data["orders"]
    for made in data["orders"]:
        row = await orders.read(desk.connection, str(made["id"]))
        assert row is not None
        await desk.submit(row.new, "order")
        row = await desk.state(row.new, "filled", "cancelled", "rejected")
        assert row.state == "filled", row.reason
    data = await flattened(client)
    assert (data["orders"], data["skipped"]) == ([], [])
    assert {row["source"] for row in data["sources"]} == {"chain"}


async def test_who_is_not_heard_has_the_orders_cancelled(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    new = await desk.accept(await desk.leg(*GMX), life_s=120)
    await _prepared(desk, new)
    answer = await client.put("/v1/heartbeat", json={"timeout_s": 1})
    assert answer.status_code == 200, answer.text
    row = await desk.state(new, "cancelled", "expired", "rejected")
    assert row.reason is not None
    assert (row.state, row.reason.code, row.cancel_requested) == ("cancelled", "CANCELLED", True)


async def claimed(client: httpx.AsyncClient, key: str, *states: str) -> dict[str, Any]:
    """What becomes of a claim of the pool."""
    body = {"venue": "gmx", "chain_id": 42161, "market": "ETH-USD", "pool": ETH_MARKET}
    asked = await client.post("/v1/orders/claim", json=body, headers={"Idempotency-Key": key})
    assert asked.status_code == 202, asked.text
    path = asked.headers["Location"]

    async def read() -> dict[str, Any] | None:
        data: dict[str, Any] = (await client.get(path)).json()["data"]
        return data if data["state"] in states else None

    async def show() -> str:
        return (await client.get(path)).text

    found: dict[str, Any] = await until(read, f"a claim to be {states}", show)
    return found


async def test_funding_is_claimed_over_rest_and_only_once(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    refused = await claimed(client, str(uuid.uuid4()), "rejected", "prepared")
    assert (refused["state"], refused["reason"]["code"]) == ("rejected", "NOTHING")
    assert (refused["intent"], refused["size_base"], refused["steps"]) == ("claim", "0", [])
    for token, amount in (("USDC", "12.5"), ("WETH", "0.003")):
        owed = {"address": desk.owner, "pool": ETH_MARKET, "token": token, "amount": amount}
        await desk.control("/claimable", owed)

    key, before = str(uuid.uuid4()), await balance(desk, 42161)
    prepared = await claimed(client, key, "prepared", "rejected")
    [step] = prepared["steps"]
    assert (step["id"], step["status"], step["simulation"]["ok"]) == ("order", "ready", True)
    due = step["simulation"]["claims"]
    assert {(item["kind"], item["symbol"], item["amount"]) for item in due} == {
        ("funding", "USDC", "12.5"),
        ("funding", "ETH", "0.003"),
    }
    signed = Account.sign_transaction(wallet_fields(step["tx"]), desk.wallet["private_key"])
    body = {
        "step_id": "order",
        "step_version": step["version"],
        "raw_transaction": f"0x{bytes(signed.raw_transaction).hex()}",
    }
    sent = await client.post(f"/v1/orders/{prepared['id']}/submission", json=body)
    assert sent.status_code == 202, sent.text
    done = await claimed(client, key, "filled", "rejected", "cancelled")
    assert (done["id"], done["state"]) == (prepared["id"], "filled")

    async def both() -> dict[str, Any] | None:
        found = await claimed(client, key, "filled")
        return found if len(found["claims"]) == 2 and found["final"] else None

    told = await until(both, "both tokens to be told")
    lines = {(line["kind"], line["symbol"], line["amount"]) for line in told["claims"]}
    assert lines == {("funding", "USDC", "12.5"), ("funding", "ETH", "0.003")}
    assert {line["tx_hash"] for line in told["claims"]} == {told["attempts"][0]["tx_hash"]}
    assert (told["fills"], told["filled_base"], told["venue_state"]) == ([], "0", "executed")
    assert await balance(desk, 42161) - before == 12_500_000
    again = await claimed(client, str(uuid.uuid4()), "rejected", "prepared")
    assert again["reason"]["code"] == "NOTHING"


async def test_a_price_beyond_the_guard_is_cancelled_by_the_venue(desk: Desk) -> None:
    """The last one: what the price was moved by venues have to agree on first. The keeper of GMX
    has the new price up to a second later than the others, who are enough to move the market's."""
    price = await desk.price("ETH-USD")
    new = await desk.accept(await desk.leg(*GMX, slippage="0.005"), life_s=120)
    await desk.submit(new, "approve")
    step = await desk.step(new, "order")
    await desk.control("/keeper", {"mode": "hold"})
    try:
        await desk.submit(new, "order")
        await desk.state(new, "working")
        higher = (price * Decimal("1.03")).quantize(Decimal(1))
        await desk.control("/prices", {"ETH-USD": str(higher)})

        async def moved() -> bool | None:
            return True if await desk.gmx_price("ETH") > price * Decimal("1.02") else None

        await until(moved, "the price at GMX to move")
    finally:
        await desk.control("/keeper", {"mode": "auto"})
    row = await desk.state(new, "cancelled", "filled")
    assert row.state == "cancelled", (price, new.leg.guard_price, row.facts)
    [told] = [fact for fact in row.facts if isinstance(fact, Cancelled)]
    assert told.reason.venue_code == "OrderNotFulfillableAtAcceptablePrice"
    assert step.new.payload["from"] == desk.owner
    await desk.final(new)


async def _prepared(desk: Desk, new: NewOrder) -> list[order_steps.StepRow]:
    row = await desk.state(new, "prepared", "rejected")
    assert row.state == "prepared", row.reason
    return await order_steps.current(desk.connection, new.id)
