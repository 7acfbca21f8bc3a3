"""Changes of positions against what the contracts computed, digit by digit.

Not compared, because a case does not tell what they follow from: the accumulators that an increase
or decrease stores anew. The reason of a refusal that follows from limits or from the expected price
is not told either; the state after it is compared. A change of leverage, and what was refused, do
not tell the pending holding fees; they are those that make the old liquidation price, and the new
one and the effective leverage have to agree.
"""

from collections.abc import Iterable
from typing import Any

import pytest

from connectors.gains.economics.adjust import (
    check_leverage_request,
    liquidated_by_fee,
    refused,
    releverage,
    releverage_reason,
    releveraged,
    withdraw,
    withdrawn,
)
from connectors.gains.economics.closing import Market
from connectors.gains.economics.decrease import (
    check_decrease_request,
    decrease,
    decrease_reason,
    decreased,
    settled,
)
from connectors.gains.economics.increase import increase, increase_reason, increased
from connectors.gains.economics.position import CancelReason, Position
from tests.unit.connectors.gains.economics import vectors as v

Json = dict[str, Any]

STORED_ANEW = (
    "tradeFeesDataAfter.initialAccFundingFeeP",
    "tradeFeesDataAfter.initialAccBorrowingFeeP",
)


UNTOLD = (
    CancelReason.SLIPPAGE,
    CancelReason.EXPOSURE_LIMITS,
    CancelReason.MAX_LEVERAGE,
    CancelReason.COUNTER_TRADE_CANCELED,
)


def reason_of(case: Json, found: CancelReason) -> CancelReason:
    """The one that was found, or that of limits and slippage which a case does not tell."""
    told = CancelReason(int(case["out"]["event"]["cancelReason"]))
    return told if told in UNTOLD and not found else found


def updates(kind: str) -> list[Json]:
    return v.of_kind("position_update", lambda case: case["in"]["update"]["kind"] == kind)


def after(given: Json, position: Position, *, accumulators: bool) -> Json:
    before = given["tradeFeesData"]
    names = [path.partition(".")[2] for path in STORED_ANEW] if accumulators else []
    return {
        "tradeAfter": v.trade_out(position.trade, given["trade"]),
        "tradeFeesDataAfter": v.ledger_out(position.ledger)
        | {name: before[name] for name in names},
    }


def pending(case: Json, position: Position, market: Market) -> list[int]:
    """Holding fees: as the case tells them, else all that make the old liquidation price. They are
    not charged where nothing changes."""
    told = case["in"]["holdingFees"]
    if told is not None:
        return [int(told["totalFeeCollateral"])]
    old_e10 = int(case["out"]["event"]["values"]["existingLiqPrice"])
    return v.holding_fees_for(position, market, old_e10) if old_e10 else [0]


def compare_after(case: Json, results: Iterable[tuple[Json, Position]]) -> None:
    """(event, position after it) of an increase or a decrease."""
    given, done = case["in"], case["out"]["event"]["cancelReason"] == "0"
    v.compare_any(
        case,
        [{"event": event} | after(given, left, accumulators=not done) for event, left in results],
        *(STORED_ANEW if done else ()),
    )


def increase_out(case: Json, holding_fees: int) -> tuple[Json, Position]:
    given = case["in"]
    position, market, price_e10 = v.position(given), v.market(given), int(given["oraclePrice"])
    asked = v.integers(given["update"], "collateralDelta", "leverageDelta")
    values = increase(
        position,
        market,
        price_e10,
        collateral=asked[0],
        leverage_e3=asked[1],
        terms=position.liquidation,
        holding_fees=holding_fees,
    )
    reason = reason_of(case, increase_reason(position, values, market, price_e10))
    grown = (
        refused(position, market)
        if reason
        else increased(position, values, market, position.liquidation, holding_fees=holding_fees)
    )
    assert reason or grown.info.last_increase_block == market.pair.block
    event = {
        "cancelReason": int(reason),
        "long": position.trade.long,
        "oraclePrice": price_e10,
        "collateralPriceUsd": market.collateral.price_usd_e8,
        "collateralDelta": values.added,
        "leverageDelta": values.added_leverage_e3,
        "values": {
            "positionSizeCollateralDelta": values.size_delta,
            "existingPositionSizeCollateral": values.old_size,
            "newPositionSizeCollateral": values.new_size,
            "newCollateralAmount": values.new_collateral,
            "newLeverage": values.new_leverage_e3,
            "priceImpact": v.impact_out(values.impact),
            "existingPnlCollateral": values.existing_pnl,
            "oldPosSizePlusPnlCollateral": values.old_size_with_pnl,
            "newOpenPrice": values.new_open_price_e10,
            "openingFeesCollateral": values.fee,
            "existingLiqPrice": values.old_liquidation_e10,
            "newLiqPrice": values.new_liquidation_e10,
            "isCounterTradeValidated": values.counter_valid,
            "exceedingPositionSizeCollateral": values.excess,
            "counterTradeCollateralToReturn": values.returned,
            "newEffectiveLeverage": values.effective_leverage_e3,
        },
    }
    return event, grown


