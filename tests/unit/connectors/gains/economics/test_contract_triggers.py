"""Triggered orders and clamped stops against what the contracts computed, digit by digit.

A case tells neither the fee terms of its pair nor the holding fees of its trade. Fee terms are
those that other cases have of the pair; holding fees are those that make the liquidation price, and
the payout then has to agree with that amount.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.gains.economics.fees import FeeShares, FeeTerms
from connectors.gains.economics.liquidation import limited_stop_e10
from connectors.gains.economics.triggers import (
    Candle,
    Trigger,
    triggered_close,
    triggered_open,
)
from tests.unit.connectors.gains.economics import vectors as v

Json = dict[str, Any]

OPENS = (Trigger.LIMIT_OPEN, Trigger.STOP_OPEN)


def fees_of(pair: str) -> Iterable[tuple[FeeTerms, FeeShares]]:
    """Of every tier among the cases."""
    seen = {
        (v.fee_terms(case["in"]["fee"]), v.fee_shares(case["in"]["fee"]))
        for case in v.CASES
        if "fee" in case["in"] and case["in"].get("pair") == pair
    }
    assert seen
    tiers = {
        int(case["in"]["fee"]["traderFeeMultiplier"]) for case in v.CASES if "fee" in case["in"]
    }
    return {
        (replace(terms, trader_multiplier_e3=tier), shares)
        for terms, shares in seen
        for tier in tiers
    }


def candle(given: Json) -> Candle:
    return Candle(*v.integers(given["candle"], "open", "high", "low", "current"))


def opened_out(given: Json, fees: FeeTerms, shares: FeeShares) -> Json:
    result = triggered_open(
        Trigger(given["orderType"]),
        v.trade(given["trade"]),
        candle(given),
        v.market(given, fees, shares),
        v.liquidation_terms(given["tradeLiquidationParams"]),
        max_slippage_e3=int(given["tradeInfo"]["maxSlippageP"]),
    )
    if result.reason:
        return {"cancelReason": int(result.reason)}
    return {
        "oraclePrice": result.oracle_e10,
        "marketPrice": result.opened.impact.price_e10,
        "liqPrice": result.opened.liquidation_e10,
        "priceImpact": v.impact_out(result.opened.impact),
        "percentProfit": 0,
        "amountSentToTrader": 0,
        "exactExecution": result.exact,
        "cancelReason": 0,
    }


def closed_out(given: Json, fees: FeeTerms, shares: FeeShares, holding_fees: int) -> Json:
    result = triggered_close(
        Trigger(given["orderType"]),
        v.position(given),
        candle(given),
        v.market(given, fees, shares),
        holding_fees=holding_fees,
    )
    if result.reason:
        return {"cancelReason": int(result.reason)}
    return {
        "oraclePrice": result.oracle_e10,
        "marketPrice": result.fill_e10,
        "liqPrice": result.liquidation_e10,
        "priceImpact": v.impact_out(result.impact),
        "percentProfit": result.profit_p,
        "amountSentToTrader": result.payout,
        "exactExecution": result.exact,
        "cancelReason": 0,
    }


def results(case: Json) -> Iterator[Json]:
    """With all that the case leaves open."""
    given, out = case["in"], case["out"]
    for fees, shares in fees_of(given["pair"]):
        if Trigger(given["orderType"]) in OPENS:
            yield opened_out(given, fees, shares)
            continue
        free = closed_out(given, fees, shares, 0)
        yield free
        if "liqPrice" not in out:
            continue
        pending = v.holding_fees_for(
            v.position(given), v.market(given, fees, shares), int(out["liqPrice"])
        )
        for holding_fees in pending:
            yield closed_out(given, fees, shares, holding_fees)


@pytest.mark.parametrize("case", v.of_kind("trigger"), ids=v.name_of)
def test_trigger(case: Any) -> None:
    v.compare_any(case, results(case))


@pytest.mark.parametrize("case", v.of_kind("sl_clamp"), ids=v.name_of)
def test_stop_clamp(case: Any) -> None:
    given = case["in"]
    stored = limited_stop_e10(
        v.trade(given["trade"]),
        v.liquidation_terms(given["tradeLiquidationParams"]),
        v.fee_terms(given["fee"]),
        int(given["newSl"]),
    )
    v.compare(case, {"storedSl": stored})
