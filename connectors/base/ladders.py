"""Pools of several venues priced at once, each by the economics of its venue."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from connectors.base.economics import Economics
from domain.ids import VenueId
from domain.ladder import SIDES, Cells, Place, Points

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
    by_venue: dict[VenueId, tuple[list[int], list[Any]]] = {}
    closed: list[tuple[int, int]] = []
    for at, (place, pool_inputs, sides) in enumerate(pools):
        places, inputs = by_venue.setdefault(place.venue, ([], []))
        places.append(at)
        inputs.append(pool_inputs)
        if sides != OPEN:
            closed += [(side, at) for side, is_open in enumerate(sides) if not is_open]
    order: list[int] = []
    parts, reasons = [], []
    for venue, (places, inputs) in by_venue.items():
        found = economics[venue].ladder(inputs, points.notional_usd)
        order += places
        parts.append(np.stack(found[:4]))
        if found.reason is None:
            reasons.append(np.full((len(SIDES), len(places), len(points.sizes)), DEPTH, object))
        else:
            reasons.append(found.reason[:, :, points.sizes])
    # From the order of the venues back to that of the pools.
    back = np.argsort(order)
    values = np.concatenate(parts, axis=2)[:, :, back]
    reason = np.concatenate(reasons, axis=1)[:, back]
    for side, at in closed:
        values[:, side, at] = np.nan
        reason[side, at] = NO_TOUCH
    price, fee_bps, spread_bps, impact_bps = values
    return Cells(price, fee_bps, spread_bps, impact_bps, reason)
