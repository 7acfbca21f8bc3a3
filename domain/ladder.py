"""Ladders: what sizes cost at every pool of a market, which pool is best, and how a size is best
dealt out. And the ``data`` of the ``ladder`` envelope.

``rank`` is float64 and for many markets at once, ``exact_rows`` for one market in exact prices.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import exact
from domain.costs import (
    Codes,
    Floats,
    OrderSide,
    PoolCost,
    PricedPool,
    UnpricedPool,
    all_in_bps_array,
    all_in_price_array,
    best_pool,
    variable_usd_array,
)
from domain.exact import Rounding
from domain.ids import VenueId
from domain.splits import MAX_LEGS, PARTS, best_splits
from domain.units import BPS, minimal

SIZES_USD: Final = (1_000, 10_000, 100_000, 1_000_000)
SIDES: Final[tuple[OrderSide, OrderSide]] = ("BUY", "SELL")

MAX_DECIMALS: Final = 18
BPS_DECIMALS: Final = 4
NOTHING: Final = np.array(None, dtype=object)

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]
SplitRow = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Place:
    """A pool as a row of the ladder names it. ``decimals``: of prices there, at most.
    ``fixed_usd``: what is known of gas and execution fee."""

    venue: VenueId
    pool: str | None
    gas_usd: Decimal | None
    execution_fee_usd: Decimal | None
    decimals: int = MAX_DECIMALS
    fixed_usd: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        fixed = float(self.gas_usd or 0) + float(self.execution_fee_usd or 0)
        object.__setattr__(self, "fixed_usd", fixed)


class Points(NamedTuple):
    """Sizes to be priced: those asked for and every share that a split may give a pool.

    ``notional_usd``: shape (points,), ascending. ``shares``: (sizes, parts), places of the shares
    of each size among them, the last one that of the size itself.
    """

    notional_usd: Floats
    shares: Places

    @property
    def sizes(self) -> Places:
        """Places of the sizes themselves."""
        return self.shares[:, -1]


def points_of(sizes_usd: Sequence[float], parts: int = PARTS) -> Points:
    """``parts``: 1 where nothing is to be split."""
    shares = np.outer(np.array(sizes_usd, dtype=np.float64), np.arange(1, parts + 1)) / parts
    notional_usd, places = np.unique(shares, return_inverse=True)
    return Points(notional_usd, places.reshape(shares.shape))


class Cells(NamedTuple):
    """What points cost at the pools of a batch, those of a market side by side.

    Shape: (2, pools, points), the first axis BUY then SELL; NaN where it is not known.
    ``reason``: shape (2, pools, sizes), a code wherever the size is NaN.
    """

    price: Floats
    fee_bps: Floats
    spread_bps: Floats
    impact_bps: Floats
    reason: Codes


class Ranking(NamedTuple):
    """Shape: (2, pools, sizes)."""

    all_in: Floats
    fee_bps: Floats
    spread_bps: Floats
    impact_bps: Floats
    all_in_bps: Floats
    best: Flags
    reason: Codes


def rank(cells: Cells, points: Points, places: Sequence[Sequence[Place]]) -> Ranking:
    """``places``: the pools of each market, at least one; all together those of ``cells``."""
    sizes = points.sizes
    notional = points.notional_usd[sizes]
    price, fee, spread, impact = (values.take(sizes, axis=2) for values in cells[:4])
    all_in = np.stack(
        [all_in_price_array(side, price[at], fee[at]) for at, side in enumerate(SIDES)]
    )
    return Ranking(
        all_in,
        fee,
        spread,
        impact,
        all_in_bps_array(fee, spread, impact),
        _best(all_in, price, _fixed(places) / notional, places),
        np.where(np.isnan(all_in), cells.reason, NOTHING),
    )


def _fixed(places: Sequence[Sequence[Place]]) -> Floats:
    fixed = [place.fixed_usd for of_market in places for place in of_market]
    return np.array(fixed)[:, None]


def _best(
    all_in: Floats, price: Floats, fixed_share: Floats, places: Sequence[Sequence[Place]]
) -> Flags:
    """The pool that ``domain.costs.best_pool`` chooses of each market: everything known counts."""
    signs = np.array([1.0, -1.0])[:, None, None]
    # What a base unit costs, or brings with the sign turned: less is better.
    dear = np.where(np.isnan(all_in), np.inf, signs * all_in + price * fixed_share)
    counts = [len(of_market) for of_market in places]
    starts = np.cumsum([0, *counts[:-1]])
    least = np.repeat(np.minimum.reduceat(dear, starts, axis=1), counts, axis=1)
    order = np.arange(dear.shape[1])[:, None]
    first = np.where((dear == least) & np.isfinite(dear), order, dear.shape[1])
    chosen: Flags = np.repeat(np.minimum.reduceat(first, starts, axis=1), counts, axis=1) == order
    return chosen


def splits_of(
    cells: Cells, points: Points, places: Sequence[Sequence[Place]], reference: Floats
) -> list[list[list[SplitRow]]]:
    """The best split by side, market and size; None where no split is better than one pool.
    ``two_legs`` of a row: the best of two legs where three are better still, else None.

    ``reference``: shape (markets,), what trades are compared with, NaN where there is nothing.
    """
    counts = [len(of_market) for of_market in places]
    sizes = len(points.shares)
    rows: list[list[list[SplitRow]]] = [[[None] * sizes for _ in counts] for _ in SIDES]
    several = [market for market, count in enumerate(counts) if count > 1]
    if not several:
        return rows
    cost = _costs(cells, points, _fixed(places), np.repeat(reference, counts)[:, None])
    # A pool that is none fills up the markets that have fewer than others.
    widest = max(counts)
    cost = np.concatenate((cost, np.full_like(cost[:, :1], np.inf)), axis=1)
    ends = np.cumsum(counts)[several][:, None]
    count = np.array(counts)[several][:, None]
    column = np.arange(widest)
    pools = np.where(column < count, ends - count + column, cost.shape[1] - 1)
    dealt = cost[:, pools[:, None, :, None], points.shares[None, :, None, :]]
    dealt = dealt.reshape(-1, widest, PARTS)
    bps = np.tile(BPS / points.notional_usd[points.sizes], len(SIDES) * len(several))
    found = _deal(dealt, bps, MAX_LEGS)
    three = np.flatnonzero(found.legs == MAX_LEGS)
    two = _deal(dealt[three], bps[three], MAX_LEGS - 1)
    place_of_two = {at: place for place, at in enumerate(three.tolist())}
    for at in np.flatnonzero(found.legs).tolist():
        side, market, size = np.unravel_index(at, (len(SIDES), len(several), sizes))
        of_market, fewer = places[several[market]], place_of_two.get(at)
        row = _split_row(of_market, found, at)
        row["two_legs"] = (
            None if fewer is None or not two.legs[fewer] else _split_row(of_market, two, fewer)
        )
        rows[side][several[market]][size] = row
    return rows


class _Dealt(NamedTuple):
    """Shape: (cells,), ``shares`` (cells, pools). ``legs``: 0 where one pool alone is no dearer."""

    shares: Places
    legs: Places
    all_in_bps: Floats
    saved_bps: Floats


def _deal(cost_usd: Floats, bps: Floats, most_legs: int) -> _Dealt:
    """``bps``: what a dollar is of the size of each cell."""
    found = best_splits(cost_usd, most_legs)
    with np.errstate(invalid="ignore"):
        saved = np.round((found.single_usd - found.cost_usd) * bps, BPS_DECIMALS)
    legs = np.count_nonzero(found.shares, axis=1)
    legs[(legs < 2) | ~(saved > 0)] = 0
    return _Dealt(found.shares, legs, np.round(found.cost_usd * bps, BPS_DECIMALS), saved)


def _costs(cells: Cells, points: Points, fixed: Floats, reference: Floats) -> Floats:
    """USD against trading all at the reference price for nothing, infinite where not known."""
    cost = np.stack(
        [
            variable_usd_array(
                side, points.notional_usd, cells.price[at], cells.fee_bps[at], reference
            )
            for at, side in enumerate(SIDES)
        ]
    )
    cost += fixed
    cost[np.isnan(cost)] = np.inf
    return cost


def _split_row(places: Sequence[Place], dealt: _Dealt, at: int) -> dict[str, Any]:
    saved_bps = float(dealt.saved_bps[at])
    return {
        "legs": [
            {"venue": place.venue, "pool": place.pool, "share_bps": share * BPS // PARTS}
            for place, share in zip(places, dealt.shares[at].tolist(), strict=False)
            if share
        ],
        "all_in_bps": float(dealt.all_in_bps[at]),
        # No pool alone reaches so far.
        "saved_bps": saved_bps if math.isfinite(saved_bps) else None,
    }


# The envelope -------------------------------------------------------------------------------------


def exact_rows(
    places: Sequence[Place], costs: Sequence[Sequence[PoolCost]]
) -> list[dict[str, Any]]:
    """Rows of one side from exact prices: ``costs`` of each pool at every size."""
    best = [best_pool(at_size) for at_size in zip(*costs, strict=True)]
    rows = []
    for place, of_pool in zip(places, costs, strict=True):
        fixed = money(place.gas_usd), money(place.execution_fee_usd)
        priced = [cost if isinstance(cost, PricedPool) else None for cost in of_pool]
        reason = [cost.reason if isinstance(cost, UnpricedPool) else None for cost in of_pool]
        parts = [
            [None if cost is None else round(float(part(cost)), BPS_DECIMALS) for cost in priced]
            for part in _PARTS
        ]
        chosen = [
            cost is not None and cost is most for cost, most in zip(priced, best, strict=True)
        ]
        all_in = [None if cost is None else _exact_text(cost, place) for cost in priced]
        rows.append(row(place, fixed, all_in, parts, chosen, reason))
    return rows


_PARTS: Final[Sequence[Callable[[PricedPool], Decimal]]] = (
    lambda cost: cost.fee_bps,
    lambda cost: cost.spread_bps,
    lambda cost: cost.impact_bps,
    lambda cost: cost.all_in_bps,
)


def _exact_text(cost: PricedPool, place: Place) -> str:
    """Cut to the scale of the venue, to the taker's disadvantage."""
    rounding: Rounding = "up" if cost.side == "BUY" else "down"
    return minimal(exact.decimal(Fraction(cost.all_in_price), place.decimals, rounding))


