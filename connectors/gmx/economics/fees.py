"""What a trade pays besides its price: position fee, discounts, UI fee, borrowing and funding.

Source: GMX v2 contracts, pricing/PositionPricingUtils.sol, v2.2b and v2.2c. Amounts are smallest
units of the collateral token, at its minimum price.
"""

from dataclasses import dataclass
from typing import Final

from connectors.gmx.economics.fixed import (
    FACTOR_ONE,
    PER_SIZE_ONE,
    apply_factor,
    div_up,
)
from connectors.gmx.economics.model import (
    MarketConfig,
    MarketState,
    OpeningConfig,
    Position,
    PriceRange,
)

_BPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trader or an order brings along. ``referral_discount_factor_e30``: share of the fee
    that the trader's referral code takes off; ``rebate_factor_e30``: the whole rebate, of which
    that is a part; ``pro_discount_factor_e30``: of the trader's tier. The larger discount counts.
    """

    rebate_factor_e30: int = 0
    referral_discount_factor_e30: int = 0
    pro_discount_factor_e30: int = 0
    ui_fee_factor_e30: int = 0


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Funding:
    """``fee_units``: owed in collateral; the claimable amounts are the trader's, claimed apart."""

    fee_units: int
    claimable_long_token_units: int
    claimable_short_token_units: int


@dataclass(frozen=True, slots=True)
class PositionFees:
    """``total_units`` is what leaves the collateral; ``pool_units`` and ``receiver_units`` are who
    gets it, without funding, UI fee and rebates."""

    factor_e30: int
    position_fee_units: int
    discount_units: int
    affiliate_units: int
    protocol_units: int
    position_fee_for_pool_units: int
    borrowing_usd_e30: int
    borrowing_units: int
    borrowing_for_receiver_units: int
    liquidation_usd_e30: int
    liquidation_units: int
    liquidation_for_receiver_units: int
    ui_units: int
    funding: Funding
    receiver_units: int
    pool_units: int
    total_without_funding_units: int
    total_units: int


def referral_terms(total_rebate_bps: int, discount_share_bps: int) -> tuple[int, int]:
    """Shape: two numbers of ReferralStorage -> (rebate, trader's discount) as parts of the fee.
    Units: bps in, factors e30 out. Source: referral/ReferralUtils.sol.
    """
    rebate = total_rebate_bps * FACTOR_ONE // _BPS
    return rebate, apply_factor(rebate, discount_share_bps * FACTOR_ONE // _BPS)


def ui_fee_factor(receiver_factor_e30: int, max_factor_e30: int) -> int:
    """Shape: scalar. Units: e30. Source: MarketUtils.getUiFeeFactor."""
    return min(receiver_factor_e30, max_factor_e30)


def position_fee_usd(config: OpeningConfig, size_usd_e30: int, balance_improved: bool) -> int:
    """The fee of a size before discounts. Shape: scalar. Units: USD e30.
    Source: PositionPricingUtils.getPositionFeesAfterReferral."""
    return apply_factor(size_usd_e30, config.position_fee_factor_e30.of(balance_improved))


def borrowing_fee_usd(state: MarketState, position: Position) -> int:
    """Borrowing of the whole position up to the state's last update (see carry.accrue).

    Shape: scalar. Units: USD e30. Source: MarketUtils.getBorrowingFees.
    """
    cumulative = state.cumulative_borrowing_factor_e30.of(position.is_long)
    return apply_factor(position.size_usd_e30, cumulative - position.borrowing_factor_e30)


def funding_of(state: MarketState, position: Position) -> Funding:
    """Funding of the whole position up to the state's last update (see carry.accrue): what is owed
    is rounded up, what is due to the trader down.

    Shape: scalar. Units: smallest units of the collateral token, of the pool's two tokens.
    Source: MarketUtils.getFundingAmount.
    """
    size, is_long = position.size_usd_e30, position.is_long
    paid = state.funding_fee_per_size.of(is_long).of(position.collateral_is_long_token)
    got = state.claimable_funding_per_size.of(is_long)
    known = position.claimable_funding_per_size
    return Funding(
        div_up(size * (paid - position.funding_fee_per_size), PER_SIZE_ONE),
        size * (got.long_token - known.long_token) // PER_SIZE_ONE,
        size * (got.short_token - known.short_token) // PER_SIZE_ONE,
    )


def position_fees(
    config: MarketConfig,
    state: MarketState,
    position: Position,
    collateral: PriceRange,
    size_usd_e30: int,
    balance_improved: bool,
    terms: Terms = NO_TERMS,
    *,
    is_liquidation: bool = False,
) -> PositionFees:
    """All fees of changing a position by a size. Of a new position, ``position`` has the sums per
    size of the state, so that nothing is owed for the past.

    Shape: scalar; size >= 0. Units: smallest units of the collateral token, USD e30.
    Source: PositionPricingUtils.getPositionFees. The affiliate's part, which the trader does not
    see, is what the rebate leaves.
    """
    price = collateral.min_usd_e30
    factor = config.position_fee_factor_e30.of(balance_improved)
    fee = apply_factor(size_usd_e30, factor) // price
    referral = apply_factor(fee, terms.referral_discount_factor_e30)
    pro = apply_factor(fee, terms.pro_discount_factor_e30)
    discount = max(referral, pro)
    affiliate = max(apply_factor(fee, terms.rebate_factor_e30) - discount, 0)
    protocol = fee - discount - affiliate
    protocol_receiver = apply_factor(protocol, config.position_fee_receiver_factor_e30)
    borrowing_usd = borrowing_fee_usd(state, position)
    borrowing = borrowing_usd // price
    borrowing_receiver = apply_factor(borrowing, config.borrowing_fee_receiver_factor_e30)
    liquidation_usd = (
        apply_factor(size_usd_e30, config.liquidation_fee_factor_e30) if is_liquidation else 0
    )
    liquidation = div_up(liquidation_usd, price)
    liquidation_receiver = apply_factor(liquidation, config.liquidation_fee_receiver_factor_e30)
    ui = apply_factor(size_usd_e30, terms.ui_fee_factor_e30) // price
    funding = funding_of(state, position)
    total = fee - discount + borrowing + liquidation + ui
    return PositionFees(
        factor_e30=factor,
        position_fee_units=fee,
        discount_units=discount,
        affiliate_units=affiliate,
        protocol_units=protocol,
        position_fee_for_pool_units=protocol - protocol_receiver,
        borrowing_usd_e30=borrowing_usd,
        borrowing_units=borrowing,
        borrowing_for_receiver_units=borrowing_receiver,
        liquidation_usd_e30=liquidation_usd,
        liquidation_units=liquidation,
        liquidation_for_receiver_units=liquidation_receiver,
        ui_units=ui,
        funding=funding,
        receiver_units=protocol_receiver + borrowing_receiver + liquidation_receiver,
        pool_units=(protocol - protocol_receiver)
        + (borrowing - borrowing_receiver)
        + (liquidation - liquidation_receiver),
        total_without_funding_units=total,
        total_units=total + funding.fee_units,
    )
