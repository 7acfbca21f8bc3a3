"""The state of a chain: poll and stream put together, its age, and what it adds to the price."""

import json
from typing import Any

import pytest

from connectors.base.protocol import HttpReply
from connectors.gains import constants as c
from connectors.gains.chain import ChainStreamSession
from tests.unit.connectors.gains.world import DAI, E18, NO_DEPTH, USDC, World, body, oi

E10 = 10**10
BID, ASK = 99_980 * E10, 100_020 * E10
PRICED = [("BTC-USD", USDC, BID, ASK), ("BTC-USD", DAI, BID, ASK)]
UNPRICED = [("BTC-USD", USDC, None, None), ("BTC-USD", DAI, None, None)]
# 50 ppm of 100000 for half of the depth, on average half of that.
AFTER_HALF = ASK + 25 * E10 // 10


def priced(raw: Any = None) -> World:
    world = World().open(raw)
    world.send([0, 100000.0])
    world.events()
    return world


def copy() -> Any:
    return json.loads(json.dumps(body()))


def reorg(world: World) -> None:
    world.tell({"name": "deepReorg", "value": None})


# What is added to the price ----------------------------------------------------------------------


def test_volume_of_a_side_moves_that_side_until_its_windows_end() -> None:
    world = priced()
    world.window(0, long=500_000)
    assert world.quotes() == [(market, pool, BID, AFTER_HALF) for market, pool, _, _ in PRICED]
    world.window(0, long=500_000, short=500_000)
    shift = AFTER_HALF - ASK
    assert {item[2:] for item in world.quotes()} == {(BID - shift, AFTER_HALF)}
    # Two windows of a minute count. Every poll finds the same volume in the first.
    volume = {"0": {"oiLongUsd": str(500_000 * E18), "oiShortUsd": str(500_000 * E18)}}
    seen = []
    for _ in range(13):
        world.wait(10)
        if world.asked():
            world.answer(body(oiWindows=[volume]))
        world.send([0, 100000.0])
        seen.append({item[2:] for item in world.quotes() if item[2] is not None})
    assert seen == [{(BID - shift, AFTER_HALF)}] * 11 + [{(BID, ASK)}] * 2


def test_a_pair_exempt_on_open_has_no_volume_impact() -> None:
    raw = copy()
    raw["pairInfos"]["pairFactors"][0] = {"cumulativeFactor": "0", "exemptOnOpen": True}
    raw["pairInfos"]["pairDepthBands"][0] = None
    world = World().open(raw)
    world.window(0, long=500_000)
    world.send([0, 100000.0])
    assert world.quotes() == PRICED


def test_the_factor_weighs_the_volume() -> None:
    raw = copy()
    raw["pairInfos"]["pairFactors"][0] = {"cumulativeFactor": str(5 * 10**9), "exemptOnOpen": False}
    world = priced(raw)
    world.window(0, long=1_000_000)
    assert {item[3] for item in world.quotes()} == {AFTER_HALF}


def test_skew_belongs_to_a_collateral_and_moves_both_sides() -> None:
    raw = copy()
    raw["collaterals"][0]["pairOis"][0] = oi(long=298, short=198)
    world = World().open(raw)
    world.send([0, 100000.0])
    # 100 tokens of 500 a percent, halved: 0.1 %.
    moved = 100 * E10
    assert world.quotes() == [("BTC-USD", USDC, BID + moved, ASK + moved), PRICED[1]]
    value = {"pairIndex": "0", "collateralIndex": "3", "pairOi": oi(long=98, short=198)}
    world.tell({"name": "openInterestPairUpdated", "value": value})
    assert world.quotes() == [("BTC-USD", USDC, BID - moved, ASK - moved)]


@pytest.mark.parametrize(
    "change",
    [
        {"pairDepthBands": [None]},
        {"pairDepthBands": []},
        {"pairDepthBands": [NO_DEPTH | {"aboveSlot1": "x"}]},
    ],
    ids=str,
)
def test_an_impact_that_cannot_be_computed_is_no_price(change: Any) -> None:
    raw = copy()
    raw["pairInfos"] |= change
    world = World().open(raw)
    world.send([0, 100000.0])
    assert world.quotes() == UNPRICED


