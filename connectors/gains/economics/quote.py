"""What a pool gives for a size, exactly.

A pool is a chain and a collateral: depth and recent volume are the pair's on the chain, skew and
limits of open interest those of the collateral.
"""

from typing import Final, NamedTuple

from connectors.gains.constants import FULL_BPS
from connectors.gains.economics.fees import trade_fee
from connectors.gains.economics.impact import PairState, opening_impact, opening_loss_p
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.limits import MAX_OPENING_LOSS_P, least_size, room
from connectors.gains.economics.scales import E8, E18, ContractRefusal, rounded_up

_BPS_E8: Final = FULL_BPS * E8


class Quote(NamedTuple):
    """An opening of the size asked for. Units: prices e10; ``fee_bps_e8`` of the size, rounded up.

    ``bid_e10`` and ``ask_e10`` are the touch: what a trade of nearly nothing fills at, so that the
    spread and the standing part of the impact are in it.
    """

    bid_e10: int
    ask_e10: int
    fill_e10: int
    fee_bps_e8: int


class Unquotable(NamedTuple):
    """``reason``: NO_SIZE (less than a base unit of the collateral), BELOW_MIN (less than the least
    collateral at the least leverage), DEPTH (more than recent volume left of the depth),
    EXPOSURE_LIMITS (more open interest or skew than is allowed), IMPACT (nothing is left of the
    price, or it costs more than an opening may even at the least leverage) and ABOVE_MAX (the
    contract cannot hold the price of the fill or of the touch)."""

    reason: str


def quote(pool: Pool, *, long: bool, notional_usd_e18: int) -> Quote | Unquotable:
    """The opening fill of ``notional_usd_e18``: an ask of a long, a bid of a short.

    The notional is the size of the position, collateral x leverage in USD. Profit counts from the
    fill price, so at that price it is also what is bought or sold. Units: USD e18.
    Source: TradingCommonUtils.getTradeOpeningPriceImpact, v10.2.
    """
    state = pool.state
    size = state.collateral.from_usd_e18(notional_usd_e18)
    if size <= 0:
        return Unquotable("NO_SIZE")
    if size < least_size(state.fees, state.collateral, state.min_leverage_e3):
        return Unquotable("BELOW_MIN")
    left = depth_left_usd_e18(state.pair, long=long)
    if left is not None and notional_usd_e18 > left:
        return Unquotable("DEPTH")
    if size > _room(pool, long=long):
        return Unquotable("EXPOSURE_LIMITS")
    try:
        bid, ask = (
            opening_impact(pool.mark_e10, 0, state.collateral, state.pair, long=up).price_e10
            for up in (False, True)
        )
        fill = opening_impact(pool.mark_e10, size, state.collateral, state.pair, long=long)
    except ContractRefusal as refusal:
        return Unquotable("IMPACT" if refusal.code == "BelowMin" else "ABOVE_MAX")
    if opening_loss_p(fill, state.min_leverage_e3, long=long) > MAX_OPENING_LOSS_P:
        return Unquotable("IMPACT")
    fee = trade_fee(size, state.fees, state.collateral)
    return Quote(bid, ask, fill.price_e10, rounded_up(fee, _BPS_E8, size))


def _room(pool: Pool, *, long: bool) -> int:
    state = pool.state
    return room(state.exposure, state.pair, state.collateral, pool.mark_e10, long=long)


def available_usd_e18(pool: Pool, *, long: bool) -> int:
    """The largest size to be opened on one side now, as limits of open interest and depth have
    it."""
    most = pool.state.collateral.usd_e18(_room(pool, long=long))
    left = depth_left_usd_e18(pool.state.pair, long=long)
    return most if left is None else min(most, left)


def depth_left_usd_e18(pair: PairState, *, long: bool) -> int | None:
    """What recent volume left of the depth; None where volume does not move the price.

    Beyond it the slope of the last band goes on, and such sizes fail the contract's test of opening
    losses at all but the least leverage.
    """
    side = pair.above if long else pair.below
    if not side.depth_usd or pair.factors.exempt_on_open:
        return None
    return max(side.depth_usd * E18 - pair.counted_volume_usd_e18(up=long), 0)
