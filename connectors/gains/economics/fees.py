"""Trading fees: what is charged, who gets it, and what a trader's tier takes off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from connectors.gains.economics.scales import E3, E18, SLIPPAGE_WHOLE, WHOLE_P, Collateral


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Terms of a pair's fee group for one trader. ``counter_multiplier_e3``: for counter trades.

    ``trader_multiplier_e3`` is the volume tier, ``staking_multiplier_e3`` the staking tier.
    """

    rate_p: int
    liquidation_rate_p: int
    min_size_usd_e3: int
    counter_multiplier_e3: int = E3
    trader_multiplier_e3: int = E3
    staking_multiplier_e3: int = E3

    def undiscounted(self) -> "FeeTerms":
        return replace(self, trader_multiplier_e3=E3, staking_multiplier_e3=E3)


@dataclass(frozen=True, slots=True)
class FeeShares:
    """Shares in e3 percent of what the referrer leaves; ``referral_e3`` of the whole fee."""

    referral_e3: int
    gov_e3: int
    trigger_e3: int
    gns_otc_e3: int
    g_token_e3: int
    g_token_oc_e3: int = 0


class FeeParts(NamedTuple):
    total: int
    referral: int
    gov: int
    trigger: int
    gns_otc: int
    g_token: int
    g_token_oc: int


class FeeMultiplier(NamedTuple):
    """``total_e6`` = volume tier x staking tier."""

    total_e6: int
    volume_e3: int
    staking_e3: int


def min_size(terms: FeeTerms, collateral: Collateral) -> int:
    """The size that a smaller one pays the fee of.

    Source: TradingCommonUtils.getMinPositionSizeCollateral, v10.2.
    """
    return collateral.from_usd_e18(terms.min_size_usd_e3 * E18 // E3)


def trade_fee(
    size: int, terms: FeeTerms, collateral: Collateral, *, is_counter: bool = False
) -> int:
    """Fee of opening or closing ``size``: the same for both.

    The tier lowers the minimum too, the counter-trade multiplier does not. With both tiers below 1
    the product is cut off once; the tier facet's own order of division is not public.
    Source: TradingCommonUtils.getTotalTradeFeesCollateral, v10.2.
    """
    multiplier_e3 = terms.counter_multiplier_e3 if is_counter else E3
    basis_e3 = max(size * multiplier_e3, min_size(terms, collateral) * E3)
    raw = basis_e3 * terms.rate_p // WHOLE_P // E3
    return raw * terms.trader_multiplier_e3 * terms.staking_multiplier_e3 // (E3 * E3)


def liquidation_fee(collateral_amount: int, terms: FeeTerms) -> int:
    """No tier lowers it. Source: TradingCommonUtils.getTotalTradeLiqFeesCollateral, v10.2."""
    return collateral_amount * terms.liquidation_rate_p // WHOLE_P


def split_fee(
    total: int,
    shares: FeeShares,
    *,
    market_order: bool,
    referral_override_e3: int = 0,
    referrer_progress_p: int = 0,
) -> FeeParts:
    """Who gets a fee. Nobody executes a market order: its trigger share goes to GNS OTC.

    ``referrer_progress_p``: how much of the referral share an active referrer has earned, 0 without
    one. Parts may sum to less than the total, by what was cut off.
    Source: TradingCommonUtils.getTradeFeesCollateral, v10.2.
    """
    referral_e3 = referral_override_e3 or shares.referral_e3
    referral = total * referral_e3 // SLIPPAGE_WHOLE * referrer_progress_p // WHOLE_P
    rest = total - referral

    def part(share_e3: int) -> int:
        return rest * share_e3 // SLIPPAGE_WHOLE

    trigger = part(shares.trigger_e3)
    return FeeParts(
        total=total,
        referral=referral,
        gov=part(shares.gov_e3),
        trigger=0 if market_order else trigger,
        gns_otc=part(shares.gns_otc_e3) + (trigger if market_order else 0),
        g_token=part(shares.g_token_e3),
        g_token_oc=part(shares.g_token_oc_e3),
    )


def cancel_fee(terms: FeeTerms, shares: FeeShares, collateral: Collateral) -> int:
    """What the oracle answer costs where it changes nothing but leverage or withdrawn profit, or
    nothing at all: the governance share of half of the least fee.

    Source: TradingCommonUtils.getMinGovFeeCollateral, v10.2.
    """
    return trade_fee(0, terms, collateral) // 2 * shares.gov_e3 // SLIPPAGE_WHOLE


def min_fee(terms: FeeTerms, collateral: Collateral) -> int:
    """Collateral that must at least be left in a trade, no tier considered.

    Source: TradingCommonUtils.getPairMinFeeCollateral, PairsStorageUtils.pairMinFeeUsd, v10.2.
    """
    return collateral.from_usd_e18(terms.min_size_usd_e3 * E18 // E3 * terms.rate_p // WHOLE_P)


def min_opening_collateral(terms: FeeTerms, collateral: Collateral) -> int:
    """Least collateral of a new trade. Source: TradingCommonUtils.getPairMinOpeningCollateral."""
    return 5 * min_fee(terms, collateral)


def fee_multiplier(
    points: int, tiers: Sequence[tuple[int, int]], *, staking_e3: int = 0, enrolled: bool = True
) -> FeeMultiplier:
    """Multiplier of a trader with ``points`` of trailing volume.

    ``tiers``: (points threshold, multiplier e3), points in the unit of the thresholds. ``enrolled``
    False: a trader who is excluded from tiers. ``staking_e3`` 0 stands for 1.
    Source: @gainsnetwork/sdk 1.8.7 getFeeMultiplier and computeFeeMultiplier; the contract's facet
    is not public in full.
    """
    if not enrolled:
        return FeeMultiplier(E3 * E3, E3, E3)
    reached = [(threshold, multiplier) for threshold, multiplier in tiers if points >= threshold]
    volume_e3 = max(reached)[1] if reached else E3
    staking_e3 = staking_e3 or E3
    return FeeMultiplier(volume_e3 * staking_e3, volume_e3, staking_e3)
