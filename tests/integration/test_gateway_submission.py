"""What was signed, given to the gateway over real Redis and Postgres."""

import uuid
from dataclasses import replace

from db import order_steps, tx_attempts
from db.instants import instant
from db.order_steps import NewStep
from execution.lifecycle import Step
from execution.store import record
from runtime.clock import wall_us
from tests.integration.auth_kit import Wallet, issue_codes, running
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import ADDRESS
from tests.integration.test_gateway_rest import check_problem
from tests.integration.trading_kit import (
    SEAL,
    SECOND,
    TX,
    Trader,
    prepare,
    sign,
    submit,
    trader,
)


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
    assert kept is not None
    assert kept.raw is not None
    assert bytes.fromhex(raw[2:]) not in kept.raw
    assert SEAL.open(kept.raw, attempt["tx_hash"].encode()).hex() == raw[2:]
    assert (kept.max_fee_wei, kept.tip_wei, kept.sender) == (2_000, 10, me.wallet.key.address)


async def test_what_differs_is_named_and_nothing_is_kept(me: Trader) -> None:
    made = await me.order()
    await prepare(me, made["id"])
    for other, name in (
        ({"chainId": 1}, "chain_id"),
        ({"nonce": 8}, "nonce"),
        ({"to": ADDRESS}, "to"),
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


async def test_a_hash_is_kept_for_the_executor_to_prove(
    me: Trader, rig: Rig, database_url: str
) -> None:
    made, tx_hash = await me.order(), "0x" + uuid.uuid4().hex.upper() * 2
    await prepare(me, made["id"])
    answer = await submit(me, made["id"], None, tx_hash=tx_hash)
    assert answer.status_code == 202, answer.text
    [attempt] = answer.json()["data"]["attempts"]
    assert attempt["tx_hash"] == tx_hash.lower()
    again = await submit(me, made["id"], None, tx_hash=tx_hash.lower())
    assert again.json() == answer.json()
    other = await trader(rig, database_url)
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
    embedded_redis_url: str, database_url: str
) -> None:
    async with running(embedded_redis_url, database_url) as rig:
        me = await trader(rig, database_url)
        made = await me.order()
        await prepare(me, made["id"])
        check_problem(await submit(me, made["id"], sign(me)), 503, "SEALING_OFF")
