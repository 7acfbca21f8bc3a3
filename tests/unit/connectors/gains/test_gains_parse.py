"""Frames of the documentation, recorded bodies and messages, and what none of them may be."""

import json
from typing import Any

import pytest

from connectors.base import markets as market_map
from connectors.base.markets import AssetClass
from connectors.gains import parse
from connectors.gains.economics.borrowing import Accrual, FeeCap, OpenInterest
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.funding import Funding, FundingTerms
from connectors.gains.economics.impact import PairFactors
from connectors.gains.economics.scales import Collateral
from connectors.gains.model import (
    Frame,
    FundingUpdate,
    Group,
    GroupUpdate,
    OiUpdate,
    PairTerms,
    Reorg,
    Variables,
    Volume,
    VolumeUpdate,
)
from connectors.gains.state import listed
from connectors.gains.values import MALFORMED
from tests.unit.connectors.gains.world import E18, FUNDING, NO_DEPTH, RECORDED, body, oi, recorded

STREAM = sorted((RECORDED / "event-stream-v8-arbitrum-2024-05-30").glob("*.json"))
SEPOLIA = "trading-variables.sepolia.2025-06-15.reduced.json"
SEPOLIA_CUT = "trading-variables.sepolia.2025-06-15.cut.json"


# Prices ----------------------------------------------------------------------------------------

MARKS = ((0, 765629100000000), (1, 24635400000000))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ([0, 76562.91, 1, 2463.54], Frame(MARKS, (), None)),
        ([1724244390036], Frame((), (), 1724244390036)),
        (
            {"m": [0, 76562.91], "i": [0, 76562.91], "t": 1724244390036},
            Frame(MARKS[:1], MARKS[:1], 1724244390036),
        ),
        ({"t": 1724244390036}, Frame((), (), 1724244390036)),
        ({"m": [1, 2463.54]}, Frame(MARKS[1:], (), None)),
        ({"i": [1, 2463.54]}, Frame((), MARKS[1:], None)),
        ([], Frame((), (), None)),
        ({}, Frame((), (), None)),
        ([0, 1, 0, 2], Frame(((0, 10**10), (0, 2 * 10**10)), (), None)),
        # The place of the price is known even where the price is not.
        ([0, "1", 1, 2463.54], Frame(((0, None), MARKS[1]), (), None)),
        ([70000, 1, 1, True], Frame(((70000, 10**10), (1, None)), (), None)),
    ],
    ids=str,
)
def test_frames(message: Any, expected: Frame) -> None:
    assert parse.frame(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        [0, 1, 2], ["0", 1], [1.5, 1], [True, 1], [-1, 1], [None, 1], [[0], 1], ["1724244390036"],
        [True], [1.5], [-5], [None], {"m": [0]}, {"m": None}, {"m": {}}, {"m": "0,1"},
        {"i": [0, 1, 2]}, {"t": "1"}, {"t": None}, {"t": 1.5}, {"t": True}, None, 7, "text", True,
    ],
    ids=str,
)  # fmt: skip
def test_no_frames(message: Any) -> None:
    with pytest.raises(MALFORMED):
        parse.frame(message)


def test_charts_have_prices_by_position() -> None:
    raw: Any = {"time": 1, "opens": [1], "closes": [97000.5, None, 0, "x", True, 1]}
    marks, indices = parse.charts(raw)
    assert marks == [970005000000000, None, None, None, None, 10**10]
    assert indices == []
    assert parse.charts(raw | {"indexPrices": [2, None]})[1] == [2 * 10**10, None]


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"closes": None}, {"closes": []}, {"closes": {"0": 1}}, 7], ids=str
)
def test_no_charts(raw: Any) -> None:
    with pytest.raises(MALFORMED):
        parse.charts(raw)


# State of a chain ------------------------------------------------------------------------------


def test_the_recorded_state_of_a_test_network() -> None:
    found = parse.variables(recorded(SEPOLIA))
    names = [pair.name for pair in found.pairs if pair is not None]
    assert (len(found.pairs), len(names), names[0]) == (377, 223, "BTC/USD")
    assert [item.symbol for item in found.collaterals] == ["DAI", "WETH", "USDC", "GNS"]
    assert found.hours == {
        AssetClass.CRYPTO: True,
        AssetClass.FX: False,
        AssetClass.EQUITY: False,
        AssetClass.INDEX: False,
        AssetClass.COMMODITY: False,
    }
    assert found.trading_state == 0
    assert [len(listed(found, index, names[index])) for index in range(7)] == [4, 4, 4, 4, 0, 4, 0]
    btc, eth, link = found.pairs[:3]
    assert btc is not None
    assert eth is not None
    assert link is not None
    assert (btc.spread_p, btc.max_leverage_e3) == (400000000, 200000)
    assert btc.factors == PairFactors(cumulative_e10=10**10)
    assert eth.factors == PairFactors(cumulative_e10=10**10, exempt_on_open=True)
    # Depths of that version have another formula, which only matters where there is depth.
    assert (btc.above is not None, link.above is not None) == (True, False)
    usdc = found.collaterals[2]
    assert usdc.ois[0].long_token == 298436240896588933993
    assert usdc.ois[0].limit == 10**18
    # What that copy does not have is not known.
    assert (btc.fees, usdc.terms, usdc.groups) == (None, (), ())
    assert usdc.token == Collateral(6, 99_991_354)


