"""Every clause of the Socket.IO protocol, version 5."""

import asyncio

import orjson
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import (
    WITHIN_S,
    Received,
    Wire,
    all_sent,
    joined,
    next_packet,
    next_packets,
    until,
)

ECHO = '42["message-back","still here"]'


async def check_alive(socket: ClientConnection) -> None:
    await socket.send('42["message","still here"]')
    assert await next_packet(socket) == ECHO


# Connect


@pytest.mark.parametrize(
    ("packet", "head", "auth"),
    [
        ("40", "40", '42["auth",{}]'),
        ("40{}", "40", '42["auth",{}]'),
        ('40{"token":"123"}', "40", '42["auth",{"token":"123"}]'),
        ("40/custom,", "40/custom,", '42/custom,["auth",{}]'),
        ("40/custom", "40/custom,", '42/custom,["auth",{}]'),
        ('40/custom,{"a":["b"]}', "40/custom,", '42/custom,["auth",{"a":["b"]}]'),
        ("40/,", "40", '42["auth",{}]'),
    ],
)
async def test_connecting(fresh: ClientConnection, packet: str, head: str, auth: str) -> None:
    await fresh.send(packet)
    connected, event = await next_packets(fresh, 2)
    assert isinstance(connected, str)
    assert connected.startswith(head)
    handshake = orjson.loads(connected[len(head) :])
    assert set(handshake) == {"sid"}
    assert isinstance(handshake["sid"], str)
    assert event == auth


async def test_connecting_by_polling(sockets: Wire) -> None:
    sid = await sockets.open()
    assert await sockets.answers(sid, '40\x1e40/custom,{"a":1}\x1e42["message",1]') == (200,)
    packets = (await sockets.poll(sid)).text.split("\x1e")
    assert packets[0].startswith('40{"sid":"')
    assert packets[1] == '42["auth",{}]'
    assert packets[2].startswith('40/custom,{"sid":"')
    assert packets[3:] == ['42/custom,["auth",{"a":1}]', '42["message-back",1]']


async def test_ids_are_secrets_of_their_own(sockets: Wire, socket: ClientConnection) -> None:
    [session] = sockets.server.sockets.eio.sessions.values()
    await socket.send("40/custom,")
    answer = str(await next_packet(socket))
    custom = orjson.loads(answer.removeprefix("40/custom,"))["sid"]
    main = sockets.server.sockets.manager.sid_from_eio_sid(session.sid, "/")
    assert len({session.sid, custom, main}) == 3


@pytest.mark.parametrize(
    "namespace", ["/random", "/customs", "/Custom", "/custom/", "/custom?token=1", "/a b\n", "//"]
)
async def test_an_unknown_namespace_is_a_connect_error(
    fresh: ClientConnection, namespace: str
) -> None:
    await fresh.send(f"40{namespace},")
    assert await next_packet(fresh) == f'44{namespace},{{"message":"Invalid namespace"}}'
    # The connection is as good as before.
    await joined(fresh)
    await check_alive(fresh)


@pytest.mark.parametrize(
    "packet",
    [
        '42["message",1]',
        '423["message-with-ack",1]',
        '42/custom,["message",1]',
        "43[]",
        "4312[1]",
        "41",
        "41/custom,",
        '44{"message":"x"}',
        '451-["message",{"_placeholder":true,"num":0}]',
        '461-1[{"_placeholder":true,"num":0}]',
        b"\x01\x02",
        "4abc",
        "40[]",
        "40null",
        '40"token"',
        "401",
        '40{"token"',
        '40/custom,{"token":}',
    ],
)
async def test_the_first_packet_is_a_connect(fresh: ClientConnection, packet: Received) -> None:
    await fresh.send(packet)
    # Nothing is answered, not even a ping.
    with pytest.raises(ConnectionClosed):
        await fresh.recv()
    assert fresh.close_code == 1000


@pytest.mark.parametrize("packet", ["40", "40{}", '40/custom,{"a":1}'])
async def test_a_second_connect_to_a_namespace_closes(
    socket: ClientConnection, packet: str
) -> None:
    await joined(socket, "/custom")
    await socket.send(packet)
    assert await close_code(socket) == 1000


# Disconnect


async def test_leaving_the_main_namespace_and_coming_back(
    sockets: Wire, socket: ClientConnection
) -> None:
    await socket.send("41")
    await joined(socket)
    await check_alive(socket)
    assert sockets.server.sockets.reasons == ["client disconnect"]


@pytest.mark.parametrize("packet", ["41/custom", "41/custom,"])
async def test_leaving_one_of_two_namespaces(socket: ClientConnection, packet: str) -> None:
    await joined(socket, "/custom")
    await socket.send(packet)
    await check_alive(socket)
    await socket.send('42/custom,["message",1]')
    assert await close_code(socket) == 1000


async def test_leaving_twice_closes(socket: ClientConnection) -> None:
    await all_sent(socket, ["41", "41"])
    assert await close_code(socket) == 1000


