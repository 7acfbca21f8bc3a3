"""The room ``account``: who may enter it, and that nothing in it is lost or told twice."""

import asyncio
import contextlib
import random
import subprocess
import uuid
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from api.auth.sessions import LiveSessions
from api.auth.tokens import LEEWAY_S
from api.realtime.siblings import Siblings
from db.pool import Database
from perptape.embedded_redis import EmbeddedRedis
from runtime import events
from runtime.channels import EVENTS_KEPT, events_key
from tests.integration.account_kit import (
    ACCOUNT,
    ALICE,
    BOB,
    append,
    numbers_of,
    opened,
    resume,
    signed_in,
    wire,
)
from tests.integration.auth_kit import config
from tests.integration.gateway_kit import NO_DATABASE, Client, Rig, running_gateway
from tests.integration.gateway_sockets import StallingSocket, events_of
from tests.integration.siblings_kit import beating_feed, gateway_here
from tests.servers import open_folder, prepared, started


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url, auth=config()) as running:
        yield running


@pytest.fixture
async def rigs(embedded_redis_url: str) -> AsyncIterator[list[Rig]]:
    """Two gateways over one Redis."""
    async with (
        beating_feed(embedded_redis_url) as feed,
        gateway_here(embedded_redis_url, feed, Siblings(), auth=config()) as first,
        gateway_here(embedded_redis_url, feed, Siblings(), auth=config()) as second,
    ):
        yield [first, second]


@pytest.fixture
async def redis(embedded_redis_url: str) -> AsyncIterator[Redis]:
    async with contextlib.aclosing(Redis.from_url(embedded_redis_url)) as client:
        yield client


def codes(answer: dict[str, Any]) -> list[tuple[str | None, str]]:
    assert answer["ok"] is False
    return [(error["room"], error["code"]) for error in answer["errors"]]


# Who may enter


async def bad_token(redis: Redis, kind: str) -> Any:
    session = str(uuid.uuid4())
    if kind == "expired":
        return await signed_in(redis, ALICE, life_s=-LEEWAY_S - 1)
    if kind == "ended":
        token = await signed_in(redis, ALICE, session_id=session)
        await LiveSessions(redis, Database(NO_DATABASE)).end(session)
        return token
    return {"garbage": "a.b.c", "number": 7}[kind]


BAD = [
    ("garbage", "TOKEN_INVALID"),
    ("number", "TOKEN_INVALID"),
    ("expired", "TOKEN_EXPIRED"),
    ("ended", "SESSION_ENDED"),
]


@pytest.mark.parametrize(("kind", "code"), BAD)
async def test_a_bad_token_is_refused(rig: Rig, redis: Redis, kind: str, code: str) -> None:
    token = await bad_token(redis, kind)
    async with opened(rig.url, token) as (_, answer):
        assert answer.startswith("44")
        told = orjson.loads(answer[2:])
        assert set(told) == {"message", "data"}
        assert told["data"] == {"code": code}
    async with wire(rig.url) as client:
        refused = await client.ask("authenticate", {"token": token})
        assert codes(refused) == [(None, code)]
        assert codes(await client.ask("subscribe", ACCOUNT)) == [("account", "UNAUTHENTICATED")]