@pytest.mark.parametrize("case", updates("increase"), ids=v.name_of)
def test_increase(case: Any) -> None:
    position, market = v.position(case["in"]), v.market(case["in"])
    compare_after(case, [increase_out(case, fees) for fees in pending(case, position, market)])


def decrease_out(case: Json, holding_fees: int) -> tuple[Json, Position]:
    given = case["in"]
    position, market, price_e10 = v.position(given), v.market(given), int(given["oraclePrice"])
    collateral, leverage_e3 = v.integers(given["update"], "collateralDelta", "leverageDelta")
    values = decrease(
        position,
        market,
        price_e10,
        collateral=collateral,
        leverage_e3=leverage_e3,
        holding_fees=holding_fees,
    )
    reason = reason_of(case, decrease_reason(position, values, price_e10))
    if reason:
        left = refused(position, market)
    else:
        values = settled(position, values, holding_fees=holding_fees)
        left = decreased(position, values, market, holding_fees=holding_fees)
    event = {
        "cancelReason": int(reason),
        "long": position.trade.long,
        "oraclePrice": price_e10,
        "collateralPriceUsd": market.collateral.price_usd_e8,
        "collateralDelta": values.removed,
        "leverageDelta": leverage_e3,
        "values": {
            "isLeverageUpdate": values.only_leverage,
            "positionSizeCollateralDelta": values.size_delta,
            "existingPositionSizeCollateral": values.old_size,
            "existingLiqPrice": values.old_liquidation_e10,
            "newLiqPrice": values.new_liquidation_e10,
            "priceImpact": v.impact_out(values.impact),
            "existingPnlPercent": values.existing_p,
            "partialRawPnlCollateral": values.partial_raw_pnl,
            "partialNetPnlCollateral": values.partial_net_pnl,
            "pnlToRealizeCollateral": values.pnl_to_realize,
            "closingFeeCollateral": values.fee,
            "totalAvailableCollateralInDiamond": values.total_available,
            "availableCollateralInDiamond": values.available,
            "collateralSentToTrader": values.sent,
            "newCollateralAmount": values.new_collateral,
            "newLeverage": values.new_leverage_e3,
        },
    }
    return event, left


@pytest.mark.parametrize("case", updates("decrease"), ids=v.name_of)
def test_decrease(case: Any) -> None:
    given = case["in"]
    position, market = v.position(given), v.market(given)
    compare_after(case, [decrease_out(case, fees) for fees in pending(case, position, market)])
    asked = v.integers(given["update"], "collateralDelta", "leverageDelta")
    error = check_decrease_request(
        position, market, collateral=asked[0], leverage_e3=asked[1], expected_e10=1
    )
    assert error is None


@pytest.mark.parametrize("case", updates("leverage"), ids=v.name_of)
def test_leverage(case: Any) -> None:
    given = case["in"]
    position, market, price_e10 = v.position(given), v.market(given), int(given["oraclePrice"])
    wanted = int(given["update"]["newLeverage"])
    assert check_leverage_request(position, market, wanted) is None
    found = []
    for holding_fees in pending(case, position, market):
        values = releverage(
            position, market, price_e10, leverage_e3=wanted, holding_fees=holding_fees
        )
        reason = reason_of(case, releverage_reason(position, values, price_e10))
        event = {
            "isIncrease": values.raised,
            "cancelReason": int(reason),
            "oraclePrice": price_e10,
            "collateralDelta": values.collateral_delta,
            "values": {
                "newLeverage": values.new_leverage_e3,
                "newCollateralAmount": values.new_collateral,
                "existingLiqPrice": values.old_liquidation_e10,
                "newLiqPrice": values.new_liquidation_e10,
                "govFeeCollateral": values.fee,
                "newEffectiveLeverage": values.effective_leverage_e3,
                "totalTradeAvailableCollateralInDiamond": values.total_available,
                "availableCollateralInDiamond": values.available,
            },
        }
        changed = refused(position, market) if reason else releveraged(position, values, market)
        found.append({"event": event} | after(given, changed, accumulators=True))
    v.compare_any(case, found)


@pytest.mark.parametrize("case", updates("withdraw"), ids=v.name_of)
def test_withdraw(case: Any) -> None:
    given = case["in"]
    position, market, price_e10 = v.position(given), v.market(given), int(given["oraclePrice"])
    holding_fees = int(given["holdingFees"]["totalFeeCollateral"])
    amount = int(given["update"]["amountCollateral"])
    values = withdraw(position, market, price_e10, amount=amount, holding_fees=holding_fees)
    event = {
        "priceImpact": v.impact_out(values.impact),
        "pnlPercent": values.profit_p,
        "withdrawablePositivePnlCollateral": values.withdrawable,
        "currentPairPrice": price_e10,
        "pnlInputCollateral": amount,
        "pnlWithdrawnCollateral": values.withdrawn,
    }
    left = withdrawn(position, values)
    v.compare(case, {"event": event} | after(given, left, accumulators=True))
    assert not liquidated_by_fee(
        position, market, price_e10, fee=values.fee, holding_fees=holding_fees
    )


def test_every_kind_of_update_is_compared() -> None:
    kinds = {case["in"]["update"]["kind"] for case in v.of_kind("position_update")}
    assert kinds <= {"increase", "decrease", "leverage", "withdraw"}
    assert CancelReason.NONE == 0
