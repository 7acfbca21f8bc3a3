"""Changing orders that live, over real Redis and Postgres: what is stored for the executor."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx

from db import order_amendments, order_steps, trading_limits
from db.instants import instant
from db.order_steps import NewStep
from db.trading_limits import Said
from domain.amendments import Amendment
from domain.orders import Brackets
from execution.lifecycle import Step
from execution.store import record
from runtime.clock import wall_us
from tests.integration.auth_kit import issue_codes
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import INTENT
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import (
    CLOSE,
    PATH,
    SECOND,
    TX,
    Trader,
    prepare,
    sign,
    submit,
    trader,
)

LIMIT = replace(
    INTENT, type="limit", limit_price=Decimal(97_000), brackets=Brackets(Decimal(120_000), None)
)
EXIT = replace(CLOSE, type="limit", limit_price=Decimal(99_000))


async def amend(me: Trader, order: dict[str, Any], key: str = "", **terms: Any) -> httpx.Response:
    return await me.ask("PATCH", f"{PATH}/{order['id']}", terms, key)


async def changed(me: Trader, order: dict[str, Any], **terms: Any) -> dict[str, Any]:
    answer = await amend(me, order, **terms)
    assert answer.status_code == 202, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_a_change_is_stored_and_told_to_the_executor(me: Trader) -> None:
    made = await me.order(LIMIT)
    assert (made["take_profit"], made["stop_loss"], made["amendments"]) == ("120000", None, [])
    answer = await amend(me, made, "k", limit_price="96000.5")
    data = answer.json()["data"]
    assert (answer.status_code, data["version"]) == (202, 2)
    assert answer.headers["Location"] == f"{PATH}/{made['id']}"
    assert data["events"][-1]["type"] == "update_requested"
    [asked] = data["amendments"]
    assert (asked["seq"], asked["status"], asked["limit_price"]) == (2, "asked", "96000.5")
    assert asked["size_base"] is asked["take_profit"] is asked["reason"] is None
    # It is so when the venue has it, not before.
    assert data["limit_price"] == "97000"
    assert await me.read(made["id"]) == data
    assert await me.count("outbox", made["id"]) == 2
    again = await amend(me, made, "k", limit_price="96000.5")
    assert again.content == answer.content
    check_problem(await amend(me, made, "k", limit_price="96000"), 422, "IDEMPOTENCY_MISMATCH")
    assert await me.count("order_amendments", made["id"]) == 1


async def test_the_last_change_has_those_before_in_it(me: Trader) -> None:
    made = await me.order(LIMIT)
    await changed(me, made, limit_price="96000", stop_loss="80000")
    data = await changed(me, made, limit_price="95000", take_profit="0")
    assert [item["status"] for item in data["amendments"]] == ["superseded", "asked"]
    async with me.connection() as connection:
        asked = await order_amendments.asked(connection, made["id"])
    assert asked is not None
    assert asked.change == Amendment(
        limit_price=Decimal(95_000), take_profit=Decimal(0), stop_loss=Decimal(80_000)
    )


async def test_what_does_not_fit_changes_nothing(me: Trader) -> None:
    made, exits, market = await me.order(LIMIT), await me.order(EXIT), await me.order()
    for order, terms, issue in (
        (made, {}, ("body", "NOTHING_CHANGES")),
        (made, {"limit_price": "0"}, ("body.limit_price", "BAD_AMOUNT")),
        (made, {"limit_price": "-1"}, ("body.limit_price", "BAD_AMOUNT")),
        (made, {"limit_price": "1e3"}, ("body.limit_price", "BAD_AMOUNT")),
        (made, {"limit_price": 96_000}, ("body.limit_price", "WRONG_TYPE")),
        (made, {"take_profit": None}, ("body.take_profit", "WRONG_TYPE")),
        (made, {"side": "SELL"}, ("body.side", "UNKNOWN_FIELD")),
        (made, {"trigger_price": "5"}, ("body", "NOT_AMENDABLE")),
        (exits, {"stop_loss": "5"}, ("body", "NOT_AMENDABLE")),
        (market, {"limit_price": "5"}, ("body", "NOT_AMENDABLE")),
    ):
        answer = await amend(me, order, **terms)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert issue in issue_codes(answer), (terms, answer.text)
    for order in (made, exits, market):
        assert await me.read(order["id"]) == order
        assert await me.count("outbox", order["id"]) == 1


async def test_only_what_lives_and_is_ones_own_is_changed(
    me: Trader, rig: Rig, database_url: str
) -> None:
    made, exits, ended = await me.order(LIMIT), await me.order(EXIT), await me.order(LIMIT)
    other = await trader(rig, database_url)
    check_problem(await amend(other, made, limit_price="1"), 404, "NOT_FOUND")
    async with me.connection() as connection:
        await record(connection, ended["id"], [Step("withdrawn")], instant(wall_us()))
    check_problem(await amend(me, ended, limit_price="1"), 409, "ORDER_TERMINAL")
    await me.ask("POST", f"{PATH}/pause", {})
    check_problem(await amend(me, made, limit_price="1"), 409, "OPENINGS_PAUSED")
    await changed(me, exits, limit_price="98000")
    await me.ask("POST", f"{PATH}/pause", {"paused": False})
    await me.ask("DELETE", f"{PATH}/{made['id']}")
    check_problem(await amend(me, made, limit_price="1"), 409, "CANCEL_REQUESTED")
    assert await me.count("order_amendments", made["id"]) == 0


async def test_what_operators_bound_is_bound_by_a_change_too(me: Trader) -> None:
    made, exits = await me.order(LIMIT), await me.order(EXIT)
    said = Said("ann", "a drill", instant(wall_us()))
    async with me.connection() as connection:
        await trading_limits.bound(connection, "gmx", Decimal(1_500), said)
        check_problem(await amend(me, made, size_base="0.02"), 409, "MAX_NOTIONAL")
        await changed(me, made, size_base="0.015")
        await trading_limits.bound(connection, "gmx", None, said)
        await trading_limits.stop(connection, "gmx", said)
        check_problem(await amend(me, made, limit_price="96000"), 409, "VENUE_STOPPED")
        await changed(me, exits, limit_price="98000")
        await trading_limits.resume(connection, "gmx", said)
    assert await me.count("order_amendments", made["id"]) == 1


async def test_a_pause_holds_back_what_changes_an_opening_too(me: Trader) -> None:
    made = await me.order(LIMIT)
    payload = TX | {"from": me.wallet.key.address}
    later = instant(wall_us()) + 60 * SECOND
    steps = [NewStep(name, "ready", later, payload) for name in ("update", "cancel")]
    await prepare(me, made["id"], *steps)
    await me.ask("POST", f"{PATH}/pause", {})
    refused = await submit(me, made["id"], sign(me), step_id="update")
    check_problem(refused, 409, "OPENINGS_PAUSED")
    taken = await submit(me, made["id"], sign(me), step_id="cancel")
    assert taken.status_code == 202, taken.text


async def test_what_was_signed_for_the_terms_before_a_change_is_not_taken(me: Trader) -> None:
    """Between the request and the executor's next step for it there is only the old one."""
    made = await me.order(LIMIT)
    await prepare(me, made["id"])
    await changed(me, made, limit_price="96000")
    for given in ({"raw": sign(me)}, {"raw": None, "tx_hash": "0x" + "c" * 64}):
        check_problem(await submit(me, made["id"], **given), 409, "STEP_SUPERSEDED")
    assert await me.count("tx_attempts", made["id"]) == 0
    # What was signed before goes out as it is, and so does what speeds it up.
    sent = await me.order(LIMIT)
    await prepare(me, sent["id"])
    assert (await submit(me, sent["id"], sign(me))).status_code == 202
    async with me.connection() as connection:
        await order_steps.submitted(connection, sent["id"], "order", 1)
    await changed(me, sent, limit_price="96000")
    assert (await submit(me, sent["id"], sign(me, maxFeePerGas=3_000))).status_code == 202
