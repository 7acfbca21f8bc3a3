"""Pools of several venues priced at once, each by the economics of its venue."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from connectors.base.economics import Economics, LadderArrays
from domain.costs import Codes
from domain.ids import VenueId
from domain.ladder import Cells, Place, Points

DEPTH: Final = "DEPTH"
OPEN: Final = (True, True)
NO_TOUCH: Final = "NO_TOUCH"
"""The pool cannot be traded with on this side, whatever the size."""


class OpenPool(NamedTuple):
    """A pool that a market can be traded at now. ``inputs``: of its ``PoolDepth``. ``sides``:
    whether it can be bought and sold there."""

    place: Place
    inputs: Any
    sides: tuple[bool, bool]


def cells_of(
    economics: Mapping[VenueId, Economics], pools: Sequence[OpenPool], points: Points
) -> Cells:
    """What every point costs at every pool, in their order; there is at least one. Raises KeyError
    for a venue that has no economics."""
    by_venue: dict[VenueId, list[int]] = {}
    for at, pool in enumerate(pools):
        by_venue.setdefault(pool.place.venue, []).append(at)
    tables = [
        economics[venue].ladder([pools[at].inputs for at in places], points.notional_usd)
        for venue, places in by_venue.items()
    ]
    # From the order of the venues back to that of the pools.
    back = np.array([at for places in by_venue.values() for at in places]).argsort()
    price, fee_bps, spread_bps, impact_bps = values = [
        np.concatenate(parts, axis=1).take(back, axis=1)
        for parts in zip(*(table[:4] for table in tables), strict=True)
    ]
    reasons = [_reasons(table, points) for table in tables]
    reason = np.concatenate(reasons, axis=1).take(back, axis=1)
    for at, pool in enumerate(pools):
        if pool.sides != OPEN:
            for side, is_open in enumerate(pool.sides):
                if not is_open:
                    reason[side, at] = NO_TOUCH
                    for value in values:
                        value[side, at] = np.nan
    return Cells(price, fee_bps, spread_bps, impact_bps, reason)


def _reasons(table: LadderArrays, points: Points) -> Codes:
    """Of the sizes themselves."""
    if table.reason is not None:
        return table.reason.take(points.sizes, axis=2)
    sides, pools, _ = table.price.shape
    return np.full((sides, pools, len(points.sizes)), DEPTH, dtype=object)
