"""The cheapest way to deal a size out over a few pools. ``best_splits`` is float64 and for many
cells at once, for ranking only; ``exact_split`` decides about one.

Costs are known at equal shares of the size, so a split is the best there is on that grid, and never
dearer than the best single pool, whatever the costs look like.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.costs import Floats

MAX_LEGS: Final = 3
PARTS: Final = 10
"""Equal shares that a size is dealt out in."""

Counts = NDArray[np.int64]


class Splits(NamedTuple):
    """``shares``: shape (cells, pools), parts of PARTS; 0 where the pools together do not reach.
    ``cost_usd``: shape (cells,), infinite there. ``single_usd``: of the cheapest pool alone."""

    shares: Counts
    cost_usd: Floats
    single_usd: Floats


def best_splits(cost_usd: Floats, most_legs: int = MAX_LEGS) -> Splits:
    """The cheapest split of every cell over at most so many pools; the fewest legs among equals,
    then the first pools.

    Shape: (cells, pools, PARTS); the last axis is what 1 to PARTS parts cost at the pool, with all
    that is paid once when it is used at all; infinite where that is not known.
    """
    cells, pools, _ = cost_usd.shape
    shares = np.zeros((cells, pools), dtype=np.int64)
    best = np.full(cells, np.inf)
    if not pools:
        return Splits(shares, best, best)
    with_nothing = np.concatenate((np.zeros((cells, pools, 1)), cost_usd), axis=2)
    kept = _not_dominated(cost_usd, most_legs)
    counts = kept.sum(axis=1)
    # The pools that are left, in their order.
    order = np.argsort(~kept, axis=1, kind="stable")
    for count in set(counts.tolist()):
        rows = np.flatnonzero(counts == count)[:, None]
        chosen = order[rows, np.arange(count)]
        costs = with_nothing[rows, chosen].reshape(len(rows), -1)
        deals = _deals(count, most_legs)
        sums = costs[:, deals.places[0]]
        for places in deals.places[1:]:
            sums += costs[:, places]
        least = sums.argmin(axis=1)
        best[rows[:, 0]] = sums[np.arange(len(rows)), least]
        shares[rows, chosen] = deals.shares[least]
    shares[np.isinf(best)] = 0
    return Splits(shares, best, cost_usd[:, :, -1].min(axis=1))


def exact_split(
    costs: Sequence[Sequence[Fraction | None]], most_legs: int = MAX_LEGS
) -> tuple[int, ...] | None:
    """The cheapest split in exact numbers: parts of PARTS for each pool; None where the pools
    together do not reach. The fewest legs among equals, then the most to the first pools.

    Shape: ``costs[pool][n - 1]`` is what n parts cost there, with all that is paid once when it is
    used at all; None where that is not known.
    """
    # By legs used and parts dealt out: the least (cost, legs, shares with the sign turned). Such
    # keys keep their order when the same is added to both, so the best of all has the best before.
    best: dict[tuple[int, int], tuple[Fraction, int, tuple[int, ...]]]
    best = {(0, 0): (Fraction(0), 0, ())}
    for of_pool in costs:
        following = {at: (cost, legs, (*deal, 0)) for at, (cost, legs, deal) in best.items()}
        for (legs, dealt), (cost, _, deal) in best.items():
            if legs == most_legs:
                continue
            for parts in range(1, PARTS - dealt + 1):
                price = of_pool[parts - 1]
                if price is None:
                    continue
                at = legs + 1, dealt + parts
                key = cost + price, legs + 1, (*deal, -parts)
                if at not in following or key < following[at]:
                    following[at] = key
        best = following
    whole = [key for (_, dealt), key in best.items() if dealt == PARTS]
    return tuple(-parts for parts in min(whole)[2]) if whole else None


def _not_dominated(cost_usd: Floats, most_legs: int) -> NDArray[np.bool_]:
    """Pools that are worth looking at. Of as many others as there may be legs that cost no more,
    whatever the share, one is always free to take the part of the next."""
    cells, pools, _ = cost_usd.shape
    if pools <= most_legs:
        return np.ones((cells, pools), dtype=np.bool_)
    no_dearer = np.asarray((cost_usd[:, :, None] <= cost_usd[:, None]).all(axis=3))
    # Of pools that cost the same the first one stands above the other.
    equal = no_dearer & np.swapaxes(no_dearer, 1, 2)
    above = no_dearer & ~(equal & np.tri(pools, dtype=np.bool_))
    kept: NDArray[np.bool_] = above.sum(axis=1) < most_legs
    return kept


class _Deals(NamedTuple):
    """All ways to deal PARTS out over some pools, those with few legs first. ``places``: one array
    a leg, into costs of shape (pools x (PARTS + 1)). ``shares``: shape (deals, pools)."""

    places: tuple[Counts, ...]
    shares: Counts


@lru_cache(maxsize=64)
def _deals(pools: int, most_legs: int) -> _Deals:
    shares = []
    for legs in range(1, min(most_legs, pools) + 1):
        for who in combinations(range(pools), legs):
            for cuts in combinations(range(1, PARTS), legs - 1):
                edges = (0, *cuts, PARTS)
                row = [0] * pools
                for leg, pool in enumerate(who):
                    row[pool] = edges[leg + 1] - edges[leg]
                shares.append(row)
    dealt = np.array(shares, dtype=np.int64)
    # The pools with a share come first; a leg that is not used takes nothing of some other pool.
    legs_first = np.argsort(dealt == 0, axis=1, kind="stable")[:, :most_legs]
    of_legs = np.take_along_axis(dealt, legs_first, axis=1)
    places = (legs_first * (PARTS + 1) + of_legs).T
    return _Deals(tuple(np.ascontiguousarray(leg) for leg in places), dealt)
