"""Socket.IO packets with bytes in them."""

import base64

import pytest
from websockets.asyncio.client import ClientConnection

from tests.integration.gateway_sockets import close_code
from tests.protocol.kit import Received, Wire, all_sent, joined, next_packets

TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
TEN = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))


@pytest.mark.parametrize(
    ("packet", "attachments", "answer"),
    [
        (f'452-["message",{TWO}]', [b"\1\2\3", b"\4\5\6"], f'452-["message-back",{TWO}]'),
        (f'452-789["message-with-ack",{TWO}]', [b"\1", b"\2"], f"462-789[{TWO}]"),
        (
            '451-["message",{"a":[{"_placeholder":true,"num":0}],"b":null}]',
            [b""],
            '451-["message-back",{"a":[{"_placeholder":true,"num":0}],"b":null}]',
        ),
        (
            f'4510-["message",{TEN}]',
            [b"%d" % number for number in range(10)],
            f'4510-["message-back",{TEN}]',
        ),
    ],
)
@pytest.mark.parametrize("by_polling", [False, True])
async def test_attachments(
    sockets: Wire, packet: str, attachments: list[bytes], answer: str, by_polling: bool
) -> None:
    expected: list[Received] = [answer, *attachments]
    if by_polling:
        sid = await sockets.open()
        await sockets.post(sid, "40")
        await sockets.poll(sid)
        parts = [packet, *("b" + _base64(attachment) for attachment in attachments)]
        assert await sockets.answers(sid, *parts) == (200,) * len(parts)
        polled = (await sockets.poll(sid)).text.split("\x1e")
        assert polled == [answer, *("b" + _base64(attachment) for attachment in attachments)]
        return
    async with sockets.socket() as socket:
        await socket.recv()
        await joined(socket)
        await all_sent(socket, [packet, *attachments])
        assert await next_packets(socket, len(expected)) == expected


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_an_attachment_may_stand_in_several_places_or_in_none(
    socket: ClientConnection,
) -> None:
    again = '{"_placeholder":true,"num":1}'
    await all_sent(socket, [f'452-["message",{again},{again}]', b"unused", b"twice"])
    assert await next_packets(socket, 3) == [f'452-["message-back",{TWO}]', b"twice", b"twice"]


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([b"\1"], id="not announced"),
        pytest.param(['451-["message",1]', '42["message",1]'], id="text where it was announced"),
        pytest.param(['451-["message",1]', "41"], id="a disconnect where it was announced"),
        pytest.param([f'451-["message",{TWO}]', b"\1"], id="a placeholder too many"),
        pytest.param(['451-["message",1]', b"\1", b"\2"], id="an attachment too many"),
        *(
            pytest.param([f'451-["message",{{"_placeholder":true,"num":{num}}}]', b"\1"], id=num)
            for num in ("-1", "1", "0.5", '"0"', "null", "true", "1e99", "[]", "{}")
        ),
        pytest.param(['451-["message",{"_placeholder":true}]', b"\1"], id="without number"),
        pytest.param(['450-["message"]'], id="0"),
        pytest.param(['45["message"]'], id="no number of them"),
        pytest.param(['45-["message"]'], id="empty number of them"),
        pytest.param(['45-1-["message"]'], id="negative"),
        pytest.param(['451.0-["message"]'], id="fraction"),
        pytest.param(['45 1-["message"]'], id="space"),
        pytest.param(['45٣-["message"]'], id="other digits"),
        pytest.param(['4511-["message"]'], id="more than ten"),
        pytest.param(['459999999999-["message"]'], id="many more than ten"),
        pytest.param(['451-{"message":1}'], id="no array"),
        pytest.param(['461-["no number of the event"]'], id="an answer to nothing"),
        pytest.param(['421-["message"]'], id="on a type without"),
        pytest.param(
            ['451-["message",' + "[" * 900 + "]" * 900 + "]", b"\1"], id="nested too deeply"
        ),
    ],
)
async def test_malformed_attachments_close(
    socket: ClientConnection, packets: list[Received]
) -> None:
    await all_sent(socket, packets)
    assert await close_code(socket) == 1000


async def test_an_upgrade_loses_nothing(sockets: Wire) -> None:
    sid = await sockets.open()
    await sockets.post(sid, "40")
    async with sockets.upgrade(sid) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        assert await sockets.answers(sid, '451-7["message-with-ack",[]]', "bAQID") == (200, 200)
        # An attachment may come by the other transport.
        assert await sockets.answers(sid, '451-["message",{"_placeholder":true,"num":0}]') == (200,)
        await all_sent(socket, ["5", b"\1\2\3"])
        packets = await next_packets(socket, 5)
    assert str(packets[0]).startswith('40{"sid":"')
    assert packets[1:3] == ['42["auth",{}]', "437[[]]"]
    assert packets[3:] == ['451-["message-back",{"_placeholder":true,"num":0}]', b"\1\2\3"]
