"""The arithmetic against what the contracts and the venue's own library computed."""

from typing import Any

import pytest

from connectors.gains import touch
from connectors.gains.parse import price_e10
from connectors.gains.touch import Side, Windows
from tests.unit.connectors.gains.world import E18, recorded

CONTRACT = recorded("vectors/contract_open.json")["cases"]
SDK_P = 1e10


def sdk(name: str) -> Any:
    return recorded(f"vectors/{name}.json")


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def usd(value: float) -> int:
    return round(value * 10**6) * 10**12


@pytest.mark.parametrize("case", CONTRACT, ids=lambda case: case["id"])
def test_the_contract_computed_the_same_integers(case: Any) -> None:
    given, out = case["in"], case["out"]
    long, trade, user = given["trade"]["long"], given["trade"], given["user"]
    impact_p = contract_volume_impact(given)
    if case["kind"] == "open_request_check":
        assert impact_p == int(out["cumulVolPriceImpactP"])
        return
    expected = {name: int(value) for name, value in out["priceImpact"].items()}
    spread_p = int(given["spreadP"]) + int(user["fixedSpreadP"]) * 10**7
    fixed_p = touch.fixed_spread_p(spread_p, up=long)
    half = expected["positionSizeToken"] // 2
    oi = given["pairOiToken"]
    skew_p = touch.standing_skew_p(
        int(oi["oiLongToken"]) + (half if trade["long"] else 0),
        int(oi["oiShortToken"]) + (0 if trade["long"] else half),
        int(given["skewDepth"]),
    )
    assert fixed_p == expected["fixedSpreadP"]
    assert impact_p == expected["cumulVolPriceImpactP"]
    assert skew_p == expected["skewPriceImpactP"]
    total_p = fixed_p + impact_p + skew_p
    filled = touch.fill_e10(int(given["oraclePrice"]), total_p)
    assert (total_p, filled) == (expected["totalPriceImpactP"], expected["priceAfterImpact"])


def contract_volume_impact(given: Any) -> int:
    """With the size of the trade; a trader's own multiplier comes last."""
    long, factors, bands = given["trade"]["long"], given["pairFactors"], given["pairDepthBands"]
    if factors["exemptOnOpen"]:
        return 0
    windows = {name: int(value) for name, value in given["oiWindowsSettings"].items()}
    volume = Windows(
        windows["startTs"], windows["windowsDuration"], windows["windowsCount"]
    ).volume(
        {
            int(window): int(sizes["oiLongUsd" if long else "oiShortUsd"])
            for window, sizes in given["oiWindows"].items()
        },
        int(given["now"]["timestamp"]),
    )
    volume = volume * (int(factors["cumulativeFactor"]) or 10**10) // 10**10
    collateral, trade = given["collateral"], given["trade"]
    size = int(trade["collateralAmount"]) * int(trade["leverage"]) // 1000
    size_usd = (
        size * int(collateral["precisionDelta"]) * int(collateral["collateralPriceUsd"]) // 10**8
    )
    side = "above" if long else "below"
    mapping = given["depthBandsMapping"]
    impact = touch.volume_impact_p(
        volume,
        size_usd,
        touch.decode_side(int(bands[f"{side}Slot1"]), int(bands[f"{side}Slot2"])),
        touch.decode_side(int(mapping["slot1"]), int(mapping["slot2"])).bands,
        up=long,
    )
    multiplier = int(given["user"]["cumulVolPriceImpactMultiplier"]) or 1000
    return touch.truncated(impact * multiplier, 1000)


def test_the_limit_of_no_size_is_what_small_trades_approach() -> None:
    side, offsets = Side(1_000_000, (5_000, 10_000)), (100, 300)
    for volume in (0, 400_000, 900_000, 5_000_000):
        limit = touch.volume_impact_p(volume * E18, 0, side, offsets, up=True)
        small = touch.volume_impact_p(volume * E18, E18, side, offsets, up=True)
        assert 0 <= small - limit <= 100_000
        assert limit == touch.average_offset_p(volume * E18, side, offsets)
        assert touch.volume_impact_p(volume * E18, 0, side, offsets, up=False) == -limit


@pytest.mark.parametrize("case", sdk("fixed_spread")["cases"], ids=str)
def test_fixed_spread(case: Any) -> None:
    given = case["in"]
    up = given["long"] is given["open"]
    spread_p = touch.fixed_spread_p(round(given["spreadP"] * SDK_P), up=up)
    assert spread_p / SDK_P == near(case["out"]["fixedSpreadP"])


def test_depth_bands_and_mapping_decode() -> None:
    first, second, mapping = sdk("depth_bands_codec")["cases"]
    for case in (first, second):
        side = touch.decode_side(int(case["in"]["slot1"]), int(case["in"]["slot2"]))
        assert side == Side(case["out"]["totalDepthUsd"], tuple(case["out"]["bands"]))
    slots = mapping["in"]
    offsets = touch.decode_side(int(slots["mappingSlot1"]), int(slots["mappingSlot2"])).bands
    assert offsets == tuple(mapping["out"]["bandsPpm"])


