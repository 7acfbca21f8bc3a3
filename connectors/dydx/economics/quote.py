"""The price of a market order of a given notional on a book: exact, and in float64 for ranking."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from connectors.dydx.economics.fees import FEE_TIERS, FeeTier, fee_bps
from connectors.dydx.economics.walk import Fill, walk_notional, walk_size
from domain import exact
from domain.costs import Floats, OrderSide, PoolCost, PricedPool, UnpricedPool
from domain.market import Market
from domain.units import BPS, E18

PRICE_DECIMALS: Final = 18
BPS_DECIMALS: Final = 18

Levels = Iterable[tuple[int, int]]


def price_trade(
    market: Market,
    side: OrderSide,
    notional_usd: Decimal,
    bids: Levels,
    asks: Levels,
    tier: FeeTier = FEE_TIERS[0],
) -> PoolCost:
    """What a taker of ``notional_usd`` fills at.

    Shape: levels as ``Book.levels`` gives them. Units: see ``PricedPool``; the parts in bps are of
    the middle of the touch. Rounding: to the taker's disadvantage after 18 decimals. Reasons:
    ``NO_BOOK`` (a side is empty, so there is no touch), ``BELOW_STEP`` (less than the smallest
    order), ``DEPTH`` (the known levels end before the size).
    Raises InputError ``BAD_SIZE`` unless the notional is positive.
    """
    known_bids, known_asks = list(bids), list(asks)
    levels = known_asks if side == "BUY" else known_bids
    fill = walk_notional(levels, exact.fraction(notional_usd) / _unit(market))
    return _priced(market, side, notional_usd, fill, known_bids, known_asks, tier)


def price_size(
    market: Market,
    side: OrderSide,
    size_base: str,
    bids: Levels,
    asks: Levels,
    tier: FeeTier = FEE_TIERS[0],
) -> PoolCost:
    """What a taker of ``size_base`` (a decimal string) fills at; otherwise as ``price_trade``.

    ``notional_usd`` is what the fill is worth, exactly; of a pool that is not priced, what the
    known levels gave. Raises InputError ``OFF_GRID`` for a size that is no multiple of the step,
    ``BAD_DECIMAL`` for no number, ``BAD_SIZE`` unless it is positive.
    """
    known_bids, known_asks = list(bids), list(asks)
    levels = known_asks if side == "BUY" else known_bids
    fill = walk_size(levels, market.step.parse(size_base))
    notional = exact.decimal(fill.notional * _unit(market), 2 * PRICE_DECIMALS, "up")
    return _priced(market, side, notional, fill, known_bids, known_asks, tier)


def _priced(
    market: Market,
    side: OrderSide,
    notional_usd: Decimal,
    fill: Fill,
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    tier: FeeTier,
) -> PoolCost:
    reason = None
    if not bids or not asks:
        reason = "NO_BOOK"
    elif fill.exhausted:
        reason = "DEPTH"
    elif fill.steps < 1:
        reason = "BELOW_STEP"
    if reason is not None:
        return UnpricedPool(market.venue, None, side, notional_usd, reason)
    # Twice the middle of the touch, and its whole width.
    middle2, width = asks[0][0] + bids[0][0], asks[0][0] - bids[0][0]
    price = fill.notional / fill.steps * Fraction(market.tick.unit_e18, E18)
    return PricedPool(
        market.venue,
        None,
        side,
        notional_usd,
        exact.decimal(price, PRICE_DECIMALS, "up" if side == "BUY" else "down"),
        fee_bps(tier.taker_ppm),
        exact.decimal(Fraction(width * BPS, middle2), BPS_DECIMALS, "up"),
        exact.decimal(fill.excess / fill.steps * (2 * BPS) / middle2, BPS_DECIMALS, "up"),
    )


def _unit(market: Market) -> Fraction:
    """USD of one tick x step."""
    return Fraction(market.tick.unit_e18 * market.step.unit_e18, E18 * E18)


@dataclass(frozen=True, slots=True, eq=False)
class PricedArray:
    """``price_trade`` for many sizes in float64, for ranking only. NaN where unknown."""

    price: Floats
    fee_bps: Floats
    spread_bps: Floats
    impact_bps: Floats


def price_array(
    market: Market,
    side: OrderSide,
    notional_usd: Floats,
    bids: Floats,
    asks: Floats,
    tier: FeeTier = FEE_TIERS[0],
) -> PricedArray:
    """What takers of each of ``notional_usd`` fill at, for ranking only.

    Shape: ``notional_usd`` (m,), ``bids`` and ``asks`` (n, 2) of price ticks and size steps, best
    first. Units: as ``price_trade``, within 1e-9 of it.
    """
    unknown = np.full(notional_usd.shape, np.nan)
    if not len(bids) or not len(asks):
        return PricedArray(unknown, unknown, unknown, unknown)
    tick = market.tick.unit_e18 / E18
    step = market.step.unit_e18 / E18
    levels = asks if side == "BUY" else bids
    ticks, steps = levels[:, 0], levels[:, 1]
    off = np.abs(ticks - ticks[0])
    wanted = notional_usd / (tick * step)
    ends = np.cumsum(ticks * steps)
    # The level in which each walk ends, and what was taken before it.
    place = np.searchsorted(ends, wanted, side="left")
    reached = place < len(ends)
    place = np.minimum(place, len(ends) - 1)
    part = (wanted - _before(ticks * steps)[place]) / ticks[place]
    filled = _before(steps)[place] + part
    excess = _before(off * steps)[place] + part * off[place]
    known = reached & (wanted > 0) & (filled >= 1)
    middle = (asks[0, 0] + bids[0, 0]) / 2
    filled = np.where(known, filled, np.nan)
    spread_bps = (asks[0, 0] - bids[0, 0]) / 2 / middle * BPS
    return PricedArray(
        wanted / filled * tick,
        np.where(known, float(fee_bps(tier.taker_ppm)), np.nan),
        np.where(known, spread_bps, np.nan),
        excess / filled / middle * BPS,
    )


def _before(values: Floats) -> Floats:
    """Sum of all values before each."""
    return np.concatenate(([0.0], np.cumsum(values)[:-1]))
