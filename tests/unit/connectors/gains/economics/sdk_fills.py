"""Cases of the venue's own library about spread, depth, windows, skew and fills."""

from fractions import Fraction
from typing import Any, Final

from connectors.gains.economics.closing import Market, closing_impact
from connectors.gains.economics.depth import NO_DEPTH, Side, decode_side, encode_side
from connectors.gains.economics.impact import (
    Impact,
    PairFactors,
    PairState,
    TraderTerms,
    cumulative_impact_p,
    fixed_spread_p,
    market_price_e10,
    opening_impact,
    skew_impact_p,
)
from connectors.gains.economics.position import (
    Ledger,
    LiquidationTerms,
    Position,
    Trade,
    TradeInfo,
)
from connectors.gains.economics.scales import (
    E18,
    ContractRefusal,
    price_after_impact_e10,
)
from connectors.gains.economics.windows import Windows
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
from tests.unit.connectors.gains.economics.vectors import NO_FEES, NO_SHARES, Json
from tests.unit.connectors.gains.world import recorded

VOLUME: Final = recorded("vectors/cumul_vol_price_impact.json")
NOW_S: Final[int] = VOLUME["now"]


def fixed_spread(document: Json, case: Json) -> Results:
    given = case["in"]
    spread_p = fixed_spread_p(scaled(given["spreadP"], P), up=given["long"] is given["open"])
    return {"fixedSpreadP": Fraction(spread_p, P)}


def depth_bands_codec(document: Json, case: Json) -> Results:
    """Decoded, encoded and decoded once more."""
    given = {key.lower().removeprefix("mapping"): int(item) for key, item in case["in"].items()}
    side = decode_side(given["slot1"], given["slot2"])
    assert encode_side(side) == (given["slot1"], given["slot2"])
    bands = str(list(side.bands))
    if "bandsPpm" in case["out"]:
        return {"bandsPpm": bands}
    return {"totalDepthUsd": Fraction(side.depth_usd), "bands": bands}


def oi_windows(document: Json, case: Json) -> Results:
    settings, given = document["fixture"]["oiWindowsSettings"], case["in"]
    windows = Windows(
        settings["startTs"],
        settings["windowsDuration"],
        given.get("windowsCount", settings["windowsCount"]),
    )
    if "settings" in given:
        return {"currentWindowId": Fraction(windows.current(document["now"]))}
    side = "oiLongUsd" if given["long"] else "oiShortUsd"
    sizes = {int(key): item[side] for key, item in document["fixture"]["oiWindows"].items()}
    return {"activeOiUsd": Fraction(windows.volume(sizes, document["now"]))}


def pair_state(
    context: Json, skew: Json, spread: Any, *, fine: int = 1, block: int | None = None
) -> PairState:
    """The state of the cases: depth and defaults of the fixture and what ``context`` changes."""
    fixture = VOLUME["fixture"]
    terms, depth, settings = (fixture[name] for name in ("defaults", "depth", "oiWindowsSettings"))
    terms = terms | context
    windows = Windows(settings["startTs"], settings["windowsDuration"], settings["windowsCount"])

    def volume(name: str) -> int:
        sizes = fixture["oiWindows"] if "oiWindows" in context else {}
        return windows.volume({int(key): amount(item[name]) for key, item in sizes.items()}, NOW_S)

    user = terms.get("userPriceImpact", {})
    bands = tuple(depth["bandsBps"])
    known = "pairDepthBands" not in context
    oi = skew.get("pairOiToken", {"oiLongToken": 0, "oiShortToken": 0})
    return PairState(
        spread_p=scaled(spread, P),
        above=Side(depth["totalDepthAboveUsd"], bands) if known else NO_DEPTH,
        below=Side(depth["totalDepthBelowUsd"], bands) if known else NO_DEPTH,
        offsets_ppm=tuple(ppm * fine for ppm in depth["mappingPpm"]),
        volume_long_usd_e18=volume("oiLongUsd"),
        volume_short_usd_e18=volume("oiShortUsd"),
        long_token_e18=amount(oi["oiLongToken"]),
        short_token_e18=amount(oi["oiShortToken"]),
        skew_depth_e18=amount(skew.get("skewDepth", 0)) // fine,
        block=terms["currentBlock"] if block is None else block,
        factors=PairFactors(
            cumulative_e10=scaled(terms["cumulativeFactor"], E10),
            protection_e10=scaled(terms["protectionCloseFactor"], E10),
            protection_blocks=terms["protectionCloseFactorBlocks"],
            exempt_on_open=terms["exemptOnOpen"],
            exempt_after_protection=terms["exemptAfterProtectionCloseFactor"],
        ),
        trader=TraderTerms(
            spread_e3=e3(user.get("fixedSpreadP", 0)),
            volume_multiplier_e3=e3(user.get("cumulVolPriceImpactMultiplier", 0)),
            protection_whitelisted=bool(terms.get("protectionCloseFactorWhitelist")),
        ),
    )


