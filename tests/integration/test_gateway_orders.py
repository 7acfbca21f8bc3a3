"""Orders through the gateway, over real Redis and Postgres."""

import asyncio
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from api.limits import RATES
from db.instants import instant
from db.migrate import migrate
from execution.lifecycle import Seen, Step
from execution.store import record
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from runtime.clock import wall_us
from tests.integration.auth_kit import issue_codes, running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import ADDRESS, INTENT, LEG, executed, mined
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import (
    CLOSE,
    DYDX,
    PATH,
    SECOND,
    Trader,
    prepare,
    sign,
    submit,
    trader,
)
from tests.servers import open_folder, prepared, started

# Placing -----------------------------------------------------------------------------------------


async def test_an_order_is_accepted_shown_and_told_to_the_executor(me: Trader) -> None:
    quote_id = await me.quote()
    answer = await me.post(quote_id, client_order_id="mine", approval="unlimited")
    assert answer.status_code == 202, answer.text
    data = answer.json()["data"]
    assert answer.headers["Location"] == f"{PATH}/{data['id']}"
    assert (data["state"], data["version"], data["terminal"]) == ("accepted", 1, False)
    assert (data["venue"], data["chain_id"], data["intent"]) == ("gmx", 42161, "open")
    assert (data["owner"], data["group_id"]) == (me.wallet.key.address, quote_id)
    assert [(item["seq"], item["type"]) for item in data["events"]] == [(1, "accepted")]
    assert await me.read(data["id"]) == data
    assert await me.count("outbox", data["id"]) == 1


async def test_the_stored_answer_is_given_again_also_after_the_quote(me: Trader) -> None:
    quote_id = await me.quote()
    first = await me.post(quote_id, "k")
    async with me.connection() as connection:
        await connection.execute("DELETE FROM guarded_quotes WHERE id = $1", quote_id)
    again = await me.post(quote_id, "k")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    check_problem(await me.post(quote_id, "k", leg=1), 422, "IDEMPOTENCY_MISMATCH")
    check_problem(await me.ask("POST", f"{PATH}/cancel-all", {}, "k"), 422, "IDEMPOTENCY_MISMATCH")


async def test_a_hundred_requests_with_one_key_are_one_order(me: Trader) -> None:
    quote_id = await me.quote()
    answers = await asyncio.gather(*(me.post(quote_id, "hundred") for _ in range(100)))
    bodies = {answer.content for answer in answers if answer.status_code == 202}
    assert len(bodies) == 1
    refused = {answer.json()["code"] for answer in answers if answer.status_code != 202}
    assert refused <= {"IDEMPOTENCY_IN_PROGRESS"}
    async with me.connection() as connection:
        sql = "SELECT count(*) FROM orders WHERE account_id = $1"
        assert await connection.fetchval(sql, me.account_id) == 1


async def test_what_does_not_fit_is_refused_and_not_stored(
    me: Trader, rig: Rig, database_url: str
) -> None:
    good = await me.quote()
    for more, path, code in (
        ({"leg": 1}, "body.leg", "OUT_OF_RANGE"),
        ({"leg": True}, "body.leg", "WRONG_TYPE"),
        ({"leg": "0"}, "body.leg", "WRONG_TYPE"),
        ({"x": 1}, "body.x", "UNKNOWN_FIELD"),
        ({"allow_reroute": 1}, "body.allow_reroute", "WRONG_TYPE"),
        ({"approval": "all"}, "body.approval", "UNKNOWN_APPROVAL"),
        ({"client_order_id": "a\u0000b"}, "body.client_order_id", "BAD_CLIENT_ORDER_ID"),
        ({"client_order_id": "x" * 65}, "body.client_order_id", "BAD_CLIENT_ORDER_ID"),
        ({"owner": {"address": ADDRESS}}, "body.owner.address", "NOT_YOURS"),
        ({"owner": {"address": me.wallet.key.address, "subaccount_number": 0}},
         "body.owner.subaccount_number", "NOT_USED"),
        ({"deadline": "9999-01-01T00:00:00Z"}, "body.deadline", "BAD_TIME"),
        ({"deadline": "2999-01-01T00:00:00Z"}, "body.deadline", "OUT_OF_RANGE"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "body.deadline", "OUT_OF_RANGE"),
    ):  # fmt: skip
        answer = await me.post(good, "same", **more)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert (path, code) in issue_codes(answer), (more, answer.text)
    check_problem(await me.post(good, "same", signing="delegated"), 422, "NOT_SUPPORTED")
    dydx = await me.quote(INTENT, DYDX)
    check_problem(await me.post(dydx, "same"), 422, "NOT_SUPPORTED")
    check_problem(await me.post(str(uuid.uuid4()), "same"), 404, "NOT_FOUND")
    check_problem(await me.post(await me.quote(ago=11 * SECOND), "same"), 410, "QUOTE_EXPIRED")
    other = await trader(rig, database_url)
    check_problem(await other.post(good, "same"), 404, "NOT_FOUND")
    assert (await me.post(good, "same", client_order_id="c")).status_code == 202
    second = await me.post(await me.quote(), client_order_id="c")
    check_problem(second, 409, "CLIENT_ORDER_ID_USED")


