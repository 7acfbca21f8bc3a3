"""Clients that do not read: conflated, then cut off, and nobody else notices. On uvloop, as the
role runs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx
import orjson
import pytest
import uvloop
from prometheus_client import REGISTRY

from tests.integration.gateway_kit import Client, Rig, running_gateway
from tests.integration.gateway_sockets import StallingSocket, events_of

BTC = "price:BTC-USD"

Scenario = Callable[[Rig], Awaitable[None]]


@pytest.fixture
def play(embedded_redis_url: str) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        async def with_gateway() -> None:
            async with running_gateway(embedded_redis_url) as rig:
                await scenario(rig)

        uvloop.run(with_gateway())

    return run


def trade_ids(envelopes: list[dict[str, Any]]) -> list[str]:
    return [trade["id"] for envelope in envelopes for trade in envelope["data"]]


def cut_off_so_far() -> float:
    return REGISTRY.get_sample_value("perptape_slow_consumers_total") or 0.0


def test_a_stalled_client_gets_the_newest_and_not_the_backlog(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(rig: Rig) -> None:
        async with StallingSocket(rig) as stalled, Client(rig.url, ["websocket"]) as reading:
            await stalled.subscribe(BTC, "prices")
            await reading.subscribe(BTC)
            before = stalled.received_bytes
            last = 0
            for step in range(2_000):
                last = await rig.feed.price(f"9{step:04d}", "99999")
            await reading.until("price", lambda item: item["seq"] == last)
            # The two rooms come in the order in which they fell behind.
            newest = f'"seq":{last},"epoch"', '"91999"'
            await stalled.read_until_all(
                lambda packet: packet.startswith('42["price",') and newest[0] in packet,
                lambda packet: packet.startswith('42["prices",') and newest[1] in packet,
            )
            # All updates of both rooms would be 2 MB; the buffers and the newest are not.
            assert stalled.received_bytes - before < 200_000
            board = events_of(stalled.passed, "prices")[-1]
            assert board["type"] == "snapshot"
            assert set(board["data"]) == {"BTC-USD", "ETH-USD"}
            assert board["data"]["BTC-USD"]["bid"] == "91999"
            # Back on the fast path.
            final = await rig.feed.price("12345", "12346")
            packet = await stalled.read_until(lambda packet: f'"seq":{final},"epoch"' in packet)
            assert events_of([packet], "price")[0]["data"]["bid"] == "12345"

    play(scenario)


def test_a_stalled_client_of_trades_is_cut_off_with_4008(
    play: Callable[[Scenario], None],
) -> None:
    async def scenario(rig: Rig) -> None:
        async with StallingSocket(rig) as stalled, Client(rig.url, ["websocket"]) as reading:
            await stalled.subscribe("trades:BTC-USD")
            await reading.subscribe("trades:BTC-USD")
            for step in range(1_500):
                await rig.feed.trades(step)
            async with asyncio.timeout(10):
                while len(trade_ids(reading.history["trades"])) < 1_500:
                    await asyncio.sleep(0.05)
            numbers = trade_ids(reading.history["trades"])
            assert numbers == sorted(numbers)
            await stalled.read_to_the_end()
            assert stalled.close_code == 4008
            seen = trade_ids(events_of(stalled.packets, "trades"))
            assert seen == [f"t{number:06d}" for number in range(len(seen))]

    play(scenario)


def test_a_short_stall_loses_no_trade(play: Callable[[Scenario], None]) -> None:
    async def scenario(rig: Rig) -> None:
        async with StallingSocket(rig) as stalled:
            await stalled.subscribe("trades:BTC-USD")
            for step in range(300):
                await rig.feed.trades(step)
            await stalled.read_until(lambda packet: '"t000299"' in packet)
            ids = trade_ids(events_of(stalled.passed, "trades"))
            assert ids == [f"t{number:06d}" for number in range(300)]

    play(scenario)


def test_answers_a_client_never_reads_are_bounded(play: Callable[[Scenario], None]) -> None:
    async def scenario(rig: Rig) -> None:
        async with StallingSocket(rig, receive_buffer=128 * 1024) as stalled:
            await stalled.subscribe(BTC)
            cut_off_before = cut_off_so_far()
            for _ in range(3_000):
                await stalled.send('427["subscribe",{"rooms":["prices","price:BTC-USD"]}]')
            async with asyncio.timeout(15):
                while cut_off_so_far() == cut_off_before:
                    await asyncio.sleep(0.05)
            await stalled.read_to_the_end()
            assert stalled.close_code == 4008
            assert (await rig.http.get("/health/live")).status_code == 200

    play(scenario)


def test_a_poll_brings_the_newest_of_each_room(play: Callable[[Scenario], None]) -> None:
    async def scenario(rig: Rig) -> None:
        async with httpx.AsyncClient(base_url=rig.url) as http:
            poll = await _polling_session(http)
            await poll("40")
            assert (await poll())[0].startswith("40")
            rooms = {"rooms": [BTC, "prices", "trades:BTC-USD"]}
            await poll(f'421["subscribe",{orjson.dumps(rooms).decode()}]')
            packets = await poll()
            assert packets[0].startswith('431[{"ok":true')
            last = 0
            for step in range(200):
                last = await rig.feed.price(f"9{step:04d}", "99999")
            await rig.feed.trades(1)
            await rig.feed.trades(2)
            await asyncio.sleep(0.3)
            packets = await poll()
            [update] = events_of(packets, "price")
            assert (update["seq"], update["data"]["bid"]) == (last, "90199")
            [board] = events_of(packets, "prices")
            assert board["data"]["BTC-USD"]["bid"] == "90199"
            assert trade_ids(events_of(packets, "trades")) == ["t000001", "t000002"]
            # A poll that waits is answered by the next change.
            waiting = asyncio.create_task(poll())
            await asyncio.sleep(0.05)
            last = await rig.feed.price("1", "2")
            while not (found := events_of(await waiting, "price")):
                waiting = asyncio.create_task(poll())
            assert found[0]["seq"] == last

    play(scenario)


async def _polling_session(
    http: httpx.AsyncClient,
) -> Callable[..., Coroutine[Any, Any, list[str]]]:
    opened = await http.get("/socket.io/?EIO=4&transport=polling")
    sid = orjson.loads(opened.content[1:])["sid"]
    url = f"/socket.io/?EIO=4&transport=polling&sid={sid}"

    async def poll(packet: str | None = None) -> list[str]:
        """Sends a packet, or fetches what is there."""
        if packet is not None:
            answer = await http.post(url, content=packet)
            assert (answer.status_code, answer.text) == (200, "ok")
            return []
        answer = await http.get(url, timeout=10)
        assert answer.status_code == 200
        return answer.text.split("\x1e")

    return poll