async def test_without_a_token_there_is_no_account(rig: Rig) -> None:
    async with wire(rig.url) as client:
        answer = await client.ask("subscribe", {"rooms": ["account", "prices"]})
        assert codes(answer) == [("account", "UNAUTHENTICATED")]
        assert set(answer["rooms"]) == {"prices"}
        assert codes(await client.ask("resume", resume(0))) == [("account", "UNAUTHENTICATED")]
        for argument in ({}, {"token": "a", "more": 1}):
            assert codes(await client.ask("authenticate", argument)) == [(None, "BAD_REQUEST")]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_events_reach_their_account_and_nobody_else(
    rig: Rig, redis: Redis, transport: str
) -> None:
    before = (await append(redis, ALICE, 0))[0]
    async with Client(rig.url, [transport]) as alice, Client(rig.url, [transport]) as bob:
        for client, account in ((alice, ALICE), (bob, BOB)):
            token = await signed_in(redis, account)
            assert await client.call("authenticate", {"token": token}) == {"ok": True}
        snapshot = (await alice.subscribe("account"))["account"]
        assert (snapshot["type"], snapshot["room"], snapshot["seq"]) == (
            "snapshot",
            "account",
            before,
        )
        assert snapshot["data"] == {"kind": "snapshot", "account_id": ALICE, "gap": False}
        assert (await bob.subscribe("account"))["account"]["seq"] == 0
        seqs = await append(redis, ALICE, *range(1, 40))
        assert seqs == list(range(before + 1, before + 40))
        await append(redis, BOB, 100)
        await bob.next("account")
        await alice.until("account", lambda item: item["seq"] == seqs[-1])
        assert [item["seq"] for item in alice.history["account"]] == seqs
        first = alice.history["account"][0]
        assert (first["type"], first["room"], first["epoch"]) == (
            "update",
            "account",
            first["seq"] >> 20,
        )
        assert numbers_of(alice.history["account"]) == list(range(1, 40))
        assert numbers_of(bob.history["account"]) == [100]
        # It can be left, and entered again.
        assert await alice.call("unsubscribe", ACCOUNT) == {"ok": True}
        await append(redis, ALICE, 40)
        assert (await alice.subscribe("account"))["account"]["seq"] >= seqs[-1]


async def test_who_asks_for_nothing_gets_a_snapshot_and_then_everything(
    rig: Rig, redis: Redis
) -> None:
    async with wire(rig.url, await signed_in(redis, ALICE)) as client:
        snapshot = await client.next()
        assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 0)
        seqs = await append(redis, ALICE, 1, 2)
        assert [item["seq"] for item in await client.take(2)] == seqs


async def test_another_token(rig: Rig, redis: Redis) -> None:
    """A newer one of the account changes nothing, one of another account all."""
    async with wire(rig.url, await signed_in(redis, ALICE)) as client:
        await client.ask("subscribe", ACCOUNT)
        await append(redis, ALICE, 1)
        assert await client.ask("authenticate", {"token": await signed_in(redis, ALICE)}) == {
            "ok": True
        }
        await append(redis, ALICE, 2)
        assert numbers_of(await client.take(2)) == [1, 2]
        await client.ask("authenticate", {"token": await signed_in(redis, BOB)})
        snapshot = (await client.ask("subscribe", ACCOUNT))["rooms"]["account"]
        assert snapshot["data"]["account_id"] == BOB
        await append(redis, ALICE, 3)
        await append(redis, BOB, 4)
        assert numbers_of([await client.next()]) == [4]


async def test_a_token_expires_and_the_next_one_goes_on(rig: Rig, redis: Redis) -> None:
    async with wire(rig.url, await signed_in(redis, ALICE, life_s=2 - LEEWAY_S)) as client:
        last_seq = (await client.ask("subscribe", ACCOUNT))["rooms"]["account"]["seq"]
        told = await client.next("unauthenticated")
        assert told["code"] == "TOKEN_EXPIRED"
        await append(redis, ALICE, 1)
        assert codes(await client.ask("resume", resume(0))) == [("account", "UNAUTHENTICATED")]
        await client.ask("authenticate", {"token": await signed_in(redis, ALICE)})
        assert await client.ask("resume", resume(last_seq)) == {"ok": True, "rooms": {}}
        await append(redis, ALICE, 2)
        assert numbers_of(await client.take(2)) == [1, 2]


async def test_the_end_of_a_session_closes_its_sockets_everywhere(
    rigs: list[Rig], redis: Redis
) -> None:
    session = str(uuid.uuid4())
    token = await signed_in(redis, ALICE, session_id=session)
    async with (
        wire(rigs[0].url, token) as first,
        wire(rigs[1].url, token) as second,
        wire(rigs[0].url, await signed_in(redis, ALICE)) as other,
    ):
        await other.ask("subscribe", ACCOUNT)
        await LiveSessions(redis, Database(NO_DATABASE)).end(session)
        assert await first.close_code() == 4001
        assert await second.close_code() == 4001
        await append(redis, ALICE, 1)
        assert numbers_of([await other.next()]) == [1]


# What was missed


