"""What a size costs all in: once exactly, as the contracts compute it, and once in float64 for
whole ladders of sizes, which may rank venues but never decides money.

A quote is for opening a position. ``bps_e6`` are millionths of a basis point, positive = worse,
rounded against the trader.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.gmx.economics.capacity import capacity
from connectors.gmx.economics.execution import increase, oracle_price
from connectors.gmx.economics.fees import NO_TERMS, Terms, position_fee_usd
from connectors.gmx.economics.fixed import FACTOR_ONE, apply_factor, div_up
from connectors.gmx.economics.impact import balance
from connectors.gmx.economics.model import MarketConfig, MarketPrices, MarketState, Sided
from connectors.gmx.economics.refusal import Refused

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BPS_E6: Final = 10_000 * 10**6
_BPS: Final = 10_000.0
_ONE: Final = float(FACTOR_ONE)
_NEAR: Final = 1e-12


@dataclass(frozen=True, slots=True)
class AllIn:
    """``price_usd_e30`` is what the keeper compares with the acceptable price; ``oracle_usd_e30``
    is its side of the oracle. ``spread_bps_e6`` is the whole width, of which ``all_in_bps_e6`` has
    half: fee + impact + half the spread, without gas and carry."""

    price_usd_e30: int
    oracle_usd_e30: int
    fee_usd_e30: int
    fee_bps_e6: int
    spread_bps_e6: int
    impact_bps_e6: int
    all_in_bps_e6: int
    balance_improved: bool
    available_usd_e30: int


@dataclass(frozen=True, slots=True)
class Unquotable:
    """``reason``: the name of the contracts' error that such an order would end with."""

    reason: str
    available_usd_e30: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """One element per size; NaN where ``quotable`` is false. Prices are USD x 1e30 per smallest
    unit of the index token, as floats."""

    price_usd_e30: Floats
    fee_bps: Floats
    impact_bps: Floats
    all_in_bps: Floats
    quotable: Flags


def all_in(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    is_long: bool,
    size_usd_e30: int,
    terms: Terms = NO_TERMS,
) -> AllIn | Unquotable:
    """Price and costs of opening a position of a size, or why the pool would not take it.

    Shape: scalar; size > 0. Units: USD e30, bps e6.
    Source: execution.increase, fees.position_fees, capacity.capacity.
    """
    room = capacity(config, state, prices, is_long)
    available = room.available_usd_e30
    if size_usd_e30 < max(config.min_position_size_usd_e30, 1):
        return Unquotable("MinPositionSize", available)
    for name, left in (
        ("MaxOpenInterestExceeded", room.interest_left_usd_e30),
        ("InsufficientReserve", room.reserve_left_usd_e30),
        ("InsufficientReserveForOpenInterest", room.interest_reserve_left_usd_e30),
    ):
        if size_usd_e30 > left:
            return Unquotable(name, available)
    try:
        execution = increase(config, state, prices.index, is_long, size_usd_e30)
    except Refused as error:
        return Unquotable(error.refusal.name, available)
    oracle = oracle_price(prices.index, is_long, True)
    worse = execution.price_usd_e30 - oracle if is_long else oracle - execution.price_usd_e30
    fee_usd = _fee_usd(config, size_usd_e30, execution.balance_improved, terms)
    fee = div_up(fee_usd * _BPS_E6, size_usd_e30)
    impact = div_up(worse * _BPS_E6, oracle)
    spread = _spread_bps_e6(prices)
    return AllIn(
        price_usd_e30=execution.price_usd_e30,
        oracle_usd_e30=oracle,
        fee_usd_e30=fee_usd,
        fee_bps_e6=fee,
        spread_bps_e6=spread,
        impact_bps_e6=impact,
        all_in_bps_e6=fee + impact + div_up(spread, 2),
        balance_improved=execution.balance_improved,
        available_usd_e30=available,
    )