async def test_keys_and_bodies_are_read_one_way(me: Trader) -> None:
    good = await me.quote()
    for key in (None, "k" * 256):
        answer = await me.post(good, key)
        check_problem(answer, 422, "INVALID_REQUEST")
        assert answer.json()["issues"][0]["path"] == "header.Idempotency-Key"
    for body in (
        f'{{"quote_id":"{good}","quote_id":"{good}"}}',
        f'{{"quote_id":"{good}","leg":0.0}}',
        f'{{"quote_id":"{good}","leg":1e999}}',
        f'{{"quote_id":"{good}","leg":NaN}}',
        "[]",
        '{"a":' * 2000 + "1" + "}" * 2000,
    ):
        answer = await me.http.post(
            PATH,
            content=body,
            headers=me.headers | {"Content-Type": "application/json", "Idempotency-Key": "b"},
        )
        check_problem(answer, 422, "INVALID_REQUEST")
    big = await me.ask("POST", PATH, {"quote_id": "x" * 70_000}, "b")
    check_problem(big, 413, "BODY_TOO_LARGE")
    assert (await me.post(good, "b" * 255)).status_code == 202


async def test_who_is_not_signed_in_or_may_only_read_places_nothing(me: Trader) -> None:
    check_problem(await me.http.post(PATH, json={}), 401, "TOKEN_MISSING")
    made = await me.ask("POST", "/v1/api-keys", {"name": "r", "scopes": ["read"]})
    reader = {"Authorization": f"Bearer {made.json()['data']['key']}", "Idempotency-Key": "k"}
    body = {"quote_id": await me.quote()}
    refused = await me.http.post(PATH, json=body, headers=reader)
    check_problem(refused, 403, "SCOPE_MISSING")
    made = await me.ask("POST", "/v1/api-keys", {"name": "t", "scopes": ["read", "trade"]})
    reader["Authorization"] = f"Bearer {made.json()['data']['key']}"
    assert (await me.http.post(PATH, json=body, headers=reader)).status_code == 202


async def test_orders_of_an_account_have_a_limit_of_their_own(
    embedded_redis_url: str, database_url: str
) -> None:
    slow = replace(RATES.scaled(1e6), orders=replace(RATES.orders, per_s=0.001, burst=2))
    async with running(embedded_redis_url, database_url, rates=slow) as rig:
        me = await trader(rig, database_url)
        await me.order()
        await me.order()
        answer = await me.post(await me.quote())
        check_problem(answer, 429, "RATE_LIMITED")
        assert answer.headers["RateLimit"].startswith('"orders";r=0')
        assert (await me.ask("GET", PATH)).status_code == 200
        await (await trader(rig, database_url)).order()


# Reading -----------------------------------------------------------------------------------------


async def test_orders_are_of_their_owner(me: Trader, rig: Rig, database_url: str) -> None:
    mine, other = await me.order(client_order_id="mine"), await trader(rig, database_url)
    path = f"{PATH}/{mine['id']}"
    body = {"step_id": "order", "step_version": 1, "tx_hash": "0x" + "1" * 64}
    for method, where, sent in (
        ("GET", path, None), ("DELETE", path, None), ("POST", f"{path}/submission", body),
        ("GET", f"{PATH}/{uuid.uuid4()}", None), ("GET", f"{PATH}/x", None),
    ):  # fmt: skip
        check_problem(await other.ask(method, where, sent), 404, "NOT_FOUND")
    assert (await other.ask("GET", f"{PATH}?client_order_id=mine")).json()["data"] == []
    assert (await me.read(mine["id"]))["cancel_requested"] is False


