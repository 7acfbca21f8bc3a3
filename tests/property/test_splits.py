"""Splits against the best single pool and against trying everything."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.costs import Floats
from domain.splits import MAX_LEGS, PARTS, best_splits


@st.composite
def costs(draw: st.DrawFn) -> Floats:
    """Of one pool: growing, now evenly, now in jumps; known so far; a rebate or a fee at first."""
    steps = draw(st.lists(st.integers(0, 50), min_size=PARTS, max_size=PARTS))
    cost = draw(st.sampled_from([0, 0, 5, 40, -10])) + np.cumsum(np.array(steps, dtype=np.float64))
    cost[draw(st.integers(0, PARTS)) :] = np.inf
    return cost


CELL = st.lists(costs(), min_size=1, max_size=6)
SHARES = {
    pools: [
        shares
        for shares in product(range(PARTS + 1), repeat=pools)
        if sum(shares) == PARTS and sum(share > 0 for share in shares) <= MAX_LEGS
    ]
    for pools in range(1, 6)
}


def cost_of(cell: list[Floats], shares: tuple[int, ...]) -> float:
    return float(sum(cost[share - 1] for cost, share in zip(cell, shares, strict=True) if share))


@settings(deadline=None, max_examples=80)
@given(st.lists(costs(), min_size=1, max_size=5), st.integers(1, MAX_LEGS))
def test_a_split_is_the_best_of_all_there_are(cell: list[Floats], legs: int) -> None:
    found = best_splits(np.array([cell]), legs)
    allowed = (s for s in SHARES[len(cell)] if sum(share > 0 for share in s) <= legs)
    least = min(cost_of(cell, shares) for shares in allowed)
    assert found.cost_usd[0] == pytest.approx(least)
    assert np.count_nonzero(found.shares) <= legs


@settings(deadline=None, max_examples=200)
@given(st.lists(CELL, min_size=1, max_size=4))
def test_a_split_is_never_worse_than_its_best_leg_alone(cells: list[list[Floats]]) -> None:
    widest = max(map(len, cells))
    nothing = np.full(PARTS, np.inf)
    padded = np.array([cell + [nothing] * (widest - len(cell)) for cell in cells])
    found = best_splits(padded)
    for at, cell in enumerate(cells):
        shares = tuple(found.shares[at].tolist())
        assert not any(shares[len(cell) :])
        single = min(float(cost[-1]) for cost in cell)
        assert found.single_usd[at] == single
        assert found.cost_usd[at] <= single
        if np.isinf(found.cost_usd[at]):
            assert not any(shares)
            continue
        assert sum(shares) == PARTS
        assert sum(share > 0 for share in shares) <= MAX_LEGS
        assert found.cost_usd[at] == pytest.approx(cost_of(cell, shares[: len(cell)]))
