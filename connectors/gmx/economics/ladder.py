"""What many sizes cost at many pools, in float64: ``quote.all_in`` for ranking, which never decides
money. One pass of numpy, whatever the count of pools.

Shape: a row of numbers for each pool, one part of which follows from what the pool says of itself
and changes every few seconds, the other from the oracle's prices.
"""

from collections.abc import Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from connectors.base.economics import LadderArrays
from connectors.gmx.economics.fixed import FACTOR_ONE
from connectors.gmx.economics.impact import open_interest_units, open_interest_usd
from connectors.gmx.economics.model import MarketPrices, OpeningConfig, OpeningState
from domain.costs import Floats
from domain.units import BPS

BELOW_MIN: Final = "BELOW_MIN"
DEPTH: Final = "DEPTH"
IMPACT: Final = "IMPACT"

T = TypeVar("T")

Flags = NDArray[np.bool_]

_ONE: Final = float(FACTOR_ONE)
_NEAR: Final = 1e-12
_REASONS: Final = np.array([None, BELOW_MIN, DEPTH, IMPACT], dtype=np.object_)
_SIGNS: Final = np.array([1.0, -1.0]).reshape(2, 1, 1)


class _Columns(NamedTuple, Generic[T]):
    """Of ``pool_row``. ``lead``: of longs over shorts, in USD or in smallest units of the index
    token as the market measures it; ``virtual_lead`` the same of the virtual inventory, NaN where
    there is none. Gains of impact have the factors ``gain_*``."""

    scale: T
    in_tokens: T
    lead: T
    virtual_lead: T
    gain_factor: T
    gain_exponent: T
    loss_factor: T
    loss_exponent: T
    max_gain: T
    fee_improved: T
    fee_worse: T
    min_size: T
    interest_left_long: T
    interest_left_short: T
    reservable_long: T
    reservable_short: T
    long_units: T
    short_usd: T


class _Prices(NamedTuple):
    """Of ``price_row``."""

    low: Floats
    high: Floats
    long_token: Floats
    short_token: Floats


def pool_row(config: OpeningConfig, state: OpeningState, decimals: int) -> Floats:
    """Shape: a pool's row. ``decimals``: of the index token."""
    in_tokens = config.interest_in_tokens
    usd = [open_interest_usd(config, state, is_long) for is_long in (True, False)]
    units = [open_interest_units(config, state, is_long) for is_long in (True, False)]
    virtual = state.virtual_position_units if in_tokens else state.virtual_position_usd_e30
    unit = 1 if in_tokens else FACTOR_ONE
    interest = units if in_tokens else usd
    factors, exponents = config.impact_factor_e30, config.impact_exponent_e30
    limits = config.max_impact_factor_e30
    fees = config.position_fee_factor_e30
    reserve, interest_reserve = config.reserve_factor_e30, config.open_interest_reserve_factor_e30
    return np.array(
        _Columns[float](
            10.0 ** (decimals - 30),
            float(in_tokens),
            (interest[0] - interest[1]) / unit,
            np.nan if virtual is None else -virtual / unit,
            min(factors.positive, factors.negative) / FACTOR_ONE,
            min(exponents.positive, exponents.negative) / FACTOR_ONE,
            factors.negative / FACTOR_ONE,
            exponents.negative / FACTOR_ONE,
            min(limits.positive, limits.negative) / FACTOR_ONE,
            fees.positive * BPS / FACTOR_ONE,
            fees.negative * BPS / FACTOR_ONE,
            max(config.min_position_size_usd_e30, 1) / FACTOR_ONE,
            (config.max_open_interest_usd_e30.long - usd[0]) / FACTOR_ONE,
            (config.max_open_interest_usd_e30.short - usd[1]) / FACTOR_ONE,
            state.pool_units.long_token
            // config.divisor
            * min(reserve.long, interest_reserve.long)
            / FACTOR_ONE,
            state.pool_units.short_token
            // config.divisor
            * min(reserve.short, interest_reserve.short)
            / FACTOR_ONE,
            float(units[0]),
            usd[1] / FACTOR_ONE,
        )
    )


def price_row(prices: MarketPrices) -> tuple[float, ...]:
    """Shape: a row of a pool's prices. Units: USD e30 per smallest unit."""
    return (
        float(prices.index.min_usd_e30),
        float(prices.index.max_usd_e30),
        float(prices.long_token.min_usd_e30),
        float(prices.short_token.min_usd_e30),
    )