async def test_lists_come_in_pages_the_newest_first(me: Trader) -> None:
    made = [await me.order(client_order_id=f"c{number}") for number in range(3)]
    first = (await me.ask("GET", f"{PATH}?limit=2")).json()
    rest = (await me.ask("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}")).json()
    assert first["data"] + rest["data"] == made[::-1]
    assert rest["next_cursor"] is None
    found = (await me.ask("GET", f"{PATH}?client_order_id=c1")).json()["data"]
    assert found == [made[1]]
    await me.ask("DELETE", f"{PATH}/{made[0]['id']}")
    async with me.connection() as connection:
        await record(connection, made[0]["id"], [Step("withdrawn")], instant(wall_us()))
    for wanted, expected in (
        ("market=BTC-USD", (2, 1, 0)), ("market=ETH-USD", ()), ("venue=gmx", (2, 1, 0)),
        ("venue=gains", ()), ("terminal=true", (0,)), ("terminal=false&limit=1", (2,)),
        ("state=cancelled", (0,)), ("state=accepted&client_order_id=c1", (1,)),
    ):  # fmt: skip
        rows = (await me.ask("GET", f"{PATH}?{wanted}")).json()["data"]
        assert [row["id"] for row in rows] == [made[number]["id"] for number in expected], wanted
    for bad in ("venue=x", "state=open", "terminal=1", "terminal=True", "market=a%00"):
        check_problem(await me.ask("GET", f"{PATH}?{bad}"), 422, "INVALID_REQUEST")
    for cursor in ("00", "2020", "39" * 30, "312078"):
        answer = await me.ask("GET", f"{PATH}?cursor={cursor}")
        check_problem(answer, 422, "INVALID_REQUEST")
    answer = await me.ask("GET", f"/v1/fills?cursor={b'9 x'.hex()}")
    assert answer.json()["data"] == []


async def test_a_reader_waits_for_the_next_version(me: Trader) -> None:
    made = await me.order()
    assert (await me.read(made["id"], wait_version=1))["version"] == 1
    waiting = asyncio.create_task(me.read(made["id"], wait_version=2))
    answer = await me.ask("DELETE", f"{PATH}/{made['id']}")
    assert answer.status_code == 202
    shown = await waiting
    assert (shown["version"], shown["cancel_requested"]) == (2, True)
    assert shown == answer.json()["data"]
    for bad in ("-1", "x", "99999999"):
        refused = await me.ask("GET", f"{PATH}/{made['id']}?wait_version={bad}")
        check_problem(refused, 422, "INVALID_REQUEST")


