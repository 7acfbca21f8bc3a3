"""Sockets that send what they should not. Whatever it is, the connection is closed or an answer
given, nothing is logged as an error, and everybody else goes on."""

import asyncio
import logging
import os
import random
import struct
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from api.realtime.engine import Limits
from tests.integration.gateway_kit import GENEROUS, Client, Rig, eventually, running_gateway
from tests.integration.gateway_sockets import close_code, raw_socket, raw_subscribe

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(embedded_redis_url: str) -> AsyncIterator[tuple[Rig, Client]]:
    """One gateway for all, and a neighbour who was there before them."""
    limits = Limits(join_timeout_s=1.0, ping_interval_s=1.0, ping_timeout_s=2.0, quotas=GENEROUS)
    async with (
        running_gateway(embedded_redis_url, limits=limits) as running,
        Client(running.url, ["websocket"]) as neighbour,
    ):
        await neighbour.subscribe("price:BTC-USD")
        yield running, neighbour


@pytest_asyncio.fixture(loop_scope="module")
async def rig(street: tuple[Rig, Client], caplog: pytest.LogCaptureFixture) -> AsyncIterator[Rig]:
    running, neighbour = street
    with caplog.at_level(logging.INFO):
        yield running
        sent = await running.feed.price("97777", "97778")
        await neighbour.until("price", lambda item: item["seq"] == sent)
        assert [item for item in caplog.records if item.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "packet",
    [
        "4",
        "4abc",
        "47",
        "49[]",
        "42",
        "42{}",
        "42[]",
        "42[1]",
        "42[null]",
        '42["a"',
        '42["connect"]',
        '42["disconnect","x"]',
        '42["connect_error"]',
        "42" + "1" * 200 + '["a"]',
        '42abc["a"]',
        '42["subscribe",NaN]',
        '42["subscribe",{"rooms":["\\ud800"]}]',
        '42["a",' + "[" * 20_000 + "]" * 20_000 + "]",
        "40",
        "40{}",
        '4451-["a",{"_placeholder":true,"num":0}]',
        '452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        '459999999999-["a"]',
        '451-["a",{"_placeholder":true,"num":5}]',
        '44{"message":"x"}',
        '42/other,["a"]',
        "4\x00",
    ],
)
async def test_a_malformed_packet_closes_the_connection_or_is_ignored(
    rig: Rig, packet: str
) -> None:
    async with raw_socket(rig) as wire:
        await wire.send(packet)
        await wire.send(b"\x01\x02")
        assert await asyncio.wait_for(close_code(wire), 10) == 1000


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ('427["nonsense"]', "437"),
        ('427["subscribe"]', "437"),
        ('427["subscribe",1,2,3]', "437"),
        ('427["subscribe",null]', "437"),
        ('427["' + "x" * 10_000 + '"]', "437"),
        ('4299999999999999999999["subscribe",{"rooms":["prices"]}]', "4399999999999999999999"),
        ('42["subscribe",{"rooms":["prices"]}]', None),
        ('4312["an answer nobody asked for"]', None),
        ("40/random,", '44/random,{"message":"Invalid namespace"}'),
        ("40/../..,", '44/../..,{"message":"Invalid namespace"}'),
    ],
)
async def test_what_can_be_answered_is(rig: Rig, packet: str, answer: str | None) -> None:
    async with raw_socket(rig) as wire:
        await wire.send(packet)
        received = []
        # This one is always answered, after whatever the first is answered with.
        await wire.send('428["unsubscribe",{"rooms":["prices"]}]')
        while not (text := str(await wire.recv())).startswith("438"):
            received.append(text)
        answers = [item for item in received if item.startswith(("43", "44"))]
        if answer is None:
            assert answers == []
        else:
            assert len(answers) == 1
            assert answers[0].startswith(answer)
        assert (await raw_subscribe(wire, "prices"))["ok"] is True


async def test_many_namespaces_cost_nothing(rig: Rig) -> None:
    async with raw_socket(rig) as wire:
        for number in range(2_000):
            await wire.send(f"40/n{number},")
        await wire.send("421" + '["nonsense"]')
        count = 0
        while not str(await wire.recv()).startswith("431"):
            count += 1
        assert count >= 2_000


async def test_who_never_enters_a_namespace_is_closed(rig: Rig) -> None:
    async with connect(rig.ws_url, compression=None) as wire:
        assert str(await wire.recv()).startswith("0")
        assert await asyncio.wait_for(close_code(wire), 10) == 1000


