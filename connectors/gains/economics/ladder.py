"""What many sizes cost at many pools at once, in float64: for ranking only, never for money.

The steps are those of ``quote``, each rounding included, so a fill is the exact one or next to it:
off by a unit of the price, or by some units of 1e-10 percent.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.base.economics import LadderArrays
from connectors.gains.constants import FULL_BPS, PERCENT, PPM, PRICE_MAX_E10
from connectors.gains.economics.depth import Side, average_offset_p
from connectors.gains.economics.fees import FeeTerms, min_size
from connectors.gains.economics.impact import PairState, fixed_spread_p
from connectors.gains.economics.limits import MAX_OPENING_LOSS_P, Exposure, least_size
from connectors.gains.economics.scales import E3, E8, E10, E18, WHOLE_P, Collateral
from domain.costs import Codes, Floats
from domain.units import BPS

_BANDS: Final = 31
"""One more than there are: what exceeds a side whose last band is not at 10000 bps."""

_INFINITE: Final = float("inf")


class _Side(NamedTuple):
    """One side of a pool: numbers in a row, arrays of shape (2, pools) in a ladder.

    Percentages are in 1e-10 percent, with the sign in which they move the price; tokens are whole.
    ``*_left_usd``: what is still allowed; ``taken_tokens`` and ``skew_tokens`` lower it by their
    worth at the price of the pair. ``standing_p``: the offset of the volume there is, unsigned.
    ``max_cost_p``: what spread and volume may cost at the least leverage.
    """

    direction: Floats
    spread_p: Floats
    before_skew_p: Floats
    touch_p: Floats
    volume_usd: Floats
    standing_p: Floats
    volume_factor: Floats
    depth_left_usd: Floats
    pair_left_usd: Floats
    taken_tokens: Floats
    group_left_usd: Floats
    skew_left_usd: Floats
    skew_tokens: Floats
    net_tokens: Floats
    skew_p_a_token: Floats
    collateral_usd: Floats
    collateral_unit: Floats
    fee_rate: Floats
    fee_share: Floats
    min_size: Floats
    least_size: Floats
    max_cost_p: Floats


_SCALARS: Final = len(_Side._fields)
_LENGTH: Final = _SCALARS + 5 * _BANDS


def pool_row(
    collateral: Collateral,
    pair: PairState,
    fees: FeeTerms,
    exposure: Exposure,
    min_leverage_e3: int,
) -> Floats:
    """A pool without the price of its pair, for ``price_rows``: buyers first, then sellers."""
    # What a loss is cut off by is still allowed.
    of_pool = (
        least_size(fees, collateral, min_leverage_e3),
        ((MAX_OPENING_LOSS_P + 1) * E3 - 1) // min_leverage_e3 if min_leverage_e3 else _INFINITE,
    )
    return np.concatenate(
        [
            part
            for up in (True, False)
            for part in (
                # Left to itself numpy makes objects of integers that are too large.
                np.array(
                    (*_side(collateral, pair, fees, exposure, up), *of_pool), dtype=np.float64
                ),
                _bands(_side_of(pair, up), pair.offsets_ppm),
            )
        ]
    )


def _side(
    collateral: Collateral, pair: PairState, fees: FeeTerms, exposure: Exposure, up: bool
) -> Sequence[float]:
    direction = 1 if up else -1
    price_usd = collateral.price_usd_e8 / E8
    spread_p = fixed_spread_p(pair.total_spread_p, up=up)
    volume_usd_e18 = pair.counted_volume_usd_e18(up=up)
    side = _side_of(pair, up)
    standing_p = average_offset_p(volume_usd_e18, side, pair.offsets_ppm)
    multiplier_e3 = pair.trader.volume_multiplier_e3 or E3
    before_skew_p = spread_p + direction * (standing_p * multiplier_e3 // E3)
    depth = pair.skew_depth_e18
    before, group = exposure.before_v10, exposure.group
    before_e10, group_e10 = (
        (before.long_e10, group.long_e10) if up else (before.short_e10, group.short_e10)
    )
    return (
        direction,
        spread_p,
        before_skew_p,
        before_skew_p + pair.standing_p,
        volume_usd_e18 / E18,
        standing_p,
        multiplier_e3 / E3,
        side.depth_usd - volume_usd_e18 / E18 if side.depth_usd else _INFINITE,
        (before.max_e10 - before_e10) / E10 * price_usd,
        (pair.long_token_e18 if up else pair.short_token_e18) / E18 * price_usd,
        (group.max_e10 - group_e10) / E10 * price_usd if group.max_e10 else _INFINITE,
        exposure.max_skew_e10 / E10 * price_usd if exposure.max_skew_e10 else _INFINITE,
        direction * pair.net_token_e18 / E18 * price_usd if exposure.max_skew_e10 else 0,
        pair.net_token_e18 / E18,
        PERCENT * E18 / (2 * depth) if depth else 0,
        price_usd,
        collateral.precision,
        fees.rate_p / WHOLE_P,
        fees.trader_multiplier_e3 * fees.staking_multiplier_e3 / (E3 * E3),
        min_size(fees, collateral),
    )


def _side_of(pair: PairState, up: bool) -> Side:
    """The depth that counts."""
    side = pair.above if up else pair.below
    return Side(0, side.bands) if pair.factors.exempt_on_open else side


@lru_cache(maxsize=4096)
def _bands(side: Side, offsets_ppm: tuple[int, ...]) -> Floats:
    """Of every band that adds depth: where it ends and starts in USD, what those before it weigh
    (offset x USD), its lowest offset and what that rises by in each USD. First all ends, and so on.
    """
    found: list[tuple[float, float, float, float, float]] = []
    start_e18 = weighted = low = share_before = 0
    for share, ppm in zip(side.bands, offsets_ppm, strict=True):
        high = ppm * PPM
        if share > share_before and side.depth_usd:
            capacity = side.depth_usd * E18 * (share - share_before) // FULL_BPS
            end = _INFINITE if share == FULL_BPS else (start_e18 + capacity) / E18
            rise = (high - low) * E18 / capacity
            found.append((end, start_e18 / E18, weighted / E18, low, rise))
            weighted += (low + (high - low) // 2) * capacity
            start_e18 += capacity
        low, share_before = high, share
    found.append((_INFINITE, start_e18 / E18, weighted / E18, 0.0, 0.0))
    # Nothing reaches those that fill up the row.
    found += [(_INFINITE, 0.0, 0.0, 0.0, 0.0)] * (_BANDS - len(found))
    return np.array(found).T.ravel()


def price_rows(mark_e10: Floats, rows: Sequence[Floats], notional_usd: Floats) -> LadderArrays:
    """``quote`` for every size at every pool.

    Shape: ``mark_e10`` (pools,), as many ``rows``, ``notional_usd`` (sizes,) positive.
    """
    if not rows:
        empty = np.empty((2, 0, len(notional_usd)))
        return LadderArrays(empty, empty, empty, empty, np.empty(empty.shape, dtype=object))
    flat = np.concatenate(rows)
    table = flat.reshape(len(rows), 2, _LENGTH)
    side = _Side._make(np.ascontiguousarray(table[:, :, :_SCALARS].transpose(2, 1, 0)))
    # Arrays are (sizes, 2, pools) in here: the longest axis last.
    notional = notional_usd[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(notional / side.collateral_usd * side.collateral_unit)
        tokens = size / side.collateral_unit
        after_usd = side.volume_usd + tokens * side.collateral_usd
        total_p = side.spread_p + side.direction * _volume_p(side, flat, table, after_usd)
        dear = side.direction * total_p > side.max_cost_p
        before_skew = mark_e10 + np.trunc(mark_e10 * total_p / WHOLE_P)
        half = side.direction * (tokens * E10 / before_skew / 2)
        total_p += np.trunc((side.net_tokens + half) * side.skew_p_a_token)
        fill = mark_e10 + np.trunc(mark_e10 * total_p / WHOLE_P)
        touch = mark_e10 + np.trunc(mark_e10 * side.touch_p / WHOLE_P)
        touch_before_skew = mark_e10 + np.trunc(mark_e10 * side.before_skew_p / WHOLE_P)
        fee = np.floor(np.floor(np.maximum(size, side.min_size) * side.fee_rate) * side.fee_share)
        fee_bps = fee / size * BPS
        middle = (touch[0] + touch[1]) / 2
        half_width_bps = (touch[0] - touch[1]) / 2 / middle * BPS
        impact_bps = side.direction * (fill - touch) / middle * BPS
    prices = (*touch, *touch_before_skew, before_skew, fill)
    reasons, unknown = _reasons(side, mark_e10 / E10, size, notional, prices, dear)
    spread_bps = np.broadcast_to(half_width_bps, fill.shape).copy()
    for values in (fill, fee_bps, spread_bps, impact_bps):
        values[unknown] = np.nan
    price, fee_bps, spread_bps, impact_bps = (
        np.moveaxis(values, 0, -1) for values in (fill / E10, fee_bps, spread_bps, impact_bps)
    )
    return LadderArrays(price, fee_bps, spread_bps, impact_bps, np.moveaxis(reasons, 0, -1))


def _volume_p(side: _Side, flat: Floats, table: Floats, after_usd: Floats) -> Floats:
    """``depth.volume_impact_p``, unsigned. ``table``: (pools, 2, row) of what is ``flat``."""
    ends = np.ascontiguousarray(table[:, :, _SCALARS : _SCALARS + _BANDS].transpose(2, 1, 0))
    place = (ends[:, None] < after_usd).sum(axis=0)
    # Of each side of each pool the first number after the ends of its bands.
    first = np.arange(2)[:, None] * _LENGTH + np.arange(len(table)) * (2 * _LENGTH)
    place += first + _SCALARS + _BANDS
    start, weighted, low, rise = (flat[place + column * _BANDS] for column in range(4))
    used = after_usd - start
    weighted = weighted + (low + np.floor(np.floor(rise * used) / 2)) * used
    moved = np.floor(weighted / after_usd) - side.standing_p
    volume_p: Floats = np.floor((side.standing_p + np.trunc(moved / 2)) * side.volume_factor)
    return volume_p


def _reasons(
    side: _Side,
    mark_usd: Floats,
    size: Floats,
    notional_usd: Floats,
    prices: Sequence[Floats],
    dear: NDArray[np.bool_],
) -> tuple[Codes, NDArray[np.bool_]]:
    """Why ``quote`` has no fill, and where. ``prices``: all that it looks at; ``dear``: where it
    costs too much."""
    left = np.minimum(
        np.minimum(side.pair_left_usd - side.taken_tokens * mark_usd, side.group_left_usd),
        side.skew_left_usd - side.skew_tokens * mark_usd,
    )
    least = most = prices[0]
    for price in prices[1:]:
        least, most = np.minimum(least, price), np.maximum(most, price)
    reasons = np.full(size.shape, None, dtype=object)
    unknown = np.zeros(size.shape, dtype=np.bool_)
    # The first that holds is told, so it is written last.
    for code, holds in (
        ("IMPACT", dear),
        ("ABOVE_MAX", most > PRICE_MAX_E10),
        ("IMPACT", ~(least > 0)),
        ("EXPOSURE_LIMITS", notional_usd > left),
        ("DEPTH", notional_usd > side.depth_left_usd),
        ("BELOW_MIN", size < side.least_size),
        ("NO_SIZE", ~(size > 0)),
    ):
        reasons[holds] = code
        unknown |= holds
    return reasons, unknown
