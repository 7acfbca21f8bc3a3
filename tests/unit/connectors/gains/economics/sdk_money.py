"""Cases of the venue's own library about fees, liquidation and PnL."""

from dataclasses import replace
from fractions import Fraction

from connectors.gains.economics import borrowing, funding
from connectors.gains.economics.fees import (
    FeeShares,
    FeeTerms,
    fee_multiplier,
    liquidation_fee,
    split_fee,
    trade_fee,
)
from connectors.gains.economics.liquidation import liquidation_price_of, threshold_p
from connectors.gains.economics.pnl import pnl_p, trade_value, valuation
from connectors.gains.economics.position import (
    Ledger,
    LiquidationTerms,
    Trade,
)
from connectors.gains.economics.scales import (
    E18,
)
from tests.unit.connectors.gains.economics.sdk_units import (
    E10,
    FINE,
    P,
    Results,
    amount,
    coins,
    e3,
    price,
    scaled,
)
from tests.unit.connectors.gains.economics.vectors import Json

# Fees --------------------------------------------------------------------------------------------


def fee_terms(raw: Json, **changes: int) -> FeeTerms:
    """Rates are fractions."""
    return replace(
        FeeTerms(
            scaled(raw["totalPositionSizeFeeP"], 100 * P),
            scaled(raw["totalLiqCollateralFeeP"], 100 * P),
            e3(raw["minPositionSizeUsd"]),
        ),
        **changes,
    )


def fee_shares(raw: Json) -> FeeShares:
    return FeeShares(
        *(
            scaled(raw[name], 100_000)
            for name in (
                "referralFeeP",
                "govFeeP",
                "triggerOrderFeeP",
                "gnsOtcFeeP",
                "gTokenFeeP",
            )
        )
    )


def trading_fees(document: Json, case: Json) -> Results:
    """The parts are those of an order that a keeper executed, for a trader without referrer."""
    given = case["in"]
    if case.get("function") == "getTotalTradeLiqFeesCollateral":
        terms = FeeTerms(0, scaled(given["totalLiqCollateralFeeP"], 100 * P), 0)
        return {"total": Fraction(liquidation_fee(amount(given["collateralAmount"]), terms), E18)}
    settings = given.get("counterTradeSettings0", {"feeRateMultiplier": 1})
    terms = fee_terms(
        given["fee"],
        trader_multiplier_e3=e3(given.get("traderFeeMultiplier", 1)),
        counter_multiplier_e3=e3(settings["feeRateMultiplier"]),
    )
    total = trade_fee(
        amount(given["positionSizeCollateral"]),
        terms,
        coins(given["collateralPriceUsd"]),
        is_counter=given["isCounterTrade"],
    )
    parts = split_fee(
        total, fee_shares(document["fixture"]["globalTradeFeeParams"]), market_order=False
    )
    return {
        "total": Fraction(total, E18),
        "breakdown.referralFeeCollateral": Fraction(parts.referral, E18),
        "breakdown.govFeeCollateral": Fraction(parts.gov, E18),
        "breakdown.triggerFeeCollateral": Fraction(parts.trigger, E18),
        "breakdown.gnsOtcFeeCollateral": Fraction(parts.gns_otc, E18),
        "breakdown.gTokenFeeCollateral": Fraction(parts.g_token, E18),
    }


def fee_tiers(document: Json, case: Json) -> Results:
    given = case["in"]
    tiers = [
        (tier["pointsThreshold"], e3(tier["feeMultiplier"]))
        for tier in document["fixture"]["tiers"]
    ]
    result = fee_multiplier(
        given["trailingPoints"],
        tiers,
        staking_e3=e3(given.get("stakingFeeMultiplier", 0)),
        enrolled=given.get("status", 0) == 0,
    )
    total = {"feeMultiplier": Fraction(result.total_e6, 10**6)}
    if len(case["out"]) == 1:
        return dict(total)
    return total | {
        "volumeFeeMultiplier": Fraction(result.volume_e3, 1_000),
        "stakingFeeMultiplier": Fraction(result.staking_e3, 1_000),
        "trailingPoints": Fraction(given["trailingPoints"]),
    }


# Holding fees ------------------------------------------------------------------------------------


def accrual(raw: Json) -> borrowing.Accrual:
    return borrowing.Accrual(
        *(scaled(raw[name], P * FINE) for name in ("feePerBlock", "accFeeLong", "accFeeShort")),
        raw["accLastUpdatedBlock"],
        raw["feeExponent"],
    )


def membership(raw: Json) -> borrowing.Membership:
    return borrowing.Membership(
        raw["groupIndex"],
        raw["block"],
        *(
            scaled(raw[name], P * FINE)
            for name in (
                "initialAccFeeLong",
                "initialAccFeeShort",
                "prevGroupAccFeeLong",
                "prevGroupAccFeeShort",
                "pairAccFeeLong",
                "pairAccFeeShort",
            )
        ),
    )


