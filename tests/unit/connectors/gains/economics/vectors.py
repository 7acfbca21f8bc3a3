"""Cases that the contracts computed, as values of the package."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from connectors.gains.economics.borrowing import Accrual, FeeCap, Membership, OpenInterest
from connectors.gains.economics.closing import Market, position_liquidation_e10
from connectors.gains.economics.depth import decode_side
from connectors.gains.economics.fees import FeeShares, FeeTerms
from connectors.gains.economics.impact import Impact, PairFactors, PairState, TraderTerms
from connectors.gains.economics.position import (
    Ledger,
    LiquidationTerms,
    Position,
    Trade,
    TradeInfo,
)
from connectors.gains.economics.scales import Collateral
from connectors.gains.economics.windows import Windows
from tests.unit.connectors.gains.world import recorded

Json = dict[str, Any]

CASES: Final[list[Json]] = recorded("vectors-contract/cases.json")["cases"]
COUNTS: Final[dict[str, int]] = recorded("vectors-contract/cases.json")["counts"]

NO_FEES: Final = FeeTerms(rate_p=0, liquidation_rate_p=0, min_size_usd_e3=0)
NO_SHARES: Final = FeeShares(0, 0, 0, 0, 0)


def of_kind(kind: str, accepts: Callable[[Json], bool] = lambda case: True) -> list[Json]:
    return [case for case in CASES if case["kind"] == kind and accepts(case)]


def name_of(case: Json) -> str:
    return f"{case['id']}: {case['name']}"


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested objects by dotted path."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, item in value.items():
        yield from flat(item, f"{path}.{key}" if path else key)


def compare(case: Json, computed: Json, *unknown: str) -> None:
    """Every leaf of what the contract gave is ``computed`` to the last digit, or starts with one of
    the ``unknown`` paths; nothing else is computed."""
    compare_any(case, [computed], *unknown)


def compare_any(case: Json, computed: Iterable[Json], *unknown: str) -> None:
    """``compare`` with one of the results, where a case leaves something open."""
    expected = {
        path: item
        for path, item in flat(case["out"])
        if not any(path == name or path.startswith(f"{name}.") for name in unknown)
    }
    found = [
        {
            path: item if isinstance(item, bool) or item is None else str(item)
            for path, item in flat(each)
        }
        for each in computed
    ]
    if len(found) == 1:
        assert found[0] == expected
    assert expected in found


def integers(raw: Json, *names: str) -> list[int]:
    return [int(raw[name]) for name in names]


# Inputs ----------------------------------------------------------------------------------------


def collateral(raw: Json) -> Collateral:
    made = Collateral(*integers(raw, "decimals", "collateralPriceUsd"))
    if "precision" in raw:
        assert [made.precision, made.precision_delta] == integers(
            raw, "precision", "precisionDelta"
        )
    return made


def fee_terms(raw: Json) -> FeeTerms:
    return FeeTerms(
        *integers(
            raw,
            "totalPositionSizeFeeP",
            "totalLiqCollateralFeeP",
            "minPositionSizeUsd",
            "counterTradeFeeRateMultiplier",
            "traderFeeMultiplier",
        )
    )


def fee_shares(raw: Json) -> FeeShares:
    return FeeShares(
        *integers(
            raw["globalTradeFeeParams"],
            "referralFeeP",
            "govFeeP",
            "triggerOrderFeeP",
            "gnsOtcFeeP",
            "gTokenFeeP",
            "gTokenOcFeeP",
        )
    )


def pair_state(given: Json) -> PairState:
    bands, mapping, factors = (
        given[name] for name in ("pairDepthBands", "depthBandsMapping", "pairFactors")
    )
    windows = Windows(
        *integers(given["oiWindowsSettings"], "startTs", "windowsDuration", "windowsCount")
    )
    now_s = int(given["now"]["timestamp"])

    def volume(side: str) -> int:
        sizes = {int(key): int(item[side]) for key, item in given["oiWindows"].items()}
        return windows.volume(sizes, now_s)

    return PairState(
        spread_p=int(given["spreadP"]),
        above=decode_side(*integers(bands, "aboveSlot1", "aboveSlot2")),
        below=decode_side(*integers(bands, "belowSlot1", "belowSlot2")),
        offsets_ppm=decode_side(*integers(mapping, "slot1", "slot2")).bands,
        volume_long_usd_e18=volume("oiLongUsd"),
        volume_short_usd_e18=volume("oiShortUsd"),
        long_token_e18=int(given["pairOiToken"]["oiLongToken"]),
        short_token_e18=int(given["pairOiToken"]["oiShortToken"]),
        skew_depth_e18=int(given["skewDepth"]),
        block=int(given["now"]["block"]),
        factors=PairFactors(
            *integers(
                factors, "cumulativeFactor", "protectionCloseFactor", "protectionCloseFactorBlocks"
            ),
            factors["exemptOnOpen"],
            factors["exemptAfterProtectionCloseFactor"],
        ),
        trader=TraderTerms(
            *integers(given["user"], "fixedSpreadP", "cumulVolPriceImpactMultiplier"),
            given["protectionCloseFactorWhitelisted"],
        ),
    )


def market(given: Json, fees: FeeTerms | None = None, shares: FeeShares | None = None) -> Market:
    if "fee" in given:
        fees, shares = fees or fee_terms(given["fee"]), shares or fee_shares(given["fee"])
    if "closingFeeNoTier" in given and fees is not None:
        assert fees.undiscounted() == fee_terms(given["closingFeeNoTier"])
    return Market(
        collateral(given["collateral"]), pair_state(given), fees or NO_FEES, shares or NO_SHARES
    )


def trade(raw: Json) -> Trade:
    return Trade(
        long=raw["long"],
        collateral=int(raw["collateralAmount"]),
        leverage_e3=int(raw["leverage"]),
        open_price_e10=int(raw.get("openPrice", "0")),
        position_token_e18=int(raw.get("positionSizeToken", "0")),
        tp_e10=int(raw.get("tp", "0")),
        sl_e10=int(raw.get("sl", "0")),
        is_counter=raw["isCounterTrade"],
    )


def liquidation_terms(raw: Json) -> LiquidationTerms:
    return LiquidationTerms(
        *integers(
            raw,
            "maxLiqSpreadP",
            "startLiqThresholdP",
            "endLiqThresholdP",
            "startLeverage",
            "endLeverage",
        )
    )


def trade_info(raw: Json) -> TradeInfo:
    return TradeInfo(*integers(raw, "contractsVersion", "lastPosIncreaseBlock", "maxSlippageP"))


def ledger(raw: Json) -> Ledger:
    return Ledger(
        *integers(
            raw,
            "realizedTradingFeesCollateral",
            "realizedPnlCollateral",
            "manuallyRealizedNegativePnlCollateral",
            "alreadyTransferredNegativePnlCollateral",
            "virtualAvailableCollateralInDiamond",
        )
    )


def position(given: Json) -> Position:
    return Position(
        trade(given["trade"]),
        trade_info(given["tradeInfo"]),
        ledger(given["tradeFeesData"]),
        liquidation_terms(given["tradeLiquidationParams"]),
    )


def holding_fees_for(held: Position, at: Market, liquidation_e10: int) -> list[int]:
    """All amounts of pending holding fees that make a liquidation price."""
    sign = 1 if held.trade.long else -1

    def behind(holding_fees: int) -> int:
        found = position_liquidation_e10(held, at, holding_fees=holding_fees)
        return sign * (found - liquidation_e10)

    low, high = -held.trade.collateral, held.trade.collateral
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if behind(middle) < 0 else (low, middle)
    found = []
    while behind(low) == 0 and len(found) < 1_000:
        found.append(low)
        low += 1
    return found


def accrual(raw: Json) -> Accrual:
    return Accrual(
        *integers(
            raw, "feePerBlock", "accFeeLong", "accFeeShort", "accLastUpdatedBlock", "feeExponent"
        )
    )


def open_interest(raw: Json) -> OpenInterest:
    return OpenInterest(*integers(raw, "long", "short", "max"))


def fee_cap(raw: Json) -> FeeCap:
    return FeeCap(*integers(raw, "minP", "maxP"))


def membership(raw: Json) -> Membership:
    return Membership(
        *integers(
            raw,
            "groupIndex",
            "block",
            "initialAccFeeLong",
            "initialAccFeeShort",
            "prevGroupAccFeeLong",
            "prevGroupAccFeeShort",
            "pairAccFeeLong",
            "pairAccFeeShort",
        )
    )


# Outputs ---------------------------------------------------------------------------------------


def impact_out(impact: Impact) -> Json:
    return dict(
        zip(
            (
                "positionSizeToken",
                "fixedSpreadP",
                "cumulVolPriceImpactP",
                "skewPriceImpactP",
                "totalPriceImpactP",
                "priceAfterImpact",
            ),
            impact,
            strict=True,
        )
    )


def trade_out(stored: Trade, before: Json) -> Json:
    """As the contract stores it; identity and kind never change."""
    return before | {
        "long": stored.long,
        "collateralAmount": stored.collateral,
        "leverage": stored.leverage_e3,
        "openPrice": stored.open_price_e10,
        "positionSizeToken": stored.position_token_e18,
        "tp": stored.tp_e10,
        "sl": stored.sl_e10,
        "isCounterTrade": stored.is_counter,
    }


def ledger_out(booked: Ledger) -> Json:
    return {
        "realizedTradingFeesCollateral": booked.realized_fees,
        "realizedPnlCollateral": booked.realized_pnl,
        "manuallyRealizedNegativePnlCollateral": booked.manual_negative_pnl,
        "alreadyTransferredNegativePnlCollateral": booked.transferred_negative_pnl,
        "virtualAvailableCollateralInDiamond": booked.virtual_available,
    }