def cumul_vol_price_impact(document: Json, case: Json) -> Results:
    given = case["in"]
    impact_p = cumulative_impact_p(
        amount(given["tradeOpenInterestUsd"]),
        pair_state(given["ctx"], {}, 0, fine=FINE),
        long=given["long"],
        opening=given["open"],
        positive_pnl=given.get("isPnlPositive", False),
        last_increase_block=given.get("lastPosIncreaseBlock", 0),
    )
    return {"cumulVolPriceImpactP": Fraction(impact_p, P * FINE)}


def skew_price_impact(document: Json, case: Json) -> Results:
    """The direction is that of the whole impact; no case has a price to value the skew at."""
    given, fine = case["in"], 10**9
    state = pair_state({}, given["ctx"], 0, fine=fine)
    up = given["long"] is given["open"]
    total_p = skew_impact_p(state, amount(given["positionSizeToken"]), up=up)
    direction = "neutral" if not total_p else "increase" if total_p > 0 else "decrease"
    return {
        "basePriceImpactP": Fraction(state.standing_p, P * fine),
        "tradePriceImpactP": Fraction(total_p - state.standing_p, P * fine),
        "totalPriceImpactP": Fraction(total_p, P * fine),
        "netSkewToken": Fraction(state.net_token_e18, E18),
        "netSkewCollateral": Fraction(0),
        "tradeDirection": direction,
    }


def market_price(document: Json, case: Json) -> Results:
    given = case["in"]
    state = pair_state({}, given["ctx"], 0)
    oracle_e10 = price(given["oraclePrice"])
    return {
        "marketPrice": Fraction(market_price_e10(oracle_e10, state.standing_p), E10),
        "skewImpactP": Fraction(state.standing_p, P),
        "oraclePrice": Fraction(oracle_e10, E10),
    }


def price_after_impact(document: Json, case: Json) -> Results:
    given = case["in"]
    try:
        filled = price_after_impact_e10(
            price(given["oraclePrice"]), scaled(given["totalPriceImpactP"], P)
        )
    except ContractRefusal as refusal:
        return {"priceAfterImpact": refusal.code}
    return {"priceAfterImpact": Fraction(filled, E10)}


# Fills -------------------------------------------------------------------------------------------


def impact_results(impact: Impact, standing_p: int) -> Results:
    return {
        "priceAfterImpact": Fraction(impact.price_e10, E10),
        "fixedSpreadP": Fraction(impact.fixed_spread_p, P),
        "cumulVolPriceImpactP": Fraction(impact.volume_p, P),
        "baseSkewPriceImpactP": Fraction(standing_p, P),
        "tradeSkewPriceImpactP": Fraction(impact.skew_p - standing_p, P),
        "totalSkewPriceImpactP": Fraction(impact.skew_p, P),
        "totalPriceImpactP": Fraction(impact.total_p, P),
        "totalPriceImpactPFromMarketPrice": Fraction(impact.total_p - standing_p, P),
    }


def trade_opening_price_impact(document: Json, case: Json) -> Results:
    """``percentProfitP`` is the impact with its sign turned, for either side."""
    given = case["in"]
    state = pair_state(given["cumulVolCtx"], given["skewCtx"], given["pairSpreadP"])
    size = amount(given["collateralAmount"]) * e3(given["leverage"]) // 1_000
    impact = opening_impact(
        price(given["openPrice"]),
        size,
        coins(given["collateralPriceUsd"]),
        state,
        long=given["long"],
    )
    return impact_results(impact, state.standing_p) | {
        "percentProfitP": Fraction(-impact.total_p, P)
    }


def trade_closing_price_impact(document: Json, case: Json) -> Results:
    """The cases name no fees."""
    given = case["in"]
    raw, version = given["trade"], given["contractsVersion"]
    state = pair_state(given["cumulVolCtx"], given["skewCtx"], given["pairSpreadP"])
    position = Position(
        Trade(
            raw["long"],
            amount(raw["collateralAmount"]),
            e3(raw["leverage"]),
            price(raw["openPrice"]),
            amount(raw["positionSizeToken"]),
        ),
        TradeInfo(version, given["lastPosIncreaseBlock"]),
        Ledger(),
        LiquidationTerms(0, 0, 0, 0, 0),
    )
    impact, value = closing_impact(
        price(given["price"]),
        position,
        Market(coins(), state, NO_FEES, NO_SHARES),
        holding_fees=0,
        size=amount(given["positionSizeCollateral"]),
        use_volume=given["useCumulativeVolPriceImpact"],
    )
    standing_p = state.standing_p if version >= 2 else 0
    return impact_results(impact, standing_p) | {
        "positionSizeToken": Fraction(impact.position_token_e18, E18),
        "tradeValueCollateralNoFactor": Fraction(value, E18),
    }
