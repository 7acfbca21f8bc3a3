"""The entries of the answers: key order, types and number formats as recorded, or as documented
where nothing was recorded."""

import hashlib
from typing import Any, Final

from domain.units import power10
from runtime.clock import iso_ms
from sandbox.gmx.catalogue import Pool
from sandbox.gmx.oracle import Ticker
from sandbox.gmx.pools import PoolState, Side

_MARKET_IS_OPEN: Final = 2
_MAJOR_LEVERAGE: Final = 100
_MINOR_LEVERAGE: Final = 50
_ONE_USD: Final = str(power10(30))
_MAX_POSITION_USD: Final = str(power10(36))
# The GMX API writes the chain's symbols where the keeper writes its own.
_API_SYMBOLS: Final = {"ETH": "WETH", "WBTC.b": "WBTC"}


def ticker(newest: Ticker) -> dict[str, Any]:
    return {
        "tokenAddress": newest.token.address,
        "tokenSymbol": newest.token.symbol,
        "minPrice": str(newest.min_price),
        "maxPrice": str(newest.max_price),
        "updatedAt": newest.updated_ms,
        "timestamp": newest.timestamp_s,
    }


def signed_price(number: int, newest: Ticker) -> dict[str, Any]:
    token = newest.token
    # Nothing here reads reports: this is a name of one, not one.
    report = "0x0009" + hashlib.sha256(token.address.encode()).hexdigest()[4:]
    return {
        "id": str(newest.timestamp_s * 1000 + number),
        "minBlockNumber": None,
        "minBlockHash": None,
        "oracleDecimals": None,
        "tokenSymbol": token.symbol,
        "tokenAddress": token.address,
        "minPrice": None,
        "maxPrice": None,
        "signer": None,
        "signature": None,
        "signatureWithoutBlockHash": None,
        "createdAt": iso_ms(newest.updated_ms * 1000),
        "minBlockTimestamp": newest.timestamp_s,
        "oracleKeeperKey": "realtimeFeed",
        "maxBlockTimestamp": newest.timestamp_s,
        "maxBlockNumber": None,
        "maxBlockHash": None,
        "maxPriceFull": str(newest.max_price),
        "minPriceFull": str(newest.min_price),
        "oracleKeeperRecordId": None,
        "oracleKeeperFetchType": "ws",
        "oracleType": "realtimeFeed2",
        "blob": report,
        "isValid": True,
        "invalidReason": None,
        "marketStatus": _MARKET_IS_OPEN,
        "feedVersion": "v3",
        "stalenessSeconds": None,
    }


def info(market: dict[str, Any], state: PoolState) -> dict[str, Any]:
    """``market`` is the entry of ``/markets``."""
    long, short = state.long, state.short
    return market | {
        "isDisabled": not market["isListed"],
        "openInterestLong": str(long.interest_usd),
        "openInterestShort": str(short.interest_usd),
        "availableLiquidityLong": str(long.available_usd),
        "availableLiquidityShort": str(short.available_usd),
        "poolAmountLong": str(long.pool_amount),
        "poolAmountShort": str(short.pool_amount),
        **_rates(long, short),
    }


def api_market(pool: Pool, *, is_listed: bool) -> dict[str, Any]:
    tiers = []
    if pool.index is not None:
        is_major = pool.index.symbol in ("BTC", "ETH")
        leverage = _MAJOR_LEVERAGE if is_major else _MINOR_LEVERAGE
        tiers.append(
            {
                "maxLeverage": str(leverage),
                "minCollateralFactor": str(power10(30) // leverage),
                "maxPositionSize": _MAX_POSITION_USD,
            }
        )
    return {
        "symbol": api_symbol(pool),
        "marketTokenAddress": pool.recorded["marketToken"],
        "indexTokenAddress": pool.recorded["indexToken"],
        "longTokenAddress": pool.long.address,
        "shortTokenAddress": pool.short.address,
        "isListed": is_listed,
        "isSpotOnly": pool.index is None,
        "leverageTiers": tiers,
        "minPositionSizeUsd": _ONE_USD,
        "minCollateralUsd": _ONE_USD,
    }


def api_ticker(state: PoolState, newest: Ticker) -> dict[str, Any]:
    """Prices in USD with 30 decimals for a whole token."""
    whole = power10(newest.token.decimals)
    lowest, highest = newest.min_price * whole, newest.max_price * whole
    mark = (lowest + highest) // 2
    day = {name: int(usd * 1e18) * power10(12) for name, usd in newest.tape.day().items()}
    change = day["close"] - day["open"]
    long, short = state.long, state.short
    return {
        "minPrice": str(lowest),
        "maxPrice": str(highest),
        "markPrice": str(mark),
        "high24h": str(day["high"]),
        "low24h": str(day["low"]),
        "open24h": str(day["open"]),
        "close24h": str(day["close"]),
        "priceChange24h": str(change),
        "priceChangePercent24hBps": str(change * 10_000 // day["open"]),
        "longInterestInTokens": str(long.interest_tokens),
        "shortInterestInTokens": str(short.interest_tokens),
        "longInterestUsd": str(long.interest_usd),
        "shortInterestUsd": str(short.interest_usd),
        "longInterestUsdMark": str(long.interest_tokens * mark // whole),
        "shortInterestUsdMark": str(short.interest_tokens * mark // whole),
        "availableLiquidityLong": str(long.available_usd),
        "availableLiquidityShort": str(short.available_usd),
        "poolAmountLongUsd": str(long.pool_usd),
        "poolAmountShortUsd": str(short.pool_usd),
        **_rates(long, short),
        "symbol": api_symbol(state.pool),
        "marketTokenAddress": state.pool.recorded["marketToken"],
        "capacityLong": _capacity(long),
        "capacityShort": _capacity(short),
    }


def _rates(long: Side, short: Side) -> dict[str, str]:
    return {
        "fundingRateLong": str(long.funding_rate),
        "fundingRateShort": str(short.funding_rate),
        "borrowingRateLong": str(long.borrowing_rate),
        "borrowingRateShort": str(short.borrowing_rate),
        "netRateLong": str(long.funding_rate + long.borrowing_rate),
        "netRateShort": str(short.funding_rate + short.borrowing_rate),
    }


def api_symbol(pool: Pool) -> str:
    name, _, _ = pool.recorded["name"].partition(" [")
    long, short = (_API_SYMBOLS.get(t.symbol, t.symbol) for t in (pool.long, pool.short))
    return f"{name} [{long}-{short}]"


def _capacity(side: Side) -> dict[str, str]:
    return {
        "availableLiquidity": str(side.available_usd),
        "baseAvailableLiquidity": str(side.available_usd),
        "jitAvailableLiquidity": "0",
        "limitingFactor": "reserve",
        "jitDataStatus": "available",
        "marketDataStatus": "fresh",
    }