def ladder(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    is_long: bool,
    sizes_usd: Floats,
    terms: Terms = NO_TERMS,
) -> Ladder:
    """The same for many sizes at once, for ranking only.

    Shape: (n,) sizes, each > 0 -> (n,). Units: USD in, bps and USD e30 per unit out.
    """
    low, high = float(prices.index.min_usd_e30), float(prices.index.max_usd_e30)
    oracle = high if is_long else low
    units = sizes_usd * (_ONE / oracle)
    units = _whole(units, np.floor(units) if is_long else np.ceil(units))
    delta = sizes_usd
    if config.interest_in_tokens:
        delta = units * (float(prices.index.mid_usd_e30) / _ONE)
    impact, improved = _impact(config, state, prices, is_long, delta)
    factors = config.max_impact_factor_e30
    impact = np.minimum(impact, sizes_usd * (min(factors.positive, factors.negative) / _ONE))
    moved = impact * _ONE / np.where(impact > 0, high, low)
    moved = _whole(moved, np.floor(moved))
    executed = units + moved if is_long else units - moved
    room = capacity(config, state, prices, is_long)
    quotable = (
        (sizes_usd >= config.min_position_size_usd_e30 / _ONE)
        & (sizes_usd <= room.available_usd_e30 / _ONE)
        & (executed > 0)
    )
    price = sizes_usd * _ONE / np.where(quotable, executed, np.nan)
    worse = price / oracle - 1 if is_long else 1 - price / oracle
    per_size = [
        _fee_usd(config, FACTOR_ONE, improvement, terms) / _ONE * _BPS
        for improvement in (True, False)
    ]
    fee = np.where(quotable, np.where(improved, *per_size), np.nan)
    half_spread = _spread_bps_e6(prices) / 2e6
    return Ladder(price, fee, worse * _BPS, fee + worse * _BPS + half_spread, quotable)


def _spread_bps_e6(prices: MarketPrices) -> int:
    index = prices.index
    return div_up((index.max_usd_e30 - index.min_usd_e30) * _BPS_E6, index.mid_usd_e30)


def _fee_usd(config: MarketConfig, size_usd: int, improved: bool, terms: Terms) -> int:
    """After the larger discount, with the UI fee."""
    fee = position_fee_usd(config, size_usd, improved)
    discount = max(terms.referral_discount_factor_e30, terms.pro_discount_factor_e30)
    return fee - apply_factor(fee, discount) + apply_factor(size_usd, terms.ui_fee_factor_e30)


def _whole(units: Floats, rounded: Floats) -> Floats:
    """Tokens come in whole units, which shows with few decimals. What is a whole number but for the
    floats' own error stays that number."""
    nearest = np.rint(units)
    return np.where(np.abs(units - nearest) <= _NEAR * np.abs(units), nearest, rounded)


def _impact(
    config: MarketConfig, state: MarketState, prices: MarketPrices, is_long: bool, delta: Floats
) -> tuple[Floats, Flags]:
    own = balance(config, state, prices.index)
    impact, improved = _change(config, own, is_long, delta)
    inventory = state.virtual_position_usd_e30
    if config.interest_in_tokens:
        units = state.virtual_position_units
        inventory = None if units is None else units * prices.index.mid_usd_e30
    if inventory is None:
        return impact, improved
    virtual = Sided(max(-inventory, 0), max(inventory, 0))
    other, other_improved = _change(config, virtual, is_long, delta)
    worse = (impact < 0) & (other < impact)
    return np.where(worse, other, impact), np.where(worse, other_improved, improved)


def _change(
    config: MarketConfig, before: Sided[int], is_long: bool, delta: Floats
) -> tuple[Floats, Flags]:
    lead = (before.long - before.short) / _ONE
    after = lead + delta if is_long else lead - delta
    start, end = np.full_like(delta, abs(lead)), np.abs(after)
    crossed: Flags = (after <= 0) != (lead <= 0)
    improved: Flags = end < start
    factors, exponents = config.impact_factor_e30, config.impact_exponent_e30
    gain = min(factors.positive, factors.negative), min(exponents.positive, exponents.negative)
    loss = factors.negative, exponents.negative
    first = np.where(crossed | improved, _curve(start, *gain), _curve(start, *loss))
    last = np.where(crossed | ~improved, _curve(end, *loss), _curve(end, *gain))
    return first - last, improved


def _curve(diff: Floats, factor_e30: int, exponent_e30: int) -> Floats:
    value: Floats = np.power(diff, exponent_e30 / _ONE) * (factor_e30 / _ONE)
    return np.where(diff < 1, 0.0, value)
