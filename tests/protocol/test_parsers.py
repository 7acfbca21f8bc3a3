"""The parsers against whatever bytes: a packet, or an error of their own and no other."""

import string
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import Packet as LibraryPacket

from api.realtime import frames, packets, socketio_packets
from api.realtime.frames import FrameError, FrameParser
from api.realtime.packets import Packet, PacketError
from api.realtime.socketio_packets import ClientPacket, ClientPacketError

MESSAGE_BOUND = 1_000

# Text that looks like packets more often than chance would have it.
PIECES = (
    *string.digits,
    *'-/,[]{}"\x1e \n',
    "/custom,",
    '"message"',
    '{"_placeholder":true,"num":0}',
    "b",
    "AQID",
    "=",
    "٣",
    "\ud7ff",
)
likely_text = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=12).map("".join)
anything = st.binary(max_size=60) | likely_text.map(str.encode)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
with_bytes = st.lists(json_values | st.binary(max_size=5), max_size=4)
namespaces = st.sampled_from(["/", "/custom", "/a/b", "/1"])
numbers = st.none() | st.integers(0, 10**30)


@given(anything)
def test_a_payload_is_packets_or_an_error(raw: bytes) -> None:
    try:
        decoded = packets.decode_payload(raw)
    except PacketError:
        return
    assert len(decoded) == raw.count(b"\x1e") + 1
    sent = [
        Packet(item, binary=True) if isinstance(item, bytes) else Packet(item.encode())
        for item in decoded
    ]
    assert packets.decode_payload(packets.encode_payload(sent)) == decoded


@given(likely_text | st.text(max_size=40))
def test_a_text_is_a_packet_of_a_client_or_an_error(text: str) -> None:
    try:
        packet = socketio_packets.decode(text)
    except ClientPacketError:
        return
    assert packet.missing in range(11)
    assert packet.namespace.startswith("/")
    assert "," not in packet.namespace
    match packet.kind:
        case "connect":
            assert isinstance(packet.data, dict | None)
        case "disconnect":
            assert packet.data is None
        case "event":
            assert isinstance(packet.data[0], str | int | float)
        case "ack":
            assert isinstance(packet.data, list)
            assert packet.number is not None


@given(likely_text, st.lists(st.binary(max_size=3) | st.text(max_size=3), max_size=11))
def test_attachments_complete_a_packet_or_are_an_error(
    text: str, attachments: list[str | bytes]
) -> None:
    try:
        packet = socketio_packets.decode(text)
        for attachment in attachments:
            if not packet.missing:
                break
            packet.attach(attachment)
    except ClientPacketError:
        pass


def encoded_by_the_library(
    kind: int, data: Any, namespace: str, number: int | None
) -> Sequence[str | bytes]:
    encoded = LibraryPacket(kind, data, namespace, number).encode()
    return encoded if isinstance(encoded, list) else [encoded]


@given(st.text(max_size=8).map("e".__add__), with_bytes, namespaces, numbers)
def test_events_of_the_python_client_are_read(
    name: str, arguments: list[Any], namespace: str, number: int | None
) -> None:
    text, *attachments = encoded_by_the_library(2, [name, *arguments], namespace, number)
    packet = complete(text, attachments)
    assert (packet.kind, packet.namespace, packet.number) == ("event", namespace, number)
    assert packet.data == [name, *arguments]


@given(with_bytes, namespaces, st.integers(0, 10**30))
def test_answers_of_the_python_client_are_read(
    arguments: list[Any], namespace: str, number: int
) -> None:
    text, *attachments = encoded_by_the_library(3, arguments, namespace, number)
    packet = complete(text, attachments)
    assert (packet.kind, packet.namespace, packet.number) == ("ack", namespace, number)
    assert packet.data == arguments


def complete(text: str | bytes, attachments: Sequence[str | bytes]) -> ClientPacket:
    packet = socketio_packets.decode(text)
    assert packet.missing == len(attachments)
    for attachment in attachments:
        packet.attach(attachment)
    assert packet.missing == 0
    return packet


@pytest.fixture
def usual_recursion() -> Iterator[None]:
    """As in a gateway: what other tests import raises the limit."""
    found = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(found)


@pytest.mark.usefixtures("usual_recursion")
@pytest.mark.parametrize("depth", [10, 300, 800, 1_000, 100_000])
def test_nesting_ends_in_an_error_of_its_own(depth: int) -> None:
    nested = "[" * depth + '{"_placeholder":true,"num":0}' + "]" * depth
    try:
        packet = socketio_packets.decode(f'51-["a",{nested}]')
        packet.attach(b"x")
    except ClientPacketError:
        assert depth >= 300
    else:
        assert depth < 1_000
        assert orjson.dumps(str(packet.data)).count(b"[") == depth + 1


def chunks(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    position = step = 0
    while position < len(data):
        size = cuts[step % len(cuts)]
        yield data[position : position + size]
        position += size
        step += 1


frame_heads = st.tuples(
    st.integers(0, 255), st.integers(0, 255), st.binary(max_size=12), st.binary(max_size=40)
).map(lambda parts: bytes(parts[:2]) + parts[2] + parts[3])


@given(st.binary(max_size=80) | st.lists(frame_heads, max_size=4).map(b"".join), st.data())
def test_bytes_are_frames_or_an_error_however_they_are_cut(
    data: bytes, draw: st.DataObject
) -> None:
    cuts = draw.draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    outcomes = []
    for pieces in ([data], list(chunks(data, cuts))):
        parser = FrameParser(MESSAGE_BOUND)
        seen: list[tuple[int, bytes] | int] = []
        try:
            for piece in pieces:
                seen += parser.feed(piece)
        except FrameError as error:
            seen.append(error.code)
        outcomes.append(seen)
    assert all(
        isinstance(item, int) or len(item[1]) <= MESSAGE_BOUND for seen in outcomes for item in seen
    )
    # Frames of one piece that came before an error in it are told as well.
    assert outcomes[0][-1:] == outcomes[1][-1:]


@given(st.binary(max_size=130))
def test_a_close_payload_has_a_code_or_is_an_error(payload: bytes) -> None:
    try:
        code = frames.close_code(payload)
    except FrameError as error:
        code = error.code
    assert code in range(1000, 5000)
