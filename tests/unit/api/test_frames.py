"""Frames against the ``websockets`` library as the other side."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import CloseCode, Frame, Opcode
from websockets.streams import StreamReader

from api.realtime import frames
from api.realtime.frames import FrameError, FrameParser

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])


def parsed_by_the_library(data: bytes) -> Frame:
    reader = StreamReader()
    reader.feed_data(data)
    reading = Frame.parse(reader.read_exact, mask=False)
    try:
        next(reading)
    except StopIteration as finished:
        frame: Frame = finished.value
        return frame
    raise AssertionError("not a whole frame")


def client_frame(opcode: Opcode, payload: bytes, *, final: bool = True) -> bytes:
    return Frame(opcode, payload, fin=final).serialize(mask=True)


@given(size=SIZES, binary=st.booleans())
def test_our_frames_are_read_by_the_library(size: int, binary: bool) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    opcode = frames.BINARY if binary else frames.TEXT
    frame = parsed_by_the_library(frames.frame(opcode, payload[:size]))
    assert (frame.opcode, bytes(frame.data), frame.fin) == (opcode, payload[:size], True)


def test_our_close_frame_is_read_by_the_library() -> None:
    frame = parsed_by_the_library(frames.close_frame(frames.SLOW_CONSUMER, "SLOW_CONSUMER"))
    assert frame.opcode is Opcode.CLOSE
    assert bytes(frame.data) == struct.pack("!H", 4008) + b"SLOW_CONSUMER"


messages = st.tuples(
    st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
    st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    st.lists(st.sampled_from([Opcode.PING, Opcode.PONG]), max_size=2),
)


@given(st.lists(messages, max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_messages_survive_any_fragmentation_and_chunking(
    sent: list[tuple[Opcode, list[bytes], list[Opcode]]], cuts: list[int]
) -> None:
    wire = b""
    expected: list[tuple[int, bytes]] = []
    for opcode, fragments, controls in sent:
        for position, fragment in enumerate(fragments):
            final = position == len(fragments) - 1
            wire += client_frame(opcode if position == 0 else Opcode.CONT, fragment, final=final)
            if not final:
                # Control frames may stand between fragments.
                for control in controls:
                    wire += client_frame(control, b"c")
                    expected.append((control, b"c"))
        expected.append((opcode, b"".join(fragments)))
    parser = FrameParser(10_000)
    got: list[tuple[int, bytes]] = []
    position = step = 0
    while position < len(wire):
        size = cuts[step % len(cuts)]
        got += parser.feed(wire[position : position + size])
        position += size
        step += 1
    assert got == expected


def read_noise(noise: bytes, size: int) -> int | None:
    """The close code it leads to, None when it could go on."""
    parser = FrameParser(100)
    try:
        for position in range(0, len(noise), size):
            for opcode, payload in parser.feed(noise[position : position + size]):
                if opcode == frames.CLOSE:
                    frames.close_code(payload)
                elif opcode == frames.TEXT:
                    frames.decode_text(payload)
    except FrameError as error:
        return error.code
    return None


@given(st.binary(max_size=400), st.integers(1, 50))
def test_noise_never_raises_anything_else(noise: bytes, size: int) -> None:
    assert read_noise(noise, size) in {None, 1002, 1007, 1009}


def test_a_message_is_bounded_over_all_of_its_fragments() -> None:
    parser = FrameParser(100)
    assert list(parser.feed(client_frame(Opcode.TEXT, b"a" * 100))) == [(frames.TEXT, b"a" * 100)]
    assert list(parser.feed(client_frame(Opcode.TEXT, b"a" * 60, final=False))) == []
    with pytest.raises(FrameError) as error:
        list(parser.feed(client_frame(Opcode.CONT, b"a" * 41)))
    assert error.value.code == CloseCode.MESSAGE_TOO_BIG


def test_a_length_is_refused_before_its_body_arrives() -> None:
    parser = FrameParser(100)
    with pytest.raises(FrameError) as error:
        list(parser.feed(b"\x81\xff" + struct.pack("!Q", 1 << 60)))
    assert error.value.code == 1009


def test_empty_fragments_for_ever_hold_no_memory() -> None:
    parser = FrameParser(100)
    list(parser.feed(client_frame(Opcode.TEXT, b"", final=False)))
    for _ in range(10_000):
        assert list(parser.feed(client_frame(Opcode.CONT, b"", final=False))) == []
    assert list(parser.feed(client_frame(Opcode.CONT, b"end"))) == [(frames.TEXT, b"end")]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 1000),
        (struct.pack("!H", 1000), 1000),
        (struct.pack("!H", 1001) + b"bye", 1001),
        (struct.pack("!H", 3000), 3000),
        (struct.pack("!H", 4999), 4999),
    ],
)
def test_close_codes_are_echoed(payload: bytes, code: int) -> None:
    assert frames.close_code(payload) == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_close_codes_that_may_not_be_sent(code: int) -> None:
    with pytest.raises(FrameError):
        frames.close_code(struct.pack("!H", code))
