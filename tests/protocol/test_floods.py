"""Too much, and noise, over real sockets. The fixture checks that nothing of it was logged; at the
end somebody else is served as if nothing had been."""

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Callable

import orjson
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from api.realtime.session import ANSWERS_BOUND
from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import PATIENT, WITHIN_S, Received, Wire, joined, next_packet
from tests.protocol.server import Server

SMALL = dataclasses.replace(PATIENT, max_payload=4_096)
SEEDS = range(8)

VALID: tuple[Received, ...] = (
    '42["message",1]',
    '427["message-with-ack",{"a":[true]}]',
    '42/custom,["message"]',
    '451-["message",{"_placeholder":true,"num":0}]',
    b"\x01\x02\x03",
    '4312["x"]',
    "40/custom,",
    "41/custom,",
    "3",
)


@pytest.fixture(autouse=True)
async def neighbour(sockets: Wire) -> AsyncIterator[None]:
    async with sockets.socket() as socket:
        await socket.recv()
        await joined(socket)
        yield
        await socket.send('42["message",1]')
        assert await next_packet(socket) == '42["message-back",1]'


async def drained(socket: ClientConnection) -> None:
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        pass


async def none_but_the_neighbour(server: Server) -> None:
    async with asyncio.timeout(WITHIN_S):
        while len(server.sessions()) > 1 or len(server.sockets.environ) > 1:
            await asyncio.sleep(0.01)


def mutated(noise: random.Random, packet: Received) -> Received:
    if isinstance(packet, bytes):
        return noise.randbytes(noise.randrange(6))
    for _ in range(noise.randrange(1, 4)):
        start = noise.randrange(len(packet) + 1)
        end = noise.choice([start, start + 1, len(packet)])
        inserted = noise.choice(["", *'0123456789-/,[]{}":\x1e\0 b٣a'])
        packet = packet[:start] + inserted + packet[end:]
    return packet


@pytest.mark.parametrize("seed", SEEDS)
async def test_mutated_packets_by_websocket(sockets: Wire, seed: int) -> None:
    noise = random.Random(seed)
    for _ in range(25):
        async with sockets.socket() as socket:
            await socket.recv()
            await socket.send("40")
            reading = asyncio.create_task(drained(socket))
            try:
                for _ in range(20):
                    packet = noise.choice(VALID)
                    await socket.send(mutated(noise, packet) if noise.random() < 0.3 else packet)
            except ConnectionClosed:
                assert socket.close_code in (1000, 1002)
            await socket.close()
            await reading
    await none_but_the_neighbour(sockets.server)


@pytest.mark.parametrize("seed", SEEDS)
async def test_mutated_payloads_by_polling(sockets: Wire, seed: int) -> None:
    noise = random.Random(seed)
    for _ in range(25):
        sid = await sockets.open()
        payload = "\x1e".join(
            ["40", *(item for item in noise.choices(VALID, k=5) if isinstance(item, str)), "1"]
        )
        body = mutated(noise, payload) if noise.random() < 0.8 else payload
        status = (await sockets.post(sid, body)).status_code
        assert status in (200, 400)
        if status == 200:
            await sockets.post(sid, "1")
        assert (await sockets.poll(sid)).status_code == 400
    await none_but_the_neighbour(sockets.server)


@pytest.mark.parametrize("seed", SEEDS)
async def test_noise_after_the_upgrade_request(engine: Wire, seed: int) -> None:
    noise = random.Random(seed)
    host, _, port = engine.server.url.removeprefix("http://").partition(":")
    for _ in range(10):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(noise.randbytes(noise.randrange(1, 400)))
        if noise.random() < 0.5:
            writer.write_eof()
        writer.close()
    await none_but_the_neighbour(engine.server)


