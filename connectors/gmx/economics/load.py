"""From values of the contracts' DataStore, by key name, to the inputs of the formulas.

A name is the key's, then what the key takes besides the market: ``MAX_OPEN_INTEREST.long``,
``POSITION_FEE_FACTOR.positive``, ``OPEN_INTEREST.shortToken.long``. Integers are integers or
decimal strings in the contracts' own units. Nothing is guessed: a value that is not given is an
error, apart from those that only one contract version has.
"""

import re
from collections.abc import Mapping
from typing import Final

from connectors.gmx.economics.model import (
    BorrowingConfig,
    ByToken,
    FundingConfig,
    MarketConfig,
    MarketPrices,
    MarketState,
    Position,
    PriceRange,
    Sided,
    Signed,
    SwapConfig,
)
from domain.errors import InputError

Values = Mapping[str, object]

_INTEGER: Final = re.compile(r"-?[0-9]{1,78}")
_NO_ID: Final = re.compile(r"(0x)?0*")


def market_config(values: Values, *, single_token: bool = False) -> MarketConfig:
    """Shape: names to values -> the market's configuration.
    Units: the contracts'. Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``.
    Source: data/Keys.sol, v2.2b and v2.2c.
    """
    return MarketConfig(
        impact_factor_e30=_signed(values, "POSITION_IMPACT_FACTOR"),
        impact_exponent_e30=_signed(values, "POSITION_IMPACT_EXPONENT_FACTOR"),
        max_impact_factor_e30=_signed(values, "MAX_POSITION_IMPACT_FACTOR"),
        max_impact_factor_for_liquidations_e30=uint(
            values, "MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS"
        ),
        position_fee_factor_e30=_signed(values, "POSITION_FEE_FACTOR"),
        position_fee_receiver_factor_e30=uint(values, "POSITION_FEE_RECEIVER_FACTOR"),
        borrowing_fee_receiver_factor_e30=uint(values, "BORROWING_FEE_RECEIVER_FACTOR"),
        liquidation_fee_factor_e30=uint(values, "LIQUIDATION_FEE_FACTOR"),
        liquidation_fee_receiver_factor_e30=uint(values, "LIQUIDATION_FEE_RECEIVER_FACTOR"),
        min_collateral_factor_e30=uint(values, "MIN_COLLATERAL_FACTOR"),
        min_collateral_factor_for_liquidation_e30=uint(
            values, "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"
        ),
        min_collateral_factor_per_interest_e30=_sided(
            values, "MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER"
        ),
        min_collateral_usd_e30=uint(values, "MIN_COLLATERAL_USD"),
        min_position_size_usd_e30=uint(values, "MIN_POSITION_SIZE_USD"),
        max_open_interest_usd_e30=_sided(values, "MAX_OPEN_INTEREST"),
        reserve_factor_e30=_sided(values, "RESERVE_FACTOR"),
        open_interest_reserve_factor_e30=_sided(values, "OPEN_INTEREST_RESERVE_FACTOR"),
        max_collateral_sum_units=(
            _by_side(values, "MAX_COLLATERAL_SUM")
            if "MAX_COLLATERAL_SUM.longToken.long" in values
            else None
        ),
        max_pnl_factor_for_traders_e30=_sided(values, "MAX_PNL_FACTOR_FOR_TRADERS"),
        borrowing=Sided(_borrowing(values, "long"), _borrowing(values, "short")),
        skip_borrowing_for_smaller_side=flag(values, "SKIP_BORROWING_FEE_FOR_SMALLER_SIDE"),
        funding=_funding(values),
        swap=SwapConfig(
            impact_factor_e30=_signed(values, "SWAP_IMPACT_FACTOR"),
            impact_exponent_e30=uint(values, "SWAP_IMPACT_EXPONENT_FACTOR"),
            fee_factor_e30=_signed(values, "SWAP_FEE_FACTOR"),
            fee_receiver_factor_e30=uint(values, "SWAP_FEE_RECEIVER_FACTOR"),
        ),
        interest_in_tokens=flag(values, "USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE"),
        single_token=single_token,
    )