async def test_for_a_version_that_never_comes_nobody_waits(
    me: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await me.order()

    async def wait(*asked: object) -> None:
        raise AssertionError(asked)

    monkeypatch.setattr("api.orders.waiting.Versions.wait", wait)
    async with me.connection() as connection:
        ends = [Step("withdrawn"), Step("finalised")]
        await record(connection, made["id"], ends, instant(wall_us()))
    shown = await me.read(made["id"], wait_version=9)
    assert (shown["version"], shown["final"]) == (3, True)


async def test_fills_and_what_the_venue_said_are_shown(
    me: Trader, rig: Rig, database_url: str
) -> None:
    made = await me.order()
    fill = executed()
    async with me.connection() as connection:
        now = instant(wall_us())
        events = [Step("prepared"), Step("submitted"), Seen(mined()), Seen(fill)]
        await record(connection, made["id"], events, now)
    shown = await me.read(made["id"])
    assert (shown["state"], shown["venue_state"], shown["terminal"]) == ("filled", "executed", True)
    assert (shown["filled_base"], shown["average_price"]) == ("0.0103", "97001.25")
    [row] = shown["fills"]
    assert row["id"] == f"42161:{fill.place.tx_hash}:{fill.place.log_index}"
    assert (row["price"], row["size_base"], row["fee_usd"]) == ("97001.25", "0.0103", None)
    [listed] = (await me.ask("GET", "/v1/fills")).json()["data"]
    assert row.items() <= listed.items()
    assert listed["order_id"] == made["id"]
    for query, found in (
        ("market=ETH-USD", []), ("venue=gains", []), ("venue=gmx", [listed]),
        (f"order_id={made['id']}", [listed]), (f"order_id={uuid.uuid4()}", []),
    ):  # fmt: skip
        assert (await me.ask("GET", f"/v1/fills?{query}")).json()["data"] == found, query
    check_problem(await me.ask("GET", "/v1/fills?order_id=x"), 422, "INVALID_REQUEST")
    other = await trader(rig, database_url)
    assert (await other.ask("GET", "/v1/fills")).json()["data"] == []
    check_problem(await me.ask("DELETE", f"{PATH}/{made['id']}"), 409, "ORDER_TERMINAL")


# Ending ------------------------------------------------------------------------------------------


async def test_a_cancel_is_asked_for_once(me: Trader) -> None:
    made = await me.order()
    path = f"{PATH}/{made['id']}"
    first = await me.ask("DELETE", path)
    assert first.status_code == 202
    data = first.json()["data"]
    assert (data["state"], data["version"]) == ("accepted", 2)
    assert data["events"][-1]["type"] == "cancel_requested"
    assert (await me.ask("DELETE", path)).json()["data"] == data
    assert await me.count("outbox", made["id"]) == 2


async def test_all_live_orders_go_at_once(me: Trader, rig: Rig, database_url: str) -> None:
    other = await trader(rig, database_url)
    theirs = await other.order()
    made = [await me.order() for _ in range(3)]
    none = await me.ask("POST", f"{PATH}/cancel-all", {"market": "ETH-USD"})
    assert none.json()["data"]["order_ids"] == []
    answer = await me.ask("POST", f"{PATH}/cancel-all", {"venue": "gmx"}, "all")
    assert answer.status_code == 202
    assert set(answer.json()["data"]["order_ids"]) == {item["id"] for item in made}
    for item in made:
        shown = await me.read(item["id"])
        assert (shown["cancel_requested"], shown["version"]) == (True, 2)
    assert (await other.read(theirs["id"]))["cancel_requested"] is False
    again = await me.ask("POST", f"{PATH}/cancel-all", {"venue": "gmx"}, "all")
    assert again.content == answer.content


async def test_a_pause_stops_openings_and_never_exits(me: Trader) -> None:
    opening = await me.order()
    await prepare(me, opening["id"])
    paused = await me.ask("POST", f"{PATH}/pause", {})
    assert paused.json()["data"]["paused"] is True
    assert (await me.ask("POST", f"{PATH}/pause", {})).content == paused.content
    check_problem(await me.post(await me.quote()), 409, "OPENINGS_PAUSED")
    check_problem(await submit(me, opening["id"], sign(me)), 409, "OPENINGS_PAUSED")
    await me.order(CLOSE)
    again = await me.ask("POST", f"{PATH}/pause", {"paused": False})
    assert again.json()["data"] == {"paused": False, "since": None}
    await me.order()


# What is away ------------------------------------------------------------------------------------


Away = tuple[str, "subprocess.Popen[bytes]"]


@pytest.fixture
def mortal_redis() -> Iterator[Away]:
    with open_folder() as folder:
        server = prepared(EmbeddedRedis, folder)
        with started(server, folder) as process:
            yield server.url, process


@pytest.fixture
def mortal_postgres() -> Iterator[Away]:
    with open_folder() as folder:
        server = prepared(EmbeddedPostgres, folder)
        with started(server, folder) as process:
            yield server.url, process


async def test_without_redis_a_guarded_quote_is_enough(
    database_url: str, mortal_redis: Away
) -> None:
    redis_url, process = mortal_redis
    async with running(redis_url, database_url) as rig:
        me = await trader(rig, database_url)
        opening, old = await me.quote(), await me.quote(ago=11 * SECOND)
        exit_id = await me.quote(CLOSE, ago=11 * SECOND)
        check_problem(await me.post(exit_id), 410, "QUOTE_EXPIRED")
        process.kill()
        process.wait()
        assert (await me.post(opening)).status_code == 202
        check_problem(await me.post(old), 410, "QUOTE_EXPIRED")
        answer = await me.post(exit_id)
        assert answer.status_code == 202, answer.text
        assert Decimal(answer.json()["data"]["guard_price"]) == LEG.guard_price


async def test_without_postgres_nothing_is_accepted(
    embedded_redis_url: str, mortal_postgres: Away
) -> None:
    dsn, process = mortal_postgres
    name = "orders"
    server = await asyncpg.connect(dsn)
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    url = f"{dsn.rpartition('/')[0]}/{name}"
    connection = await asyncpg.connect(url)
    await migrate(connection)
    await connection.close()
    async with running(embedded_redis_url, url) as rig:
        me = await trader(rig, url)
        made, quote_id = await me.order(), await me.quote()
        process.kill()
        process.wait()
        for answer in (
            await me.post(quote_id),
            await me.ask("DELETE", f"{PATH}/{made['id']}"),
            await me.ask("GET", f"{PATH}/{made['id']}"),
        ):
            check_problem(answer, 503, "DATABASE_UNAVAILABLE")
            assert answer.headers["Retry-After"]