def borrowing_fee_v1(document: Json, case: Json) -> Results:
    given, fixture = case["in"], document["fixture"]
    pair, collateral, block = given["pair"], coins(), given["currentBlock"]
    before, tokens = fixture["pairOi"]["beforeV10Collateral"], fixture["pairOi"]["token"]
    oi = borrowing.OpenInterest(
        price(before["long"]), price(before["short"]), price(fixture["pairOi"]["maxCollateral"])
    )
    sides = borrowing.pair_open_interest(
        oi,
        amount(tokens["long"]),
        amount(tokens["short"]),
        price(given["currentPairPrice"]),
        collateral,
    )
    cap = pair.get("feePerBlockCap", {"minP": 0, "maxP": 0})
    of_pair = borrowing.accrued(
        accrual(pair),
        *sides,
        oi.max_e10,
        collateral,
        block,
        borrowing.FeeCap(scaled(cap["minP"], 10**5), scaled(cap["maxP"], 10**5)),
    )
    groups = {
        index: borrowing.group_accrued(
            accrual(raw),
            borrowing.OpenInterest(*(price(raw["oi"][side]) for side in ("long", "short", "max"))),
            collateral,
            block,
        )
        for index, raw in enumerate(fixture["groups"])
    }
    initial = given["initialAccFees"]
    fee = borrowing.fee_v1(
        amount(given["positionSizeCollateral"]),
        1_000,
        borrowing.InitialFees(
            scaled(initial["accPairFee"], P * FINE),
            scaled(initial["accGroupFee"], P * FINE),
            initial["block"],
        ),
        of_pair,
        groups,
        [membership(raw) for raw in pair["groups"]],
        long=given["long"],
    )
    return {"borrowingFeeCollateral": Fraction(fee, E18 * FINE)}


def borrowed_v2(given: Json, price_e10: int) -> int:
    """Accumulator, finer than e20 by ``FINE``."""
    return borrowing.accrued_v2(
        borrowing.AccrualV2(
            scaled(given["params"]["borrowingRatePerSecondP"], P * FINE),
            scaled(given["data"]["accBorrowingFeeP"], 10**20 * FINE),
            given["data"]["lastBorrowingUpdateTs"],
        ),
        price_e10,
        given["currentTimestamp"],
    )


def borrowing_fee_v2(document: Json, case: Json) -> Results:
    given = case["in"]
    acc = borrowed_v2(given, price(given["currentPairPrice"]))
    fee = borrowing.fee_v2(
        amount(given["positionSizeCollateral"]),
        acc,
        scaled(given["initialAccBorrowingFeeP"], 10**20 * FINE),
        price(given["openPrice"]),
    )
    return {
        "accBorrowingFeeP": Fraction(acc, 10**20 * FINE),
        "borrowingFeeCollateral": Fraction(fee, E18 * FINE),
    }


def funding_fee(document: Json, case: Json) -> Results:
    given = case["in"]
    raw, data, trade = given["params"], given["data"], given["trade"]
    terms = funding.FundingTerms(
        scaled(raw["skewCoefficientPerYear"], 10**26 * FINE),
        scaled(raw["absoluteVelocityPerYearCap"], 10**7 * FINE),
        scaled(raw["absoluteRatePerSecondCap"], P * FINE),
        raw["thetaThresholdUsd"],
        raw["fundingFeesEnabled"],
        raw["aprMultiplierEnabled"],
    )
    price_e10, oi = price(given["currentPairPrice"]), given["pairOiToken"]
    long_token, short_token = amount(oi["oiLongToken"]), amount(oi["oiShortToken"])
    now = funding.accrued(
        funding.Funding(
            scaled(data["accFundingFeeLongP"], 10**20 * FINE),
            scaled(data["accFundingFeeShortP"], 10**20 * FINE),
            scaled(data["lastFundingRatePerSecondP"], E18 * FINE),
            data["lastFundingUpdateTs"],
        ),
        terms,
        long_token,
        short_token,
        price_e10,
        10**8,
        given["currentTimestamp"],
    )
    fee = funding.funding_fee(
        amount(trade["collateralAmount"]) * e3(trade["leverage"]) // 1_000,
        now.of(long=trade["long"]),
        scaled(given["initialAccFundingFeeP"], 10**20 * FINE),
        price(trade["openPrice"]),
    )
    velocity = funding.velocity_e10(terms, long_token - short_token, price_e10, 10**8)
    return {
        "velocityPerYear": Fraction(velocity, E10 * FINE),
        "accFundingFeeLongP": Fraction(now.long_p_e20, 10**20 * FINE),
        "accFundingFeeShortP": Fraction(now.short_p_e20, 10**20 * FINE),
        "currentFundingRatePerSecondP": Fraction(now.rate_p_e18, E18 * FINE),
        "fundingFeeCollateral": Fraction(fee, E18 * FINE),
    }