def market_state(values: Values) -> MarketState:
    """Shape: names to values -> the market's state. Without VIRTUAL_TOKEN_ID (VIRTUAL_MARKET_ID), a
    virtual inventory exists where its value is given.
    Units: the contracts'. Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``.
    Source: data/Keys.sol, v2.2b and v2.2c.
    """
    positions = _has(values, "VIRTUAL_TOKEN_ID", "VIRTUAL_INVENTORY_FOR_POSITIONS")
    swaps = _has(values, "VIRTUAL_MARKET_ID", "VIRTUAL_INVENTORY_FOR_SWAPS.longToken")
    in_tokens = "VIRTUAL_INVENTORY_FOR_POSITIONS_IN_TOKENS"
    return MarketState(
        impact_pool_units=uint(values, "POSITION_IMPACT_POOL_AMOUNT"),
        total_pending_impact_units=integer(values, "TOTAL_PENDING_IMPACT_AMOUNT", 0),
        virtual_position_usd_e30=(
            integer(values, "VIRTUAL_INVENTORY_FOR_POSITIONS") if positions else None
        ),
        virtual_position_units=integer(values, in_tokens, 0) if positions else None,
        pool_units=_by_token(values, "POOL_AMOUNT.{}"),
        swap_impact_pool_units=_by_token(values, "SWAP_IMPACT_POOL_AMOUNT.{}"),
        virtual_pool_units=_by_token(values, "VIRTUAL_INVENTORY_FOR_SWAPS.{}") if swaps else None,
        open_interest_usd_e30=_by_side(values, "OPEN_INTEREST"),
        open_interest_units=_by_side(values, "OPEN_INTEREST_IN_TOKENS"),
        collateral_sum_units=_by_side(values, "COLLATERAL_SUM"),
        cumulative_borrowing_factor_e30=_sided(values, "CUMULATIVE_BORROWING_FACTOR"),
        borrowing_updated_at_s=_sided(values, "CUMULATIVE_BORROWING_FACTOR_UPDATED_AT"),
        total_borrowing_usd_e30=_sided(values, "TOTAL_BORROWING"),
        saved_funding_factor_e30=integer(values, "SAVED_FUNDING_FACTOR_PER_SECOND"),
        funding_updated_at_s=uint(values, "FUNDING_UPDATED_AT"),
        funding_fee_per_size=_by_side(values, "FUNDING_FEE_AMOUNT_PER_SIZE"),
        claimable_funding_per_size=_by_side(values, "CLAIMABLE_FUNDING_AMOUNT_PER_SIZE"),
    )


def market_prices(index: Values, long_token: Values, short_token: Values) -> MarketPrices:
    """Shape: three of ``{"min": .., "max": ..}`` -> prices. Units: the tickers' own integers.
    Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE`` (also for 0 and for min above max)."""
    return MarketPrices(_price(index), _price(long_token), _price(short_token))


def position(numbers: Values, *, is_long: bool, collateral_is_long_token: bool) -> Position:
    """Shape: ``numbers`` of Reader.getPosition by field name -> the position.
    Units: the contracts'. Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``."""
    return Position(
        is_long=is_long,
        collateral_is_long_token=collateral_is_long_token,
        size_usd_e30=uint(numbers, "sizeInUsd"),
        size_units=uint(numbers, "sizeInTokens"),
        collateral_units=uint(numbers, "collateralAmount"),
        pending_impact_units=integer(numbers, "pendingImpactAmount"),
        borrowing_factor_e30=uint(numbers, "borrowingFactor"),
        funding_fee_per_size=uint(numbers, "fundingFeeAmountPerSize"),
        claimable_funding_per_size=ByToken(
            uint(numbers, "longTokenClaimableFundingAmountPerSize"),
            uint(numbers, "shortTokenClaimableFundingAmountPerSize"),
        ),
    )


