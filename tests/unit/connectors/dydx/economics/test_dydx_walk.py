"""Walking a book by size and by notional; the recorded ETH book."""

from fractions import Fraction

import pytest

from connectors.dydx.economics.walk import Fill, walk_notional, walk_size
from domain.errors import InputError
from tests.unit.connectors.dydx.economics.kit import crossed_eth_book, eth_book

ASKS = ((100, 2), (101, 3), (105, 1))
BIDS = ((99, 2), (90, 10))


def fill(steps: int, notional: int, excess: int, worst: int | None, exhausted: bool) -> Fill:
    return Fill(Fraction(steps), Fraction(notional), Fraction(excess), worst, exhausted)


def test_sizes() -> None:
    assert walk_size(ASKS, 1) == fill(1, 100, 0, 100, False)
    assert walk_size(ASKS, 2) == fill(2, 200, 0, 100, False)
    assert walk_size(ASKS, 4) == fill(4, 402, 2, 101, False)
    assert walk_size(ASKS, 6) == fill(6, 608, 8, 105, False)
    assert walk_size(BIDS, 4) == fill(4, 378, 18, 90, False)


def test_the_known_levels_end() -> None:
    assert walk_size(ASKS, 7) == fill(6, 608, 8, 105, True)
    assert walk_notional(ASKS, 609) == fill(6, 608, 8, 105, True)
    assert walk_size((), 1) == fill(0, 0, 0, None, True)
    assert walk_notional((), 1) == fill(0, 0, 0, None, True)
    assert walk_size((), 1).average_ticks is None


def test_notionals_take_a_part_of_the_last_level() -> None:
    assert walk_notional(ASKS, 50) == Fill(Fraction(1, 2), Fraction(50), Fraction(0), 100, False)
    assert walk_notional(ASKS, 608) == fill(6, 608, 8, 105, False)
    part = walk_notional(ASKS, 250)
    assert part.steps == 2 + Fraction(50, 101)
    assert part.excess == Fraction(50, 101)
    assert part.average_ticks == Fraction(250) / part.steps
    assert walk_notional(BIDS, Fraction(1, 3)).steps == Fraction(1, 297)


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_of_nothing_is_refused(size: int) -> None:
    for walk in (walk_size, walk_notional):
        with pytest.raises(InputError) as refused:
            walk(ASKS, size)
        assert refused.value.code == "BAD_SIZE"


def test_the_recorded_eth_book() -> None:
    # 4.946 at 3393.5, 7.856 at 3393.6, 30.983 at 3393.7; bids 7.795 at 3393.2, 10.59 at 3393.1.
    _, bids, asks = eth_book()
    bought = walk_size(asks, 20_000)
    assert bought.worst_ticks == 33_937
    assert bought.notional == 33_935 * 4_946 + 33_936 * 7_856 + 33_937 * 7_198
    assert bought.excess == 7_856 + 2 * 7_198
    sold = walk_size(bids, 10_000)
    assert sold.worst_ticks == 33_931
    assert sold.notional == 33_932 * 7_795 + 33_931 * 2_205
    everything = walk_size(asks, 10**12)
    assert everything.exhausted
    assert everything.steps == sum(steps for _, steps in asks)


def test_a_crossed_book_is_walked_as_its_uncrossed_view() -> None:
    _, book = crossed_eth_book()
    assert book.crossed
    bids, asks = book.levels()
    assert walk_size(bids, 1).worst_ticks == 1_578_933
    assert walk_size(asks, 1_151).worst_ticks is not None
    # 0.00115 at 1578.974, the next level is dearer.
    assert walk_size(asks, 1_150).excess == 0
    assert walk_size(asks, 1_151).excess > 0
