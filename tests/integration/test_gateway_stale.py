"""The feed falls silent, comes back, is replaced: what clients and REST are told."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.exceptions import RedisError

from api.realtime.engine import Limits
from api.service import Gateway, listen
from api.tape import reader
from api.tape.keys import read_keys
from tests.integration.gateway_kit import (
    NO_DATABASE,
    UNLIMITED,
    Client,
    Rig,
    eventually,
    running_gateway,
)

BTC = "price:BTC-USD"


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url) as running:
        yield running


def is_stale(envelope: dict[str, Any]) -> bool:
    return envelope["cause"] == "status" and envelope["data"]["bid"] is None


async def test_silence_marks_every_room_and_the_return_restores_it(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        sent = await rig.feed.price("97010", "97011")
        snapshots = await client.subscribe(BTC, "prices", "venues")
        assert snapshots[BTC]["seq"] == sent
        rig.feed.muted = True
        status = await client.until("price", is_stale)
        assert status["type"] == "update"
        assert status["seq"] == sent
        assert status["epoch"] == rig.feed.epoch
        assert status["received_us"] >= snapshots[BTC]["published_us"]
        data = status["data"]
        for name in ("bid", "ask", "mid", "bid_size", "ask_size", "bid_venue", "ask_venue"):
            assert data[name] is None
        assert data["spread_bps"] is None
        assert data["quality"]["venues"] == 0
        venue = data["venues"]["dydx"]
        assert (venue["bid"], venue["ask"], venue["state"]) == (None, None, "stale")
        board = await client.until("prices", lambda item: item["cause"] == "status")
        assert set(board["data"]) == {"BTC-USD", "ETH-USD"}
        assert all(row["bid"] is None and row["ask"] is None for row in board["data"].values())
        venues = await client.until("venues", lambda item: item["cause"] == "status")
        assert venues["data"]["dydx"]["state"] == "stale"
        assert venues["data"]["dydx"]["reason"] == "FEED_SILENT"
        # Who comes now is told the same.
        again = await client.subscribe(BTC)
        assert again[BTC]["type"] == "snapshot"
        assert is_stale(again[BTC])

        rig.feed.muted = False
        back = await client.until("price", lambda item: item["data"]["bid"] is not None)
        assert back["seq"] == sent
        assert back["data"]["bid"] == "97010"
        board = await client.until(
            "prices", lambda item: all(row["bid"] is not None for row in item["data"].values())
        )
        assert board["type"] == "snapshot"
        assert set(board["data"]) == {"BTC-USD", "ETH-USD"}
        venues = await client.until("venues", lambda item: item["data"]["dydx"]["state"] == "live")
        assert venues["data"]["dydx"]["reason"] is None


async def test_the_mark_comes_within_half_a_second(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(BTC)
        rig.feed.muted = True
        started = time.monotonic()
        await client.until("price", is_stale)
        assert 0.2 < time.monotonic() - started < 1.5


async def test_a_quote_that_does_not_come_back_stays_stale(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(BTC, "price:ETH-USD")
        rig.feed.muted = True
        await client.until("price", lambda item: is_stale(item) and item["room"] == BTC)
        await rig.feed.drop_quote("BTC-USD")
        rig.feed.muted = False
        back = await client.until("price", lambda item: item["data"]["bid"] is not None)
        assert back["room"] == "price:ETH-USD"
        await asyncio.sleep(0.5)
        again = await client.subscribe(BTC, "prices")
        assert is_stale(again[BTC])
        assert again["prices"]["data"]["BTC-USD"]["bid"] is None
        assert again["prices"]["data"]["ETH-USD"]["bid"] == "3500"


async def test_a_higher_epoch_makes_everything_stale_until_it_is_said_again(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(BTC, "price:ETH-USD")
        old = await rig.feed.price("97010", "97011")
        await client.until("price", lambda item: item["seq"] == old)
        rig.feed.restart()
        await client.until("price", lambda item: is_stale(item) and item["room"] == BTC)
        new = await rig.feed.price("97500", "97501")
        assert new > old
        update = await client.until("price", lambda item: item["data"]["bid"] is not None)
        assert (update["room"], update["seq"], update["epoch"]) == (BTC, new, rig.feed.epoch)
        again = await client.subscribe("price:ETH-USD")
        assert is_stale(again["price:ETH-USD"])


async def test_a_lower_epoch_is_ignored(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(BTC)
        epoch = rig.feed.epoch
        rig.feed.epoch -= 50
        beating, rig.feed.muted = rig.feed.muted, True
        # A feed that lost its lease keeps talking: neither its prices nor its beats count.
        for _ in range(15):
            await rig.feed.price("1", "2")
            await asyncio.sleep(0.04)
        await client.until("price", is_stale)
        assert all(item["data"]["bid"] != "1" for item in client.history["price"])
        rig.feed.epoch, rig.feed.muted = epoch, beating


async def test_a_stall_of_the_gateway_is_not_taken_for_silence(
    rig: Rig, embedded_redis_url: str
) -> None:
    """The feed beats on in another process while this one is held up."""
    beats = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BEATS,
        embedded_redis_url,
        str(rig.feed.epoch),
        stdout=asyncio.subprocess.PIPE,
    )
    assert beats.stdout is not None
    try:
        await beats.stdout.readline()
        rig.feed.muted = True
        async with Client(rig.url, ["websocket"]) as client:
            await client.subscribe(BTC)
            await asyncio.sleep(0.5)
            before = len([item for item in client.history["price"] if is_stale(item)])
            time.sleep(1.0)  # noqa: ASYNC251
            await asyncio.sleep(0.5)
            after = len([item for item in client.history["price"] if is_stale(item)])
            assert before == after == 0
            beats.kill()
            await client.until("price", is_stale)
    finally:
        if beats.returncode is None:
            beats.kill()
        await beats.wait()


_BEATS = """
import sys, time, redis
url, epoch = sys.argv[1:]
tape = redis.Redis.from_url(url)
while True:
    now_us = time.time_ns() // 1000
    tape.publish("tape", '{"epoch":%s,"feed_us":%d,"index":[],"envelopes":[]}' % (epoch, now_us))
    print("beat", flush=True)
    time.sleep(0.03)
