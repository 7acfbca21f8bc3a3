"""What the load client makes of bytes: nothing may be lost, whatever the reads are."""

from collections.abc import Iterator

import pytest

from benchmarks.load import scanner
from benchmarks.load.scanner import Control, ScanError, Scanner, Update
from tests.unit.benchmarks.load_frames import close, frame, price

EVENT = price("price:BTC-USD", 7, published_us=1_000, received_us=900)
UPDATE = Update("price:BTC-USD", 7, 1_000, 900, False)


def read_all(pieces: list[bytes]) -> Iterator[Update | Control | int]:
    """Everything in its order, with the number of other events of a chunk at its end."""
    reader, rest = Scanner(), b""
    for piece in pieces:
        chunk = reader.read(rest + piece)
        rest = chunk.rest
        yield from chunk.messages
        if chunk.others:
            yield chunk.others
    assert rest == b""


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_frames_of_every_length_form(size: int) -> None:
    payload = b"4" * size
    assert list(read_all([frame(payload) + frame(b"2")])) == [
        Control(scanner.TEXT, payload),
        Control(scanner.TEXT, b"2"),
    ]


def test_the_same_whatever_byte_a_read_ends_at() -> None:
    stream = b"".join(
        (
            frame(b'42["heartbeat",{"ts_us":1,"feed_us":2,"epoch":3}]'),
            frame(EVENT),
            frame(b"2"),
            frame(b'430[{"ok":true,"rooms":{}}]' + b" " * 200),
            close(4008, "SLOW_CONSUMER"),
        )
    )
    expected = [
        UPDATE,
        Control(scanner.TEXT, b"2"),
        Control(scanner.TEXT, b'430[{"ok":true,"rooms":{}}]' + b" " * 200),
        Control(scanner.CLOSE, b"\x0f\xa8SLOW_CONSUMER"),
    ]
    for cut in range(1, len(stream)):
        found = list(read_all([stream[:cut], stream[cut:]]))
        assert [item for item in found if item != 1] == expected
        assert found.count(1) == 1
    assert [item for item in read_all([bytes([b]) for b in stream]) if item != 1] == expected


def test_many_frames_in_one_read_and_again_from_memory() -> None:
    events = [price("price:BTC-USD", seq, 1_000 + seq, 900) for seq in range(500)]
    reader = Scanner()
    data = b"".join(map(frame, events))
    for _ in range(2):
        for start in (0, 1):
            chunk = reader.read(b"".join(map(frame, events[start:])))
            assert [update.seq for update in chunk.updates] == list(range(start, 500))
        short = reader.read(data[: len(frame(events[0]))])
        assert [update.seq for update in short.updates] == [0]


@pytest.mark.parametrize(
    "payload",
    [
        b'42["heartbeat",{"ts_us":1,"feed_us":2,"epoch":3}]',
        b'42["price",{"room":"price:BTC-USD","published_us":1,"received_us":1}]',
        b'42["price",{"seq":1,"published_us":1,"received_us":1}]',
        b'42["price",{"room":"price:BTC-USD","seq":1}]',
    ],
)
def test_events_without_an_envelope_are_only_counted(payload: bytes) -> None:
    chunk = Scanner().read(frame(payload))
    assert chunk == ((), 1, b"", True, ())


def test_a_status_envelope_is_known_as_such() -> None:
    status = price("price:BTC-USD", 7, 1_000, 900, cause="status")
    assert Scanner().read(frame(status)).messages == (UPDATE._replace(is_status=True),)


@pytest.mark.parametrize(
    "head",
    [
        b"\x01\x01a",
        b"\xc1\x01a",
        b"\x81\x81\0\0\0\0a",
        b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),
    ],
    ids=["fragment", "compressed", "masked", "endless"],
)
def test_what_no_server_here_sends_is_an_error(head: bytes) -> None:
    with pytest.raises(ScanError):
        Scanner().read(head)


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_what_is_sent_is_masked_and_reads_back(size: int) -> None:
    sent = scanner.masked(scanner.TEXT, b"x" * size)
    assert sent[1] & 0x80
    head = len(sent) - size
    assert sent[head - 4 : head] == b"\0\0\0\0"
    unmasked = sent[:1] + bytes((sent[1] & 0x7F,)) + sent[2 : head - 4] + sent[head:]
    assert Scanner().read(unmasked).messages == (Control(scanner.TEXT, b"x" * size),)
