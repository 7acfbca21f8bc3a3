"""How a size is best dealt out over pools whose costs are known at shares of it."""

import numpy as np
import pytest

from domain.splits import PARTS, best_splits

PART = np.arange(1, PARTS + 1, dtype=np.float64)


def test_a_size_goes_where_it_costs_least() -> None:
    steep, flat, dear = PART**2, 8 * PART, 100 * PART
    found = best_splits(np.array([[steep, flat, dear], [dear, dear + 1, dear + 2]]))
    # The parts of the steep one cost 1, 3, 5, 7 and 9: the fifth is no cheaper.
    assert found.shares.tolist() == [[4, 6, 0], [10, 0, 0]]
    assert found.cost_usd.tolist() == [64, 1000]
    assert found.single_usd.tolist() == [80, 1000]


def test_three_legs_are_the_most() -> None:
    found = best_splits(np.array([[PART**2] * 5]))
    assert sorted(found.shares[0].tolist()) == [0, 0, 3, 3, 4]
    assert found.cost_usd.tolist() == [9 + 9 + 16]


def test_a_split_reaches_further_than_any_pool() -> None:
    short = np.where(PART <= 4, PART, np.inf)
    found = best_splits(np.array([[short, short, short]]))
    assert found.shares.sum() == PARTS
    assert found.cost_usd.tolist() == [10]
    assert found.single_usd.tolist() == [np.inf]
    shorter = np.where(PART <= 3, PART, np.inf)
    gone = best_splits(np.array([[shorter, shorter, shorter, shorter]]))
    assert not gone.shares.any()
    assert gone.cost_usd.tolist() == [np.inf]


def test_what_is_paid_once_keeps_legs_few() -> None:
    """Two legs would cost 2 x (10 + 25), one 10 + 60: equal, so one."""
    cost = 10 + np.where(PART <= 5, 5 * PART, 7 * PART - 10)
    found = best_splits(np.array([[cost, cost]]))
    assert found.shares.tolist() == [[10, 0]]


@pytest.mark.parametrize("pools", [0, 1])
def test_nothing_to_choose_from(pools: int) -> None:
    found = best_splits(np.full((2, pools, PARTS), np.inf))
    assert found.shares.shape == (2, pools)
    assert found.cost_usd.tolist() == [np.inf, np.inf]
