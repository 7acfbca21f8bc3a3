"""Openings, closes, fees and requests against what the contracts computed, digit by digit."""

from typing import Any

import pytest

from connectors.gains.economics.closing import close_market
from connectors.gains.economics.fees import cancel_fee, split_fee, trade_fee
from connectors.gains.economics.impact import cumulative_impact_p, opening_impact
from connectors.gains.economics.limits import LeverageLimits
from connectors.gains.economics.opening import (
    OpenRequest,
    cancelled_collateral,
    check_open_request,
)
from connectors.gains.economics.scales import position_size
from tests.unit.connectors.gains.economics import vectors as v

MARKET_ORDERS = ("MARKET_OPEN", "MARKET_CLOSE", "MARKET_PARTIAL_OPEN", "MARKET_PARTIAL_CLOSE")
OTHER_ORDERS = ("LIMIT_OPEN", "STOP_OPEN", "TP_CLOSE", "SL_CLOSE", "LIQ_CLOSE")


def test_every_case_is_of_a_kind_that_is_compared() -> None:
    assert {case["kind"] for case in v.CASES} <= set(v.COUNTS)
    assert {kind: len(v.of_kind(kind)) for kind in v.COUNTS} == v.COUNTS


@pytest.mark.parametrize("case", v.of_kind("open_fill"), ids=v.name_of)
def test_open_fill(case: Any) -> None:
    given = case["in"]
    market, trade = v.market(given), v.trade(given["trade"])
    impact = opening_impact(
        int(given["oraclePrice"]), trade.size, market.collateral, market.pair, long=trade.long
    )
    v.compare(case, {"priceImpact": v.impact_out(impact), "openPrice": impact.price_e10})


@pytest.mark.parametrize("case", v.of_kind("close_market"), ids=v.name_of)
def test_close_market(case: Any) -> None:
    given = case["in"]
    close = close_market(
        int(given["oraclePrice"]),
        v.position(given),
        v.market(given),
        holding_fees=int(given["holdingFees"]["totalFeeCollateral"]),
        negative_multiplier_e10=int(given["negPnlCumulVolMultiplier"]),
    )
    v.compare(
        case,
        {
            "priceImpact": v.impact_out(close.impact),
            "percentProfit": close.profit_p,
            "closingFeeCollateral": close.fee,
            "liqPrice": close.liquidation_e10,
            "amountSentToTrader": close.payout,
            "windowVolumeAdded": {
                "long": close.volume.long,
                "openInterestUsd": close.volume.usd_e18,
                "isPnlPositive": close.profit_p > 0,
            },
        },
    )


@pytest.mark.parametrize("case", v.of_kind("trading_fee"), ids=v.name_of)
def test_trading_fee(case: Any) -> None:
    given = case["in"]
    assert given["orderType"] in MARKET_ORDERS + OTHER_ORDERS
    total = trade_fee(
        int(given["positionSizeCollateral"]),
        v.fee_terms(given["fee"]),
        v.collateral(given["collateral"]),
        is_counter=given["isCounterTrade"],
    )
    parts = split_fee(
        total, v.fee_shares(given["fee"]), market_order=given["orderType"] in MARKET_ORDERS
    )
    v.compare(
        case,
        {
            "totalFeeCollateral": parts.total,
            "govFeeCollateral": parts.gov,
            "gTokenFeeCollateral": parts.g_token,
            "gnsOtcFeeCollateral": parts.gns_otc,
            "triggerOrderFeeCollateral": parts.trigger,
            "referralFeeCollateral": parts.referral,
        },
    )


@pytest.mark.parametrize("case", v.of_kind("open_request_check"), ids=v.name_of)
def test_open_request_check(case: Any) -> None:
    given = case["in"]
    market, trade = v.market(given), v.trade(given["trade"])
    limits = LeverageLimits(
        int(given["minLeverage"]),
        int(given["maxLeverage"]),
        int(given.get("counterTradeMaxLeverage", given["maxLeverage"])),
    )
    size = position_size(trade.collateral, trade.leverage_e3)
    v.compare(
        case,
        {
            "revert": check_open_request(OpenRequest(trade, 1_000), market, limits),
            "cumulVolPriceImpactP": cumulative_impact_p(
                market.collateral.usd_e18(size), market.pair, long=trade.long, opening=True
            ),
        },
    )


@pytest.mark.parametrize("case", v.of_kind("cancel_fee"), ids=v.name_of)
def test_cancel_fee(case: Any) -> None:
    """Why the order was cancelled is in its name alone; the fee does not depend on it."""
    given = case["in"]
    fees, shares = v.fee_terms(given["fee"]), v.fee_shares(given["fee"])
    fee = cancel_fee(fees, shares, v.collateral(given["collateral"]))
    v.compare(
        case,
        {
            "collateralReturned": int(given["collateralAmount"]) - fee,
            "govFeeCollateral": fee,
        },
        "cancelReason",
    )


def test_what_a_cancelled_order_gets_back() -> None:
    given = v.of_kind("close_market")[0]["in"]
    market, trade = v.market(given), v.trade(given["trade"])
    returned, fee = cancelled_collateral(trade, market)
    assert returned + fee == trade.collateral
    assert fee == cancel_fee(market.fees, market.shares, market.collateral) > 0
