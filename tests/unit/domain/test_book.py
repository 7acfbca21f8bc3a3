"""The book on its own and over the recorded sequence that crosses."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.book import MAX_LEVELS, Book, Touch
from domain.errors import VenueProtocolError
from domain.events import Levels
from domain.units import Grid

SEQUENCE = (
    Path(__file__).parents[2] / "data" / "dydx" / "abacus" / "v4_orderbook_eth_sequence.jsonl"
)
TICK, STEP = Grid("0.001"), Grid("0.000001")

# message id: raw bid/ask, crossed, bid (size), ask (size), dropped, live levels: README there.
EXPECTED = """
4  1576.579 1577.24 no  1576.579 0.749382 1577.24  0.083572 0 0  335 355
5  1576.652 1577.24 no  1576.652 1.260907 1577.24  0.083572 0 0  338 357
6  1576.976 1577.24 no  1576.976 0.003502 1577.24  0.083572 0 0  342 362
7  1577.941 1577.24 yes 1577.941 1.261474 1577.95  0.001245 0 5  344 363
8  1577.941 1577.24 yes 1577.941 1.261474 1577.95  0.001245 0 5  347 364
9  1577.941 1577.24 yes 1577.941 1.261474 1577.95  0.001245 0 5  355 365
10 1578.74  1577.24 yes 1578.74  1.263325 1578.785 0.001232 0 31 357 367
11 1578.74  1577.24 yes 1578.74  1.263325 1578.785 0.001232 0 31 361 369
13 1578.933 1577.24 yes 1578.933 1.262912 1578.974 0.00115  0 40 365 373
"""


def book_of(bids: Levels, asks: Levels, stamp: int = 1) -> Book:
    book = Book()
    book.snapshot(bids, asks, stamp)
    return book


def test_the_recorded_sequence_gives_the_expected_touches() -> None:
    frames: list[dict[str, Any]] = [json.loads(line) for line in SEQUENCE.open()]
    lines = [line.split() for line in EXPECTED.strip().splitlines()]
    assert [frame["message_id"] for frame in frames] == [int(line[0]) for line in lines]
    book = Book()
    for frame, expected in zip(frames, lines, strict=True):
        contents = frame["contents"]
        if frame["type"] == "subscribed":
            book.snapshot(_side(contents["bids"]), _side(contents["asks"]), frame["message_id"])
        else:
            for part in contents:
                for name, rows in part.items():
                    for price, size, *_ in rows:
                        ticks, steps = TICK.parse(price), STEP.parse(size)
                        book.apply(name == "bids", ticks, steps, frame["message_id"])
        touch = book.touch()
        raw_bid, raw_ask = book.raw_best
        assert touch.bid_ticks is not None
        assert touch.ask_ticks is not None
        assert raw_bid is not None
        assert raw_ask is not None
        assert [
            str(frame["message_id"]),
            *(TICK.format(ticks) for ticks in (raw_bid, raw_ask)),
            "yes" if touch.crossed else "no",
            TICK.format(touch.bid_ticks),
            STEP.format(touch.bid_steps),
            TICK.format(touch.ask_ticks),
            STEP.format(touch.ask_steps),
            str(touch.dropped_bids),
            str(touch.dropped_asks),
            *(str(count) for count in book.depth),
        ] == expected
        assert book.crossed == touch.crossed


def _side(rows: list[dict[str, str]]) -> Levels:
    assert all(Decimal(row["size"]) >= 0 for row in rows)
    return tuple((TICK.parse(row["price"]), STEP.parse(row["size"])) for row in rows)


@pytest.mark.parametrize(
    ("bids", "asks", "updates", "touch"),
    [
        # (is_bid, ticks, steps, stamp) on a snapshot of stamp 5
        pytest.param((), (), (), Touch(None, 0, None, 0), id="empty"),
        pytest.param(((9, 2),), (), (), Touch(9, 2, None, 0), id="bids only"),
        pytest.param((), ((9, 2),), (), Touch(None, 0, 9, 2), id="asks only"),
        pytest.param(((8, 1), (9, 2)), ((11, 4), (10, 3)), (), Touch(9, 2, 10, 3), id="any order"),
        pytest.param(((9, 2), (9, 7)), ((10, 0),), (), Touch(9, 7, None, 0), id="twice, zero"),
        pytest.param(
            ((9, 2),), ((10, 1),), ((True, 10, 1, 6),), Touch(10, 1, None, 0, 0, 1),
            id="older loses",
        ),
        pytest.param(
            ((9, 9),), ((10, 1),), ((False, 9, 1, 6),), Touch(None, 0, 9, 1, 1, 0), id="newer wins"
        ),
        pytest.param(((10, 2),), ((9, 1),), (), Touch(10, 2, None, 0, 0, 1), id="smaller loses"),
        pytest.param(((10, 1),), ((9, 2),), (), Touch(None, 0, 9, 2, 1, 0), id="smaller bid loses"),
        pytest.param(((10, 1),), ((10, 1),), (), Touch(None, 0, 10, 1, 1, 0), id="tie keeps ask"),
        pytest.param(
            ((10, 1), (8, 1)),
            ((9, 1), (12, 1)),
            ((True, 10, 1, 3),),
            Touch(8, 1, 9, 1, 1, 0),
            id="a lower stamp is older",
        ),
        pytest.param(
            ((9, 2),), ((10, 1),), ((True, 9, 0, 6), (True, 7, 0, 7)), Touch(None, 0, 10, 1),
            id="removed, and one that was not there",
        ),
    ],
)  # fmt: skip
def test_the_touch(
    bids: Levels, asks: Levels, updates: tuple[tuple[bool, int, int, int], ...], touch: Touch
) -> None:
    book = book_of(bids, asks, 5)
    for update in updates:
        book.touch()
        book.apply(*update)
    assert book.touch() == touch


def test_what_the_view_passes_over_comes_back_when_the_newer_level_goes() -> None:
    book = book_of(((9, 2),), ((10, 1), (11, 5)))
    book.apply(True, 10, 3, 2)
    assert book.touch() == Touch(10, 3, 11, 5, 0, 1)
    book.apply(True, 10, 0, 3)
    assert book.touch() == Touch(9, 2, 10, 1)


def test_a_flood_of_levels_is_refused_and_leaves_the_book_as_it_was() -> None:
    book = book_of(tuple((ticks, 1) for ticks in range(1, MAX_LEVELS + 1)), ())
    with pytest.raises(VenueProtocolError) as refused:
        book.apply(True, MAX_LEVELS + 1, 1, 2)
    assert refused.value.code == "BOOK_TOO_DEEP"
    assert book.depth == (MAX_LEVELS, 0)
    assert book.touch().bid_ticks == MAX_LEVELS
    book.apply(True, 1, 0, 3)
    book.apply(True, MAX_LEVELS + 1, 1, 4)
    assert book.touch().bid_ticks == MAX_LEVELS + 1


def test_levels_can_be_cut_behind_what_they_are_worth() -> None:
    book = book_of(((10, 5), (9, 5), (8, 5)), ((11, 1), (12, 100), (13, 5)))
    assert book.levels(1) == (((10, 5),), ((11, 1),))
    assert book.levels(50) == (((10, 5),), ((11, 1), (12, 100)))
    assert book.levels(51).bids == ((10, 5), (9, 5))
    assert book.levels(10**9) == book.levels()
    assert book.levels().bids == ((10, 5), (9, 5), (8, 5))


def test_levels_are_the_same_object_while_nothing_has_changed() -> None:
    book = book_of(((10, 5),), ((11, 1),))
    kept = book.levels(100)
    assert book.levels(100) is kept
    book.apply(True, 9, 1, 2)
    changed = book.levels(100)
    assert changed.bids == ((10, 5), (9, 1))
    assert book.levels(100) is changed
    book.snapshot(((10, 5),), ((11, 1),), 3)
    assert book.levels(100) == kept
