"""``Idempotency-Key`` of everything that changes orders, over real Redis and Postgres."""

import uuid
from datetime import timedelta
from typing import Any

import asyncpg

from api.table import ENDPOINTS
from db import idempotency
from db.instants import instant
from db.orders import Answer, Request
from execution.lifecycle import Step
from execution.store import record
from runtime.clock import wall_us
from tests.integration.auth_kit import issue_codes
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import POOL_CLAIM
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import PATH, Trader, prepare, sign, trader


async def requests(me: Trader, order_id: str) -> list[tuple[str, str, Any]]:
    """One of each kind: method, path, body."""
    bodies: dict[str, Any] = {
        "POST /v1/orders": {"quote_id": await me.quote()},
        "POST /v1/orders/claim": POOL_CLAIM,
        "PATCH /v1/orders/{id}": {"stop_loss": "90000"},
    }
    return [
        (
            endpoint.method,
            endpoint.path.replace("{id}", order_id),
            bodies.get(f"{endpoint.method} {endpoint.path}", {}),
        )
        for endpoint in ENDPOINTS
        if endpoint.keyed == "must"
    ]


async def test_without_a_key_nothing_is_changed(me: Trader) -> None:
    made = await me.order()
    for method, path, body in await requests(me, made["id"]):
        answer = await me.ask(method, path, body, None)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert ("header.Idempotency-Key", "MISSING") in issue_codes(answer), path
    assert await me.read(made["id"]) == made
    assert len((await me.ask("GET", PATH)).json()["data"]) == 1
    await me.order()


async def test_the_first_answer_is_given_again_whatever_happened_since(me: Trader) -> None:
    made = await me.order()
    path = f"{PATH}/{made['id']}"
    first = await me.ask("DELETE", path, {}, "go")
    async with me.connection() as connection:
        await record(connection, made["id"], [Step("withdrawn")], instant(wall_us()))
    again = await me.ask("DELETE", path, {}, "go")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    check_problem(await me.ask("DELETE", path), 409, "ORDER_TERMINAL")
    paused = await me.ask("POST", f"{PATH}/pause", {}, "stop")
    await me.ask("POST", f"{PATH}/pause", {"paused": False})
    assert (await me.ask("POST", f"{PATH}/pause", {}, "stop")).content == paused.content
    await me.order()


async def test_a_key_is_of_one_request(me: Trader, rig: Rig, database_url: str) -> None:
    made = [await me.order() for _ in range(2)]
    paths = [f"{PATH}/{item['id']}" for item in made]
    assert (await me.ask("DELETE", paths[0], {}, "one")).status_code == 202
    for method, path, body in (
        ("DELETE", paths[1], {}),
        ("POST", f"{PATH}/cancel-all", {}),
        ("POST", f"{PATH}/pause", {"paused": False}),
    ):
        refused = await me.ask(method, path, body, "one")
        check_problem(refused, 422, "IDEMPOTENCY_MISMATCH")
    assert (await me.read(made[1]["id"]))["cancel_requested"] is False
    other = await trader(rig, database_url)
    assert (await other.ask("POST", f"{PATH}/cancel-all", {}, "one")).status_code == 202


async def test_while_the_first_runs_the_second_is_told_so(me: Trader) -> None:
    """As with another gateway, which has the first."""
    made = await me.order()
    key = str(uuid.uuid4())
    async with me.connection() as connection, connection.transaction():
        await idempotency.begin(connection, me.account_id, Request(key, b"\x01" * 32))
        for method, path, body in await requests(me, made["id"]):
            answer = await me.ask(method, path, body, key)
            check_problem(answer, 409, "IDEMPOTENCY_IN_PROGRESS")
            assert answer.headers["Retry-After"] == "1"
    assert await me.read(made["id"]) == made
    answer = await me.ask("DELETE", f"{PATH}/{made['id']}", {}, key)
    assert answer.status_code == 202


async def test_a_refusal_leaves_its_key_free(me: Trader) -> None:
    check_problem(await me.ask("DELETE", f"{PATH}/{uuid.uuid4()}", {}, "free"), 404, "NOT_FOUND")
    made = await me.order()
    await prepare(me, made["id"])
    path = f"{PATH}/{made['id']}/submission"
    body = {"step_id": "order", "step_version": 1, "raw_transaction": sign(me)}
    refused = await me.ask("POST", path, body | {"step_version": 2}, "free")
    check_problem(refused, 422, "INVALID_REQUEST")
    first = await me.ask("POST", path, body, "free")
    assert first.status_code == 202
    assert (await me.ask("POST", path, body, "free")).content == first.content
    other = await me.ask("POST", path, body | {"raw_transaction": sign(me, gas=310_001)}, "free")
    check_problem(other, 422, "IDEMPOTENCY_MISMATCH")
    assert await me.count("tx_attempts", made["id"]) == 1


async def test_answers_are_kept_for_a_week(me: Trader) -> None:
    now = instant(wall_us())
    answer = Answer(202, b"{}", None)

    async def keep(connection: asyncpg.Connection, key: str, ago: timedelta) -> None:
        request = Request(key, b"\x01" * 32)
        await idempotency.keep(connection, me.account_id, request, answer, now - ago)

    async with me.connection() as connection:
        await keep(connection, "old", timedelta(days=7, seconds=1))
        await keep(connection, "young", timedelta(days=6))
        await keep(connection, "new", timedelta())
        rows = await connection.fetch(
            "SELECT key FROM idempotency WHERE account_id = $1", me.account_id
        )
    assert {row["key"] for row in rows} == {"young", "new"}
