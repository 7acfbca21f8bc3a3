"""The entries of ``/v1/markets/config``, ``/v1/markets/values`` and ``/v1/markets/info`` of the GMX
API: names and types as its published schema has them, with what the SDK asks for since release
v2.2c. Nobody has recorded an answer."""

import hashlib
from typing import Any, Final, NamedTuple

from domain.units import power10
from sandbox.gmx.catalogue import Pool
from sandbox.gmx.pools import RESERVE_BPS, YEAR_S, PoolState
from sandbox.gmx.shapes import api_symbol

_ONE: Final = power10(30)
_NO_ID: Final = "0x" + "0" * 64
# Positions may reserve this part; what one trade may reserve is a little more.
_RESERVE_FACTOR: Final = _ONE * RESERVE_BPS // 10_000
_TRADE_RESERVE_FACTOR: Final = _RESERVE_FACTOR + _ONE // 20

_SIGNS: Final = ("Positive", "Negative")

# The same for all markets here, in the order of the schema; the rest of it is below.
_FUNDING: Final = {
    "fundingFactor": 2 * 10**22,
    "fundingExponentFactor": _ONE,
    "fundingIncreaseFactorPerSecond": 790 * 10**15,
    "minFundingIncreaseRatePerSecond": 0,
    "fundingDecreaseFactorPerSecond": 0,
    "thresholdForStableFunding": _ONE // 20,
    "thresholdForDecreaseFunding": 0,
    "minFundingFactorPerSecondLong": 300 * 10**18,
    "minFundingFactorPerSecondShort": 300 * 10**18,
    "maxFundingFactorPerSecondLong": 10**22,
    "maxFundingFactorPerSecondShort": 10**22,
    "minPositionImpactPoolAmount": 0,
    "positionImpactPoolDistributionRate": 0,
    "minCollateralFactor": _ONE // 100,
    "minCollateralFactorForLiquidation": _ONE // 200,
    "minCollateralFactorForOpenInterestLong": 2 * 10**20,
    "minCollateralFactorForOpenInterestShort": 2 * 10**20,
    "maxPnlFactorForTradersLong": 9 * _ONE // 10,
    "maxPnlFactorForTradersShort": 9 * _ONE // 10,
}
_SWAPS: Final = {
    "swapFeeFactorForBalanceWasImproved": 5 * _ONE // 10_000,
    "swapFeeFactorForBalanceWasNotImproved": 7 * _ONE // 10_000,
    "atomicSwapFeeFactor": 225 * _ONE // 10_000,
    "swapImpactFactorPositive": 2 * 10**20,
    "swapImpactFactorNegative": 2 * 10**20,
    "swapImpactExponentFactor": 2 * _ONE,
    "withdrawalFeeFactorBalanceWasImproved": 5 * _ONE // 10_000,
    "withdrawalFeeFactorBalanceWasNotImproved": 7 * _ONE // 10_000,
}


class Inventory(NamedTuple):
    """What the pools of one index token have in common: shorts less longs."""

    usd: int
    tokens: int