@pytest.mark.parametrize("slots", [(-1, 0), (0, -1), (2**256, 0), (0, 2**256)])
def test_a_slot_is_one_word(slots: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="256 bits"):
        touch.decode_side(*slots)


def test_only_windows_that_count_are_summed() -> None:
    document = sdk("oi_windows")
    settings, now_s = document["fixture"]["oiWindowsSettings"], document["now"]
    first, *cases = document["cases"]
    start_s, duration_s = settings["startTs"], settings["windowsDuration"]
    windows = Windows(start_s, duration_s, settings["windowsCount"])
    assert windows.current(now_s) == first["out"]["currentWindowId"]
    for case in cases:
        side = "oiLongUsd" if case["in"]["long"] else "oiShortUsd"
        sizes = {int(key): item[side] for key, item in document["fixture"]["oiWindows"].items()}
        count = case["in"].get("windowsCount", windows.count)
        asked = Windows(start_s, duration_s, count)
        assert asked.volume(sizes, now_s) == case["out"]["activeOiUsd"]


VOLUME = sdk("cumul_vol_price_impact")


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in VOLUME["cases"]
        if case["in"]["open"]
        and not {"userPriceImpact", "pairDepthBands", "exemptOnOpen"} & set(case["in"]["ctx"])
    ],
    ids=lambda case: case["name"],
)
def test_volume_impact_of_openings(case: Any) -> None:
    fixture, given = VOLUME["fixture"], case["in"]
    long, depth = given["long"], VOLUME["fixture"]["depth"]
    sizes = {}
    if "oiWindows" in given["ctx"]:
        name = "oiLongUsd" if long else "oiShortUsd"
        sizes = {int(key): usd(item[name]) for key, item in fixture["oiWindows"].items()}
    settings = fixture["oiWindowsSettings"]
    volume = Windows(
        settings["startTs"], settings["windowsDuration"], settings["windowsCount"]
    ).volume(sizes, VOLUME["now"])
    impact = touch.volume_impact_p(
        round(volume * given["ctx"].get("cumulativeFactor", 1)),
        usd(given["tradeOpenInterestUsd"]),
        Side(
            depth["totalDepthAboveUsd" if long else "totalDepthBelowUsd"], tuple(depth["bandsBps"])
        ),
        tuple(depth["mappingPpm"]),
        up=long,
    )
    # The contract has whole 1e-10 percent, the library has floats.
    assert impact / SDK_P == pytest.approx(case["out"]["cumulVolPriceImpactP"], rel=1e-9, abs=1e-10)


def skew_p(context: Any) -> int:
    oi = context["pairOiToken"]
    return touch.standing_skew_p(
        usd(oi["oiLongToken"]), usd(oi["oiShortToken"]), usd(context["skewDepth"])
    )


@pytest.mark.parametrize("case", sdk("skew_price_impact")["cases"], ids=lambda case: case["name"])
def test_standing_skew(case: Any) -> None:
    expected = case["out"]["basePriceImpactP"]
    assert skew_p(case["in"]["ctx"]) / SDK_P == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("case", sdk("market_price")["cases"], ids=str)
def test_market_price(case: Any) -> None:
    oracle = price_e10(float(case["in"]["oraclePrice"]))
    filled = touch.fill_e10(oracle, skew_p(case["in"]["ctx"]))
    assert filled is not None
    assert filled / 1e10 == pytest.approx(case["out"]["marketPrice"], rel=1e-9)


@pytest.mark.parametrize("case", sdk("price_after_impact")["cases"], ids=str)
def test_price_after_impact(case: Any) -> None:
    given = case["in"]
    filled = touch.fill_e10(
        price_e10(float(given["oraclePrice"])), round(given["totalPriceImpactP"] * SDK_P)
    )
    if given["totalPriceImpactP"] <= -100:
        # The library floors at 1 % of the price; the contract refuses.
        assert filled is None
    else:
        assert filled is not None
        assert filled / 1e10 == near(case["out"]["priceAfterImpact"])


@pytest.mark.parametrize(
    "case", sdk("trade_opening_price_impact")["cases"], ids=lambda case: case["name"]
)
def test_standing_parts_of_an_opening(case: Any) -> None:
    given, out = case["in"], case["out"]
    fixed = touch.fixed_spread_p(round(given["pairSpreadP"] * SDK_P), up=given["long"])
    assert fixed / SDK_P == near(out["fixedSpreadP"])
    assert skew_p(given["skewCtx"]) / SDK_P == pytest.approx(out["baseSkewPriceImpactP"], rel=1e-7)
