"""Clients that ask for too much get an error with a code; who goes on is sent away; nobody else
notices."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from api.realtime.engine import Limits
from api.realtime.limits import Quotas
from tests.integration.gateway_kit import Client, Rig, running_gateway
from tests.integration.gateway_sockets import close_code, raw_socket, raw_subscribe

BURST = 12
QUOTAS = Quotas(
    socket_rooms=3,
    socket_messages_per_s=1,
    socket_messages_burst=BURST,
    address_sockets=4,
    address_rooms=9,
)
POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
async def rig(embedded_redis_url: str) -> AsyncIterator[Rig]:
    async with running_gateway(embedded_redis_url, limits=Limits(quotas=QUOTAS)) as running:
        yield running


async def answers(wire: ClientConnection, count: int) -> list[Mapping[str, Any]]:
    """Of so many events that were sent with the numbers from 1 on, in their order."""
    found = {}
    while len(found) < count:
        packet = await wire.recv()
        assert isinstance(packet, str)
        if packet.startswith("43"):
            number, body = packet[2:].split("[", 1)
            [found[int(number)]] = orjson.loads("[" + body)
    return [found[number] for number in sorted(found)]


async def test_messages_past_the_burst_are_refused_and_a_neighbour_goes_on(rig: Rig) -> None:
    async with Client(rig.url, ["websocket"]) as neighbour, raw_socket(rig) as wire:
        await neighbour.subscribe("price:BTC-USD")
        for number in range(1, BURST + 4):
            await wire.send(f'42{number}["unsubscribe",{{"rooms":["price:BTC-USD"]}}]')
        told = await answers(wire, BURST + 3)
        # The connect was a message too.
        assert [answer["ok"] for answer in told] == [True] * (BURST - 1) + [False] * 4
        [error] = told[-1]["errors"]
        assert error["code"] == "RATE_LIMITED"
        sent = await rig.feed.price("97010", "97011")
        await neighbour.until("price", lambda item: item["seq"] == sent)


async def test_a_flood_is_closed(rig: Rig) -> None:
    async with raw_socket(rig) as wire:
        for _ in range(3 * BURST):
            await wire.send('42["subscribe",{"rooms":["price:BTC-USD"]}]')
        assert await close_code(wire) == 1008
    async with raw_socket(rig) as wire:
        for _ in range(3 * BURST):
            await wire.ping()
        assert await close_code(wire) == 1008


async def test_a_connect_past_the_burst_is_a_connect_error(rig: Rig) -> None:
    async with connect(rig.ws_url, compression=None) as wire:
        await wire.recv()
        for _ in range(BURST):
            await wire.send("3")
        await wire.send("40")
        packet = await wire.recv()
        assert isinstance(packet, str)
        assert packet.startswith("44")
        assert orjson.loads(packet[2:])["data"] == {"code": "RATE_LIMITED"}


async def test_rooms_are_bounded_over_the_clients_of_an_address(rig: Rig) -> None:
    rooms = ["price:BTC-USD", "price:ETH-USD", "prices"]
    async with raw_socket(rig) as first, raw_socket(rig) as second, raw_socket(rig) as third:
        assert (await raw_subscribe(first, *rooms))["ok"]
        answer = await raw_subscribe(first, "venues")
        assert [error["code"] for error in answer["errors"]] == ["TOO_MANY_ROOMS"]
        # Each is in the heartbeat's as well.
        assert (await raw_subscribe(second, *rooms))["ok"]
        answer = await raw_subscribe(third, *rooms)
        assert [error["room"] for error in answer["errors"]] == rooms
        await first.close()
        assert (await raw_subscribe(third, *rooms))["ok"]


async def test_open_connections_of_an_address_are_bounded_on_both_transports(rig: Rig) -> None:
    polled = await rig.http.get(POLLING)
    assert polled.status_code == 200
    async with raw_socket(rig), raw_socket(rig), raw_socket(rig) as third:
        refused = await rig.http.get(POLLING)
        assert refused.status_code == 429
        assert refused.json()["message"] == "Too many connections of this address"
        with pytest.raises(InvalidStatus) as raised:
            await connect(rig.ws_url)
        assert raised.value.response.status_code == 429
        await third.close()
        assert (await rig.http.get(POLLING)).status_code == 200
