"""What the formulas take: a market's configuration and state, prices, a position. Values only.

Units, said by the names: ``usd_e30`` and ``factor_e30`` have 30 decimals; ``units`` are a token's
smallest units; prices are USD x 1e30 per smallest unit, the contracts' and the keeper's own scale;
``per_size`` are units x 1e45 per USD x 1e30 of position size; ``_s`` are seconds.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sided(Generic[T]):
    """One value for longs, one for shorts."""

    long: T
    short: T

    def of(self, is_long: bool) -> T:
        """Shape: one side's value."""
        return self.long if is_long else self.short


@dataclass(frozen=True, slots=True)
class Signed:
    """One value for a better balance, one for a worse."""

    positive: int
    negative: int

    def of(self, is_positive: bool) -> int:
        """Shape: one case's value."""
        return self.positive if is_positive else self.negative


@dataclass(frozen=True, slots=True)
class ByToken:
    """One value for the pool's long token, one for its short token. In a market with a single token
    both are the same stored value."""

    long_token: int
    short_token: int

    def of(self, is_long_token: bool) -> int:
        """Shape: one token's value."""
        return self.long_token if is_long_token else self.short_token


NOTHING = ByToken(0, 0)


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Oracle price of one token: USD x 1e30 per smallest unit, min <= max."""

    min_usd_e30: int
    max_usd_e30: int

    @property
    def mid_usd_e30(self) -> int:
        """Units: those of the prices; rounded down."""
        return (self.min_usd_e30 + self.max_usd_e30) // 2

    def of(self, maximize: bool) -> int:
        """Shape: one of the two prices."""
        return self.max_usd_e30 if maximize else self.min_usd_e30


@dataclass(frozen=True, slots=True)
class MarketPrices:
    """Prices of the index token and of the two tokens in the pool."""

    index: PriceRange
    long_token: PriceRange
    short_token: PriceRange

    def token(self, is_long_token: bool) -> PriceRange:
        """Shape: one pool token's prices."""
        return self.long_token if is_long_token else self.short_token


@dataclass(frozen=True, slots=True)
class BorrowingConfig:
    """Of one side. ``optimal_usage_factor_e30`` of 0 selects the older curve (factor, exponent)."""

    optimal_usage_factor_e30: int
    base_factor_e30: int
    above_optimal_factor_e30: int
    factor_e30: int
    exponent_e30: int


@dataclass(frozen=True, slots=True)
class FundingConfig:
    """``increase_factor_e30`` of 0 selects funding in proportion to the imbalance. v2.2b has one
    minimum and maximum for both sides, v2.2c one for each."""

    factor_e30: int
    exponent_e30: int
    increase_factor_e30: int
    decrease_factor_e30: int
    min_increase_rate_e30: int
    min_factor_e30: Sided[int]
    max_factor_e30: Sided[int]
    threshold_stable_e30: int
    threshold_decrease_e30: int


@dataclass(frozen=True, slots=True)
class SwapConfig:
    """Of swaps through this pool."""

    impact_factor_e30: Signed
    impact_exponent_e30: int
    fee_factor_e30: Signed
    fee_receiver_factor_e30: int


@dataclass(frozen=True, slots=True)
class OpeningConfig:
    """What governance sets and opening a position depends on. ``interest_in_tokens`` is
    USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE; ``single_token`` says that the pool's long and short
    token are the same one, so that sums are stored for both at once."""

    impact_factor_e30: Signed
    impact_exponent_e30: Signed
    max_impact_factor_e30: Signed
    position_fee_factor_e30: Signed
    min_position_size_usd_e30: int
    max_open_interest_usd_e30: Sided[int]
    reserve_factor_e30: Sided[int]
    open_interest_reserve_factor_e30: Sided[int]
    interest_in_tokens: bool
    single_token: bool

    @property
    def divisor(self) -> int:
        """What stored sums per pool token are divided by, being counted for both of them."""
        return 2 if self.single_token else 1


@dataclass(frozen=True, slots=True)
class MarketConfig(OpeningConfig):
    """All that governance sets. ``max_collateral_sum_units`` exists from v2.2c on (None: no limit
    known)."""

    max_impact_factor_for_liquidations_e30: int
    position_fee_receiver_factor_e30: int
    borrowing_fee_receiver_factor_e30: int
    liquidation_fee_factor_e30: int
    liquidation_fee_receiver_factor_e30: int
    min_collateral_factor_e30: int
    min_collateral_factor_for_liquidation_e30: int
    min_collateral_factor_per_interest_e30: Sided[int]
    min_collateral_usd_e30: int
    max_collateral_sum_units: Sided[ByToken] | None
    max_pnl_factor_for_traders_e30: Sided[int]
    borrowing: Sided[BorrowingConfig]
    skip_borrowing_for_smaller_side: bool
    funding: FundingConfig
    swap: SwapConfig


@dataclass(frozen=True, slots=True)
class OpeningState:
    """What trades change and opening a position depends on. ``virtual_position_*`` is None where
    the index token has no virtual inventory (positive: virtual shorts)."""

    virtual_position_usd_e30: int | None
    virtual_position_units: int | None
    pool_units: ByToken
    open_interest_usd_e30: Sided[ByToken]
    open_interest_units: Sided[ByToken]


@dataclass(frozen=True, slots=True)
class MarketState(OpeningState):
    """All that trades change. ``virtual_pool_units`` is None where the pool has no virtual
    inventory."""

    impact_pool_units: int
    total_pending_impact_units: int
    swap_impact_pool_units: ByToken
    virtual_pool_units: ByToken | None
    collateral_sum_units: Sided[ByToken]
    cumulative_borrowing_factor_e30: Sided[int]
    borrowing_updated_at_s: Sided[int]
    total_borrowing_usd_e30: Sided[int]
    saved_funding_factor_e30: int
    funding_updated_at_s: int
    funding_fee_per_size: Sided[ByToken]
    claimable_funding_per_size: Sided[ByToken]


@dataclass(frozen=True, slots=True)
class Position:
    """Of one trader, side and collateral token. ``size_units`` and ``pending_impact_units`` are of
    the index token."""

    is_long: bool
    collateral_is_long_token: bool
    size_usd_e30: int = 0
    size_units: int = 0
    collateral_units: int = 0
    pending_impact_units: int = 0
    borrowing_factor_e30: int = 0
    funding_fee_per_size: int = 0
    claimable_funding_per_size: ByToken = NOTHING

    @property
    def empty(self) -> bool:
        """Whether there is no such position."""
        return not (self.size_usd_e30 or self.size_units or self.collateral_units)
