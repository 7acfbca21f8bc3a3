from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.dydx.books import LEVELS, Book, Change, Shape, Side

Naive = dict[str, dict[int, int]]


def _apply(naive: Naive, changes: list[Change]) -> None:
    for side, ticks, size in changes:
        if size:
            naive[side][ticks] = size
        else:
            naive[side].pop(ticks, None)


def _truth(book: Book) -> Naive:
    sides: tuple[Side, Side] = ("bids", "asks")
    return {side: dict(book.side(side)) for side in sides}


def _check(book: Book) -> None:
    bids, asks = book.side("bids"), book.side("asks")
    assert [ticks for ticks, _ in bids] == sorted((ticks for ticks, _ in bids), reverse=True)
    assert [ticks for ticks, _ in asks] == sorted(ticks for ticks, _ in asks)
    assert len(bids) <= LEVELS
    assert len(asks) <= LEVELS
    assert all(ticks >= 1 and size >= 1 for ticks, size in bids + asks)
    if bids and asks:
        assert bids[0][0] < asks[0][0]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    mids=st.lists(st.floats(0.01, 1e9), min_size=1, max_size=8),
    half_spread=st.floats(0, 0.01),
)
def test_changes_lead_to_the_book_and_it_never_crosses(
    seed: int, mids: list[float], half_spread: float
) -> None:
    book = Book(Shape(half_spread, level_units=1e6, late=False), Random(seed))
    naive: Naive = {"bids": {}, "asks": {}}
    for mid in mids:
        for _ in range(30):
            _apply(naive, book.evolve(mid, 0))
            _check(book)
        assert naive == _truth(book)
    _apply(naive, book.clear())
    assert naive == {"bids": {}, "asks": {}}


def test_the_touch_follows_a_drifting_price_level_by_level() -> None:
    book = Book(Shape(0.0001, 1e6, late=False), Random(1))
    mid = 50_000.0
    book.rebuild(mid)
    for _ in range(2000):
        mid += 0.5
        changes = book.evolve(mid, 0)
        assert len(changes) <= 2
    bid, ask = book.best("bids"), book.best("asks")
    assert bid is not None
    assert ask is not None
    assert bid == pytest.approx(mid, rel=0.001)
    assert ask == pytest.approx(mid, rel=0.001)
    assert min(len(book.side("bids")), len(book.side("asks"))) > LEVELS * 0.7


def test_late_removals_cross_what_subscribers_see_and_end() -> None:
    rng = Random(4)
    book = Book(Shape(0.00005, 1e6, late=True), rng)
    naive: Naive = {"bids": {}, "asks": {}}
    mid, crossed = 50_000.0, 0
    _apply(naive, book.rebuild(mid))
    for now_us in range(0, 60_000_000, 20_000):
        mid *= 1 + rng.gauss(0, 0.00003)
        _apply(naive, book.evolve(mid, now_us))
        _check(book)
        crossed += max(naive["bids"]) >= min(naive["asks"])
    assert 0 < crossed < 1500
    for _ in range(3):
        _apply(naive, book.evolve(mid, 70_000_000))
    truth = _truth(book)
    # Only removals put off by the last events may be missing.
    extra = [ticks for side in truth for ticks in naive[side].keys() - truth[side].keys()]
    assert len(extra) <= 3


def test_a_jump_moves_the_whole_book_at_once() -> None:
    book = Book(Shape(0.0001, 1e6, late=False), Random(1))
    book.rebuild(50_000)
    changes = book.evolve(60_000, 0)
    assert len(changes) > LEVELS
    bid = book.best("bids")
    assert bid is not None
    assert bid == pytest.approx(60_000, rel=0.001)
