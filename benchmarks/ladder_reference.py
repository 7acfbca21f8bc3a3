"""What ``ladder`` of every venue computes, cell by cell in plain Python floats."""

from collections.abc import Sequence
from math import floor, isnan, nan, trunc
from typing import Any, Final, NamedTuple

from connectors.dydx.economics.pricing import BookInputs
from connectors.gains.economics import ladder as gains
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.scales import E10, WHOLE_P
from connectors.gmx.economics import ladder as gmx
from connectors.gmx.economics.pricing import GmxInputs

BPS: Final = 10_000
ONE: Final = 1e30
NEAR: Final = 1e-12


class Cell(NamedTuple):
    """As ``domain.costs.PricedPool``; NaN where it is unknown."""

    price: float = nan
    fee_bps: float = nan
    spread_bps: float = nan
    impact_bps: float = nan


UNKNOWN: Final = Cell()


# A book ------------------------------------------------------------------------------------------


def dydx_cell(inputs: BookInputs, side: int, size_usd: float) -> Cell:
    if not inputs.asks or not inputs.bids:
        return UNKNOWN
    tick, unit, fee_bps, *_ = inputs.floats.terms
    ask, bid = inputs.asks[0][0], inputs.bids[0][0]
    levels = inputs.bids if side else inputs.asks
    left, filled, excess = size_usd / unit, 0.0, 0.0
    wanted, first = left, levels[0][0]
    for ticks, steps in levels:
        worth = ticks * steps
        taken = left / ticks if worth >= left else float(steps)
        filled += taken
        excess += taken * abs(ticks - first)
        left -= worth
        if left <= 0:
            break
    if left > 0 or filled < 1:
        return UNKNOWN
    middle = (ask + bid) / 2
    return Cell(
        wanted / filled * tick,
        fee_bps,
        (ask - bid) / 2 / middle * BPS,
        excess / filled / middle * BPS,
    )


# A pool of GMX -----------------------------------------------------------------------------------


class GmxRow(NamedTuple):
    pool: Any
    prices: tuple[float, ...]


def gmx_row(inputs: GmxInputs) -> GmxRow:
    return GmxRow(gmx._Columns(*inputs.terms.row.tolist()), inputs.price_row)


def gmx_cell(row: GmxRow, side: int, size_usd: float) -> Cell:
    pool, (low, high, long_token, short_token) = row
    sign = -1 if side else 1
    oracle = low if side else high
    in_usd = _floor((low + high) / 2) / ONE if pool.in_tokens else 1.0
    units = -_floor(-size_usd * ONE / oracle) if side else _floor(size_usd * ONE / oracle)
    delta = units * in_usd if pool.in_tokens else size_usd
    impact, improved = _change(pool, pool.lead * in_usd, sign * delta)
    if not isnan(pool.virtual_lead):
        other, other_improved = _change(pool, pool.virtual_lead * in_usd, sign * delta)
        if impact < 0 and other < impact:
            impact, improved = other, other_improved
    impact = min(impact, size_usd * pool.max_gain)
    executed = units + sign * _floor(impact * ONE / (high if impact > 0 else low))
    if side:
        room = pool.reservable_short * short_token / ONE - pool.short_usd
        room = min(pool.interest_left_short, room)
    else:
        room = (pool.reservable_long * long_token - pool.long_units * high) / ONE
        room = min(pool.interest_left_long, room)
    if size_usd < pool.min_size or size_usd > room or executed <= 0:
        return UNKNOWN
    paid = _floor(size_usd * ONE / executed)
    middle = (low + high) / 2
    return Cell(
        paid * pool.scale,
        pool.fee_improved if improved else pool.fee_worse,
        (high - low) / 2 / middle * BPS,
        sign * (paid - oracle) / middle * BPS,
    )


def _change(pool: Any, lead: float, delta: float) -> tuple[float, bool]:
    after = lead + delta
    start, end = abs(lead), abs(after)
    crossed, improved = (after <= 0) != (lead <= 0), end < start
    gain = pool.gain_factor, pool.gain_exponent
    loss = pool.loss_factor, pool.loss_exponent
    first = _curve(start, *(gain if crossed or improved else loss))
    last = _curve(end, *(loss if crossed or not improved else gain))
    return first - last, improved


def _curve(diff: float, factor: float, exponent: float) -> float:
    return 0.0 if diff < 1 else float(diff**exponent) * factor


def _floor(value: float) -> float:
    nearest = float(round(value))
    return nearest if abs(value - nearest) <= NEAR * abs(value) else float(floor(value))


# A pool of Gains ---------------------------------------------------------------------------------


class GainsRow(NamedTuple):
    """Buyers, then sellers: numbers, and bands as (end, start, weighted, lowest, rise)."""

    mark_e10: float
    sides: Sequence[Any]
    bands: Sequence[Sequence[Sequence[float]]]


def gains_row(inputs: Pool) -> GainsRow:
    halves = inputs.state.row.reshape(2, -1)
    scalars, count = gains._SCALARS, gains._BANDS
    return GainsRow(
        float(inputs.mark_e10),
        [gains._Side(*half[:scalars].tolist()) for half in halves],
        [half[scalars:].reshape(5, count).T.tolist() for half in halves],
    )


def gains_cell(row: GainsRow, side: int, size_usd: float) -> Cell:
    mark, own = row.mark_e10, row.sides[side]
    size = floor(size_usd / own.collateral_usd * own.collateral_unit)
    if size <= 0 or size < own.least_size or size_usd > own.depth_left_usd:
        return UNKNOWN
    tokens = size / own.collateral_unit
    volume_p = _volume_p(own, row.bands[side], own.volume_usd + tokens * own.collateral_usd)
    total_p = own.spread_p + own.direction * volume_p
    if own.direction * total_p > own.max_cost_p:
        return UNKNOWN
    before_skew = _at(mark, total_p)
    half = own.direction * (tokens * E10 / before_skew / 2)
    total_p += trunc((own.net_tokens + half) * own.skew_p_a_token)
    fill = _at(mark, total_p)
    ask, bid = (_at(mark, each.touch_p) for each in row.sides)
    mark_usd = mark / E10
    room = min(
        own.pair_left_usd - own.taken_tokens * mark_usd,
        own.group_left_usd,
        own.skew_left_usd - own.skew_tokens * mark_usd,
    )
    if size_usd > room or min(ask, bid, before_skew, fill) <= 0:
        return UNKNOWN
    fee = floor(floor(max(size, own.min_size) * own.fee_rate) * own.fee_share)
    middle = (ask + bid) / 2
    return Cell(
        fill / E10,
        fee / size * BPS,
        (ask - bid) / 2 / middle * BPS,
        own.direction * (fill - (bid if side else ask)) / middle * BPS,
    )


def _at(mark: float, percent: float) -> float:
    return mark + trunc(mark * percent / WHOLE_P)


def _volume_p(side: Any, bands: Sequence[Sequence[float]], after_usd: float) -> float:
    # The last band has no end.
    _, start, weighted, low, rise = next(band for band in bands if after_usd <= band[0])
    used = after_usd - start
    weighted += (low + floor(floor(rise * used) / 2)) * used
    moved = floor(weighted / after_usd) - side.standing_p
    return float(floor((side.standing_p + trunc(moved / 2)) * side.volume_factor))
