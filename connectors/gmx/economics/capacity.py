"""What a pool still takes: caps of open interest, and reserves of the pool behind each side.

Source: GMX v2 contracts, market/MarketUtils.sol, v2.2b and v2.2c. Liquidity that keepers may move
in just in time (v2.2c) is not counted.
"""

from dataclasses import dataclass

from connectors.gmx.economics.carry import pool_usd, reserved_usd
from connectors.gmx.economics.fixed import apply_factor
from connectors.gmx.economics.impact import open_interest_usd
from connectors.gmx.economics.model import MarketPrices, OpeningConfig, OpeningState
from connectors.gmx.economics.refusal import Refused


@dataclass(frozen=True, slots=True)
class Capacity:
    """Room of one side under each limit; negative where a limit is exceeded already."""

    interest_left_usd_e30: int
    reserve_left_usd_e30: int
    interest_reserve_left_usd_e30: int

    @property
    def available_usd_e30(self) -> int:
        """The largest position size that can still be opened."""
        return max(
            0,
            min(
                self.interest_left_usd_e30,
                self.reserve_left_usd_e30,
                self.interest_reserve_left_usd_e30,
            ),
        )


def capacity(
    config: OpeningConfig, state: OpeningState, prices: MarketPrices, is_long: bool
) -> Capacity:
    """Shape: one side. Units: USD e30.
    Source: MarketUtils.validateOpenInterest, validateReserve, validateOpenInterestReserve."""
    pool = pool_usd(config, state, prices, is_long)
    reserved = reserved_usd(config, state, prices, is_long)
    reserve_factor = config.reserve_factor_e30.of(is_long)
    interest_factor = config.open_interest_reserve_factor_e30.of(is_long)
    interest = open_interest_usd(config, state, is_long)
    return Capacity(
        config.max_open_interest_usd_e30.of(is_long) - interest,
        apply_factor(pool, reserve_factor) - reserved,
        apply_factor(pool, interest_factor) - reserved,
    )


def check_open_interest(config: OpeningConfig, state: OpeningState, is_long: bool) -> None:
    """Of a state with the new position in it.

    Shape: one side. Raises: Refused ``MaxOpenInterestExceeded``.
    Source: MarketUtils.validateOpenInterest.
    """
    interest = open_interest_usd(config, state, is_long)
    limit = config.max_open_interest_usd_e30.of(is_long)
    if interest > limit:
        raise Refused("MaxOpenInterestExceeded", openInterest=interest, maxOpenInterest=limit)


def check_reserves(
    config: OpeningConfig, state: OpeningState, prices: MarketPrices, is_long: bool
) -> None:
    """Of a state with the new position in it.

    Shape: one side.
    Raises: Refused ``InsufficientReserve``, ``InsufficientReserveForOpenInterest``.
    Source: MarketUtils.validateReserve, validateOpenInterestReserve.
    """
    pool = pool_usd(config, state, prices, is_long)
    reserved = reserved_usd(config, state, prices, is_long)
    for name, factor in (
        ("InsufficientReserve", config.reserve_factor_e30),
        ("InsufficientReserveForOpenInterest", config.open_interest_reserve_factor_e30),
    ):
        limit = apply_factor(pool, factor.of(is_long))
        if reserved > limit:
            raise Refused(name, reservedUsd=reserved, maxReservedUsd=limit)