async def test_ten_thousand_events_over_many_connections(rigs: list[Rig], redis: Redis) -> None:
    count, ahead, chance = 10_000, 400, random.Random(20_260_711)
    token, of_bob = await signed_in(redis, ALICE), await signed_in(redis, BOB)
    seen: list[dict[str, Any]] = []

    async def write() -> None:
        for number in range(count):
            while number - len(seen) > ahead:
                await asyncio.sleep(0.002)
            await append(redis, ALICE, number)
            if number % 1_000 == 0:
                await append(redis, BOB, number)

    async with wire(rigs[0].url, of_bob) as bob, asyncio.TaskGroup() as tasks:
        await bob.ask("subscribe", ACCOUNT)
        tasks.create_task(write())
        bobs = tasks.create_task(bob.take(10))
        while len(seen) < count:
            async with wire(chance.choice(rigs).url, token) as client:
                last_seq = seen[-1]["seq"] if seen else 0
                answer = await client.ask("resume", resume(last_seq))
                assert answer == {"ok": True, "rooms": {}}
                for _ in range(min(chance.randrange(1, 500), count - len(seen))):
                    seen.append(await client.next())
    assert numbers_of(bobs.result()) == list(range(0, count, 1_000))
    assert numbers_of(seen) == list(range(count))
    first = seen[0]["seq"]
    assert [item["seq"] for item in seen] == list(range(first, first + count))


async def test_a_client_finds_what_came_while_its_gateway_was_replaced(
    embedded_redis_url: str, redis: Redis
) -> None:
    async with beating_feed(embedded_redis_url) as feed:
        token = await signed_in(redis, ALICE)
        async with (
            gateway_here(embedded_redis_url, feed, Siblings(), auth=config()) as rig,
            wire(rig.url, token) as client,
        ):
            await client.ask("subscribe", ACCOUNT)
            await append(redis, ALICE, 1)
            last_seq = (await client.next())["seq"]
        await append(redis, ALICE, 2, 3)
        async with (
            gateway_here(embedded_redis_url, feed, Siblings(), auth=config()) as rig,
            wire(rig.url, token) as client,
        ):
            await client.ask("resume", resume(last_seq))
            await append(redis, ALICE, 4)
            assert numbers_of(await client.take(3)) == [2, 3, 4]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_more_is_missed_than_may_be_owed(rig: Rig, redis: Redis, transport: str) -> None:
    last_seq = (await append(redis, ALICE, 0))[0]
    await append(redis, ALICE, *range(1, 900))
    async with Client(rig.url, [transport]) as client:
        await client.call("authenticate", {"token": await signed_in(redis, ALICE)})
        assert (await client.call("resume", resume(last_seq)))["ok"]
        await append(redis, ALICE, 900)
        await client.until("account", lambda item: item["data"]["n"] == 900)
        assert numbers_of(client.history["account"]) == list(range(1, 901))


async def test_who_asks_late_gets_what_came_before_and_nothing_twice(
    rig: Rig, redis: Redis
) -> None:
    seqs = await append(redis, ALICE, 0, 1, 2)
    async with wire(rig.url, await signed_in(redis, ALICE)) as client:
        assert (await client.next())["type"] == "snapshot"
        await append(redis, ALICE, 3)
        assert numbers_of([await client.next()]) == [3]
        assert (await client.ask("resume", resume(seqs[0])))["ok"]
        assert numbers_of(await client.take(2)) == [1, 2]
        assert (await client.ask("resume", resume(seqs[0])))["ok"]
        await append(redis, ALICE, 4)
        assert numbers_of([await client.next()]) == [4]


@pytest.mark.parametrize("known", ["trimmed", "never", "future"])
async def test_what_is_gone_is_a_gap_with_a_snapshot(rig: Rig, redis: Redis, known: str) -> None:
    first = (await append(redis, ALICE, 0))[0]
    newest = (await append(redis, ALICE, *range(1, EVENTS_KEPT + 2)))[-1]
    assert await redis.xlen(events_key(ALICE)) == EVENTS_KEPT
    last_seq = {"trimmed": first, "never": 5, "future": newest + 1}[known]
    async with wire(rig.url, await signed_in(redis, ALICE)) as client:
        answer = await client.ask("resume", resume(last_seq))
        assert codes(answer) == [("account", "GAP")]
        snapshot = answer["rooms"]["account"]
        assert (snapshot["type"], snapshot["seq"]) == ("snapshot", newest)
        assert snapshot["data"]["gap"] is True
        await append(redis, ALICE, -1)
        assert numbers_of([await client.next()]) == [-1]
        # The last that is kept is no gap.
        assert (await client.ask("resume", resume(first + 2)))["ok"]