async def test_leaving_the_namespace_ends_all_subscriptions(rig: Rig) -> None:
    async with raw_socket(rig) as wire:
        assert (await raw_subscribe(wire, "price:BTC-USD"))["ok"] is True
        await wire.send("41")
        await asyncio.sleep(0.3)
        await wire.send("40")
        while not str(await wire.recv()).startswith('40{"sid"'):
            pass
        await rig.feed.price("97001", "97002")
        await asyncio.sleep(0.3)
        await wire.send('421["nonsense"]')
        while not (text := str(await wire.recv())).startswith("431"):
            assert not text.startswith('42["price"')


async def test_a_token_is_a_connect_error(rig: Rig) -> None:
    async with connect(rig.ws_url, compression=None) as wire:
        await wire.recv()
        await wire.send('40{"token":"anything"}')
        answer = str(await wire.recv())
        assert answer.startswith("44")
        assert orjson.loads(answer[2:])["data"] == {"code": "AUTH_OFF"}


def _masked(first: int, payload: bytes, *, announce: int | None = None, mask: bool = True) -> bytes:
    size = len(payload) if announce is None else announce
    flag = 0x80 if mask else 0
    if size < 126:
        head = bytes((first, flag | size))
    elif size < 1 << 16:
        head = bytes((first, flag | 126)) + struct.pack("!H", size)
    else:
        head = bytes((first, flag | 127)) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if mask else b"") + payload


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (_masked(0x81, b"3", mask=False), 1002),
        (_masked(0xC1, b"3"), 1002),
        (_masked(0x83, b"3"), 1002),
        (_masked(0x80, b"3"), 1002),
        (_masked(0x09, b""), 1002),
        (_masked(0x89, b"x" * 126), 1002),
        (_masked(0x81, b"\xff\xfe"), 1007),
        (_masked(0x81, b"", announce=70_000), 1009),
        (_masked(0x81, b"", announce=1 << 62), 1009),
        (_masked(0x01, b"4" * 60_000) + _masked(0x80, b"4" * 60_000), 1009),
        (_masked(0x01, b"4") + _masked(0x81, b"4"), 1002),
        (_masked(0x88, b"\x03"), 1002),
        (_masked(0x88, struct.pack("!H", 1005)), 1002),
        (_masked(0x88, struct.pack("!H", 1000) + b"\xff"), 1007),
        (_masked(0x88, b""), 1000),
        (_masked(0x88, struct.pack("!H", 3000)), 3000),
    ],
)
async def test_a_broken_frame_closes_the_connection(rig: Rig, frame: bytes, code: int) -> None:
    reader, writer = await _upgraded(rig)
    writer.write(frame)
    payload = await asyncio.wait_for(_until_close(reader), 10)
    assert payload[:2] == struct.pack("!H", code)
    writer.close()


async def _upgraded(rig: Rig) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = rig.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    return reader, writer


async def _until_close(reader: asyncio.StreamReader) -> bytes:
    """The close frame's payload; what comes before it is skipped."""
    while True:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        payload = await reader.readexactly(size)
        if first == 0x88:
            return payload


@pytest.mark.parametrize(
    "change",
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        (b"Sec-WebSocket-Key", b"X-Key"),
        (b"GET ", b"POST "),
        (b"/socket.io/", b"/elsewhere/"),
    ],
)
async def test_a_bad_upgrade_request_is_refused(rig: Rig, change: tuple[bytes, bytes]) -> None:
    host, _, port = rig.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = (
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).replace(*change)
    writer.write(request)
    answer = await reader.read(2_000)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    writer.close()


async def test_random_bytes_after_the_upgrade(rig: Rig) -> None:
    noise = random.Random(7)
    for _ in range(30):
        _, writer = await _upgraded(rig)
        writer.write(noise.randbytes(noise.randrange(1, 400)))
        writer.write(noise.randbytes(50))
        writer.close()
    answer = await rig.http.get("/health/live")
    assert answer.status_code == 200


async def test_resets_while_prices_flow_disturb_nobody(rig: Rig) -> None:
    async def come_and_go() -> None:
        async with raw_socket(rig) as wire:
            await raw_subscribe(wire, "price:BTC-USD", "prices")
            await asyncio.sleep(random.random() / 5)
            wire.transport.abort()

    going = [asyncio.create_task(come_and_go()) for _ in range(40)]
    for step in range(150):
        await rig.feed.price(f"9{step:04d}", "99999")
    await asyncio.gather(*going)
    await eventually(lambda: rig.http.get("/health/live"), lambda answer: answer.status_code == 200)


async def test_a_flood_of_messages_is_handled_in_turn(rig: Rig) -> None:
    async with raw_socket(rig) as wire:
        for number in range(3_000):
            await wire.send(f'42{number}["nonsense",{os.getpid()}]')
        seen = 0
        while seen < 3_000:
            text = str(await wire.recv())
            if text.startswith("43"):
                assert text.startswith(f"43{seen}[")
                seen += 1