def ladder(
    pool_rows: Sequence[Floats], price_rows: Sequence[Sequence[float]], sizes_usd: Floats
) -> LadderArrays:
    """What opening each size costs at each pool.

    Shape: rows of as many pools, (sizes,) -> (2, pools, sizes). Units: USD, each positive.
    """
    if not pool_rows:
        nothing = np.empty((2, 0, len(sizes_usd)))
        return LadderArrays(nothing, nothing, nothing, nothing, nothing.astype(np.object_))
    # Each column (pools, 1), so that sizes go along the last axis.
    pool = _Columns(*np.concatenate(pool_rows).reshape(len(pool_rows), -1).T[:, :, None])
    price = _Prices(*np.array(price_rows).T[:, :, None])
    oracle = np.stack((price.high, price.low))
    in_usd = np.where(pool.in_tokens != 0, np.floor((price.low + price.high) / 2) / _ONE, 1.0)
    units = _whole(sizes_usd * _ONE / oracle)
    delta = np.where(pool.in_tokens != 0, units * in_usd, sizes_usd)
    impact, improved = _impact(pool, in_usd, delta)
    impact = np.minimum(impact, sizes_usd * pool.max_gain)
    moved = _floor(impact * _ONE / np.where(impact > 0, price.high, price.low))
    executed = units + _SIGNS * moved
    reason = np.where(
        sizes_usd < pool.min_size,
        1,
        np.where(sizes_usd > _room(pool, price), 2, np.where(executed <= 0, 3, 0)),
    )
    unknown = reason != 0
    paid = _floor(sizes_usd * _ONE / np.where(unknown, np.nan, executed))
    middle = (price.low + price.high) / 2
    fee = np.where(improved, pool.fee_improved, pool.fee_worse)
    return LadderArrays(
        paid * pool.scale,
        np.where(unknown, np.nan, fee),
        np.where(unknown, np.nan, (price.high - price.low) / 2 / middle * BPS),
        _SIGNS * (paid - oracle) / middle * BPS,
        _REASONS[reason],
    )


def _room(pool: _Columns[Floats], price: _Prices) -> Floats:
    """What can still be opened, in USD. Shape: (2, pools, 1)."""
    long = np.minimum(
        pool.interest_left_long,
        (pool.reservable_long * price.long_token - pool.long_units * price.high) / _ONE,
    )
    short = np.minimum(
        pool.interest_left_short, pool.reservable_short * price.short_token / _ONE - pool.short_usd
    )
    return np.stack((long, short))


def _whole(units: Floats) -> Floats:
    """Tokens come in whole units, against the trader: a long gets fewer, a short owes more."""
    return np.stack((_floor(units[0]), -_floor(-units[1])))


def _floor(values: Floats) -> Floats:
    """What is a whole number but for the floats' own error stays that number."""
    nearest: Floats = np.rint(values)
    return np.where(np.abs(values - nearest) <= _NEAR * np.abs(values), nearest, np.floor(values))


def _impact(pool: _Columns[Floats], in_usd: Floats, delta: Floats) -> tuple[Floats, Flags]:
    """Before any cap, and whether the balance is improved. Shape: as ``delta``. Units: USD."""
    own, improved = _change(pool, pool.lead * in_usd, delta)
    # NaN is never the worse one.
    other, other_improved = _change(pool, pool.virtual_lead * in_usd, delta)
    worse = (own < 0) & (other < own)
    return np.where(worse, other, own), np.where(worse, other_improved, improved)


def _change(pool: _Columns[Floats], lead: Floats, delta: Floats) -> tuple[Floats, Flags]:
    """A small trade in a large imbalance is the difference of two powers that have all but the last
    digits in common: on one side of the balance these are not taken from each other."""
    further = _SIGNS * delta
    after = lead + further
    start, end = np.abs(lead), np.abs(after)
    crossed: Flags = (after <= 0) != (lead <= 0)
    improved: Flags = end < start
    aside: Flags = ~crossed & (start >= 1) & (end >= 1)
    at_start = np.where(
        crossed | improved,
        _curve(start, pool.gain_factor, pool.gain_exponent),
        _curve(start, pool.loss_factor, pool.loss_exponent),
    )
    gains = ~crossed & improved
    factor = np.where(gains, pool.gain_factor, pool.loss_factor)
    exponent = np.where(gains, pool.gain_exponent, pool.loss_exponent)
    change = at_start - _curve(end, factor, exponent, ~aside)
    with np.errstate(divide="ignore"):
        steps = np.log1p(further / lead, out=np.zeros_like(end), where=aside)
    return np.where(aside, -at_start * np.expm1(exponent * steps), change), improved


def _curve(
    diff: Floats, factor: Floats, exponent: Floats, where: Flags | Literal[True] = True
) -> Floats:
    power = np.power(diff, exponent, out=np.zeros(np.broadcast(diff, exponent).shape), where=where)
    return np.where(diff < 1, 0.0, power * factor)