def _price(values: Values) -> PriceRange:
    low, high = uint(values, "min"), uint(values, "max")
    if not 0 < low <= high:
        raise InputError("BAD_VALUE", f"no oracle price: {low} to {high}")
    return PriceRange(low, high)


def _borrowing(values: Values, side: str) -> BorrowingConfig:
    return BorrowingConfig(
        optimal_usage_factor_e30=uint(values, f"OPTIMAL_USAGE_FACTOR.{side}"),
        base_factor_e30=uint(values, f"BASE_BORROWING_FACTOR.{side}"),
        above_optimal_factor_e30=uint(values, f"ABOVE_OPTIMAL_USAGE_BORROWING_FACTOR.{side}"),
        factor_e30=uint(values, f"BORROWING_FACTOR.{side}"),
        exponent_e30=uint(values, f"BORROWING_EXPONENT_FACTOR.{side}"),
    )


def _funding(values: Values) -> FundingConfig:
    return FundingConfig(
        factor_e30=uint(values, "FUNDING_FACTOR"),
        exponent_e30=uint(values, "FUNDING_EXPONENT_FACTOR"),
        increase_factor_e30=uint(values, "FUNDING_INCREASE_FACTOR_PER_SECOND"),
        decrease_factor_e30=uint(values, "FUNDING_DECREASE_FACTOR_PER_SECOND"),
        min_increase_rate_e30=uint(values, "MIN_FUNDING_INCREASE_RATE_PER_SECOND", 0),
        min_factor_e30=_either(values, "MIN_FUNDING_FACTOR_PER_SECOND"),
        max_factor_e30=_either(values, "MAX_FUNDING_FACTOR_PER_SECOND"),
        threshold_stable_e30=uint(values, "THRESHOLD_FOR_STABLE_FUNDING"),
        threshold_decrease_e30=uint(values, "THRESHOLD_FOR_DECREASE_FUNDING"),
    )


def _either(values: Values, name: str) -> Sided[int]:
    """Of each side, or one for both as in v2.2b."""
    if f"{name}.long" in values:
        return _sided(values, name)
    both = uint(values, name)
    return Sided(both, both)


def _signed(values: Values, name: str) -> Signed:
    return Signed(uint(values, f"{name}.positive"), uint(values, f"{name}.negative"))


def _sided(values: Values, name: str) -> Sided[int]:
    return Sided(uint(values, f"{name}.long"), uint(values, f"{name}.short"))


def _by_token(values: Values, pattern: str) -> ByToken:
    return ByToken(
        uint(values, pattern.format("longToken")), uint(values, pattern.format("shortToken"))
    )


def _by_side(values: Values, name: str) -> Sided[ByToken]:
    return Sided(
        _by_token(values, name + ".{}.long"),
        _by_token(values, name + ".{}.short"),
    )


def _has(values: Values, identity: str, inventory: str) -> bool:
    known = values.get(identity)
    if known is None:
        return inventory in values
    return not (isinstance(known, str) and _NO_ID.fullmatch(known))


def flag(values: Values, name: str) -> bool:
    """Shape: one boolean by its name. Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``."""
    value = values.get(name)
    if value is None:
        raise InputError("MISSING_VALUE", name)
    if not isinstance(value, bool):
        raise InputError("BAD_VALUE", f"{name} is no boolean: {value!r:.60}")
    return value


def uint(values: Values, name: str, absent: int | None = None) -> int:
    """Shape: one integer by its name, not negative; ``absent`` stands for one that is not given.
    Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``."""
    value = integer(values, name, absent)
    if value < 0:
        raise InputError("BAD_VALUE", f"{name} is negative")
    return value


def integer(values: Values, name: str, absent: int | None = None) -> int:
    """Shape: one signed integer by its name, or ``absent``.
    Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``."""
    value = values.get(name, absent)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if value is None:
        raise InputError("MISSING_VALUE", name)
    if type(value) is not int:
        raise InputError("BAD_VALUE", f"{name} is no integer: {value!r:.60}")
    return value
