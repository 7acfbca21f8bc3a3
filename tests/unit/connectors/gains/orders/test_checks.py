"""What speaks against an order before it is signed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.limits import Exposure
from domain.orders import Brackets
from tests.unit.connectors.gains.economics.pools import EXPOSURE, POOL, changed
from tests.unit.connectors.gains.orders.chain import TRADER
from tests.unit.connectors.gains.orders.desk import (
    ANSWERS,
    E10,
    NOON,
    TRADE,
    TSLA,
    Desk,
    cancelled,
    exited,
    opened,
    updated,
)

DESK = Desk()
STOP = {"type": "stop", "trigger_price": Decimal(101_000)}
GROWN = opened({"position_ref": "7"}, intent="increase")
CLOSED = exited()
PART = exited({"size_base": Decimal("0.05")}, intent="decrease", size_base=Decimal("0.05"))
LOSS = exited({"guard_price": None}, type="stop", trigger_price=Decimal(90_000))
PROFIT = exited(
    {"guard_price": Decimal(105_000)}, type="take_profit", trigger_price=Decimal(110_000)
)
RESTING = TRADE | {"index": 3, "tradeType": 1, "openPrice": 99_000 * E10}


def limited(exposure: Exposure) -> Pool:
    return replace(POOL, state=replace(POOL.state, exposure=exposure))


def test_nothing_speaks_against_these() -> None:
    assert DESK.codes(opened()) == []
    assert DESK.codes(opened({"guard_price": Decimal(102_000)}, **STOP)) == []
    for request in (GROWN, CLOSED, PART, LOSS, PROFIT):
        assert DESK.codes(request) == []


# Entries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "answers"),
    [
        ("MARKET_CLOSED", {"activated": 1}),
        ("MARKET_CLOSED", {"activated": 2}),
        ("LEVERAGE", {"max_leverage": 9_999}),
        ("LEVERAGE", {"min_leverage": 10_001}),
        ("LEVERAGE", {"min_leverage": 0, "max_leverage": 0}),
        ("COLLATERAL", {"collateral": ANSWERS["collateral"] | {"isActive": False}}),
        ("COLLATERAL", {"collateral": ANSWERS["collateral"] | {"collateral": TRADER}}),
        ("COLLATERAL", {"collateral": ANSWERS["collateral"] | {"precision": 10**18}}),
        ("BALANCE", {"balance": 10**9 - 1}),
    ],
)
def test_what_the_chain_says_against_an_opening(code: str, answers: dict[str, Any]) -> None:
    assert Desk(**answers).codes(opened()) == [code]


@pytest.mark.parametrize("limits", [{"max_leverage": 10_000}, {"min_leverage": 10_000}])
def test_limits_of_leverage_include_themselves(limits: dict[str, int]) -> None:
    assert Desk(**limits).codes(opened()) == []


def test_the_first_reason_of_the_contract_is_told_with_its_name() -> None:
    desk = Desk(activated=2, max_leverage=5_000)
    (found,) = desk.refusals(opened())
    assert "(Paused)" in found.message
    small = opened(
        {
            "collateral_amount": Decimal("3.7"),
            "notional_usd": Decimal(37),
            "size_base": Decimal("0.00037"),
        }
    )
    (found,) = Desk(max_leverage=5_000).refusals(small)
    assert (found.code, "(InsufficientCollateral)" in found.message) == ("COLLATERAL", True)
    enough = opened({"collateral_amount": Decimal("3.75"), "notional_usd": Decimal("37.5")})
    assert DESK.codes(enough) == []


@pytest.mark.parametrize(
    ("brackets", "codes"),
    [
        (Brackets(Decimal(100_021), Decimal(100_019)), []),
        (Brackets(take_profit=Decimal(100_020)), ["TRIGGER_SIDE"]),
        (Brackets(stop_loss=Decimal(100_020)), ["TRIGGER_SIDE"]),
        (Brackets(stop_loss=Decimal(100_021)), ["TRIGGER_SIDE"]),
    ],
)
def test_brackets_stand_on_their_sides(brackets: Brackets, codes: list[str]) -> None:
    assert DESK.codes(opened(brackets=brackets)) == codes


def test_what_the_oracle_answer_would_be_cancelled_for() -> None:
    taken = limited(Exposure(OpenInterest(9_995 * E10, 0, 19_990 * E10), OpenInterest(0, 0, 0)))
    assert Desk(taken).codes(opened()) == ["DEPTH"]
    group = limited(replace(EXPOSURE, group=OpenInterest(0, 0, 9_999 * E10)))
    assert Desk(group).codes(opened()) == ["DEPTH"]
    skewed = limited(replace(EXPOSURE, max_skew_e10=9_999 * E10))
    assert Desk(skewed).codes(opened()) == ["DEPTH"]
    assert Desk(skewed).codes(opened({"guard_price": None}, **STOP)) == []
    tight = opened({"guard_price": Decimal(100_019)})
    assert DESK.codes(tight) == ["PRICE_GUARD"]


def test_the_price_of_the_size_counts_against_the_bound() -> None:
    """Volume that is left moves the fill: 4 % of spread half are 2 %."""
    wide = changed(spread_p=4 * 10**10)
    assert Desk(wide).codes(opened()) == ["PRICE_GUARD"]
    loose = opened({"guard_price": Decimal(103_000), "expected_price": Decimal(102_000)})
    assert Desk(wide).codes(loose) == []
    assert Desk(wide).codes(replace(loose, intent=replace(loose.intent, leverage=Decimal(50)))) == [
        "IMPACT"
    ]


def test_nobody_knows_the_pool() -> None:
    desk = Desk(pool=None)
    assert desk.codes(opened()) == ["UNKNOWN_DEPTH"]
    assert desk.codes(GROWN) == ["UNKNOWN_DEPTH"]
    for request in (CLOSED, PART, LOSS, PROFIT):
        assert desk.codes(request) == []


@pytest.mark.parametrize(
    ("side", "trigger", "codes"),
    [
        ("BUY", 100_001, []),
        ("BUY", 100_000, ["TRIGGER_SIDE"]),
        ("SELL", 99_999, []),
        ("SELL", 100_000, ["TRIGGER_SIDE"]),
    ],
)
def test_a_stop_waits_on_the_far_side(side: str, trigger: int, codes: list[str]) -> None:
    request = opened({"guard_price": None}, side=side, type="stop", trigger_price=Decimal(trigger))
    assert DESK.codes(request) == codes


def test_a_limit_that_is_better_than_asked_for_is_taken() -> None:
    request = opened({"guard_price": Decimal(101_000)}, type="limit", limit_price=Decimal(101_000))
    assert DESK.codes(request) == []


def test_outside_of_hours_no_oracle_answers() -> None:
    """Whether a market is open the venue says, by the depth that there is then; the calendar only
    says why there is none."""
    night = NOON + 12 * 3600
    request = opened(market=TSLA)
    waits = opened({"guard_price": None}, market=TSLA, **STOP)
    closed = Desk(pool=None)
    for asked in (request, waits):
        assert DESK.codes(asked, now_s=NOON) == DESK.codes(asked, now_s=night) == []
        assert closed.codes(asked, now_s=night) == ["MARKET_CLOSED"]
        assert closed.codes(asked, now_s=NOON) == ["UNKNOWN_DEPTH"]
    assert DESK.codes(opened(), now_s=night) == []
    # An exit is not refused for it: the calendar may be wrong.
    closing = replace(CLOSED, intent=replace(CLOSED.intent, market=TSLA))
    assert Desk(trade=TRADE | {"pairIndex": 85}).codes(closing, now_s=night) == []


def test_ether_has_to_be_there() -> None:
    desk = Desk(
        collateral={
            "collateral": "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
            "isActive": True,
            "precision": 10**18,
        },
        collateral_price=2500 * 10**8,
        balance=0,
    )
    mine = {"pool": "42161:WETH", "collateral_symbol": "ETH", "collateral_amount": Decimal("0.4")}
    assert desk.codes(opened(mine), wei=4 * 10**17) == []
    assert desk.codes(opened(mine), wei=4 * 10**17 - 1) == ["BALANCE"]


# Positions ----------------------------------------------------------------------------------------


def waiting(order_type: int, trade: int = 7) -> list[dict[str, Any]]:
    return [{"isOpen": True, "orderType": order_type, "trade": {"index": trade}}]


@pytest.mark.parametrize("request_", [GROWN, CLOSED, PART], ids=["grow", "close", "part"])
@pytest.mark.parametrize("order_type", [1, 7, 8, 9, 11])
def test_one_request_waits_for_a_position(request_: Any, order_type: int) -> None:
    (found,) = Desk(requests=waiting(order_type)).refusals(request_)
    assert found.code == "ORDER_PENDING"
    assert Desk(requests=waiting(order_type, 8)).codes(request_) == []


def test_openings_do_not_wait_for_each_other() -> None:
    assert Desk(requests=waiting(0, 0)).codes(CLOSED) == []
    gone = [waiting(1)[0] | {"isOpen": False}]
    assert Desk(requests=gone).codes(CLOSED) == []


@pytest.mark.parametrize(
    ("request_", "close_only"),
    [(GROWN, False), (CLOSED, True), (PART, True), (LOSS, False), (PROFIT, False)],
    ids=["grow", "close", "part", "loss", "profit"],
)
def test_what_passes_while_only_closes_do(request_: Any, close_only: bool) -> None:
    assert Desk(activated=1).codes(request_) == ([] if close_only else ["MARKET_CLOSED"])
    assert Desk(activated=2).codes(request_) == ["MARKET_CLOSED"]


def test_an_order_that_rests_is_no_position() -> None:
    desk = Desk(trade=RESTING)
    for request in (GROWN, CLOSED, PROFIT):
        assert desk.codes(request) == ["POSITION_GONE"]


def test_what_is_left_has_to_be_worth_a_fee() -> None:
    """0.75 USD at the recorded rate."""
    most = exited(
        {"size_base": Decimal("0.09993")}, intent="decrease", size_base=Decimal("0.09993")
    )
    assert DESK.codes(most) == ["COLLATERAL"]
    less = exited(
        {"size_base": Decimal("0.09992")}, intent="decrease", size_base=Decimal("0.09992")
    )
    assert DESK.codes(less) == []


def test_more_leverage_than_the_market_takes() -> None:
    assert Desk(max_leverage=9_999).codes(GROWN) == ["LEVERAGE"]
    assert Desk(balance=0).codes(GROWN) == ["BALANCE"]
    assert Desk(changed(spread_p=4 * 10**10)).codes(GROWN) == ["PRICE_GUARD"]


@pytest.mark.parametrize(
    ("kind", "trigger", "codes"),
    [
        ("stop", 99_999, []),
        ("stop", 100_000, ["TRIGGER_SIDE"]),
        ("take_profit", 100_001, []),
        ("take_profit", 100_000, ["TRIGGER_SIDE"]),
    ],
)
@pytest.mark.parametrize("long", [True, False])
def test_exits_wait_on_their_side(kind: str, trigger: int, codes: list[str], long: bool) -> None:
    """The contract takes either and would close at once."""
    at = trigger if long else 200_000 - trigger
    request = exited(
        {"guard_price": None}, type=kind, trigger_price=Decimal(at), side="SELL" if long else "BUY"
    )
    desk = Desk(trade=TRADE | {"long": long})
    assert desk.codes(request) == codes


# Changes ------------------------------------------------------------------------------------------


def test_a_resting_order_is_changed_or_cancelled_while_it_is_there() -> None:
    request = updated(
        opened(
            {"guard_price": Decimal(98_000)},
            type="limit",
            limit_price=Decimal(98_000),
            brackets=Brackets(Decimal(99_000), Decimal(97_000)),
        ),
        order="3",
    )
    desk = Desk(trade=RESTING)
    assert desk.codes(request) == desk.codes(cancelled(order="3")) == []
    assert Desk(trade=RESTING, activated=1).codes(request) == ["MARKET_CLOSED"]
    assert Desk(trade=RESTING, activated=1).codes(cancelled(order="3")) == []
    assert Desk(trade=RESTING, activated=2).codes(cancelled(order="3")) == ["MARKET_CLOSED"]
    for trade in (TRADE, RESTING | {"isOpen": False}):
        assert Desk(trade=trade).codes(cancelled(order="3")) == ["ORDER_GONE"]
    gone = Desk(trade=RESTING | {"isOpen": False})
    assert gone.codes(request) == ["POSITION_GONE"]
    wrong = replace(
        request, intent=replace(request.intent, brackets=Brackets(Decimal(97_000), Decimal(99_000)))
    )
    assert desk.codes(wrong) == ["TRIGGER_SIDE", "TRIGGER_SIDE"]


def test_a_request_is_taken_back_when_its_time_is_up() -> None:
    """Made in block 1000, with 200 blocks of time."""
    request = cancelled(request="12")
    assert DESK.codes(request, block=1_200) == []
    (early,) = DESK.refusals(request, block=1_199)
    assert (early.code, "1 more blocks" in early.message) == ("TOO_EARLY", True)
    # A quarter of a second, rounded up.
    [far] = DESK.refusals(request, block=1_191)
    assert early.from_s is not None
    assert far.from_s == early.from_s + 2
    answered = Desk(request=ANSWERS["request"] | {"isOpen": False})
    assert answered.codes(request, block=1_200) == ["ORDER_GONE"]
    assert Desk(activated=2).codes(request, block=1_200) == ["MARKET_CLOSED"]


def test_blocks_are_counted_as_the_diamond_does() -> None:
    """By ArbSys where the chain has it; a chain without answers nothing, or nothing of use."""
    request = cancelled(request="12")
    assert Desk(block=1_200).codes(request, block=5) == []
    assert Desk(block=1_199).codes(request, block=9_999) == ["TOO_EARLY"]
    for nothing in (None, b"", b"\x01"):
        assert Desk(block=nothing).codes(request, block=1_200) == []
        assert Desk(block=nothing).codes(request, block=1_199) == ["TOO_EARLY"]


def test_an_exit_is_taken_away_while_there_is_a_position() -> None:
    assert DESK.codes(cancelled(tp="7")) == []
    assert Desk(trade=TRADE | {"isOpen": False}).codes(cancelled(sl="7")) == ["POSITION_GONE"]
    assert Desk(activated=1).codes(cancelled(sl="7")) == ["MARKET_CLOSED"]