# Faults


async def test_events_go_on_over_a_restart_of_redis() -> None:
    with open_folder() as folder, contextlib.ExitStack() as servers:
        server = await asyncio.to_thread(prepared, EmbeddedRedis, folder)

        async def start() -> "subprocess.Popen[bytes]":
            return await asyncio.to_thread(servers.enter_context, started(server, folder))

        process = await start()
        async with (
            running_gateway(server.url, auth=config()) as rig,
            contextlib.aclosing(Redis.from_url(server.url)) as redis,
        ):
            token = await signed_in(redis, ALICE)
            async with wire(rig.url, token) as client:
                await client.ask("subscribe", ACCOUNT)
                before = await append(redis, ALICE, 1, 2)
                assert [item["seq"] for item in await client.take(2)] == before
                await append(redis, ALICE, 3)
                process.kill()
                await asyncio.to_thread(process.wait)
                await start()
                await redis.connection_pool.disconnect()
                after = await append(redis, ALICE, 4, 5)
                # What a server forgot is not numbered again.
                assert after[0] > before[-1] + 2
                assert after[1] == after[0] + 1
                assert numbers_of(await client.take(3)) == [3, 4, 5]
                async with wire(rig.url, token) as another:
                    # The connections of before say once that they are gone.
                    while not (answer := await another.ask("resume", resume(before[0])))["ok"]:
                        assert codes(answer) == [("account", "REDIS_UNAVAILABLE")]
                    assert numbers_of(await another.take(4)) == [2, 3, 4, 5]


async def test_a_stream_that_is_gone_is_a_gap(rig: Rig, redis: Redis) -> None:
    async with wire(rig.url, await signed_in(redis, ALICE)) as client:
        await client.ask("subscribe", ACCOUNT)
        await append(redis, ALICE, 1)
        assert numbers_of([await client.next()]) == [1]
        await redis.delete(events_key(ALICE))
        await redis.client_kill_filter(_type="normal", skipme=True)
        told = await client.next()
        assert (told["type"], told["seq"], told["data"]["gap"]) == ("snapshot", 0, True)
        # Once more, with something new there before the reader is back.
        await append(redis, ALICE, 2)
        assert numbers_of([await client.next()]) == [2]
        await redis.delete(events_key(ALICE))
        seq = (await append(redis, ALICE, 3))[0]
        told = await client.next()
        assert (told["type"], told["data"]["gap"]) == ("snapshot", True)
        assert (await client.next())["seq"] == seq


async def test_a_client_that_does_not_read_is_cut_off_with_4008(rig: Rig, redis: Redis) -> None:
    token = await signed_in(redis, ALICE)
    async with StallingSocket(rig) as stalled, wire(rig.url, token) as reading:
        await stalled.send(f'420["authenticate",{orjson.dumps({"token": token}).decode()}]')
        await stalled.read_until(lambda packet: packet.startswith("430"))
        await stalled.subscribe("account")
        await reading.ask("subscribe", ACCOUNT)
        for start in range(0, 900, 50):
            numbers = range(start, start + 50)
            await append(redis, ALICE, *numbers, pad=2_000)
            assert numbers_of(await reading.take(50)) == list(numbers)
        await stalled.read_to_the_end()
        assert stalled.close_code == 4008
        seen = numbers_of(events_of(stalled.packets, "account"))
        assert seen == list(range(len(seen)))
        assert len(seen) < 900


# The writer


async def test_writers_at_once_leave_no_hole(redis: Redis) -> None:
    await redis.delete(events_key(ALICE))
    groups = await asyncio.gather(*(append(redis, ALICE, *range(10)) for _ in range(20)))
    seqs = sorted(seq for group in groups for seq in group)
    assert seqs == list(range(seqs[0], seqs[0] + 200))
    page = await events.read_after(redis, ALICE, seqs[0], 500)
    assert page.newest == seqs[-1]
    assert [event.prev for event in page.events] == seqs[:-1]
    assert [orjson.loads(event.body)["seq"] for event in page.events] == seqs[1:]
    assert 86_000 < await redis.ttl(events_key(ALICE)) <= 86_400