def test_the_recorded_terms_of_a_test_network() -> None:
    found = parse.variables(recorded(SEPOLIA_CUT))
    btc, (usdc,) = found.pairs[0], found.collaterals
    assert btc is not None
    assert btc.fees == FeeTerms(600_000_000, 100_000_000_000, 1_250_000)
    assert usdc.token == Collateral(6, 99_991_354)
    assert usdc.ois[0].before_v10 == OpenInterest(1483931256410000, 3416843077140000, 10**18)
    assert usdc.terms[0] == PairTerms(
        max_skew_e10=0,
        funding=Funding(0, 0, 0, 1749939218),
        funding_terms=FundingTerms(0, 0, 0, 0, enabled=False, apr_multiplier=False),
        rate_v2_p=0,
        accrual=Accrual(1853, 0, 0, 0, 1),
        cap=FeeCap(10_000, 80_000),
        group=1,
        grouped=True,
    )
    link = usdc.terms[2]
    assert link is not None
    assert (link.group, link.rate_v2_p, link.max_skew_e10) == (0, 63_420, 200_000_000_000_000_000)
    assert link.funding.rate_p_e18 == 6_338_406_900_044
    assert link.funding.short_p_e20 == -2_215_338_813_075_462_457_144
    assert link.funding_terms == FundingTerms(
        10**28, 10_000, 3_170_978, 100_000, enabled=True, apr_multiplier=False
    )
    assert usdc.groups[0] == Group(OpenInterest(0, 0, 0), Accrual(0, 0, 0, 0, 0))
    group = usdc.groups[1]
    assert group is not None
    assert group.oi.max_e10 == 10**18


@pytest.mark.parametrize("path", STREAM, ids=lambda path: path.stem)
def test_recorded_messages(path: Any) -> None:
    found = parse.update(json.loads(path.read_bytes()))
    match path.stem:
        case "oiWindowUpdated":
            assert found == VolumeUpdate(134, 1763, Volume(0, 0))
        case "openInterestPairUpdated":
            # The payload of v8 says that something changed, not what it is in tokens.
            assert found == OiUpdate(1, 2, None)
        case "openInterestGroupUpdated":
            assert found == GroupUpdate(1, 2, 1582431940003, 1)
        case "tradingVariables":
            assert isinstance(found, Variables)
            assert len(found.pairs) == 233
            assert found.volumes[0] is not None
            assert found.volumes[0][1763].long_usd == 183039689625000000000000
            assert not listed(found, 0, "BTC/USD")
        case _:
            assert found is None


def test_every_market_of_the_table_has_the_class_the_venue_gives_it() -> None:
    """The class decides which flag of the backend opens and closes a market."""
    table = market_map.load()
    theirs = {
        "crypto": AssetClass.CRYPTO,
        "forex": AssetClass.FX,
        "stocks": AssetClass.EQUITY,
        "indices": AssetClass.INDEX,
        "commodities": AssetClass.COMMODITY,
    }
    mapped = 0
    for row in recorded("pairs.sdk-2026-03-25.json")["pairs"]:
        market = table.canonical(market_map.GAINS, row["pairIndex"], row["symbol"])
        if market is not None:
            mapped += 1
            assert table.asset_class(market) is theirs[row["assetClass"]], row
    assert mapped > 200


@pytest.mark.parametrize(
    "token", [{"token": oi(7, 5)["token"]}, {"pairOi": oi(7, 5)}, {"pairBorrowingFees": oi(7, 5)}]
)
def test_open_interest_in_tokens_is_found_where_it_is(token: Any) -> None:
    value = {"pairIndex": "0", "collateralIndex": 3} | token
    found = parse.update({"name": "openInterestPairUpdated", "value": value})
    before = None if "token" in token else OpenInterest(0, 0, 1)
    assert found == OiUpdate(0, 3, (7 * E18, 5 * E18), before)


def test_a_reorg_needs_no_payload() -> None:
    assert parse.update({"name": "deepReorg"}) == Reorg()


@pytest.mark.parametrize(
    "message",
    [
        None, [], 7, "x", {}, {"value": 1}, {"name": None}, {"name": 7}, {"name": ["a"]},
        {"name": "oiWindowUpdated"}, {"name": "oiWindowUpdated", "value": None},
        {"name": "oiWindowUpdated", "value": {"pairIndex": True, "windowId": 1, "newOi": {}}},
        {"name": "oiWindowUpdated", "value": {"pairIndex": 1, "windowId": 1, "newOi": {}}},
        {"name": "openInterestPairUpdated", "value": []},
        {"name": "openInterestPairUpdated", "value": {"pairIndex": -1, "collateralIndex": 1}},
        {"name": "openInterestPairUpdated",
         "value": {"pairIndex": 1, "collateralIndex": 1, "token": {"oiLongToken": 1.5}}},
        {"name": "tradingVariables", "value": {}},
    ],
    ids=str,
)  # fmt: skip
def test_messages_that_make_no_sense(message: Any) -> None:
    with pytest.raises(MALFORMED):
        parse.update(message)