# Liquidation and PnL -----------------------------------------------------------------------------


def liquidation_terms(raw: Json) -> LiquidationTerms:
    return LiquidationTerms(
        scaled(raw["maxLiqSpreadP"], 100 * P),
        scaled(raw["startLiqThresholdP"], 100 * P),
        scaled(raw["endLiqThresholdP"], 100 * P),
        e3(raw["startLeverage"]),
        e3(raw["endLeverage"]),
    )


def liq_threshold(document: Json, case: Json) -> Results:
    given = case["in"]
    threshold = threshold_p(liquidation_terms(given["liquidationParams"]), e3(given["leverage"]))
    return {"liqPnlThresholdP": Fraction(threshold, 100 * P)}


def trade_of(raw: Json) -> Trade:
    return Trade(
        raw["long"], amount(raw["collateralAmount"]), e3(raw["leverage"]), price(raw["openPrice"])
    )


def holding_v2(given: Json, trade: Trade, price_e10: int) -> int:
    if "borrowingV2" not in given:
        return 0
    acc = borrowed_v2(given["borrowingV2"], price_e10)
    return borrowing.fee_v2(trade.size, acc, 0, trade.open_price_e10) // FINE


def ledger(raw: Json) -> Ledger:
    return Ledger(
        amount(raw["realizedTradingFeesCollateral"]), amount(raw["realizedPnlCollateral"])
    )


def liquidation_price(document: Json, case: Json) -> Results:
    """The spread is a fraction here."""
    given, asked = case["in"], case["in"]["liquidationSpecific"]
    trade = trade_of(given["trade"])
    found = liquidation_price_of(
        trade,
        ledger(given["tradeData"]["tradeFeesData"]),
        liquidation_terms(given["tradeData"]["liquidationParams"]),
        fee_terms(given["trading"]["fee"]),
        coins(),
        scaled(given["core"]["spreadP"], 100 * P),
        holding_fees=holding_v2(given, trade, price(asked["currentPairPrice"])),
        extra_fee=amount(asked["additionalFeeCollateral"]),
        kept_e18=amount(asked["partialCloseMultiplier"]),
    )
    return {"liquidationPrice": Fraction(found, E10)}


def pnl(document: Json, case: Json) -> Results:
    given, function = case["in"], case["function"]
    if function == "getPnlPercent":
        profit_p = pnl_p(
            price(given["openPrice"]),
            price(given["currentPrice"]),
            e3(given["leverage"]),
            long=given["long"],
        )
        return {"pnlPercent": Fraction(profit_p, P)}
    if function == "getTradeValue":
        value = trade_value(
            amount(given["collateral"]),
            scaled(given["pnlPercent"], P),
            amount(given["totalFees"]),
            coins(),
        )
        return {"tradeValue": Fraction(value, E18)}
    return comprehensive_pnl(given)


def comprehensive_pnl(given: Json) -> Results:
    context, trade = given["context"], trade_of(given["trade"])
    booked = ledger(context["tradeData"]["tradeFeesData"])
    terms = liquidation_terms(context["tradeData"]["liquidationParams"])
    market_e10 = price(given["marketPrice"])
    closing = trade_fee(trade.size, fee_terms(context["trading"]["fee"]), coins())
    holding = holding_v2(context, trade, market_e10)
    found = valuation(
        trade.collateral,
        trade.leverage_e3,
        trade.open_price_e10,
        market_e10,
        price(given["executionPrice"]),
        long=trade.long,
        closing_fee=closing,
        holding_fees=holding,
        realized_pnl=booked.realized_pnl,
        realized_fees=booked.realized_fees,
        threshold_p=threshold_p(terms, trade.leverage_e3),
        collateral=coins(),
    )

    def percent(value: int) -> Fraction:
        return Fraction(value * 100, trade.collateral)

    return {
        "pnlPercent": Fraction(found.market_p, P),
        "pnlCollateral": Fraction(found.market_pnl, E18),
        "impactPnlPercent": Fraction(found.exit_p, P),
        "impactPnlCollateral": Fraction(found.exit_pnl, E18),
        "priceImpact.percent": Fraction(found.exit_p - found.market_p, P),
        "priceImpact.collateral": Fraction(found.exit_pnl - found.market_pnl, E18),
        "tradeValue": Fraction(found.value, E18),
        "uPnlCollateral": Fraction(found.unrealized, E18),
        "uPnlPercent": percent(found.unrealized),
        "realizedPnlCollateral": Fraction(found.net, E18),
        "realizedPnlPercent": percent(found.net),
        "fees.borrowingV1": Fraction(0),
        "fees.borrowingV2": Fraction(holding, E18),
        "fees.funding": Fraction(0),
        "fees.closing": Fraction(closing, E18),
        "fees.total": Fraction(closing + holding, E18),
        "isLiquidated": found.liquidated,
        "isProfitable": found.market_p > 0,
    }