def test_windows_that_cannot_be_read_are_no_price() -> None:
    world = World().open(body(oiWindows=[{"1": {"oiLongUsd": 1.5, "oiShortUsd": "0"}}]))
    world.send([0, 100000.0])
    assert world.quotes() == UNPRICED


def test_a_version_before_depth_bands_is_priced_where_there_is_no_depth() -> None:
    raw = copy()
    del raw["pairInfos"]["pairDepthBands"], raw["depthBandsMapping"]
    nothing = {"onePercentDepthAboveUsd": "0", "onePercentDepthBelowUsd": "0"}
    deep = nothing | {"onePercentDepthAboveUsd": "1000000"}
    raw["pairInfos"]["pairDepths"] = [nothing, nothing, deep]
    world = World().open(raw)
    world.send([0, 100000.0, 2, 1.5])
    assert world.quotes() == [
        *PRICED,
        ("EUR-USD", USDC, None, None),
        ("EUR-USD", DAI, None, None),
    ]


def test_a_price_that_nothing_is_left_of_is_none() -> None:
    raw = copy()
    raw["pairs"][0]["spreadP"] = str(200 * 10**10)
    world = World().open(raw)
    world.send([0, 100000.0])
    assert world.quotes()[0] == ("BTC-USD", USDC, None, 200_000 * E10)


# Order of poll and stream ------------------------------------------------------------------------


def test_prices_wait_for_the_state_of_the_chain() -> None:
    world = World()
    world.send([0, 100000.0])
    assert world.quotes() == []
    world.load()
    assert world.quotes() == PRICED


def test_the_stream_before_any_state_says_nothing() -> None:
    world = World()
    world.window(0, long=500_000)
    world.load()
    world.send([0, 100000.0])
    assert world.quotes() == PRICED


def test_what_the_stream_says_during_a_fetch_is_newer_than_its_answer() -> None:
    world = priced()
    world.wait(30)
    assert world.asked()
    world.send([0, 100000.0])
    world.events()
    world.window(0, long=400_000)
    world.window(0, long=500_000)
    assert {item[3] for item in world.quotes()} == {AFTER_HALF}
    world.answer()
    assert world.quotes() == []
    world.send([0, 100000.0])
    assert {item[3] for item in world.quotes()} == {AFTER_HALF}


def test_the_state_the_stream_sends_replaces_everything() -> None:
    world = priced()
    world.window(0, long=500_000)
    world.events()
    world.tell({"name": "tradingVariables", "value": body()})
    assert world.quotes() == PRICED


def test_more_messages_than_are_kept_make_a_new_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c, "BUFFER", 5)
    world = World()
    assert world.asked()
    for count in range(6):
        world.window(0, long=count)
    world.answer()
    world.send([0, 100000.0])
    assert world.quotes() == []
    world.wait(2)
    world.load()
    assert world.quotes() == PRICED


def test_open_interest_without_its_new_value_is_fetched_soon_but_not_often() -> None:
    world = priced()
    value = {"pairIndex": "0", "collateralIndex": "3", "pairBorrowingFees": {"oiLong": "1"}}
    for _ in range(5):
        world.tell({"name": "openInterestPairUpdated", "value": value})
        assert not world.asked()
    world.wait(9.9)
    assert not world.asked()
    world.wait(0.2)
    assert world.asked()
    world.tell({"name": "openInterestPairUpdated", "value": value})
    world.answer()
    world.wait(9.9)
    assert not world.asked()
    world.wait(0.2)
    assert world.asked()


# Doubt --------------------------------------------------------------------------------------------

GARBAGE = [
    "", "{", "null", "[]", "7", '{"value":1}', '{"name":7}', '{"name":"oiWindowUpdated"}',
    '{"name":"oiWindowUpdated","value":{"pairIndex":0,"windowId":1,"newOi":{"oiLongUsd":-1}}}',
    '{"name":"tradingVariables","value":{}}', "[" * 100_000, '{"name":"x","value":1e999}',
    '"' + "x" * 9_000_000 + '"',
]  # fmt: skip


@pytest.mark.parametrize("message", GARBAGE, ids=lambda message: message[:60])
def test_an_unreadable_message_takes_the_chain_out_until_it_is_fetched(message: str) -> None:
    world = priced()
    world.wait(3)
    world.events()
    world.tell(message)
    assert world.quotes() == UNPRICED
    world.load()
    assert world.quotes() == PRICED
    assert world.stream.failure is None


