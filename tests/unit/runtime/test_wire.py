"""Tape batches: cut apart unparsed, and refused when they are cut short."""

import json

import pytest

from runtime.wire import Batch, Envelope, decode_batch, encode_batch, encode_envelope


def envelope(room: str = "price:BTC-USD", seq: int = 7) -> Envelope:
    body = encode_envelope("update", room, seq, 3, "frame", 11, 12, {"bid": "1", "text": "],}é"})
    return Envelope(room, seq, body)


BEAT = encode_batch(3, 99, [])
FULL = encode_batch(3, 99, [envelope(), envelope("trades:ETH-USD", 8)])


def test_an_envelope_has_its_fields_in_the_published_order() -> None:
    assert list(json.loads(envelope().body)) == [
        "type", "room", "seq", "epoch", "cause", "received_us", "published_us", "data",
    ]  # fmt: skip


def test_a_batch_is_one_json_document_that_decodes_to_the_very_bytes() -> None:
    assert decode_batch(FULL) == Batch(3, 99, (envelope(), envelope("trades:ETH-USD", 8)))
    assert decode_batch(BEAT) == Batch(3, 99, ())
    document = json.loads(FULL)
    assert document["envelopes"] == [
        json.loads(envelope().body),
        json.loads(envelope("trades:ETH-USD", 8).body),
    ]
    assert document["index"][0] == ["price:BTC-USD", 7, len(envelope().body)]


@pytest.mark.parametrize("whole", [BEAT, FULL], ids=["beat", "batch"])
def test_a_batch_that_is_cut_anywhere_is_refused(whole: bytes) -> None:
    for end in range(len(whole)):
        with pytest.raises(ValueError):  # noqa: PT011 - any of them
            decode_batch(whole[:end])
    with pytest.raises(ValueError, match="cut short"):
        decode_batch(whole + b" ")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b'{"epoch":1,"feed_us":2}',
        b'{"epoch":1,"feed_us":2,"envelopes":[]}',
        b'{"epoch":1,"index":[],"envelopes":[]}',
        b'{"epoch":1,"feed_us":2,"index":5,"envelopes":[]}',
        b'{"epoch":1,"feed_us":2,"index":[["a",1]],"envelopes":[]}',
        b'{"epoch":1,"feed_us":2,"index":[["a",1,null]],"envelopes":[{}]}',
        b'5,"envelopes":[]}',
        b'[1,"envelopes":[]}',
    ],
)
def test_what_is_no_batch_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        decode_batch(raw)
