"""What a pool gives for a size: exactly, and as arrays for ladders.

A pool is a chain and a collateral: depth and recent volume are the pair's on the chain, skew and
limits of open interest those of the collateral.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from connectors.gains.constants import FULL_BPS, PPM
from connectors.gains.economics.depth import Side
from connectors.gains.economics.fees import FeeTerms, min_size, trade_fee
from connectors.gains.economics.impact import Impact, PairState, opening_impact
from connectors.gains.economics.limits import Exposure, room
from connectors.gains.economics.scales import (
    E3,
    E8,
    E10,
    E18,
    WHOLE_P,
    Collateral,
    ContractRefusal,
    rounded_up,
)

Floats: TypeAlias = NDArray[np.float64]

_BPS_E8: Final = FULL_BPS * E8


@dataclass(frozen=True, slots=True)
class Pool:
    """One pair in one collateral on one chain. None: not known, and so is what depends on it.

    ``mark_e10``: the price trades execute at, before impact.
    """

    chain_id: int
    symbol: str
    mark_e10: int | None
    collateral: Collateral | None
    pair: PairState | None
    fees: FeeTerms | None = None
    exposure: Exposure | None = None


class Quote(NamedTuple):
    """An opening of the size asked for, or why there is none.

    Basis points are e8, so that 1e-8 of one is 1e-10 percent. ``spread_bps_e8`` is the whole
    spread, of which a trade pays half. ``impact_bps_e8``: volume and skew against the mark,
    positive = worse for the trader; a skew in favour makes it negative. ``fee_bps_e8``: of the
    notional, rounded up. ``available_usd_e18``: the largest size that limits of open interest and,
    where volume moves the price, the depth that recent volume left allow.
    ``reason``: why something is None, or why the contract would not fill the size.
    """

    fill_price_e10: int | None
    fee_bps_e8: int | None
    spread_bps_e8: int | None
    impact_bps_e8: int | None
    available_usd_e18: int | None
    reason: str | None


class Ladder(NamedTuple):
    """``Quote`` for an array of sizes, in floats: for ranking only, never for money. Where a quote
    has no fill there is NaN; fees are NaN where they are not known."""

    fill_price: Floats
    fee_bps: Floats
    impact_bps: Floats
    spread_bps: float


def quote(pool: Pool, *, long: bool, notional_usd_e18: int) -> Quote:
    """The opening fill of ``notional_usd_e18``: an ask of a long, a bid of a short.

    ``reason`` is None or one of NO_PRICE, NO_COLLATERAL_PRICE, NO_DEPTH (nothing of the pair's
    state), NO_SIZE, BELOW_MIN and ABOVE_MAX (the contract refuses the price), EXPOSURE_LIMITS (the
    size exceeds ``available_usd_e18``), NO_FEES and NO_LIMITS (only that part is missing).
    Units: USD e18 in, price e10 and basis points e8 out.
    Source: TradingCommonUtils.getTradeOpeningPriceImpact, v10.2.
    """
    if pool.mark_e10 is None or pool.mark_e10 <= 0:
        return _nothing("NO_PRICE")
    if pool.collateral is None or pool.collateral.price_usd_e8 <= 0:
        return _nothing("NO_COLLATERAL_PRICE")
    if pool.pair is None:
        return _nothing("NO_DEPTH")
    size = pool.collateral.from_usd_e18(notional_usd_e18)
    if size <= 0:
        return _nothing("NO_SIZE")
    available = available_usd_e18(pool, long=long)
    try:
        impact = opening_impact(pool.mark_e10, size, pool.collateral, pool.pair, long=long)
    except ContractRefusal as refusal:
        reason = "BELOW_MIN" if refusal.code == "BelowMin" else "ABOVE_MAX"
        return Quote(None, None, None, None, available, reason)
    fee_bps = None
    if pool.fees is not None:
        fee_bps = rounded_up(trade_fee(size, pool.fees, pool.collateral), _BPS_E8, size)
    reason_or_none = None
    if available is not None and notional_usd_e18 > available:
        reason_or_none = "EXPOSURE_LIMITS"
    elif pool.fees is None:
        reason_or_none = "NO_FEES"
    elif available is None:
        reason_or_none = "NO_LIMITS"
    return Quote(
        impact.price_e10,
        fee_bps,
        pool.pair.total_spread_p,
        _impact_p(impact, long=long),
        available,
        reason_or_none,
    )


def _nothing(reason: str) -> Quote:
    return Quote(None, None, None, None, None, reason)


def _impact_p(impact: Impact, *, long: bool) -> int:
    moved = impact.volume_p + impact.skew_p
    return moved if long else -moved


def available_usd_e18(pool: Pool, *, long: bool) -> int | None:
    """The largest size to be opened on one side now, None while limits are not known.

    Beyond the depth the last band's slope goes on, and such sizes fail the contract's test of
    opening losses at all but the least leverage: the depth that is left bounds the size too.
    """
    if (
        pool.mark_e10 is None
        or pool.collateral is None
        or pool.pair is None
        or pool.exposure is None
    ):
        return None
    size = room(pool.exposure, pool.pair, pool.collateral, pool.mark_e10, long=long)
    most = pool.collateral.usd_e18(size)
    side = pool.pair.above if long else pool.pair.below
    if side.depth_usd and not pool.pair.factors.exempt_on_open:
        most = min(most, max(side.depth_usd * E18 - _volume_usd_e18(pool.pair, long=long), 0))
    return most


def _volume_usd_e18(pair: PairState, *, long: bool) -> int:
    """Volume in the windows of one side, as much as it counts for."""
    volume = pair.volume_long_usd_e18 if long else pair.volume_short_usd_e18
    return volume * (pair.factors.cumulative_e10 or E10) // E10


def ladder(pool: Pool, *, long: bool, notional_usd: Floats) -> Ladder:
    """``quote`` for many sizes at once.

    Shape: any, results have that of ``notional_usd``. Units: USD in; price and basis points out.
    Raises ValueError when price, collateral price or state of the pair are not known.
    """
    pair, collateral = pool.pair, pool.collateral
    if pool.mark_e10 is None or pair is None or collateral is None:
        raise ValueError("price, collateral price and state of the pair have to be known")
    direction = 1.0 if long else -1.0
    oracle = pool.mark_e10 / E10
    spread = direction * (pair.total_spread_p // 2) / E10
    volume = direction * _volume_percent(pair, notional_usd, long=long)
    before_skew = oracle * (1 + (spread + volume) / 100)
    size = notional_usd * E8 / collateral.price_usd_e8
    skew = np.zeros_like(notional_usd)
    with np.errstate(divide="ignore", invalid="ignore"):
        if pair.skew_depth_e18:
            half = direction * size / before_skew / 2
            skew = (pair.net_token_e18 / E18 + half) / (pair.skew_depth_e18 / E18) / 2
        fill = oracle * (1 + (spread + volume + skew) / 100)
        fee = np.full_like(notional_usd, np.nan)
        if pool.fees is not None:
            least = min_size(pool.fees, collateral) / collateral.precision
            rate = pool.fees.rate_p / WHOLE_P * FULL_BPS
            tier = pool.fees.trader_multiplier_e3 * pool.fees.staking_multiplier_e3 / (E3 * E3)
            fee = np.maximum(size, least) * rate * tier / size
    refused = ~((before_skew > 0) & (fill > 0) & (notional_usd > 0))
    impact = direction * (volume + skew) * 100
    for values in (fill, fee, impact):
        values[refused] = np.nan
    return Ladder(fill, fee, impact, pair.total_spread_p / E8)


def _volume_percent(pair: PairState, notional_usd: Floats, *, long: bool) -> Floats:
    """Unsigned volume impact of openings, in percent."""
    side = pair.above if long else pair.below
    if pair.factors.exempt_on_open or not side.depth_usd:
        return np.zeros_like(notional_usd)
    before = _volume_usd_e18(pair, long=long) / E18
    standing = _average_offset(np.array([before]), side, pair.offsets_ppm)[0]
    after = _average_offset(notional_usd + before, side, pair.offsets_ppm)
    multiplier = (pair.trader.volume_multiplier_e3 or E3) / E3
    impact: Floats = (standing + (after - standing) / 2) * multiplier
    return impact


def _average_offset(volume_usd: Floats, side: Side, offsets_ppm: tuple[int, ...]) -> Floats:
    """``depth.average_offset_p`` of many volumes, in percent."""
    left = np.maximum(volume_usd, 0.0)
    weighted = np.zeros_like(left)
    low, before = 0.0, 0
    for share, ppm in zip(side.bands, offsets_ppm, strict=True):
        high = ppm * PPM / E10
        if share > before:
            capacity = side.depth_usd * (share - before) / FULL_BPS
            used = left if share == FULL_BPS else np.minimum(left, capacity)
            weighted = weighted + (low + (high - low) * used / capacity / 2) * used
            left = left - used
        low, before = high, share
    average: Floats = np.divide(
        weighted, volume_usd, out=np.zeros_like(weighted), where=volume_usd > 0
    )
    return average
