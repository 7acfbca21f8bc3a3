"""Swaps of one pool token for the other, as for collateral that is paid in in the other token.

Source: GMX v2 contracts pricing/SwapPricingUtils.sol, reader/ReaderPricingUtils.sol, v2.2b and
v2.2c.
"""

from dataclasses import dataclass

from connectors.gmx.economics.fixed import apply_factor, div_up
from connectors.gmx.economics.impact import Impact, curve
from connectors.gmx.economics.model import (
    ByToken,
    MarketConfig,
    MarketPrices,
    MarketState,
    PriceRange,
    Signed,
)
from connectors.gmx.economics.refusal import Refused


@dataclass(frozen=True, slots=True)
class Swap:
    """``impact_units``: positive ones of the token that comes out, negative ones of the one that
    goes in. Fees are of the token that goes in."""

    out_units: int
    impact_units: int
    after_fees_units: int
    fee_for_receiver_units: int
    fee_for_pool_units: int
    ui_fee_units: int


def swap(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    in_is_long_token: bool,
    in_units: int,
    ui_fee_factor_e30: int = 0,
) -> Swap:
    """What a swap through one pool gives, against the oracle prices and with its impact on the
    pool's balance.

    Shape: scalar. Units: smallest units of the tokens.
    Raises: Refused ``UsdDeltaExceedsPoolValue``, ``SwapPriceImpactExceedsAmountIn``.
    Source: ReaderPricingUtils.getSwapAmountOut.
    """
    price_in, price_out = prices.token(in_is_long_token), prices.token(not in_is_long_token)
    impact = swap_impact(config, state, prices, in_is_long_token, in_units)
    terms = config.swap
    fee = apply_factor(in_units, terms.fee_factor_e30.of(impact.improved))
    receiver = apply_factor(fee, terms.fee_receiver_factor_e30)
    ui_fee = apply_factor(in_units, ui_fee_factor_e30)
    net = in_units - fee - ui_fee
    pools = state.swap_impact_pool_units
    if impact.usd_e30 > 0:
        gained, lost_usd = _gain(
            impact.usd_e30, price_out, pools.of(not in_is_long_token) // config.divisor
        )
        more, _ = (
            _gain(lost_usd, price_in, pools.of(in_is_long_token) // config.divisor)
            if lost_usd
            else (0, 0)
        )
        out = (net + more) * price_in.min_usd_e30 // price_out.max_usd_e30 + gained
        return Swap(out, gained, net, receiver, fee - receiver, ui_fee)
    cost = div_up(-impact.usd_e30, price_in.min_usd_e30)
    if cost > net:
        raise Refused(
            "SwapPriceImpactExceedsAmountIn", amountAfterFees=net, negativeImpactAmount=-cost
        )
    out = (net - cost) * price_in.min_usd_e30 // price_out.max_usd_e30
    return Swap(out, -cost, net, receiver, fee - receiver, ui_fee)


def swap_impact(
    config: MarketConfig,
    state: MarketState,
    prices: MarketPrices,
    in_is_long_token: bool,
    in_units: int,
) -> Impact:
    """Impact before any cap: the worse one of this pool's imbalance and, where that is negative, of
    the virtual inventory that it shares with others.

    Shape: scalar. Units: USD e30. Raises: Refused ``UsdDeltaExceedsPoolValue``.
    Source: SwapPricingUtils.getPriceImpactUsd.
    """
    price_in = prices.token(in_is_long_token).mid_usd_e30
    price_out = prices.token(not in_is_long_token).mid_usd_e30
    delta = in_units * price_in

    def on(pool: ByToken, divisor: int) -> Impact:
        before_in = pool.of(in_is_long_token) // divisor * price_in
        before_out = pool.of(not in_is_long_token) // divisor * price_out
        if delta > before_out:
            raise Refused("UsdDeltaExceedsPoolValue", usdDelta=-delta, poolUsd=before_out)
        return _impact(config, before_in, before_out, delta)

    own = on(state.pool_units, config.divisor)
    if own.usd_e30 >= 0 or state.virtual_pool_units is None:
        return own
    other = on(state.virtual_pool_units, 1)
    return other if other.usd_e30 < own.usd_e30 else own


def _impact(config: MarketConfig, before_in: int, before_out: int, delta: int) -> Impact:
    after_in, after_out = before_in + delta, before_out - delta
    start, end = abs(before_in - before_out), abs(after_in - after_out)
    crossed = (before_in <= before_out) != (after_in <= after_out)
    exponent = config.swap.impact_exponent_e30
    usd = curve(start, end, crossed, config.swap.impact_factor_e30, Signed(exponent, exponent))
    return Impact(usd, end < start)


def _gain(usd: int, price: PriceRange, pool_units: int) -> tuple[int, int]:
    """(units out of an impact pool for a positive impact, USD that it had not)."""
    units = usd // price.max_usd_e30
    if units <= pool_units:
        return units, 0
    return pool_units, (units - pool_units) * price.max_usd_e30
