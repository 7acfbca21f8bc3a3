"""Whatever text a room or its data hold, a tape batch comes back byte for byte."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.wire import Envelope, decode_batch, encode_batch, encode_envelope

TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['","envelopes":[', "}]}", '"index":[]', "\\", "\x00", "\u2028"]
)
SEQ = st.integers(0, 2**53)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(TEXT, DATA, max_size=3) | st.lists(DATA, max_size=3)


@settings(deadline=None, max_examples=150)
@given(SEQ, SEQ, st.lists(st.tuples(TEXT, SEQ, DOCUMENTS), max_size=4))
def test_a_batch_survives_the_round_trip(
    epoch: int, feed_us: int, rooms: list[tuple[str, int, Any]]
) -> None:
    envelopes = [
        Envelope(room, seq, encode_envelope("update", room, seq, epoch, "timer", 1, 2, data))
        for room, seq, data in rooms
    ]
    raw = encode_batch(epoch, feed_us, envelopes)
    batch = decode_batch(raw)
    assert (batch.epoch, batch.feed_us, list(batch.envelopes)) == (epoch, feed_us, envelopes)
    assert [item["data"] for item in json.loads(raw)["envelopes"]] == [data for *_, data in rooms]
