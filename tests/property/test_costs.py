"""Splits against the best single pool and against trying everything."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.costs import CostCurve, best_single, best_split
from domain.ids import VenueId

SIZES = st.lists(st.integers(1, 2_000), min_size=1, max_size=5, unique=True).map(sorted)
FIXED = st.sampled_from([0.0, 0.5, 20.0])


@st.composite
def curves(draw: st.DrawFn) -> CostCurve:
    """Costs grow with the size, now evenly, now in jumps; a rebate at first is possible."""
    sizes = draw(SIZES)
    steps = draw(st.lists(st.integers(0, 50), min_size=len(sizes), max_size=len(sizes)))
    start = draw(st.sampled_from([0, 0, -10]))
    costs = start + np.cumsum(np.array(steps, dtype=np.float64))
    return CostCurve(VenueId("v"), None, np.array(sizes, dtype=np.float64), costs, draw(FIXED))


def by_trying(listed: list[CostCurve], notional: float, legs: int, parts: int) -> float:
    grid = [curve.cost_at(np.linspace(0.0, notional, parts + 1)) for curve in listed]
    least = np.inf
    for shares in product(range(parts + 1), repeat=len(listed)):
        if sum(shares) == parts and sum(share > 0 for share in shares) <= legs:
            least = min(least, sum(cost[share] for cost, share in zip(grid, shares, strict=True)))
    return float(least)


@settings(deadline=None, max_examples=150)
@given(st.lists(curves(), max_size=6), st.integers(1, 3_000), st.integers(1, 3))
def test_a_split_is_never_worse_than_its_best_leg_alone(
    listed: list[CostCurve], notional: int, legs: int
) -> None:
    single, split = best_single(listed, notional), best_split(listed, notional, max_legs=legs)
    if split is None:
        assert single is None
        return
    assert single is None or split.cost_usd <= single.cost_usd
    assert len(split.legs) <= legs
    assert sum(leg.share for leg in split.legs) == split.parts
    assert sum(leg.notional_usd for leg in split.legs) == pytest.approx(notional)
    assert sum(leg.cost_usd for leg in split.legs) == pytest.approx(split.cost_usd)
    for leg in split.legs:
        alone = [float(curve.cost_at(np.array([notional]))[0]) for curve in listed]
        assert split.cost_usd <= min(alone)
        assert leg.notional_usd > 0


@settings(deadline=None, max_examples=100)
@given(st.lists(curves(), min_size=1, max_size=4), st.integers(1, 3_000), st.integers(1, 3))
def test_a_split_is_the_best_of_all_there_are(
    listed: list[CostCurve], notional: int, legs: int
) -> None:
    split = best_split(listed, notional, max_legs=legs, parts=6)
    expected = by_trying(listed, notional, legs, 6)
    assert (np.inf if split is None else split.cost_usd) == pytest.approx(expected)


@settings(deadline=None, max_examples=100)
@given(curves(), st.lists(st.floats(0, 2_500), min_size=2, max_size=2).map(sorted))
def test_a_curve_of_growing_costs_grows(curve: CostCurve, sizes: list[float]) -> None:
    less, more = curve.cost_at(np.array(sizes))
    if curve.cost_usd[0] >= 0:
        assert less <= more + 1e-9
    assert np.isinf(more) == (sizes[1] > curve.max_notional_usd)