async def test_a_flood_of_events_is_answered_in_turn(sockets: Wire) -> None:
    count = 5_000
    async with sockets.socket() as socket:
        await socket.recv()
        await joined(socket)

        async def flood() -> None:
            for number in range(count):
                await socket.send(f'42{number}["message-with-ack",{number}]')

        flooding = asyncio.create_task(flood())
        for number in range(count):
            assert await next_packet(socket) == f"43{number}[{number}]"
        await flooding


async def test_a_flood_by_polling_is_answered_in_turn(sockets: Wire) -> None:
    """As many events as the official client sends in one request when it has that many."""
    count = 4_000
    sid = await sockets.open()
    events = [f'42{number}["message-with-ack",{number}]' for number in range(count)]
    assert await sockets.answers(sid, "40", "\x1e".join(events)) == (200, 200)
    received: list[str] = []
    while len(received) < count + 2:
        received += (await sockets.poll(sid)).text.split("\x1e")
    assert received[2:] == [f"43{number}[{number}]" for number in range(count)]


async def test_namespaces_by_the_thousand_leave_nothing_behind(sockets: Wire) -> None:
    async with sockets.socket() as socket:
        await socket.recv()
        for number in range(3_000):
            await socket.send(f"40/n{number},")
        for number in range(3_000):
            assert await next_packet(socket) == f'44/n{number},{{"message":"Invalid namespace"}}'
        manager = sockets.server.sockets.manager
        assert set(manager.get_namespaces()) <= {"/", "/custom"}


async def test_websocket_pings_are_answered_in_turn(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()
        pongs = [await socket.ping(b"%d" % number) for number in range(2_000)]
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*pongs)


@pytest.mark.parametrize("server", [SMALL], indirect=True)
@pytest.mark.parametrize(
    "packet", [b"x" * 4_097, "4" + "x" * 4_096, '42["message","' + "x" * 100_000 + '"]']
)
async def test_what_is_too_long_closes_the_websocket(sockets: Wire, packet: Received) -> None:
    async with sockets.socket() as socket:
        await socket.recv()
        await joined(socket)
        await socket.send(packet)
        assert await close_code(socket) == 1009


@pytest.mark.parametrize("server", [SMALL], indirect=True)
async def test_fragments_without_end_close_the_websocket(engine: Wire) -> None:
    async with engine.socket() as socket:
        await socket.recv()

        async def endless() -> AsyncIterator[str]:
            while True:
                yield "4" * 1_000

        with pytest.raises(ConnectionClosed):
            await socket.send(endless())
        assert socket.close_code == 1009


async def test_who_leaves_its_answers_is_cut_off(sockets: Wire) -> None:
    sid = await sockets.open()
    await sockets.answers(sid, "40")
    await sockets.poll(sid)
    # An answer may be as long as it likes, but no other waits behind more than the bound.
    assert ANSWERS_BOUND // 2 < 900_000 < ANSWERS_BOUND
    event = '421["message-with-ack","' + "x" * 900_000 + '"]'
    assert await sockets.answers(sid, event, event) == (200, 200)
    assert sockets.server.sockets.eio.sessions[sid]
    await sockets.post(sid, event)
    assert (await sockets.poll(sid)).status_code == 400


async def test_sessions_that_come_and_go_leave_nothing_behind(sockets: Wire) -> None:
    async def come_and_go(leave: Callable[[ClientConnection], None]) -> None:
        async with sockets.socket() as socket:
            opened = orjson.loads(str(await socket.recv())[1:])
            assert opened["maxPayload"] == PATIENT.max_payload
            await socket.send("40")
            await socket.send('42["message",1]')
            leave(socket)

    leaves: tuple[Callable[[ClientConnection], None], ...] = (
        lambda socket: socket.transport.abort(),
        lambda socket: socket.transport.close(),
        lambda socket: None,
    )
    await asyncio.gather(*(come_and_go(leaves[number % 3]) for number in range(90)))
    await none_but_the_neighbour(sockets.server)
    assert len(sockets.server.sockets.environ) == 1