def row(
    place: Place,
    fixed: tuple[str | None, str | None],
    all_in: Sequence[str | None],
    parts: Sequence[Sequence[float | None]],
    best: Sequence[bool],
    reason: Sequence[str | None],
) -> dict[str, Any]:
    """A row of the envelope. ``fixed``: gas and execution fee; ``parts``: fee, spread, impact and
    all of it in bps."""
    fee_bps, spread_bps, impact_bps, all_in_bps = parts
    gas_usd, execution_fee_usd = fixed
    return {
        "venue": place.venue,
        "pool": place.pool,
        "all_in": all_in,
        "fee_bps": fee_bps,
        "spread_bps": spread_bps,
        "impact_bps": impact_bps,
        "all_in_bps": all_in_bps,
        "gas_usd": gas_usd,
        "execution_fee_usd": execution_fee_usd,
        "best": best,
        "reason": reason,
    }


def money(value: Decimal | None) -> str | None:
    """As a row has it."""
    return None if value is None else minimal(value)


def ladder_data(
    sizes_usd: Sequence[str],
    rows: Sequence[Sequence[Mapping[str, Any]]],
    splits: Sequence[Sequence[SplitRow]],
    mid: str | None,
    excluded: Sequence[Mapping[str, Any]],
    service_fee_bps: Decimal = Decimal(0),
) -> dict[str, Any]:
    """``data`` of the ``ladder`` envelope. ``rows`` and ``splits``: of buying, then of selling.
    ``mid``: of the consolidated quote, which splits are compared with. ``service_fee_bps``: what
    whoever runs this charges, the same everywhere, so that it is in no row."""
    fee = {"service_fee_bps": minimal(service_fee_bps)} if service_fee_bps else {}
    return fee | {
        "sizes": list(sizes_usd),
        "mid": mid,
        "buy": rows[0],
        "sell": rows[1],
        "splits": {"buy": splits[0], "sell": splits[1]},
        "excluded": list(excluded),
    }
