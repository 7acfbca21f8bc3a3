"""Random changes to a book and to a model that is too simple to be wrong."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.book import Book

TICKS = st.integers(1, 25)
STEPS = st.integers(0, 4)
LEVELS = st.lists(st.tuples(TICKS, STEPS), max_size=12).map(tuple)
CHANGES = st.one_of(
    st.tuples(st.just("apply"), st.booleans(), TICKS, STEPS),
    st.tuples(st.just("apply"), st.booleans(), TICKS, STEPS),
    st.tuples(st.just("apply"), st.booleans(), TICKS, STEPS),
    st.tuples(st.just("snapshot"), LEVELS, LEVELS),
    st.tuples(st.just("touch")),
)
Change = tuple[Any, ...]
Level = tuple[int, int, int]


class Model:
    """All levels of both sides in plain lists; the view is found by removing from copies."""

    def __init__(self) -> None:
        self.bids: list[Level] = []
        self.asks: list[Level] = []

    def set_level(self, is_bid: bool, ticks: int, steps: int, stamp: int) -> None:
        side = self.bids if is_bid else self.asks
        side[:] = [level for level in side if level[0] != ticks]
        if steps:
            side.append((ticks, steps, stamp))
        side.sort(reverse=is_bid)

    def view(self) -> tuple[list[Level], list[Level]]:
        bids, asks = list(self.bids), list(self.asks)
        while bids and asks and bids[0][0] >= asks[0][0]:
            (_, bid_steps, bid_stamp), (_, ask_steps, ask_stamp) = bids[0], asks[0]
            if bid_stamp < ask_stamp:
                loser = bids
            elif bid_stamp > ask_stamp:
                loser = asks
            else:
                loser = asks if bid_steps > ask_steps else bids
            loser.pop(0)
        return bids, asks


def replay(changes: list[Change]) -> tuple[Book, Model]:
    """Both after all changes; the stamp rises with most changes and now and then repeats."""
    book, model = Book(), Model()
    for place, change in enumerate(changes):
        stamp = place - place % 3
        if change[0] == "apply":
            _, is_bid, ticks, steps = change
            book.apply(is_bid, ticks, steps, stamp)
            model.set_level(is_bid, ticks, steps, stamp)
        elif change[0] == "snapshot":
            book.snapshot(change[1], change[2], stamp)
            model = Model()
            for is_bid, levels in ((True, change[1]), (False, change[2])):
                # Of a price named twice the last size counts, and a zero is no level.
                for ticks, steps in {ticks: steps for ticks, steps in levels if steps}.items():
                    model.set_level(is_bid, ticks, steps, stamp)
        else:
            # Asked in between: whatever is remembered of it must not outlive a change.
            book.touch()
    return book, model


@settings(deadline=None, max_examples=200)
@given(st.lists(CHANGES, max_size=60))
def test_a_book_matches_the_naive_model_and_its_view_never_crosses(changes: list[Change]) -> None:
    book, model = replay(changes)
    bids, asks = model.view()
    touch = book.touch()
    shown_bids, shown_asks = (list(side) for side in book.levels())
    assert shown_bids == [(ticks, steps) for ticks, steps, _ in bids]
    assert shown_asks == [(ticks, steps) for ticks, steps, _ in asks]
    assert touch == (
        bids[0][0] if bids else None,
        bids[0][1] if bids else 0,
        asks[0][0] if asks else None,
        asks[0][1] if asks else 0,
        len(model.bids) - len(bids),
        len(model.asks) - len(asks),
    )
    assert book.depth == (len(model.bids), len(model.asks))
    assert book.raw_best == (
        model.bids[0][0] if model.bids else None,
        model.asks[0][0] if model.asks else None,
    )
    assert not (shown_bids and shown_asks) or shown_bids[0][0] < shown_asks[0][0]
    # Nothing was deleted for that: with the other side gone the whole side shows.
    for ticks, _, _ in model.asks:
        book.apply(False, ticks, 0, 1_000)
    whole = [(ticks, steps) for ticks, steps, _ in model.bids]
    assert list(book.levels()[0]) == whole
    assert book.touch()[:2] == (whole[0] if whole else (None, 0))
    assert not book.crossed