"""


async def test_quotes_are_read_from_redis_and_nowhere_else(rig: Rig) -> None:
    await rig.feed.drop_quote("BTC-USD")
    gone = await rig.http.get("/v1/quotes/BTC-USD")
    assert gone.status_code == 503
    assert gone.json()["code"] == "QUOTE_STALE"
    assert gone.json()["retryable"] is True
    assert gone.headers["retry-after"] == "1"
    rows = (await rig.http.get("/v1/quotes")).json()["data"]
    assert [row["room"] for row in rows] == [BTC, "price:ETH-USD"]
    assert rows[0]["data"]["bid"] is None
    assert rows[0]["state"] == "stale"
    assert rows[0]["last_seen_at"].endswith("Z")
    assert rows[1]["data"]["bid"] == "3500"


async def test_a_silent_feed_shows_in_health_and_not_in_readiness(rig: Rig) -> None:
    def feed_of(answer: Any) -> dict[str, Any]:
        part: dict[str, Any] = answer.json()["data"]["parts"]["feed"]
        return part

    await eventually(
        lambda: rig.http.get("/health"), lambda answer: feed_of(answer)["status"] == "ok"
    )
    rig.feed.muted = True
    answer = await eventually(
        lambda: rig.http.get("/health"), lambda answer: feed_of(answer)["status"] == "down"
    )
    assert feed_of(answer)["cause"] == "no beat for over 250 ms"
    assert feed_of(answer)["beat_age_ms"] > 250
    assert feed_of(answer)["since"].endswith("Z")
    venues = (await rig.http.get("/health/venues")).json()["data"]
    assert venues["status"] == "down"
    assert venues["venues"]["dydx"]["reason"] == "FEED_SILENT"
    missing = (await rig.http.get("/health/ready")).json()["issues"]
    assert [issue["path"] for issue in missing] == ["postgres"]


async def test_a_gateway_that_starts_late_knows_why_a_market_has_no_price(
    embedded_redis_url: str, rig: Rig
) -> None:
    await rig.feed.unpriced("HOURS")
    gateway = Gateway(embedded_redis_url, NO_DATABASE, Limits(), rates=UNLIMITED)
    listener = listen("127.0.0.1", 0, shared=False)
    stop = asyncio.Event()
    serving = asyncio.create_task(gateway.run(listener, stop))
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as http:
            await eventually(lambda: http.get("/v1/quotes"), lambda answer: answer.is_success)
        async with Client(url, ["websocket"]) as client:

            async def excluded() -> Any:
                return (await client.subscribe(BTC))[BTC]["data"]["quality"]["excluded"]

            why = [{"venue": "dydx", "reason": "HOURS"}]
            await eventually(excluded, lambda found: found == why)
            # After a silence as well, although the tape does not say it again.
            rig.feed.muted = True
            await client.until("price", lambda item: item["cause"] == "status")
            rig.feed.muted = False
            await client.until("price", lambda item: item["cause"] != "status")
            assert await excluded() == why
    finally:
        stop.set()
        await serving


async def test_keys_that_could_not_be_read_after_a_gap_are_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []

    async def failing(redis: Any, names: Any) -> Any:
        if len(names) > 2 and not failures:
            failures.append("once")
            raise RedisError("a connection of yesterday")
        return await read_keys(redis, names)

    async with Client(rig.url, ["websocket"]) as client:
        await client.subscribe(BTC)
        monkeypatch.setattr(reader, "read_keys", failing)
        await rig.feed.redis.client_kill_filter(_type="pubsub")
        # Nobody listens to the tape now.
        sent = await rig.feed.price("98000", "98001")
        found = await client.until("price", lambda item: item["seq"] >= sent)
        assert found["data"]["bid"] == "98000"
        assert failures