async def test_the_end_of_the_connection_leaves_all_namespaces(
    sockets: Wire, socket: ClientConnection
) -> None:
    await joined(socket, "/custom")
    server = sockets.server.sockets
    # Half a packet is forgotten with the client.
    await socket.send('451-["message",{"_placeholder":true,"num":0}]')
    await socket.close()
    async with asyncio.timeout(WITHIN_S):
        while server.reasons != ["transport close", "transport close"]:
            await asyncio.sleep(0.01)
    assert server.eio.sessions == {}
    assert server.environ == {}
    assert server._binary_packet == {}


async def test_what_came_with_the_end_of_the_connection_was_said_before_it(
    sockets: Wire, socket: ClientConnection
) -> None:
    protocol = socket.protocol
    protocol.send_text(b'42["message-with-ack",1]')
    protocol.send_text(b"41")
    protocol.send_close(1000)
    # In one piece, as from a client that the server had no time for.
    socket.transport.write(b"".join(protocol.data_to_send()))
    server = sockets.server.sockets
    await until(lambda: server.reasons == ["client disconnect"])
    assert server.eio.sessions == {}


# Events and acknowledgements


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        ',1,"2",{"3":[true]}',
        ",null,false,1.5,-7,[],{}",
        ',"é ✓ \\u0000 \\u001e"',
        ',{"_placeholder":true,"num":0}',
    ],
)
async def test_an_event_comes_back(socket: ClientConnection, arguments: str) -> None:
    await socket.send(f'42["message"{arguments}]')
    answer = await next_packet(socket)
    assert orjson.loads(str(answer)[2:]) == orjson.loads(f'["message-back"{arguments}]')


@pytest.mark.parametrize(
    ("number", "arguments"),
    [("456", '1,"2",{"3":[false]}'), ("0", ""), ("12", "[]"), ("9007199254740993", "null")],
)
async def test_an_acknowledgement_has_the_number_of_its_event(
    socket: ClientConnection, number: str, arguments: str
) -> None:
    separator = "," if arguments else ""
    await socket.send(f'42{number}["message-with-ack"{separator}{arguments}]')
    assert await next_packet(socket) == f"43{number}[{arguments}]"


@pytest.mark.parametrize("event", ['42["unheard of",1]', "42[7,1]", '421["unheard of"]'])
async def test_an_event_nobody_handles_is_ignored(socket: ClientConnection, event: str) -> None:
    await socket.send(event)
    await check_alive(socket)


@pytest.mark.parametrize("packet", ["4312[]", '4399["an answer nobody asked for"]'])
async def test_an_acknowledgement_nobody_waits_for_is_ignored(
    socket: ClientConnection, packet: str
) -> None:
    await socket.send(packet)
    await check_alive(socket)


async def test_events_are_handled_in_order(socket: ClientConnection) -> None:
    for number in range(500):
        await socket.send(f'42["message",{number}]')
    assert await next_packets(socket, 500) == [
        f'42["message-back",{number}]' for number in range(500)
    ]


# What is no packet


@pytest.mark.parametrize(
    "packet",
    [
        "4",
        "4abc",
        "47",
        "49[]",
        "4-1",
        "4 2",
        "4٢",
        "4\0",
        "42",
        "42{}",
        "42[]",
        "42[null]",
        "42[true]",
        "42[{}]",
        '42[["message"]]',
        '42"message"',
        "42null",
        '42["message"',
        '42["message"] ["x"]',
        '42["message",NaN]',
        '42["message",01]',
        '42["message","\\ud800"]',
        '42["message",' + "[" * 20_000 + "]" * 20_000 + "]",
        '42["message",' + "[" * 900 + "]" * 900 + "]",
        '421["message-with-ack",' + "[" * 500 + "]" * 500 + "]",
        '42abc["message-with-ack",1]',
        '42-1["message-with-ack",1]',
        '421.5["message-with-ack",1]',
        '42٣["message-with-ack",1]',
        "42" + "1" * 200 + '["message"]',
        "42,",
        '42custom,["message"]',
        '42/other,["message"]',
        '42/,/custom,["message"]',
        '42["connect"]',
        '42["connect_error"]',
        '42["disconnect","x"]',
        '42["disconnecting"]',
        '42["newListener"]',
        '42["removeListener"]',
        "431",
        "431{}",
        "43[]",
        '41{"a":1}',
        "411",
        "41null",
        '44{"message":"x"}',
        '44"x"',
    ],
)
async def test_a_malformed_packet_closes(socket: ClientConnection, packet: str) -> None:
    await socket.send(packet)
    # Whatever comes after it is not read.
    await socket.send('42["message","after"]')
    assert await close_code(socket) == 1000


async def test_a_malformed_packet_closes_a_polling_session(sockets: Wire) -> None:
    sid = await sockets.open()
    await sockets.post(sid, "40")
    await sockets.poll(sid)
    await sockets.post(sid, '42["message",1]\x1e42{}\x1e42["message",2]')
    assert (await sockets.poll(sid)).status_code == 400
    assert sockets.server.sockets.reasons == ["transport error"]