def test_a_deep_reorg_takes_the_chain_out_until_it_is_fetched() -> None:
    world = priced()
    world.wait(3)
    world.events()
    reorg(world)
    assert world.quotes() == UNPRICED
    world.load()
    assert world.quotes() == PRICED


@pytest.mark.parametrize("cause", [reorg, lambda world: world.tell("{")], ids=["reorg", "garbage"])
def test_an_answer_asked_for_before_the_doubt_is_not_used(cause: Any) -> None:
    world = priced()
    world.wait(30)
    assert world.asked()
    world.send([0, 100000.0])
    world.events()
    cause(world)
    world.answer()
    assert world.quotes() == UNPRICED
    # Doubts do not make it ask without end.
    assert not world.asked()
    world.wait(2)
    world.load()
    assert world.quotes() == PRICED


def test_too_much_garbage_ends_the_stream() -> None:
    world = priced()
    for _ in range(c.GARBAGE_BUDGET):
        assert world.stream.failure is None
        world.tell("{")
    assert str(world.stream.failure).startswith("GARBAGE")


def test_a_silent_stream_is_made_anew_and_its_state_fetched() -> None:
    world = priced()
    world.now_ns += 59 * 10**9
    world.load()
    world.stream.advance(world.now_ns)
    assert world.stream.failure is None
    world.now_ns += 2 * 10**9
    world.stream.advance(world.now_ns)
    assert str(world.stream.failure).startswith("SILENT")
    assert not world.asked()
    world.stream = ChainStreamSession(world.chain, world.now_ns)
    assert world.asked()


@pytest.mark.parametrize("reply", [b"", b"null", b"{}", b"[]", b"[" * 5000, b'{"pairs":[]}'])
def test_an_unreadable_state_ends_the_poll_and_changes_nothing(reply: bytes) -> None:
    world = priced()
    world.wait(30)
    assert world.asked()
    world.send([0, 100000.0])
    world.events()
    world.polls[0].receive(HttpReply(c.VARIABLES_PATH, reply), world.wall_us, world.now_ns)
    assert str(world.polls[0].failure).startswith("GARBAGE")
    world.send([0, 100000.0])
    assert world.quotes() == PRICED


def test_state_older_than_three_polls_prices_nothing() -> None:
    world = priced()
    for _ in range(9):
        world.wait(10)
        world.send([0, 100000.0])
    world.events()
    world.wait(0.1)
    assert world.quotes() == UNPRICED
    world.load()
    assert world.quotes() == PRICED


def test_the_age_counts_from_the_question() -> None:
    world = World()
    assert world.asked()
    world.wait(10)
    world.answer()
    assert world.chain.usable(world.now_ns)
    assert not world.chain.usable(world.now_ns + 80 * 10**9 + 1)


def test_one_chain_out_of_date_leaves_the_other() -> None:
    world = World((42161, 8453)).open()
    for _ in range(4):
        world.wait(25)
        world.asked()
        world.answer()
        world.send([0, 100000.0])
    assert {item[1] for item in world.quotes() if item[2] is not None} >= {USDC, DAI}
    world.send([0, 100000.0])
    assert world.quotes() == PRICED


def test_windows_and_pairs_nobody_knows_are_passed_over() -> None:
    world = priced()
    world.window(0, long=500_000, pair=481)
    assert world.quotes() == []
    for window in range(10**6, 10**6 + 3 * c.WINDOWS_KEPT):
        world.window(window, long=1)
    assert world.quotes() == []
    for pair, collateral in ((481, 3), (0, 99)):
        value = {"pairIndex": pair, "collateralIndex": collateral, "token": oi(1)["token"]}
        world.tell({"name": "openInterestPairUpdated", "value": value})
    assert world.quotes() == []
    assert world.stream.failure is None


def test_a_list_that_became_shorter() -> None:
    world = priced()
    world.window(0, long=500_000, pair=2)
    raw = copy()
    raw["pairs"].pop()
    world.tell({"name": "tradingVariables", "value": raw})
    world.window(0, long=500_000, pair=2)
    assert world.quotes() == []
    world.send([0, 100000.0, 2, 1.5])
    assert world.quotes() == PRICED