def test_stored_funding() -> None:
    value = {"pairIndex": "2", "collateralIndex": 3, "pairData": FUNDING}
    found = parse.update({"name": "pendingAccFundingFeesStored", "value": value})
    assert found == FundingUpdate(2, 3, Funding(-7, 7, 10**12, 1760000000))


@pytest.mark.parametrize("name", ["pendingAccFundingFeesStored", "openInterestGroupUpdated"])
@pytest.mark.parametrize("value", [None, [], {}, {"pairIndex": 1}], ids=str)
def test_what_moves_no_touch_is_left_to_the_next_poll(name: str, value: Any) -> None:
    assert parse.update({"name": name, "value": value}) is None


def test_a_message_that_is_not_used_is_not_read() -> None:
    assert parse.update({"name": "registerTrade", "value": [[[1]]]}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"tradingState": 3}, {"tradingState": "0"}, {"tradingState": False}, {"pairs": []},
        {"pairs": {}}, {"pairs": None}, {"collaterals": None}, {"oiWindows": {}},
        {"isForexOpen": 1}, {"isForexOpen": None}, {"isStocksOpen": "true"},
        {"oiWindowsSettings": {}}, {"pairInfos": {}}, {"depthBandsMapping": None},
        {"depthBandsMapping": {"slot1": str(2**256), "slot2": "0"}},
        {"oiWindowsSettings": {"startTs": 0, "windowsDuration": 0, "windowsCount": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_refused_as_a_whole(change: Any) -> None:
    raw: Any = body(**change)
    with pytest.raises(MALFORMED):
        parse.variables(raw)


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """The small chain with one value replaced."""
    raw = json.loads(json.dumps(body()))
    place = raw
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "left"),
    [
        (("pairs", 0), None, {0: 0, 2: 2}),
        (("pairs", 0, "spreadP"), "-1", {0: 0, 2: 2}),
        (("pairs", 0, "from"), 7, {0: 0, 2: 2}),
        (("pairs", 0, "groupIndex"), "9", {0: 0, 2: 2}),
        (("pairs", 2, "groupIndex"), True, {0: 2, 2: 0}),
        (("pairInfos", "pairFactors", 0), {"cumulativeFactor": "x"}, {0: 0, 2: 2}),
        (("pairInfos", "maxLeverages", 0), 1, {0: 0, 2: 2}),
        (("collaterals", 0), None, {0: 1, 2: 1}),
        (("collaterals", 0, "isActive"), False, {0: 1, 2: 1}),
        (("collaterals", 0, "isActive"), "yes", {0: 1, 2: 1}),
        (("collaterals", 0, "symbol"), "A B", {0: 1, 2: 1}),
        (("collaterals", 0, "symbol"), "DAI", {0: 1, 2: 1}),
        (("collaterals", 0, "pairSkewDepths"), [None], {0: 1, 2: 1}),
        (("collaterals", 0, "pairOis"), [], {0: 1, 2: 1}),
        (("collaterals", 0, "pairOis", 0), None, {0: 1, 2: 2}),
        (("collaterals", 0, "pairOis", 0), oi(limit=0), {0: 1, 2: 2}),
    ],
    ids=str,
)
def test_one_thing_that_makes_no_sense_is_left_out(
    path: tuple[Any, ...], value: Any, left: dict[int, int]
) -> None:
    found = parse.variables(changed(path, value))
    names = {0: "BTC/USD", 2: "EUR/USD"}
    assert {pair: len(listed(found, pair, names[pair])) for pair in names} == left
    assert not listed(found, 1, "/")
    assert not listed(found, 99, "BTC/USD")
    assert not listed(found, 0, "ETH/USD")


@pytest.mark.parametrize("case", recorded("vectors/leverage_limits.json")["cases"], ids=str)
def test_leverage_limits(case: Any) -> None:
    given, regular = case["in"], case["out"]["regular"]
    raw: Any = body()
    raw["groups"] = [
        {
            "name": "crypto",
            "minLeverage": str(round(given["groupMinLeverage"] * 1000)),
            "maxLeverage": str(given["groupMaxLeverage"] * 1000),
        }
    ] * 2
    raw["pairInfos"]["maxLeverages"] = [given["pairMaxLeverage"] * 1000]
    pair = parse.variables(raw).pairs[0]
    assert pair is not None
    assert pair.max_leverage_e3 == (regular["max"] * 1000 or None)


def test_a_pair_without_a_readable_depth_is_known_to_have_none() -> None:
    raw: Any = body()
    raw["pairInfos"]["pairDepthBands"] = [None, NO_DEPTH]
    found = parse.variables(raw)
    assert [None if pair is None else pair.above for pair in found.pairs] == [None, None, None]
    assert all(
        len(listed(found, pair, name)) == 2 for pair, name in ((0, "BTC/USD"), (2, "EUR/USD"))
    )
