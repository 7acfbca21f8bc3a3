"""What sizes and holding are priced with: the pools whose touch is shown, and no others."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from connectors.gains import constants as c
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.pricing import ECONOMICS
from connectors.gains.economics.quote import Quote, Unquotable, available_usd_e18, quote
from domain.events import PoolQuote
from domain.ids import MarketId
from tests.unit.connectors.gains.world import (
    DAI,
    E10,
    E18,
    FUNDING,
    USDC,
    S,
    World,
    oi,
    priced_body,
)

BTC = MarketId("BTC-USD")


def priced(raw: Any = None, chain_ids: tuple[int, ...] = (42161,)) -> World:
    world = World(chain_ids).open(raw or priced_body())
    world.send([0, 100000.0, 2, 1.5])
    return world


def depth(world: World, market: MarketId = BTC) -> dict[str, Pool]:
    return {item.pool or "": item.inputs for item in world.board.depth(market, world.now_ns)}


# Which pools ------------------------------------------------------------------------------------


def test_every_pool_with_a_touch_has_the_depth_of_that_touch() -> None:
    raw = priced_body()
    raw["collaterals"][0]["pairOis"][0] = {
        "beforeV10": {"long": "0", "short": "0", "max": str(10**8 * E10)},
        "token": oi(298, 198)["token"],
    }
    world = priced(raw)
    world.window(0, long=500_000)
    touches = {item.pool: item for item in world.events() if isinstance(item, PoolQuote)}
    found = depth(world)
    assert list(found) == [USDC, DAI]
    for pool, inputs in found.items():
        got = quote(inputs, long=True, notional_usd_e18=1_000 * E18)
        assert isinstance(got, Quote)
        bid, ask = touches[pool].bid_e18, touches[pool].ask_e18
        assert (got.bid_e10 * 10**8, got.ask_e10 * 10**8) == (bid, ask)
        assert ECONOMICS.decode(json.loads(json.dumps(ECONOMICS.encode(inputs)))) == inputs
    assert list(depth(world, MarketId("EUR-USD"))) == [USDC, DAI]
    assert not depth(world, MarketId("ETH-USD"))


def silent(world: World) -> None:
    world.now_ns += c.FRAME_MAX_AGE_NS + 1


def old(world: World) -> None:
    world.wait(c.STATE_MAX_AGE_NS / S)
    world.send([0, 100000.0])


def unprinted(world: World) -> None:
    for _ in range(10):
        world.wait(10)
        world.asked()
        world.answer(priced_body())
    world.beat()


def closed(world: World) -> None:
    world.load(priced_body(isForexOpen=False))


@pytest.mark.parametrize(
    ("cause", "market"),
    [
        (silent, BTC),
        (World.reconnect, BTC),
        (lambda world: world.raw("{"), BTC),
        (lambda world: world.send([0, "x"]), BTC),
        (lambda world: world.tell("{"), BTC),
        (lambda world: world.tell({"name": "deepReorg", "value": None}), BTC),
        (lambda world: world.load(priced_body(tradingState=1)), BTC),
        (old, BTC),
        (unprinted, BTC),
        (closed, MarketId("EUR-USD")),
    ],
    ids=[
        "silent",
        "reconnect",
        "garbage",
        "bad",
        "doubt",
        "reorg",
        "halt",
        "old",
        "print",
        "hours",
    ],
)
def test_a_pool_whose_touch_is_gone_has_no_depth(
    cause: Callable[[World], Any], market: MarketId
) -> None:
    world = priced()
    world.wait(30)
    world.send([0, 100000.0, 2, 1.5])
    assert depth(world, market)
    cause(world)
    world.tick()
    assert not depth(world, market)


def without(*path: Any) -> Any:
    """The chain with something missing of USDC, or of all."""
    raw = priced_body()
    place = raw
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return raw


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (without("fees"), []),
        (without("pairs", 0, "feeIndex"), []),
        (without("fees", 0, "minPositionSizeUsd"), []),
        *(
            (without("collaterals", 0, *path), [DAI])
            for path in [
                ("prices",), ("prices", "collateralPriceUsd"), ("collateralConfig",),
                ("fundingFees",), ("fundingFees", "pairData"), ("borrowingFees", "v1"),
                ("fundingFees", "pairParams", 0, "fundingFeesEnabled"),
                ("fundingFees", "pairGlobalParams", 0, "maxSkewCollateral"),
                ("borrowingFees", "v2", "pairParams", 0, "borrowingRatePerSecondP"),
                ("borrowingFees", "v1", "pairs", 0, "feeExponent"),
                ("borrowingFees", "v1", "groups", 1, "oi"), ("borrowingFees", "v1", "groups", 1),
                ("pairOis", 0, "beforeV10", "long"),
            ]
        ),
    ],
    ids=lambda value: "",
)  # fmt: skip
def test_what_is_not_known_has_a_touch_and_no_depth(raw: Any, left: list[str]) -> None:
    world = priced(raw)
    assert len({item[1] for item in world.quotes() if item[0] == BTC}) == 2
    assert list(depth(world)) == left


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("prices", "collateralPriceUsd"), 0), (("prices", "collateralPriceUsd"), "1"),
        (("prices", "collateralPriceUsd"), 1e-9), (("collateralConfig", "decimals"), 19),
        (("borrowingFees", "v1", "pairs", 0, "feeExponent"), "4"),
        (("borrowingFees", "v1", "pairs", 0, "groups", 1, "groupIndex"), "9"),
        (("fundingFees", "pairData", 0, "lastFundingRatePerSecondP"), "1.5"),
        (("fundingFees", "pairParams", 0, "fundingFeesEnabled"), "true"),
        (("pairOis", 0, "beforeV10", "short"), "-1"),
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_not_known(path: Any, value: Any) -> None:
    raw = priced_body()
    place = raw["collaterals"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(depth(priced(raw))) == [DAI]


# What is kept and what changes ------------------------------------------------------------------


def test_only_what_changed_is_another_object() -> None:
    world = priced()
    first = depth(world)[USDC]
    assert depth(world)[USDC] is first
    world.send([0, 100001.0])
    moved = depth(world)[USDC]
    assert (moved.mark_e10, moved.state is first.state) == (100_001 * E10, True)
    world.wait(30)
    world.load(priced_body())
    world.send([0, 100001.0])
    assert depth(world)[USDC] is moved
    world.window(0, long=1)
    world.tick()
    assert depth(world)[USDC].state.pair.volume_long_usd_e18 == E18


def test_volume_counts_until_its_windows_end() -> None:
    """Two windows of a minute."""
    world = priced()
    world.window(0, short=700)
    seen = []
    for _ in range(13):
        world.wait(10)
        if world.asked():
            world.answer(
                priced_body(oiWindows=[{"0": {"oiLongUsd": "0", "oiShortUsd": str(700 * E18)}}])
            )
        world.send([0, 100000.0])
        seen.append(depth(world)[USDC].state.pair.volume_short_usd_e18 // E18)
    assert seen == [700] * 11 + [0] * 2


def test_open_interest_of_the_stream_is_what_limits_are_left_by() -> None:
    world = priced()

    def available(long: bool) -> int:
        world.tick()
        return available_usd_e18(depth(world)[USDC], long=long) // E18

    # The group allows 50 k, of which 30 k and 10 k are taken.
    assert (available(True), available(False)) == (20_000, 40_000)
    value = {"groupIndex": "1", "collateralIndex": "3"}
    fees = {"oiLong": str(49_000 * E10), "oiShort": "0"}
    world.tell({"name": "openInterestGroupUpdated", "value": value | {"groupBorrowingFees": fees}})
    assert (available(True), available(False)) == (1_000, 50_000)
    world.tell(
        {
            "name": "openInterestGroupUpdated",
            "value": value | {"groupIndex": "7", "groupBorrowingFees": fees},
        }
    )
    before = {"long": str(99_500 * E10), "short": "0", "max": str(100_000 * E10)}
    pair_oi = {**oi(), "beforeV10": before}
    value = {"pairIndex": "0", "collateralIndex": "3", "pairBorrowingFees": pair_oi}
    world.tell({"name": "openInterestPairUpdated", "value": value})
    assert (available(True), available(False)) == (500, 50_000)


def test_a_pair_exempt_from_volume_is_priced_without_its_depth() -> None:
    raw = priced_body(oiWindows=[None, None, None])
    raw["pairInfos"]["pairFactors"][0] = {"cumulativeFactor": "0", "exemptOnOpen": True}
    raw["pairInfos"]["pairDepthBands"][0] = None
    raw["collaterals"][0]["pairSkewDepths"] = []
    found = depth(priced(raw))[USDC]
    got = quote(found, long=True, notional_usd_e18=10_000 * E18)
    assert isinstance(got, Quote)
    assert got.fill_e10 == got.ask_e10 == 100_020 * E10


def test_the_least_size_is_that_of_the_group() -> None:
    """0.06 % of 1250 USD five times over, at 1.1 on crypto and at 10 on forex."""
    world = priced()
    for market, least in ((BTC, 4_125), (MarketId("EUR-USD"), 37_500)):
        found = depth(world, market)[USDC]
        for usd_e15, too_small in ((least - 1, True), (least, False)):
            got = quote(found, long=True, notional_usd_e18=usd_e15 * 10**15)
            assert (got == Unquotable("BELOW_MIN")) is too_small


# Holding ----------------------------------------------------------------------------------------


def test_holding_is_told_of_every_pool() -> None:
    """An hour has 14400 blocks. Borrowing of the pair: 1000 a block for 20 % of the limit on the
    heavier side, 5 % on the other; of its group less. By second 63420."""
    world = priced()
    world.wait(c.HOLDING_NS / S)
    told = {(item.market, item.pool): item for item in world.costs()}
    assert set(told) == {(name, pool) for name in (BTC, "EUR-USD") for pool in (USDC, DAI)}
    btc = told[BTC, USDC]
    assert (btc.raw, btc.short_raw, btc.interval_hours, btc.next_at_ms) == (
        "0.000036",
        None,
        1,
        None,
    )
    assert btc.borrow_long_raw == "0.000231192"
    assert btc.borrow_short_raw == "0.000229032"
    assert (btc.oi_long_usd, btc.oi_short_usd) == ("30000", "10000")
    assert (btc.available_long_usd, btc.available_short_usd) == ("20000", "40000")


def test_the_dearer_of_pair_and_group_counts() -> None:
    raw = priced_body()
    raw["collaterals"][0]["borrowingFees"]["v1"]["groups"][1]["feePerBlock"] = "1000"
    raw["collaterals"][1]["borrowingFees"]["v1"]["pairs"][0]["groups"] = []
    world = priced(raw)
    world.wait(c.HOLDING_NS / S)
    told = {item.pool: item for item in world.costs() if item.market == BTC}
    # 40 % of the group's limit.
    assert told[USDC].borrow_long_raw == "0.000234072"
    assert told[USDC].borrow_short_raw == "0.000229032"
    # In no group the limits of the first hold, which has none.
    assert told[DAI].borrow_long_raw == "0.000231192"
    assert told[DAI].available_long_usd == "70000"


def test_who_is_fewer_earns_more_where_the_multiplier_is_on() -> None:
    raw = priced_body()
    usdc = raw["collaterals"][0]
    usdc["fundingFees"]["pairParams"][0]["aprMultiplierEnabled"] = True
    usdc["pairOis"][0]["token"] = oi(3, 1)["token"]
    world = priced(raw)
    world.wait(c.HOLDING_NS / S)
    told = next(item for item in world.costs() if (item.market, item.pool) == (BTC, USDC))
    assert (told.raw, told.short_raw) == ("0.000036", "0.000108")


@pytest.mark.parametrize(("rate", "raw"), [("-1000000000000", "-0.000036"), ("0", "0")])
def test_stored_funding_changes_what_is_told(rate: str, raw: str) -> None:
    world = priced()
    world.wait(c.HOLDING_NS / S)
    world.costs()
    data = FUNDING | {"lastFundingRatePerSecondP": rate}
    value = {"pairIndex": "0", "collateralIndex": "3", "pairData": data}
    world.tell({"name": "pendingAccFundingFeesStored", "value": value})
    world.wait(c.HOLDING_NS / S)
    assert [(item.pool, item.raw) for item in world.costs()] == [(USDC, raw)]


def test_holding_is_told_when_it_changed_and_not_too_often() -> None:
    world = priced()
    times: dict[str | None, list[int]] = {}
    for number in range(400):
        world.send([0, 100000.0 + number])
        world.tell({"name": "currentBlock", "value": number})
        world.window(0, long=number)
        world.wait(0.1)
        for item in world.costs():
            if item.market == BTC:
                times.setdefault(item.pool, []).append(world.now_ns)
    # What volume leaves of the depth is more than what limits of open interest do.
    assert {pool: len(seen) for pool, seen in times.items()} == {USDC: 1, DAI: 1}
    world.reconnect()
    world.send([0, 100000.0])
    world.wait(c.HOLDING_NS / S)
    assert len([item for item in world.costs() if item.market == BTC]) == 2


def test_what_moves_with_the_price_is_told_in_turn() -> None:
    raw = priced_body()
    raw["collaterals"][0]["pairOis"][0]["token"] = {
        "oiLongToken": str(E18 // 100),
        "oiShortToken": "0",
    }
    world = priced(raw)
    world.wait(c.HOLDING_NS / S)
    world.costs()
    seen = []
    for number in range(1, 450):
        world.send([0, 100000.0 + number / 2])
        world.wait(0.1)
        seen += [(world.now_ns, item.oi_long_usd) for item in world.costs() if item.pool == USDC]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(seen)]
    assert len(seen) >= 4
    assert all(abs(gap - c.HOLDING_NS) <= S // 10 for gap in gaps)
    assert all(text.startswith("310") for _, text in seen if text)


def test_blocks_of_an_unknown_length_cost_what_nobody_knows() -> None:
    world = World((1,)).open(priced_body())
    world.send([0, 100000.0])
    world.wait(c.HOLDING_NS / S)
    assert world.costs() == []
    assert list(depth(world)) == ["1:USDC", "1:DAI"]
