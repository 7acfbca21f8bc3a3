"""Price impact of a change of open interest.

Source: GMX v2 contracts, pricing/PositionPricingUtils.sol, pricing/PricingUtils.sol,
market/MarketUtils.sol, v2.2b and v2.2c. Positive impact is the trader's gain.
"""

from dataclasses import dataclass

from connectors.gmx.economics.fixed import apply_factor, div_up, power
from connectors.gmx.economics.model import (
    ByToken,
    MarketState,
    OpeningConfig,
    OpeningState,
    PriceRange,
    Sided,
    Signed,
)
from connectors.gmx.economics.refusal import Refused


@dataclass(frozen=True, slots=True)
class Impact:
    """``improved``: whether the imbalance got smaller, which decides the fee."""

    usd_e30: int
    improved: bool


def stored_sum(stored: ByToken, divisor: int) -> int:
    """Shape: one side's sums per collateral token -> their sum.
    Units: as stored. Source: MarketUtils.getOpenInterest."""
    return stored.long_token // divisor + stored.short_token // divisor


def open_interest_usd(config: OpeningConfig, state: OpeningState, is_long: bool) -> int:
    """Shape: one side's open interest. Units: USD e30. Source: MarketUtils.getOpenInterest."""
    return stored_sum(state.open_interest_usd_e30.of(is_long), config.divisor)


def open_interest_units(config: OpeningConfig, state: OpeningState, is_long: bool) -> int:
    """Shape: one side's open interest. Units: smallest units of the index token.
    Source: MarketUtils.getOpenInterestInTokens."""
    return stored_sum(state.open_interest_units.of(is_long), config.divisor)


def balance(config: OpeningConfig, state: OpeningState, index: PriceRange) -> Sided[int]:
    """Open interest as the imbalance is measured: in USD at entry, or the tokens at today's mid.

    Shape: both sides. Units: USD e30. Source: USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE.
    """
    if not config.interest_in_tokens:
        return Sided(
            open_interest_usd(config, state, True), open_interest_usd(config, state, False)
        )
    mid = index.mid_usd_e30
    return Sided(
        open_interest_units(config, state, True) * mid,
        open_interest_units(config, state, False) * mid,
    )


def increase_units(index: PriceRange, is_long: bool, size_usd_e30: int) -> int:
    """Index tokens that an increase adds to the position, without impact and against the trader:
    a long gets fewer, a short owes more.

    Shape: scalar. Units: smallest units of the index token.
    Source: PositionUtils.getExecutionPriceForIncrease.
    """
    if is_long:
        return size_usd_e30 // index.max_usd_e30
    return div_up(size_usd_e30, index.min_usd_e30)


def decrease_units(position_usd: int, position_units: int, is_long: bool, size_usd: int) -> int:
    """Index tokens that a decrease takes out of the position.

    Shape: scalar; ``position_usd`` > 0. Units: smallest units of the index token.
    Source: PositionUtils.getPositionPnlUsd.
    """
    if size_usd == position_usd:
        return position_units
    share = position_units * size_usd
    return div_up(share, position_usd) if is_long else share // position_usd


def position_impact(
    config: OpeningConfig,
    state: OpeningState,
    index: PriceRange,
    is_long: bool,
    size_delta_usd_e30: int,
    size_delta_units: int,
) -> Impact:
    """Impact of a change of a position by a signed size, before any cap: the worse one of the
    pool's own imbalance and, where that is negative, of the index token's virtual inventory.

    Shape: scalar. Units: USD e30; ``size_delta_units`` signed like the size, of the index token.
    Raises: Refused ``UsdDeltaExceeds..OpenInterest`` for a decrease below zero.
    Source: PositionPricingUtils.getPriceImpactUsd.
    """
    delta = (
        size_delta_units * index.mid_usd_e30 if config.interest_in_tokens else size_delta_usd_e30
    )
    own = _change(config, balance(config, state, index), is_long, delta)
    if own.usd_e30 >= 0:
        return own
    inventory = _virtual_inventory(config, state, index)
    if inventory is None:
        return own
    offset = max(-delta, 0)
    virtual = Sided(max(-inventory, 0) + offset, max(inventory, 0) + offset)
    other = _change(config, virtual, is_long, delta)
    return other if other.usd_e30 < own.usd_e30 else own


def cap_positive(config: OpeningConfig, impact_usd_e30: int, size_usd_e30: int) -> int:
    """Positive impact is at most a part of the size; negative impact stays as it is.

    Shape: scalar. Units: USD e30. Source: MAX_POSITION_IMPACT_FACTOR, MarketUtils.
    """
    factors = config.max_impact_factor_e30
    limit = apply_factor(size_usd_e30, min(factors.positive, factors.negative))
    return min(impact_usd_e30, limit)


def cap_positive_by_pool(state: MarketState, index: PriceRange, impact_usd_e30: int) -> int:
    """Positive impact is paid out of the impact pool. What governance may let the pool lend on top
    is not counted.

    Shape: scalar. Units: USD e30. Source: POSITION_IMPACT_POOL_AMOUNT, MarketUtils.
    """
    return min(impact_usd_e30, state.impact_pool_units * index.min_usd_e30)


def curve(before: int, after: int, crossed: bool, factors: Signed, exponents: Signed) -> int:
    """Impact of an imbalance that goes from ``before`` to ``after``, to the other side if crossed.

    Shape: scalar. Units: USD e30. Source: PricingUtils.getPriceImpactUsdForSameSideRebalance and
    getPriceImpactUsdForCrossoverRebalance; positive factor and exponent are capped by the negative.
    """
    improved = after < before
    good = crossed or improved
    bad = crossed or not improved
    gain_factor = min(factors.positive, factors.negative)
    gain_exponent = min(exponents.positive, exponents.negative)
    start_factor, start_exponent = (
        (gain_factor, gain_exponent) if good else (factors.negative, exponents.negative)
    )
    end_factor, end_exponent = (
        (factors.negative, exponents.negative) if bad else (gain_factor, gain_exponent)
    )
    start = apply_factor(power(before, start_exponent), start_factor)
    end = apply_factor(power(after, end_exponent), end_factor)
    if crossed:
        return start - end
    return abs(start - end) if improved else -abs(start - end)


def _change(config: OpeningConfig, before: Sided[int], is_long: bool, delta: int) -> Impact:
    after = (
        Sided(before.long + delta, before.short)
        if is_long
        else Sided(before.long, before.short + delta)
    )
    if after.of(is_long) < 0:
        side = "Long" if is_long else "Short"
        interest = f"{side.lower()}OpenInterest"
        raise Refused(
            f"UsdDeltaExceeds{side}OpenInterest", usdDelta=delta, **{interest: before.of(is_long)}
        )
    start, end = abs(before.long - before.short), abs(after.long - after.short)
    crossed = (before.long <= before.short) != (after.long <= after.short)
    usd = curve(start, end, crossed, config.impact_factor_e30, config.impact_exponent_e30)
    return Impact(usd, end < start)


def _virtual_inventory(config: OpeningConfig, state: OpeningState, index: PriceRange) -> int | None:
    if config.interest_in_tokens:
        units = state.virtual_position_units
        return None if units is None else units * index.mid_usd_e30
    return state.virtual_position_usd_e30
