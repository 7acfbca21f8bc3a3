"""Frames no server should send: none raises, each is noticed, and what it may have said is fetched
again: nothing stays in use that a lost message may have changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.base.protocol import HttpReply
from connectors.dydx import constants as c
from domain.events import VenueStatus
from tests.unit.connectors.dydx.link import (
    BOOK,
    HEIGHT,
    MARKETS,
    RECORDED,
    TRADES,
    Link,
    deltas,
    market,
    oracles,
    snapshots,
)

A, B = market("A-USD"), market("B-USD")
GOOD: dict[str, Any] = {
    "type": "channel_data", "connection_id": "c", "message_id": 0, "id": "A-USD",
    "channel": BOOK, "version": "1.0.0", "contents": {"bids": [["98", "5"]]},
}  # fmt: skip


def number(link: Link) -> int:
    link.next_id += 1
    return link.next_id - 1


UNREADABLE = [
    b"", b"{", b"null", b"[]", b"[1,2]", b"42", b'"connected"', b"NaN", b"{}", b"true",
    b"\xff\xfe", b'{"message_id":', b"<html></html>", b"[" * 10_000 + b"]" * 10_000,
    b'{"contents":' * 10_000 + b"0" + b"}" * 10_000, b'"' + b"x" * 1_000_000 + b'"',
    b'{"type":"channel_data","message_id":NaN}', b'{"type":"channel_data","message_id":1e999}',
    b'{"type":"channel_data","message_id":"7"}', b'{"type":"channel_data","message_id":true}',
    b'{"type":"channel_data","message_id":1.0}', b'{"type":"channel_data","message_id":[1]}',
    b'{"type":"channel_data","message_id":9223372036854775808000}', b'{"type":"channel_data"}',
]  # fmt: skip


@pytest.mark.parametrize("frame", UNREADABLE, ids=lambda frame: repr(frame[:24]))
def test_the_number_of_a_frame_that_cannot_be_read_is_missed(frame: bytes) -> None:
    link = Link(A, B).open()
    link.raw(frame)
    assert link.events() == []
    number(link)  # what the frame would have had
    link.wait(1)
    link.wait(1.6)
    assert link.states() == [("resyncing", "GAP")]
    link.settle(1.2)
    events = link.events()
    assert len(snapshots(events)) == 2
    assert VenueStatus("live") in events
    assert link.session.failure is None


def test_a_reply_of_a_poll_is_no_frame() -> None:
    link = Link(A).open()
    link.session.receive(HttpReply("/v4", b"{}"), 0, link.now_ns)
    assert link.session.failure is None
    assert link.session.events() == []


CONTENTS: list[Any] = [
    None, 17, "text", [[]], True, {"bids": None}, {"bids": [[]]}, {"bids": [None]},
    {"bids": [[None, True]]}, {"bids": [[65920, 0.1]]}, {"bids": [["98"]]}, {"bids": ["98"]},
    {"bids": [["NaN", "NaN"]]}, {"asks": [["Infinity", "1"]]}, {"bids": [["1e999", "1e999"]]},
    {"bids": [["-5", "-1"]]}, {"asks": [["0", "1"]]}, {"bids": [["98", "-0"]]},
    {"bids": [["1_000", "1"]]}, {"asks": [[" 5", "\u0661"]]}, {"bids": [["98.05", "1"]]},
    {"bids": [["98", "0.0001"]]}, {"bids": [{"price": "98"}]}, {"bids": 5},
    {"bids": [["98", "1"], ["99", "x"]]}, {"bids": [["9" * 61, "1"]]},
]  # fmt: skip


@pytest.mark.parametrize("contents", CONTENTS, ids=lambda contents: ascii(contents)[:40])
@pytest.mark.parametrize("batch", [False, True])
def test_an_unreadable_book_frame_costs_that_book_only(contents: Any, batch: bool) -> None:
    link = Link(A, B).open()
    link.wait(1)
    link.taken()
    link.send(
        "channel_batch_data" if batch else "channel_data",
        channel=BOOK,
        id="A-USD",
        contents=[contents] if batch else contents,
    )
    assert link.doubts() == [("A-USD", "GARBAGE")]
    assert link.taken() == [("unsubscribe", BOOK, "A-USD")]
    link.level("bids", "97", "1", symbol="A-USD")
    link.level("bids", "97", "2", symbol="B-USD")
    assert deltas(link.events()) == [(True, 970, 2000)]
    link.send("unsubscribed", channel=BOOK, id="A-USD")
    link.answer()
    assert [found.market for found in snapshots(link.events())] == ["A-USD"]
    link.wait(5)
    assert link.doubts() == []
    assert link.session.healthy


@pytest.mark.parametrize("contents", [None, {}, {"bids": []}, {"bids": [["1", "1"]], "asks": []}])
def test_an_unreadable_snapshot_is_asked_for_again(contents: Any) -> None:
    link = Link(A)
    link.send("connected")
    link.answer({BOOK: contents})
    assert snapshots(link.events()) == []
    assert not link.session.healthy
    link.settle(1.2)
    assert len(snapshots(link.events())) == 1
    assert link.session.healthy


@pytest.mark.parametrize(
    "change",
    [
        {"type": None}, {"type": 7}, {"type": "channel_dat"}, {"type": []}, {"channel": None},
        {"channel": 7}, {"channel": "v4_orderbok"}, {"channel": []}, {"id": None}, {"id": 7},
        {"id": []}, {"id": "C-USD"}, {"type": "channel_batch_data"},
    ],
    ids=str,
)  # fmt: skip
def test_a_frame_that_cannot_be_placed_costs_all_books_that_it_may_have_changed(
    change: dict[str, Any],
) -> None:
    link = Link(A, B).open()
    link.raw(json.dumps(GOOD | change | {"message_id": number(link)}))
    assert deltas(link.seen) == []
    named = "id" not in change and "channel" not in change
    if named:
        assert link.doubts() == [("A-USD", "GARBAGE")]
    else:
        assert link.states() == [("resyncing", "GARBAGE")]
    link.settle(1.2)
    assert len(snapshots(link.events())) == (1 if named else 2)


def test_what_an_older_or_newer_server_may_add_is_read() -> None:
    """Levels as objects or with a third item, keys nobody knows, a frame type of old."""
    link = Link(A).open()
    link.data(BOOK, {"bids": [["98", "5", "123"]], "x": 1}, symbol="A-USD", extra=[{}])
    link.data(BOOK, {"asks": [{"price": "102", "size": "4", "offset": "9"}]}, symbol="A-USD")
    link.send("channel_batch_data", channel=BOOK, id="A-USD", contents=[{"bids": [["97", "0"]]}])
    link.send("pong")
    assert deltas(link.events()) == [(True, 980, 5000), (False, 1020, 4000), (True, 970, 0)]
    link.wait(5)
    assert link.doubts() == []


@pytest.mark.parametrize(
    ("channel", "contents"),
    [
        (TRADES, {"trades": [{"id": 1}]}),
        (TRADES, {"trades": None}),
        (HEIGHT, {"blockHeight": None}),
        (HEIGHT, {"blockHeight": "1_000_000"}),
        (HEIGHT, {"blockHeight": "\u0661\u0662\u0663\u0664\u0665"}),
        (HEIGHT, {"blockHeight": " 99999 "}),
        (HEIGHT, {"blockHeight": 5.5}),
        (HEIGHT, {"blockHeight": "9" * 40}),
        (HEIGHT, {"height": "99999"}),
        (MARKETS, {"oraclePrices": []}),
        (MARKETS, {"oraclePrices": {"A-USD": None}}),
        (MARKETS, {"trading": 0}),
        (MARKETS, {"trading": {"A-USD": {"tickSize": None}}}),
    ],
    ids=str,
)
def test_an_unreadable_frame_of_another_channel_costs_that_channel_only(
    channel: str, contents: Any
) -> None:
    link = Link(A).open()
    link.wait(1.2)
    link.taken()
    link.events()
    link.data(channel, contents, symbol="A-USD")
    assert link.events() == []
    expected = "" if channel in (MARKETS, HEIGHT) else "A-USD"
    assert link.taken() == [("unsubscribe", channel, expected)]


def test_a_market_without_an_oracle_price_hides_no_other() -> None:
    link = Link(A, B).open()
    link.wait(1.2)
    link.taken()
    for price in ("0", "0.00", None):
        rows = {"A-USD": {"oraclePrice": price}, "B-USD": {"oraclePrice": "5"}}
        link.data(MARKETS, {"trading": rows})
        assert oracles(link.events()) == [("B-USD", 5 * 10**18)]
    assert link.taken() == []


@pytest.mark.parametrize(
    ("count", "seconds", "code"),
    [
        (c.GARBAGE_BUDGET - 1, 0.0, None),
        (c.GARBAGE_BUDGET, 0.0, "GARBAGE"),
        (c.GARBAGE_BUDGET, 9.0, "GARBAGE"),
        (3 * c.GARBAGE_BUDGET, 36.0, None),
    ],
)
def test_the_budget_of_garbage(count: int, seconds: float, code: str | None) -> None:
    link = Link(A).open()
    for _ in range(count):
        link.raw(b"garbage")
        link.wait(seconds / count)
    failure = link.session.failure
    assert (failure and failure.code) == code


FRAMES = sorted(
    path
    for pattern in ("v4_orderbook*", "v4_trades*", "v4_markets*", "v4_block_height*", "trade_*")
    for path in RECORDED.glob(f"*/**/{pattern}.json")
    # An oracle price under a key of 2023 that later frames do not use.
    if "oracle_prices_for_initializing_status" not in path.name
)


def test_the_recordings_are_there() -> None:
    assert len(FRAMES) == 26


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_every_recorded_frame_is_taken_without_complaint(path: Path) -> None:
    frame = json.loads(path.read_bytes())
    symbol = frame.get("id", "BTC-USD")
    # Fine enough for every price and size, unless the frame says how fine they are.
    tick = step = "0.0000000001"
    if frame["type"] == "subscribed" and frame["channel"] == MARKETS:
        row = frame["contents"]["markets"].get(symbol, {})
        tick, step = row.get("tickSize", tick), row.get("stepSize", step)
    link = Link(market(symbol, tick, step)).open()
    link.wait(1)
    link.taken()
    link.events()
    frame["message_id"] = number(link)
    link.raw(json.dumps(frame))
    assert link.doubts() == []
    link.wait(3)
    assert link.doubts() == []
    assert link.taken() == []
