"""Inputs of the formulas as JSON and back: integers are decimal strings in the contracts' units,
pairs are [long, short], [positive, negative] or [long token, short token]."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from connectors.gmx.economics import load
from connectors.gmx.economics.model import (
    ByToken,
    MarketPrices,
    OpeningConfig,
    OpeningState,
    PriceRange,
    Sided,
    Signed,
)
from domain.errors import InputError

T = TypeVar("T")


def encoded(
    config: OpeningConfig, state: OpeningState, prices: MarketPrices
) -> Mapping[str, object]:
    """Shape: one flat object; see ``config``, ``state`` and ``prices`` for the way back."""
    return {
        "impact_factor": _signed_pair(config.impact_factor_e30),
        "impact_exponent": _signed_pair(config.impact_exponent_e30),
        "max_impact_factor": _signed_pair(config.max_impact_factor_e30),
        "position_fee_factor": _signed_pair(config.position_fee_factor_e30),
        "min_position_size_usd": str(config.min_position_size_usd_e30),
        "max_open_interest_usd": _sided_pair(config.max_open_interest_usd_e30),
        "reserve_factor": _sided_pair(config.reserve_factor_e30),
        "open_interest_reserve_factor": _sided_pair(config.open_interest_reserve_factor_e30),
        "interest_in_tokens": config.interest_in_tokens,
        "single_token": config.single_token,
        "virtual_position_usd": _optional(state.virtual_position_usd_e30),
        "virtual_position_units": _optional(state.virtual_position_units),
        "pool_units": _token_pair(state.pool_units),
        "open_interest_usd": _token_pairs(state.open_interest_usd_e30),
        "open_interest_units": _token_pairs(state.open_interest_units),
        "index_price": _price_pair(prices.index),
        "long_token_price": _price_pair(prices.long_token),
        "short_token_price": _price_pair(prices.short_token),
    }


def config(row: Mapping[str, Any]) -> OpeningConfig:
    """Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``, or LookupError."""
    return OpeningConfig(
        impact_factor_e30=Signed(*_uints(row, "impact_factor")),
        impact_exponent_e30=Signed(*_uints(row, "impact_exponent")),
        max_impact_factor_e30=Signed(*_uints(row, "max_impact_factor")),
        position_fee_factor_e30=Signed(*_uints(row, "position_fee_factor")),
        min_position_size_usd_e30=load.uint(row, "min_position_size_usd"),
        max_open_interest_usd_e30=Sided(*_uints(row, "max_open_interest_usd")),
        reserve_factor_e30=Sided(*_uints(row, "reserve_factor")),
        open_interest_reserve_factor_e30=Sided(*_uints(row, "open_interest_reserve_factor")),
        interest_in_tokens=load.flag(row, "interest_in_tokens"),
        single_token=load.flag(row, "single_token"),
    )


def state(row: Mapping[str, Any]) -> OpeningState:
    """Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``, or LookupError."""
    return OpeningState(
        virtual_position_usd_e30=_integer_or_none(row, "virtual_position_usd"),
        virtual_position_units=_integer_or_none(row, "virtual_position_units"),
        pool_units=ByToken(*_uints(row, "pool_units")),
        open_interest_usd_e30=_by_side(row, "open_interest_usd"),
        open_interest_units=_by_side(row, "open_interest_units"),
    )


def prices(row: Mapping[str, Any]) -> MarketPrices:
    """Raises: InputError ``MISSING_VALUE``, ``BAD_VALUE``, or LookupError."""
    names = ("index_price", "long_token_price", "short_token_price")
    index, long_token, short_token = (
        {"min": a, "max": b} for a, b in (_pair(row[n]) for n in names)
    )
    return load.market_prices(index, long_token, short_token)


def _pair(value: object) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InputError("BAD_VALUE", f"no pair: {value!r:.60}")
    return value


def _uints(row: Mapping[str, Any], name: str) -> Sequence[int]:
    first, second = _pair(row[name])
    pair = {"first": first, "second": second}
    return load.uint(pair, "first"), load.uint(pair, "second")


def _by_side(row: Mapping[str, Any], name: str) -> Sided[ByToken]:
    long, short = _pair(row[name])
    sides = {"long": long, "short": short}
    return Sided(ByToken(*_uints(sides, "long")), ByToken(*_uints(sides, "short")))


def _integer_or_none(row: Mapping[str, Any], name: str) -> int | None:
    return None if row[name] is None else load.integer(row, name)


def _optional(value: int | None) -> str | None:
    return None if value is None else str(value)


def _signed_pair(value: Signed) -> Sequence[str]:
    return str(value.positive), str(value.negative)


def _sided_pair(value: Sided[int]) -> Sequence[str]:
    return str(value.long), str(value.short)


def _token_pair(value: ByToken) -> Sequence[str]:
    return str(value.long_token), str(value.short_token)


def _token_pairs(value: Sided[ByToken]) -> Sequence[Sequence[str]]:
    return _token_pair(value.long), _token_pair(value.short)


def _price_pair(value: PriceRange) -> Sequence[str]:
    return str(value.min_usd_e30), str(value.max_usd_e30)