def config(state: PoolState, *, is_listed: bool, shares_inventory: bool) -> dict[str, Any]:
    pool, terms = state.pool, state.terms
    limit = terms.max_interest_usd if pool.index is not None else 0
    index_id = _id(pool) if shares_inventory else _NO_ID
    return {
        "marketTokenAddress": pool.recorded["marketToken"],
        "indexTokenAddress": pool.recorded["indexToken"],
        "longTokenAddress": pool.long.address,
        "shortTokenAddress": pool.short.address,
        "isSameCollaterals": pool.long is pool.short,
        "isSpotOnly": pool.index is None,
        "name": api_symbol(pool),
        "data": "",
        "isDisabled": not is_listed,
        "maxLongPoolAmount": str(2 * state.long.pool_amount),
        "maxShortPoolAmount": str(2 * state.short.pool_amount),
        "maxLongPoolUsdForDeposit": str(2 * state.long.pool_usd),
        "maxShortPoolUsdForDeposit": str(2 * state.short.pool_usd),
        **_pair("reserveFactor", _TRADE_RESERVE_FACTOR, _TRADE_RESERVE_FACTOR),
        **_pair("openInterestReserveFactor", _RESERVE_FACTOR, _RESERVE_FACTOR),
        **_pair("maxOpenInterest", limit, limit),
        "maxCollateralSumLongTokenLong": str(4 * state.long.pool_amount),
        "maxCollateralSumLongTokenShort": str(4 * state.long.pool_amount),
        "maxCollateralSumShortTokenLong": str(4 * state.short.pool_amount),
        "maxCollateralSumShortTokenShort": str(4 * state.short.pool_amount),
        **_pair("borrowingFactor", 0, 0),
        **_pair("borrowingExponentFactor", _ONE, _ONE),
        **_texts(_FUNDING),
        "positionFeeFactorForBalanceWasImproved": str(terms.fee_factor[0]),
        "positionFeeFactorForBalanceWasNotImproved": str(terms.fee_factor[1]),
        **_pair("positionImpactFactor", *terms.impact_factor, names=_SIGNS),
        **_pair("maxPositionImpactFactor", *terms.max_impact_factor, names=_SIGNS),
        "maxPositionImpactFactorForLiquidations": "0",
        "maxLendableImpactFactor": "0",
        "maxLendableImpactFactorForWithdrawals": "0",
        "maxLendableImpactUsd": "0",
        "lentPositionImpactPoolAmount": "0",
        **_pair(
            "positionImpactExponentFactor",
            terms.impact_exponent,
            terms.impact_exponent,
            names=_SIGNS,
        ),
        "useOpenInterestInTokensForBalance": True,
        **_texts(_SWAPS),
        "virtualIndexTokenId": index_id,
        "virtualMarketId": _NO_ID,
        "virtualLongTokenId": _NO_ID,
        "virtualShortTokenId": _NO_ID,
    }


def values(state: PoolState, inventory: Inventory, updated_ms: int | None) -> dict[str, Any]:
    """``updated_ms``: None where the service does not read a market, being disabled."""
    long, short = state.long, state.short
    pool_value = str(long.pool_usd + short.pool_usd)
    payer = long if state.longs_pay else short
    return {
        "marketTokenAddress": state.pool.recorded["marketToken"],
        "longInterestUsd": str(long.interest_usd),
        "shortInterestUsd": str(short.interest_usd),
        "longInterestInTokens": str(long.interest_tokens),
        "shortInterestInTokens": str(short.interest_tokens),
        "longPoolAmount": str(long.pool_amount),
        "shortPoolAmount": str(short.pool_amount),
        "poolValueMin": pool_value,
        "poolValueMax": pool_value,
        "totalBorrowingFees": "0",
        "positionImpactPoolAmount": "0",
        "swapImpactPoolAmountLong": "0",
        "swapImpactPoolAmountShort": "0",
        "borrowingFactorPerSecondForLongs": str(long.borrowing_rate // YEAR_S),
        "borrowingFactorPerSecondForShorts": str(short.borrowing_rate // YEAR_S),
        "fundingFactorPerSecond": str(payer.funding_rate // YEAR_S),
        "longsPayShorts": state.longs_pay,
        "virtualPoolAmountForLongToken": "0",
        "virtualPoolAmountForShortToken": "0",
        "virtualInventoryForPositions": str(inventory.usd),
        "virtualInventoryForPositionsInTokens": str(inventory.tokens),
        "updatedAt": updated_ms,
    }


def info(config: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Both together, as ``/v1/markets/info`` has them."""
    return config | {name: value for name, value in values.items() if name != "updatedAt"}


def _pair(
    name: str, first: int, second: int, names: tuple[str, str] = ("Long", "Short")
) -> dict[str, str]:
    return {f"{name}{names[0]}": str(first), f"{name}{names[1]}": str(second)}


def _texts(numbers: dict[str, int]) -> dict[str, str]:
    return {name: str(value) for name, value in numbers.items()}


def _id(pool: Pool) -> str:
    return "0x" + hashlib.sha256(pool.recorded["indexToken"].encode()).hexdigest()
