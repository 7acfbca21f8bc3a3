"""Rooms of the gateway, seen through the official client, over a real Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.channels import price_room
from tests.integration.gateway_kit import Client, Rig, price_of, running_gateway, trade_of

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url) as running:
        yield running


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_the_snapshot_comes_first_and_updates_follow_it_in_order(
    rig: Rig, transports: list[str]
) -> None:
    async with Client(rig.url, transports) as client:
        first = await rig.feed.price("97010", "97011")
        snapshots = await client.subscribe("price:BTC-USD")
        snapshot = snapshots["price:BTC-USD"]
        assert snapshot["type"] == "snapshot"
        assert snapshot["seq"] == first
        assert snapshot["epoch"] == rig.feed.epoch
        assert snapshot["data"]["bid"] == "97010"
        assert client.drain("price") == []
        seqs = []
        for step in range(5):
            sent = await rig.feed.price(f"9702{step}", f"9703{step}")
            update = await client.until("price", lambda item, sent=sent: item["seq"] >= sent)
            assert update["type"] == "update"
            assert update["room"] == "price:BTC-USD"
            assert update["data"]["bid"] == f"9702{step}"
            seqs.append(update["seq"])
        assert seqs == sorted(set(seqs))


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_all_rooms_over_every_transport(rig: Rig, transports: list[str]) -> None:
    await rig.feed.trades(1, 2)
    async with Client(rig.url, transports) as client:
        snapshots = await client.subscribe("prices", "venues", "trades:BTC-USD")
        assert set(snapshots["prices"]["data"]) == {"BTC-USD", "ETH-USD"}
        assert snapshots["prices"]["data"]["ETH-USD"]["change_24h"] == 0.012
        assert snapshots["venues"]["data"]["dydx"]["state"] == "live"
        assert snapshots["trades:BTC-USD"]["data"] == [trade_of(1), trade_of(2)]
        await rig.feed.price("97050", "97051")
        board = await client.until("prices", lambda item: "BTC-USD" in item["data"])
        assert board["data"]["BTC-USD"]["bid"] == "97050"
        await rig.feed.trades(3)
        await rig.feed.trades(4, 5)
        told: list[dict[str, Any]] = []
        while len(told) < 3:
            told += (await client.next("trades"))["data"]
        assert told == [trade_of(3), trade_of(4), trade_of(5)]
        await rig.feed.venues("resyncing")
        venues = await client.next("venues")
        assert venues["data"]["dydx"]["state"] == "resyncing"


async def test_after_unsubscribing_nothing_comes(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe("price:BTC-USD", "price:ETH-USD")
        assert await client.call("unsubscribe", {"rooms": ["price:BTC-USD"]}) == {"ok": True}
        client.drain("price")
        await rig.feed.price("97100", "97101")
        await rig.feed.price("3600", "3601", "ETH-USD")
        update = await client.next("price")
        assert update["room"] == "price:ETH-USD"
        assert client.drain("price") == []


async def test_rooms_that_fail_are_named_and_the_others_joined(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        rooms = ["price:BTC-USD", "price:NOPE-USD", "trades:", "nonsense", "prices:BTC-USD", ""]
        answer = await client.call("subscribe", {"rooms": rooms})
        assert answer["ok"] is False
        assert list(answer["rooms"]) == ["price:BTC-USD"]
        assert [(error["room"], error["code"]) for error in answer["errors"]] == [
            ("price:NOPE-USD", "UNKNOWN_MARKET"),
            ("trades:", "UNKNOWN_MARKET"),
            ("nonsense", "UNKNOWN_ROOM"),
            ("prices:BTC-USD", "UNKNOWN_ROOM"),
            ("", "UNKNOWN_ROOM"),
        ]
        await rig.feed.price("97200", "97201")
        assert (await client.next("price"))["data"]["bid"] == "97200"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("prices",),
        ({},),
        ({"rooms": []},),
        ({"rooms": "prices"},),
        ({"rooms": [1]},),
        ({"rooms": [None]},),
        ({"rooms": ["prices"], "extra": 1},),
        ({"rooms": ["prices"], "rate": 2},),
        ({"rooms": ["prices"], "rate": True},),
        ({"rooms": ["prices"], "rate": "fast"},),
        ({"rooms": ["prices"], "rate": None},),
        ({"rooms": ["prices"], "rate": [1]},),
        ({"rooms": ["prices"]}, {"rooms": ["prices"]}),
    ],
)
async def test_wrong_arguments_are_answered(rig: Rig, arguments: tuple[object, ...]) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        answer = await client.call("subscribe", *arguments)
        assert answer["ok"] is False
        assert [error["code"] for error in answer["errors"]] == ["BAD_REQUEST"]
        assert answer["rooms"] == {}


async def test_a_client_has_at_most_200_rooms(rig: Rig) -> None:
    rig.feed.markets = tuple(f"M{number}-USD" for number in range(210))
    await rig.feed.send()
    await asyncio.sleep(2.2)  # the gateway reads the market rows every two seconds
    async with Client(rig.url, ["websocket"]) as client:
        rooms = [price_room(market) for market in rig.feed.markets]
        answer = await client.call("subscribe", {"rooms": rooms})
        assert len(answer["rooms"]) == 200
        assert {error["code"] for error in answer["errors"]} == {"TOO_MANY_ROOMS"}
        assert len(answer["errors"]) == 10
        await client.call("unsubscribe", {"rooms": rooms[:5]})
        assert len(await client.subscribe(*rooms[200:205])) == 5


async def test_a_market_without_a_quote_has_an_empty_room(rig: Rig) -> None:
    rig.feed.markets = ("BTC-USD", "ETH-USD", "SOL-USD")
    await asyncio.sleep(2.2)
    async with Client(rig.url, ["websocket"]) as client:
        snapshots = await client.subscribe("price:SOL-USD", "trades:SOL-USD")
        quote = snapshots["price:SOL-USD"]
        assert (quote["type"], quote["cause"]) == ("snapshot", "status")
        assert quote["data"]["bid"] is None
        assert quote["data"]["ask"] is None
        quality = quote["data"]["quality"]
        assert (quality["venues"], quality["excluded"], quality["disagree"]) == (0, [], False)
        assert snapshots["trades:SOL-USD"]["data"] == []
        await rig.feed.price("150", "151", "SOL-USD")
        assert (await client.next("price"))["data"]["bid"] == "150"


async def test_the_heartbeat_comes_every_second(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        first = await client.next("heartbeat")
        second = await client.next("heartbeat")
        assert set(first) == {"ts_us", "feed_us", "epoch"}
        assert first["epoch"] == rig.feed.epoch
        assert 0.5e6 < second["ts_us"] - first["ts_us"] < 3e6
        assert abs(second["ts_us"] - second["feed_us"]) < 2e6


async def test_the_heartbeats_of_many_are_spread_over_the_second(rig: Rig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client(rig.url, ["websocket"])) for _ in range(6)
        ]
        beats = [(await client.next("heartbeat"))["ts_us"] for client in clients]
        assert len(set(beats)) == len(clients)
        answer = await clients[0].call("unsubscribe", {"rooms": ["heartbeat", "heartbeat:1"]})
        assert answer == {"ok": True}
        for _ in range(2):
            await clients[0].next("heartbeat")


async def test_a_paced_subscription_is_conflated_to_its_rate(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as paced, Client(rig.url, ["websocket"]) as full:
        await paced.subscribe("price:BTC-USD", "prices", rate=4)
        await full.subscribe("price:BTC-USD", "prices")
        last = 0
        for step in range(40):
            last = await rig.feed.price(f"98{step:03d}", "99000")
            if step % 10 == 0:
                await rig.feed.price("3777", "3778", "ETH-USD")
            await asyncio.sleep(0.05)
        await paced.until("price", lambda item: item["seq"] == last)
        seqs = [item["seq"] for item in paced.history["price"]]
        assert seqs == sorted(set(seqs))
        # At least two seconds passed; a busy machine makes it more, at four a second.
        assert 4 <= len(seqs) <= 20
        assert len(full.history["price"]) > 2 * len(seqs)
        # Rows that changed between two updates of the board come together.
        board = paced.history["prices"]
        assert {"BTC-USD", "ETH-USD"} in [set(item["data"]) for item in board]


async def test_a_changed_rate_replaces_the_subscription(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe("price:BTC-USD", rate=1)
        await client.subscribe("price:BTC-USD", rate="max")
        sent = await rig.feed.price("97300", "97301")
        update = await client.next("price", within_s=5)
        assert update["seq"] == sent
        await asyncio.sleep(1.2)
        assert client.drain("price") == []


async def test_no_update_overtakes_the_answer_under_load(rig: Rig) -> None:
    async def storm() -> None:
        for step in range(10_000):
            await rig.feed.price(f"9{step:05d}", "999999")

    storming = asyncio.create_task(storm())
    try:
        for _ in range(20):
            async with Client(rig.url, ["websocket"]) as client:
                snapshots = await client.subscribe("price:BTC-USD")
                update = await client.next("price")
                assert update["seq"] > snapshots["price:BTC-USD"]["seq"]
    finally:
        storming.cancel()


async def test_envelopes_are_passed_on_byte_for_byte(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe("price:BTC-USD")
        envelope = rig.feed.envelope("price:BTC-USD", price_of("1", "2"))
        await rig.feed.send(envelope)
        update = await client.next("price")
        assert update["seq"] == envelope.seq
        assert update["data"]["venues"]["dydx"]["kind"] == "book"
        read = await rig.http.get("/v1/quotes/BTC-USD")
        assert read.content == b'{"data":' + envelope.body + b"}"
