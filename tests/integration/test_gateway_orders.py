"""Orders through the gateway, over real Redis and Postgres."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from api.limits import RATES
from db import guarded_quotes, order_steps, tx_attempts
from db.guarded_quotes import GuardedQuote, QuotedLeg
from db.instants import instant
from db.order_steps import NewStep
from domain.orders import OrderIntent, OrderLeg
from execution.lifecycle import Seen, Step
from execution.store import record
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from runtime.clock import wall_us
from runtime.sealing import Seal
from tests.integration.auth_kit import Wallet, issue_codes, running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import INTENT, LEG, executed, mined, schema
from tests.integration.test_gateway_rest import check_problem
from tests.servers import open_folder, prepared, started

PATH = "/v1/orders"
SEAL = Seal(b"\x05" * 32)
CLOSE = replace(INTENT, intent="close", side="SELL", notional_usd=None, leverage=None)
DYDX = replace(LEG, venue="dydx", chain_id="dydx-mainnet-1")
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def url(embedded_postgres_dsn: str) -> Iterator[str]:
    with asyncio.Runner() as runner:
        context = schema(embedded_postgres_dsn)
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@dataclass
class Trader:
    """Signed in, with a quote of its own whenever one is wanted."""

    http: httpx.AsyncClient
    database_url: str
    wallet: Wallet
    account_id: str
    headers: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        found = await asyncpg.connect(self.database_url)
        try:
            yield found
        finally:
            await found.close()

    async def quote(
        self, intent: OrderIntent = INTENT, *legs: OrderLeg, ago: timedelta = 0 * SECOND
    ) -> str:
        now = instant(wall_us()) - ago
        given = tuple(QuotedLeg(leg, {}) for leg in legs or (LEG,))
        quote = GuardedQuote(
            str(uuid.uuid4()), self.account_id, now, now + 10 * SECOND, intent, given, []
        )
        async with self.connection() as connection:
            await guarded_quotes.add(connection, quote, now - timedelta(hours=1))
        return quote.id

    async def ask(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> httpx.Response:
        headers = self.headers | ({} if key is None else {"Idempotency-Key": key})
        return await self.http.request(method, path, json=body, headers=headers)

    async def post(self, quote_id: str, key: str | None = "", **more: Any) -> httpx.Response:
        wanted = str(uuid.uuid4()) if key == "" else key
        return await self.ask("POST", PATH, {"quote_id": quote_id} | more, wanted)

    async def order(self, intent: OrderIntent = INTENT, **more: Any) -> dict[str, Any]:
        answer = await self.post(await self.quote(intent), **more)
        assert answer.status_code == 202, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def read(self, order_id: str, **query: Any) -> dict[str, Any]:
        answer = await self.http.get(f"{PATH}/{order_id}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def count(self, table: str, order_id: str) -> int:
        async with self.connection() as connection:
            sql = f"SELECT count(*) FROM {table} WHERE order_id = $1"
            return int(await connection.fetchval(sql, order_id))


async def trader(rig: Rig, database_url: str) -> Trader:
    wallet = Wallet(rig.http)
    grant = await wallet.grant()
    headers = {"Authorization": f"Bearer {grant['access_token']}"}
    return Trader(rig.http, database_url, wallet, grant["account_id"], headers)


@pytest.fixture
async def rig(embedded_redis_url: str, url: str) -> AsyncIterator[Rig]:
    async with running(embedded_redis_url, url, seal=SEAL) as found:
        yield found


@pytest.fixture
async def me(rig: Rig, url: str) -> Trader:
    return await trader(rig, url)


# Placing ------------------------------------------------------------------------------------------


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
    check_problem(
        await me.ask("POST", f"{PATH}/cancel-all", {}, "k"), 422, "IDEMPOTENCY_MISMATCH"
    )


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


async def test_what_does_not_fit_is_refused_and_not_stored(me: Trader, rig: Rig, url: str) -> None:
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
        ({"owner": {"address": LEG_OWNER}}, "body.owner.address", "NOT_YOURS"),
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
    other = await trader(rig, url)
    check_problem(await other.post(good, "same"), 404, "NOT_FOUND")
    assert (await me.post(good, "same", client_order_id="c")).status_code == 202
    second = await me.post(await me.quote(), client_order_id="c")
    check_problem(second, 409, "CLIENT_ORDER_ID_USED")


LEG_OWNER = "0x52908400098527886E0F7030069857D2E4169EE7"


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
    embedded_redis_url: str, url: str
) -> None:
    slow = replace(RATES.scaled(1e6), orders=replace(RATES.orders, per_s=0.001, burst=2))
    async with running(embedded_redis_url, url, rates=slow) as rig:
        me = await trader(rig, url)
        await me.order()
        await me.order()
        answer = await me.post(await me.quote())
        check_problem(answer, 429, "RATE_LIMITED")
        assert answer.headers["RateLimit"].startswith('"orders";r=0')
        assert (await me.ask("GET", PATH)).status_code == 200
        await (await trader(rig, url)).order()


# Reading ------------------------------------------------------------------------------------------


async def test_orders_are_of_their_owner(me: Trader, rig: Rig, url: str) -> None:
    mine, other = await me.order(client_order_id="mine"), await trader(rig, url)
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
    for cursor in ("00", "2020", "39" * 30, "312078"):
        answer = await me.ask("GET", f"{PATH}?cursor={cursor}")
        assert answer.status_code == (200 if cursor == "312078" else 422), answer.text


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


async def test_fills_and_what_the_venue_said_are_shown(me: Trader, rig: Rig, url: str) -> None:
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
    assert (await me.ask("GET", "/v1/fills?market=ETH-USD")).json()["data"] == []
    other = await trader(rig, url)
    assert (await other.ask("GET", "/v1/fills")).json()["data"] == []
    check_problem(await me.ask("DELETE", f"{PATH}/{made['id']}"), 409, "ORDER_TERMINAL")


# Ending -------------------------------------------------------------------------------------------


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


async def test_all_live_orders_go_at_once(me: Trader, rig: Rig, url: str) -> None:
    other = await trader(rig, url)
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


# Signing ------------------------------------------------------------------------------------------

TX = {
    "chain_id": "42161", "to": "0x7C68C7866A64FA2160F78EEaE12217FFbf871fa8", "value": "5",
    "data": "0x" + "ab" * 40, "nonce": "7", "gas": "300000", "type": "0x2",
    "max_fee_per_gas": "1000", "max_priority_fee_per_gas": "10",
}  # fmt: skip


async def prepare(me: Trader, order_id: str, *steps: NewStep) -> None:
    """As the executor does."""
    now = instant(wall_us())
    payload = TX | {"from": me.wallet.key.address}
    given = steps or (NewStep("order", "ready", now + 60 * SECOND, payload),)
    async with me.connection() as connection, connection.transaction():
        await order_steps.replace(connection, order_id, given)
        await record(connection, order_id, [Step("prepared")], now)


def sign(me: Trader, **other: Any) -> str:
    fields = {
        "chainId": 42161, "to": TX["to"], "value": 5, "data": TX["data"], "nonce": 7,
        "gas": 310_000, "type": 2, "maxFeePerGas": 2_000, "maxPriorityFeePerGas": 10,
    } | other  # fmt: skip
    return "0x" + bytes(me.wallet.key.sign_transaction(fields).raw_transaction).hex()


async def submit(me: Trader, order_id: str, raw: str | None, **more: Any) -> httpx.Response:
    body: dict[str, Any] = {"step_id": "order", "step_version": 1} | more
    if raw is not None:
        body["raw_transaction"] = raw
    return await me.ask("POST", f"{PATH}/{order_id}/submission", body)


async def test_what_was_signed_is_sealed_and_told_once(me: Trader) -> None:
    made = await me.order()
    await prepare(me, made["id"])
    [step] = (await me.read(made["id"]))["steps"]
    assert (step["id"], step["status"], step["tx"]["nonce"]) == ("order", "ready", "7")
    raw = sign(me)
    answer = await submit(me, made["id"], raw)
    assert answer.status_code == 202, answer.text
    [attempt] = answer.json()["data"]["attempts"]
    assert (attempt["status"], attempt["nonce"]) == ("stored", "7")
    assert await me.count("outbox", made["id"]) == 2
    again = await submit(me, made["id"], raw)
    assert (again.status_code, again.json()) == (202, answer.json())
    assert await me.count("outbox", made["id"]) == 2
    async with me.connection() as connection:
        kept = await tx_attempts.read(connection, 42161, attempt["tx_hash"])
    assert kept is not None and kept.raw is not None
    assert bytes.fromhex(raw[2:]) not in kept.raw
    assert SEAL.open(kept.raw, attempt["tx_hash"].encode()).hex() == raw[2:]
    assert (kept.max_fee_wei, kept.tip_wei, kept.sender) == (2_000, 10, me.wallet.key.address)


async def test_what_differs_is_named_and_nothing_is_kept(me: Trader) -> None:
    made = await me.order()
    await prepare(me, made["id"])
    for other, name in (
        ({"chainId": 1}, "chain_id"),
        ({"nonce": 8}, "nonce"),
        ({"to": LEG_OWNER}, "to"),
        ({"to": None}, "to"),
        ({"value": 6}, "value"),
        ({"data": "0x" + "ab" * 39 + "ac"}, "data"),
        ({"gas": 600_001}, "gas"),
        ({"maxFeePerGas": 10**11}, "max_fee_per_gas"),
        ({"accessList": [{"address": TX["to"], "storageKeys": []}]}, "access_list"),
    ):
        fields = {key: value for key, value in other.items() if value is not None}
        raw = sign(me, **fields) if fields == other else unaddressed(me)
        answer = await submit(me, made["id"], raw)
        check_problem(answer, 422, "TRANSACTION_MISMATCH")
        assert (f"body.raw_transaction.{name}", "MISMATCH") in issue_codes(answer)
    legacy = me.wallet.key.sign_transaction(
        {"chainId": 42161, "to": TX["to"], "value": 5, "data": TX["data"], "nonce": 7,
         "gas": 300_000, "gasPrice": 1_000}
    )  # fmt: skip
    answer = await submit(me, made["id"], "0x" + bytes(legacy.raw_transaction).hex())
    assert issue_codes(answer) == [("body.raw_transaction.type", "MISMATCH")]
    stranger = replace(me, wallet=Wallet(me.http))
    answer = await submit(me, made["id"], sign(stranger))
    check_problem(answer, 422, "SIGNATURE_INVALID")
    for bad in ("0x", "0x0", "0x02", "0x02c0", "0x05ff", "AAAA", "0x02" + "c1" * 9_000):
        answer = await submit(me, made["id"], bad)
        check_problem(answer, 422, "INVALID_REQUEST")
    for more in ({}, {"raw_transaction": sign(me), "tx_hash": "0x" + "1" * 64}):
        check_problem(await submit(me, made["id"], None, **more), 422, "INVALID_REQUEST")
    assert await me.count("tx_attempts", made["id"]) == 0
    assert await me.count("outbox", made["id"]) == 1


def unaddressed(me: Trader) -> str:
    """The creation of a contract."""
    fields = {
        "chainId": 42161, "value": 5, "data": TX["data"], "nonce": 7, "gas": 310_000, "type": 2,
        "maxFeePerGas": 2_000, "maxPriorityFeePerGas": 10, "to": "",
    }  # fmt: skip
    return "0x" + bytes(me.wallet.key.sign_transaction(fields).raw_transaction).hex()


async def test_a_hash_is_kept_for_the_executor_to_prove(me: Trader, rig: Rig, url: str) -> None:
    made, tx_hash = await me.order(), "0x" + uuid.uuid4().hex.upper() * 2
    await prepare(me, made["id"])
    answer = await submit(me, made["id"], None, tx_hash=tx_hash)
    assert answer.status_code == 202, answer.text
    [attempt] = answer.json()["data"]["attempts"]
    assert attempt["tx_hash"] == tx_hash.lower()
    again = await submit(me, made["id"], None, tx_hash=tx_hash.lower())
    assert again.json() == answer.json()
    other = await trader(rig, url)
    theirs = await other.order()
    await prepare(other, theirs["id"])
    refused = await submit(other, theirs["id"], None, tx_hash=tx_hash)
    check_problem(refused, 409, "TRANSACTION_KNOWN")
    for bad in ("0x12", "1" * 66, 5):
        check_problem(await submit(me, made["id"], None, tx_hash=bad), 422, "INVALID_REQUEST")
    for _ in range(15):
        digits = uuid.uuid4().hex + uuid.uuid4().hex
        assert (await submit(me, made["id"], None, tx_hash=f"0x{digits}")).status_code == 202
    more = await submit(me, made["id"], None, tx_hash="0x" + "e" * 64)
    check_problem(more, 409, "TOO_MANY_ATTEMPTS")


async def test_only_the_step_of_now_is_taken(me: Trader) -> None:
    made = await me.order()
    raw = sign(me)
    answer = await submit(me, made["id"], raw)
    assert issue_codes(answer) == [("body.step_id", "UNKNOWN_STEP")]
    payload = TX | {"from": me.wallet.key.address}
    later = instant(wall_us()) + 60 * SECOND
    await prepare(me, made["id"])
    answer = await submit(me, made["id"], raw, step_version=2)
    assert issue_codes(answer) == [("body.step_version", "UNKNOWN_STEP")]
    blocked = NewStep("order", "blocked", later, payload, None, "approve")
    await prepare(me, made["id"], blocked)
    check_problem(await submit(me, made["id"], raw), 409, "STEP_SUPERSEDED")
    check_problem(await submit(me, made["id"], raw, step_version=2), 409, "STEP_BLOCKED")
    late = NewStep("order", "ready", later - 61 * SECOND, payload)
    await prepare(me, made["id"], late)
    check_problem(await submit(me, made["id"], raw, step_version=3), 410, "SIGN_BY_PASSED")
    await prepare(me, made["id"], late._replace(sign_by=later))
    async with me.connection() as connection:
        await order_steps.mark(connection, made["id"], "order", 4, "failed")
    check_problem(await submit(me, made["id"], raw, step_version=4), 409, "STEP_SUPERSEDED")
    await prepare(me, made["id"], late._replace(sign_by=later, kind="cosmos_direct"))
    check_problem(await submit(me, made["id"], raw, step_version=5), 422, "NOT_SUPPORTED")
    async with me.connection() as connection:
        await record(connection, made["id"], [Step("rejected")], instant(wall_us()))
    check_problem(await submit(me, made["id"], raw, step_version=5), 409, "ORDER_TERMINAL")


async def test_without_a_key_to_seal_with_hashes_alone_are_taken(
    embedded_redis_url: str, url: str
) -> None:
    async with running(embedded_redis_url, url) as rig:
        me = await trader(rig, url)
        made = await me.order()
        await prepare(me, made["id"])
        check_problem(await submit(me, made["id"], sign(me)), 503, "SEALING_OFF")


# What is away -------------------------------------------------------------------------------------


async def test_without_redis_a_guarded_quote_is_enough(url: str) -> None:
    with open_folder() as folder:
        server = prepared(EmbeddedRedis, folder)
        with started(server, folder) as process:
            async with running(server.url, url, seal=SEAL) as rig:
                me = await trader(rig, url)
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


async def test_without_postgres_nothing_is_accepted(embedded_redis_url: str) -> None:
    with open_folder() as folder:
        server = prepared(EmbeddedPostgres, folder)
        with started(server, folder) as process:
            async with schema(server.url) as url, running(embedded_redis_url, url) as rig:
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
