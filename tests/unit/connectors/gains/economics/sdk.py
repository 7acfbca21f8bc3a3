"""What this package makes of the cases of the venue's own library, in that library's units.

The library computes with floats and takes rates finer than the contracts store. Where a formula is
linear in its rates, they and the result are therefore scaled by ``FINE``: that compares the formula
itself. Everything else is computed at the scales of the contracts.
"""

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Final

from connectors.base.markets import AssetClass
from connectors.gains.economics.hours import is_low_liquidity, is_open
from connectors.gains.economics.limits import leverage_limits
from tests.unit.connectors.gains.economics.sdk_fills import (
    cumul_vol_price_impact,
    depth_bands_codec,
    fixed_spread,
    market_price,
    oi_windows,
    price_after_impact,
    skew_price_impact,
    trade_closing_price_impact,
    trade_opening_price_impact,
)
from tests.unit.connectors.gains.economics.sdk_money import (
    borrowing_fee_v1,
    borrowing_fee_v2,
    fee_tiers,
    funding_fee,
    liq_threshold,
    liquidation_price,
    pnl,
    trading_fees,
)
from tests.unit.connectors.gains.economics.sdk_units import (
    Results,
    e3,
)
from tests.unit.connectors.gains.economics.vectors import Json


def leverages(document: Json, case: Json) -> Results:
    """None of the cases names a limit of counter trades."""
    given = case["in"]
    limits = leverage_limits(
        *(e3(given[name]) for name in ("groupMinLeverage", "groupMaxLeverage", "pairMaxLeverage"))
    )
    return {
        "regular.min": Fraction(limits.min_e3, 1_000),
        "regular.max": Fraction(limits.max_e3, 1_000),
        "counterTrade": None if not limits.counter_max_e3 else "known",
    }


def hours(document: Json, case: Json) -> Results:
    utc_s = int(datetime.fromisoformat(case["in"]["utc"]).timestamp())
    return {
        "forex": is_open(AssetClass.FX, utc_s),
        "stocks": is_open(AssetClass.EQUITY, utc_s),
        "indices": is_open(AssetClass.INDEX, utc_s),
        "commodities": is_open(AssetClass.COMMODITY, utc_s),
        "forexLowLiquidity": is_low_liquidity(utc_s),
    }


FILES: Final[dict[str, Callable[[Json, Json], Results]]] = {
    "vectors/borrowing_fee_v1.json": borrowing_fee_v1,
    "vectors/borrowing_fee_v2.json": borrowing_fee_v2,
    "vectors/cumul_vol_price_impact.json": cumul_vol_price_impact,
    "vectors/depth_bands_codec.json": depth_bands_codec,
    "vectors/fee_tiers.json": fee_tiers,
    "vectors/fixed_spread.json": fixed_spread,
    "vectors/funding_fee.json": funding_fee,
    "vectors/leverage_limits.json": leverages,
    "vectors/liq_threshold.json": liq_threshold,
    "vectors/liquidation_price.json": liquidation_price,
    "vectors/market_price.json": market_price,
    "vectors/oi_windows.json": oi_windows,
    "vectors/pnl.json": pnl,
    "vectors/price_after_impact.json": price_after_impact,
    "vectors/skew_price_impact.json": skew_price_impact,
    "vectors/trade_closing_price_impact.json": trade_closing_price_impact,
    "vectors/trade_opening_price_impact.json": trade_opening_price_impact,
    "vectors/trading_fees.json": trading_fees,
    "market_hours.json": hours,
}
