"""What the GMX API says of every pool: its configuration and its present values. Pure.

The only place that knows the names. Source: the schema of ``/v1/markets/config`` and
``/v1/markets/values`` that the API publishes, and gmx-io/gmx-interface SDK
``sdk/src/utils/markets/api.ts`` for what release v2.2c added. Integers are in the contracts' own
units, as text. Sums of a pool come divided already where both of its tokens are the same one, so
nothing is left to divide.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from connectors.gmx import constants as c
from connectors.gmx.economics.load import flag, integer, uint
from connectors.gmx.economics.model import ByToken, OpeningConfig, OpeningState, Sided, Signed
from connectors.gmx.economics.opened import Margins
from connectors.gmx.parse import address_key, json_body, readable, row_list
from domain.errors import InputError

T = TypeVar("T")

_ID: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


class PoolConfig(NamedTuple):
    """``disabled``: not to be traded with. Tokens: addresses in lower case. ``has_virtual``: the
    index token has a virtual inventory. ``margins``: None where they cannot be read."""

    disabled: bool
    long_token: str
    short_token: str
    has_virtual: bool
    opening: OpeningConfig
    margins: Margins | None = None


class PoolValues(NamedTuple):
    """``updated_ms``: when the service read them, None where it never did. Funding and borrowing
    are the rates that the contracts' Reader computed then, as fractions per second."""

    updated_ms: int | None
    longs_pay: bool
    funding_per_second_e30: int
    borrowing_per_second_e30: Sided[int]
    opening: OpeningState


def configs(body: bytes) -> Mapping[str, PoolConfig]:
    """By market token in lower case. A row that makes no sense costs that row only; raises one of
    ``parse.MALFORMED`` where none does."""
    return _by_pool(body, _config)


def values(body: bytes) -> Mapping[str, PoolValues]:
    """As ``configs``."""
    return _by_pool(body, _values)


def opening_state(config: PoolConfig, stored: OpeningState) -> OpeningState:
    """The values as the configuration means them: where there is no virtual inventory, its value
    stands at zero all the same."""
    if config.has_virtual:
        return stored
    return OpeningState(
        None,
        None,
        stored.pool_units,
        stored.open_interest_usd_e30,
        stored.open_interest_units,
    )


def _by_pool(body: bytes, read: Callable[[Any], T]) -> Mapping[str, T]:
    rows = row_list(json_body(body, c.MAX_VALUES_BYTES))
    found = dict(readable(rows, lambda row: (_pool(row), read(row))))
    if not found:
        raise ValueError("no readable pool")
    return found


def _pool(row: Mapping[str, object]) -> str:
    return address_key(row["marketTokenAddress"])


def _config(row: Mapping[str, Any]) -> PoolConfig:
    return PoolConfig(
        disabled=flag(row, "isDisabled"),
        long_token=address_key(row["longTokenAddress"]),
        short_token=address_key(row["shortTokenAddress"]),
        has_virtual=_has_id(row["virtualIndexTokenId"]),
        opening=OpeningConfig(
            impact_factor_e30=_signed(row, "positionImpactFactor{}"),
            impact_exponent_e30=_signed(row, "positionImpactExponentFactor{}"),
            max_impact_factor_e30=_signed(row, "maxPositionImpactFactor{}"),
            position_fee_factor_e30=Signed(
                uint(row, "positionFeeFactorForBalanceWasImproved"),
                uint(row, "positionFeeFactorForBalanceWasNotImproved"),
            ),
            # The list of markets has it.
            min_position_size_usd_e30=0,
            max_open_interest_usd_e30=_sided(row, "maxOpenInterest{}"),
            reserve_factor_e30=_sided(row, "reserveFactor{}"),
            open_interest_reserve_factor_e30=_sided(row, "openInterestReserveFactor{}"),
            interest_in_tokens=flag(row, "useOpenInterestInTokensForBalance"),
            single_token=False,
        ),
        margins=_margins(row),
    )


def _margins(row: Mapping[str, Any]) -> Margins | None:
    """Prices do not depend on them."""
    try:
        return Margins(
            uint(row, "minCollateralFactor"),
            uint(row, "minCollateralFactorForLiquidation"),
            _sided(row, "minCollateralFactorForOpenInterest{}"),
            uint(row, "maxPositionImpactFactorForLiquidations"),
            # The list of markets has it.
            0,
        )
    except InputError:
        return None


def _values(row: Mapping[str, Any]) -> PoolValues:
    updated_ms = row["updatedAt"]
    if updated_ms is not None and (type(updated_ms) is not int or updated_ms <= 0):
        raise InputError("BAD_TIME", f"updatedAt {updated_ms!r:.60}")
    return PoolValues(
        updated_ms=updated_ms,
        longs_pay=flag(row, "longsPayShorts"),
        funding_per_second_e30=uint(row, "fundingFactorPerSecond"),
        borrowing_per_second_e30=Sided(
            uint(row, "borrowingFactorPerSecondForLongs"),
            uint(row, "borrowingFactorPerSecondForShorts"),
        ),
        opening=OpeningState(
            virtual_position_usd_e30=integer(row, "virtualInventoryForPositions"),
            virtual_position_units=integer(row, "virtualInventoryForPositionsInTokens"),
            pool_units=ByToken(uint(row, "longPoolAmount"), uint(row, "shortPoolAmount")),
            open_interest_usd_e30=_sums(row, "longInterestUsd", "shortInterestUsd"),
            open_interest_units=_sums(row, "longInterestInTokens", "shortInterestInTokens"),
        ),
    )


def _sums(row: Mapping[str, Any], long: str, short: str) -> Sided[ByToken]:
    """Which token the positions have as collateral is not told and has no part in opening one."""
    return Sided(ByToken(uint(row, long), 0), ByToken(uint(row, short), 0))


def _signed(row: Mapping[str, Any], name: str) -> Signed:
    return Signed(uint(row, name.format("Positive")), uint(row, name.format("Negative")))


def _sided(row: Mapping[str, Any], name: str) -> Sided[int]:
    return Sided(uint(row, name.format("Long")), uint(row, name.format("Short")))


def _has_id(text: object) -> bool:
    if not isinstance(text, str) or _ID.fullmatch(text) is None:
        raise InputError("BAD_VALUE", f"no id: {text!r:.80}")
    return int(text, 16) != 0
