"""The bytes of a recording: what is written is read again, a torn file up to where it is torn."""

import io

import orjson
import pytest

from aggregator.recording import format as recording
from aggregator.recording.format import MAGIC, Entry, Kind, Reader, block, packed
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

ENTRIES = [
    Entry(Kind.BEGIN, 0, 1_790_000_000_000_000, 5, orjson.dumps({"version": 2, "facts": {}})),
    Entry(Kind.NAME, 1, 0, 0, b"dydx:ws:0"),
    Entry(Kind.FRAME, 1, 1_790_000_000_000_001, 2**62, b'{"a":1}' * 50),
    Entry(Kind.TICK, 65_535, 0, 7, b""),
    Entry(Kind.END, 0, 0, 0, b""),
]


def raw(entries: list[Entry]) -> bytes:
    return b"".join(packed(Kind(e.kind), e.source, e.wall_us, e.mono_ns, e.body) for e in entries)


def a_file() -> bytes:
    return MAGIC + block(raw(ENTRIES[:2])) + block(raw(ENTRIES[2:]))


def read(data: bytes) -> tuple[list[Entry], bool]:
    reader = Reader(io.BytesIO(data))
    return list(reader), reader.torn


def test_what_was_written_is_read() -> None:
    assert read(a_file()) == (ENTRIES, False)


def test_a_torn_file_is_read_up_to_the_last_whole_block() -> None:
    whole, first = a_file(), len(MAGIC) + len(block(raw(ENTRIES[:2])))
    for length in range(len(MAGIC), len(whole)):
        entries, torn = read(whole[:length])
        assert torn
        assert entries == (ENTRIES[:2] if length >= first else [])


def test_a_damaged_block_ends_the_reading() -> None:
    data, first = bytearray(a_file()), len(MAGIC) + len(block(raw(ENTRIES[:2])))
    data[first + 20] ^= 1
    assert read(bytes(data)) == (ENTRIES[:2], True)


def test_a_file_without_its_end_is_torn() -> None:
    assert read(MAGIC + block(raw(ENTRIES[:-1]))) == (ENTRIES[:-1], True)


@pytest.mark.parametrize("data", [b"", b"perptape", b"PK\x03\x04" * 20])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="begin"):
        Reader(io.BytesIO(data))


def test_other_versions_are_refused() -> None:
    assert recording.header(ENTRIES[0]) == {"version": 2, "facts": {}}
    with pytest.raises(InputError, match="version 1"):
        recording.header(ENTRIES[0]._replace(body=b'{"version":1}'))
    with pytest.raises(InputError, match="no beginning"):
        recording.header(ENTRIES[1])


def test_the_numbers_of_the_kinds_never_change() -> None:
    assert {kind.name: kind.value for kind in Kind} == {
        "BEGIN": 1, "GAP": 2, "NAME": 3, "LISTED": 4, "SOURCES": 5, "ATTACH": 6, "DETACH": 7,
        "RELIST": 8, "UNLIST": 9, "OPEN": 10, "FRAME": 11, "REPLY": 12, "LONG": 13, "TICK": 14,
        "RESYNC": 15, "TAKEN": 16, "STATUS": 17, "TIME": 18, "FLUSH": 19, "ANEW": 20, "END": 21,
        "LADDERS": 22,
    }  # fmt: skip


def test_markets_and_replies_survive() -> None:
    venue = VenueId("gains")
    market = Market(
        venue, MarketId("BTC-USD"), "BTC/USD", Grid("0.1"), Grid("1e-18"), "closed", "10", "150",
        ("42161:USDC", "137:DAI"), (42161, "dydx-1"), "oracle",
    )  # fmt: skip
    (row,) = orjson.loads(orjson.dumps(recording.market_rows([market])))
    assert repr(recording.market_rows([recording.market(venue, row)])) == repr(
        recording.market_rows([market])
    )
    assert recording.reply(recording.reply_body("/päth", b"\x00body")) == ("/päth", b"\x00body")
