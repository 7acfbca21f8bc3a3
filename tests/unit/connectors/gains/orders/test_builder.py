"""From an intent to the bytes that are signed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode

from connectors.base.order_tag import untagged
from connectors.base.orders import Call, OrderBuilder, Place, Step, Transaction
from connectors.gains.orders import calls as c
from connectors.gains.orders import reads
from connectors.gains.orders.builder import GAS, ORACLE_GAS
from connectors.gains.orders.deployments import DEPLOYMENTS
from domain.errors import InputError, InvariantViolation, VenueProtocolError
from domain.orders import Brackets, PriceGuard
from tests.unit.connectors.gains.economics.pools import POOL
from tests.unit.connectors.gains.orders.chain import DIAMOND, TRADER, calldata
from tests.unit.connectors.gains.orders.desk import (
    E10,
    TABLES,
    TAG,
    TRADE,
    USDC,
    Desk,
    cancelled,
    exited,
    intent,
    leg,
    opened,
    updated,
)

DESK = Desk()
STOPPED = TRADE | {"sl": 90_000 * E10}
RESTING = TRADE | {"index": 3, "tradeType": 1, "openPrice": 99_000 * E10}


def call_of(step: Step) -> c.Call:
    return c.decode(untagged(step.data))


def closed(call: c.Single, slippage_e3: int = 1_000) -> c.Batch:
    return c.Batch((c.UpdateClosingSlippage(c.TradeIndex(7), slippage_e3), call))


def refused(desk: Desk, request: Any) -> str:
    with pytest.raises(InputError) as error:
        desk.steps(request)
    return error.value.code


# Entries ----------------------------------------------------------------------------------------


def test_a_market_order_is_approved_and_sent() -> None:
    """480 of 100020 are 479.9 of 1e-3 percent: 479 are never past 100500."""
    approve, order = DESK.steps(opened())
    data = bytes.fromhex("095ea7b3") + encode(["address", "uint256"], [DIAMOND, 10**9])
    assert approve == Step("approve", USDC.address, 0, data + TAG, 150_000)
    trade = (TRADER, 0, 0, 10_000, True, True, 3, 0, 10**9, 100_020 * E10, 0, 0, False, 0, 0)
    expected = calldata("openTrade", trade, 479, "0x" + "0" * 40)
    assert order == Step(
        "order",
        DIAMOND,
        0,
        expected + TAG,
        ORACLE_GAS,
        PriceGuard("maxSlippageP", Decimal("100499.0958"), "479"),
    )
    assert DESK.orders.guard(intent(), leg()) == order.guard


def test_it_is_an_order_builder() -> None:
    builder: OrderBuilder = DESK.orders
    assert builder.venue == "gains"


def test_what_is_allowed_already_is_not_approved_again() -> None:
    assert [step.id for step in Desk(allowance=10**9).steps(opened())] == ["order"]
    assert [step.id for step in Desk(allowance=10**9 - 1).steps(opened())] == ["approve", "order"]
    unlimited = replace(opened(), approval="unlimited")
    data = DESK.steps(unlimited)[0].data
    assert (
        data
        == bytes.fromhex("095ea7b3") + encode(["address", "uint256"], [DIAMOND, 2**256 - 1]) + TAG
    )


def test_ether_in_place_of_the_wrapped_coin() -> None:
    weth = DEPLOYMENTS[42161].collaterals[1]
    desk = Desk(
        collateral={"collateral": weth.address, "isActive": True, "precision": 10**18},
        collateral_price=2500 * 10**8,
    )
    mine = {"pool": "42161:WETH", "collateral_symbol": "ETH", "collateral_amount": Decimal("0.4")}
    (step,) = desk.steps(opened(mine))
    call = call_of(step)
    assert isinstance(call, c.OpenTrade)
    assert (step.value_wei, call.collateral, call.native) == (4 * 10**17, 4 * 10**17, True)
    wrapped = desk.steps(opened(mine | {"collateral_symbol": "WETH"}))
    assert [(found.id, found.value_wei) for found in wrapped] == [("approve", 0), ("order", 0)]
    assert refused(desk, opened({"collateral_symbol": "ETH"})) == "COLLATERAL"
    polygon = {"chain_id": 137, "pool": "137:WETH", "collateral_symbol": "ETH"}
    with pytest.raises(InputError):
        reads.calls(TABLES, opened(polygon))


def test_collateral_and_leverage_never_exceed_what_was_asked_for() -> None:
    """A dollar of 1.0002: 10000 USD are 9998.0004 USDC."""
    call = call_of(Desk(collateral_price=100_020_000).step(opened()))
    assert isinstance(call, c.OpenTrade)
    assert (call.collateral, call.leverage_e3) == (999_800_039, 10_000)
    given = opened(leverage=None, collateral_symbol="USDC", collateral_amount=Decimal(999))
    call = call_of(DESK.step(replace(given, leg=leg(collateral_amount=Decimal(999)))))
    assert isinstance(call, c.OpenTrade)
    assert (call.collateral, call.leverage_e3) == (998_901_208, 10_011)
    assert call.collateral * call.leverage_e3 <= 10**13


def test_a_limit_triggers_ahead_of_its_limit() -> None:
    """Half of the spread and what 10000 USD move: 0.0200 % now, allowed for twice."""
    request = opened(
        {"guard_price": Decimal(99_000)},
        type="limit",
        limit_price=Decimal(99_000),
        brackets=Brackets(Decimal(120_000), Decimal(95_000)),
    )
    step = DESK.step(request)
    call = call_of(step)
    assert isinstance(call, c.OpenTrade)
    assert call.trade_type is c.TradeType.LIMIT
    assert call.max_slippage_e3 == 42
    assert step.guard is not None
    assert step.guard.price <= 99_000
    assert 99_000 * E10 - call.price_e10 == pytest.approx(99_000 * E10 * 42 / 100_042, rel=1e-6)
    assert (call.tp_e10, call.sl_e10) == (120_000 * E10, 95_000 * E10)
    # Nobody knows the pool: the trader's own slippage.
    blind = call_of(Desk(pool=None).step(request))
    assert isinstance(blind, c.OpenTrade)
    assert blind.max_slippage_e3 == 500


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "bound", "trade_type", "slippage"),
    [
        ("stop", "BUY", 101_000, 101_505, c.TradeType.STOP, 500),
        ("stop", "SELL", 99_000, 98_505, c.TradeType.STOP, 500),
        ("take_profit", "BUY", 99_000, 99_495, c.TradeType.LIMIT, 500),
        ("take_profit", "SELL", 101_000, 100_495, c.TradeType.LIMIT, 500),
    ],
)
def test_entries_that_wait_for_a_trigger(
    kind: str, side: str, trigger: int, bound: int, trade_type: c.TradeType, slippage: int
) -> None:
    request = opened(
        {"guard_price": Decimal(bound)}, type=kind, side=side, trigger_price=Decimal(trigger)
    )
    step = DESK.step(request)
    call = call_of(step)
    assert isinstance(call, c.OpenTrade)
    assert (call.trade_type, call.price_e10) == (trade_type, trigger * E10)
    assert call.max_slippage_e3 == slippage
    assert step.guard == PriceGuard("maxSlippageP", Decimal(bound), str(slippage))
    assert step.guard == DESK.orders.guard(request.intent, request.leg)


def test_a_bound_at_the_trigger_moves_it_by_a_step() -> None:
    request = opened({"guard_price": Decimal(101_000)}, type="stop", trigger_price=Decimal(101_000))
    step = DESK.step(request)
    call = call_of(step)
    assert isinstance(call, c.OpenTrade)
    assert call.max_slippage_e3 == 1
    assert step.guard is not None
    assert step.guard.price <= 101_000
    past = opened({"guard_price": Decimal(100_999)}, type="stop", trigger_price=Decimal(101_000))
    assert refused(DESK, past) == "BAD_LIMIT"


def test_a_position_grows() -> None:
    request = opened({"position_ref": "7", "guard_price": None}, intent="increase")
    assert call_of(DESK.step(request)) == c.IncreasePosition(
        c.TradeIndex(7), 10**9, 10_000, 100_020 * E10, 65_535
    )
    more_leverage = opened(
        {"position_ref": "7", "size_base": Decimal("0.05"), "collateral_amount": None},
        intent="increase",
        leverage=None,
        size_base=Decimal("0.05"),
    )
    call = call_of(DESK.step(more_leverage))
    assert isinstance(call, c.IncreasePosition)
    assert (call.collateral, call.leverage_e3) == (0, 5_000)
    waits = opened(
        {"position_ref": "7"}, intent="increase", type="stop", trigger_price=Decimal(101_000)
    )
    assert refused(DESK, waits) == "NOT_OFFERED"
    bracketed = replace(
        request, intent=replace(request.intent, brackets=Brackets(Decimal(120_000)))
    )
    assert refused(DESK, bracketed) == "NOT_OFFERED"


# Exits ------------------------------------------------------------------------------------------


def test_a_close_is_bounded_whatever_slippage_is_stored() -> None:
    step = DESK.step(exited())
    call = closed(c.CloseTrade(c.TradeIndex(7), 1_005_050_505_050_505))
    assert call_of(step) == call
    assert step.guard == PriceGuard("maxSlippageP", Decimal(99_500), "1000")
    assert step.guard == DESK.orders.guard(exited().intent, exited().leg)
    stored = Desk(info={"maxSlippageP": 300}).step(exited())
    found = call_of(stored)
    assert isinstance(found, c.Batch)
    assert found.calls[0] == c.UpdateClosingSlippage(c.TradeIndex(7), 300)
    assert stored.guard is not None
    assert Decimal(99_500) <= stored.guard.price < Decimal("99500.00001")
    assert step.gas == ORACLE_GAS


@pytest.mark.parametrize(("long", "expected"), [(True, 1), (False, 2**64 - 1)])
def test_a_close_at_any_price(long: bool, expected: int) -> None:
    request = exited({"guard_price": None}, side="SELL" if long else "BUY")
    step = Desk(trade=TRADE | {"long": long}).step(request)
    assert call_of(step) == closed(c.CloseTrade(c.TradeIndex(7), expected))


def test_a_part_is_taken_off_the_collateral() -> None:
    part = exited(
        {"size_base": Decimal("0.0333333333333")}, intent="decrease", size_base=Decimal("0.03")
    )
    step = DESK.step(part)
    call = call_of(step)
    assert isinstance(call, c.Batch)
    decrease = call.calls[1]
    assert isinstance(decrease, c.DecreasePosition)
    assert (decrease.collateral, decrease.leverage_e3) == (333_333_333, 0)
    more = exited({"size_base": Decimal("0.11")}, intent="decrease", size_base=Decimal("0.11"))
    assert isinstance(call_of(DESK.step(more)).calls[1], c.CloseTrade)  # type: ignore[union-attr]
    nothing = exited({"size_base": Decimal("1e-12")}, intent="decrease", size_base=Decimal("1e-12"))
    assert refused(DESK, nothing) == "SIZE"


def test_exits_that_wait() -> None:
    profit = exited(
        {"guard_price": Decimal(109_450)}, type="take_profit", trigger_price=Decimal(110_000)
    )
    step = DESK.step(profit)
    assert call_of(step) == closed(c.UpdateTakeProfit(c.TradeIndex(7), 110_000 * E10), 500)
    assert step.guard == PriceGuard("maxSlippageP", Decimal(109_450), "500")
    assert step.gas == GAS
    stop = exited({"guard_price": None}, type="stop", trigger_price=Decimal(90_000))
    step = DESK.step(stop)
    # A stop loss must get out.
    assert call_of(step) == closed(c.UpdateStopLoss(c.TradeIndex(7), 90_000 * E10), 65_535)
    assert step.guard is None
    assert DESK.orders.guard(stop.intent, stop.leg).price == 0
    bounded = exited({"guard_price": Decimal(89_100)}, type="stop", trigger_price=Decimal(90_000))
    assert call_of(DESK.step(bounded)) == closed(
        c.UpdateStopLoss(c.TradeIndex(7), 90_000 * E10), 1_000
    )
    limit = exited({"guard_price": Decimal(110_000)}, type="limit", limit_price=Decimal(110_000))
    step = DESK.step(limit)
    batch = call_of(step)
    assert isinstance(batch, c.Batch)
    assert isinstance(batch.calls[1], c.UpdateTakeProfit)
    assert step.guard is not None
    assert Decimal(110_000) <= step.guard.price < Decimal("110000.00001")


def test_a_take_profit_does_not_hold_back_the_stop_loss() -> None:
    """A position has one slippage for all of its closes."""
    desk = Desk(trade=STOPPED)
    tight = exited(
        {"guard_price": Decimal(109_450)}, type="take_profit", trigger_price=Decimal(110_000)
    )
    assert refused(desk, tight) == "SHARED_SLIPPAGE"
    assert desk.codes(tight) == ["SHARED_SLIPPAGE"]
    wide = exited(
        {"guard_price": Decimal(108_900)}, type="take_profit", trigger_price=Decimal(110_000)
    )
    assert call_of(desk.step(wide)) == closed(
        c.UpdateTakeProfit(c.TradeIndex(7), 110_000 * E10), 1_000
    )
    limit = exited({"guard_price": Decimal(110_000)}, type="limit", limit_price=Decimal(110_000))
    batch = call_of(desk.step(limit))
    assert isinstance(batch, c.Batch)
    assert batch.calls[0] == c.UpdateClosingSlippage(c.TradeIndex(7), 1_000)


def test_an_exit_that_waits_is_of_all() -> None:
    half = exited(
        {"size_base": Decimal("0.05"), "guard_price": None},
        intent="decrease",
        size_base=Decimal("0.05"),
        type="stop",
        trigger_price=Decimal(90_000),
    )
    assert refused(DESK, half) == "NOT_OFFERED"
    whole = exited(
        {"guard_price": None},
        intent="decrease",
        size_base=Decimal("0.1"),
        type="stop",
        trigger_price=Decimal(90_000),
    )
    assert DESK.step(whole)


@pytest.mark.parametrize(
    ("code", "trade"),
    [
        ("POSITION", TRADE | {"long": False}),
        ("POSITION", TRADE | {"pairIndex": 1}),
        ("POSITION", TRADE | {"collateralIndex": 1}),
        ("POSITION_GONE", TRADE | {"isOpen": False}),
    ],
)
def test_another_position_is_not_touched(code: str, trade: dict[str, Any]) -> None:
    assert refused(Desk(trade=trade), exited()) == code
    assert Desk(trade=trade).codes(exited()) == [code]


# Changes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refs", "call"),
    [
        ({"order": "3"}, c.CancelOpenOrder(c.TradeIndex(3))),
        ({"request": "12"}, c.CancelAfterTimeout(c.PendingIndex(12))),
        ({"tp": "7"}, c.UpdateTakeProfit(c.TradeIndex(7), 0)),
        ({"sl": "7"}, c.UpdateStopLoss(c.TradeIndex(7), 0)),
    ],
)
def test_cancels(refs: dict[str, str], call: c.Call) -> None:
    (step,) = DESK.steps(cancelled(**refs))
    assert step == Step("cancel", DIAMOND, 0, c.encode(call) + TAG, GAS)


def test_a_resting_order_gets_other_prices() -> None:
    request = opened(
        {"guard_price": Decimal(98_000)},
        type="limit",
        limit_price=Decimal(98_000),
        brackets=Brackets(stop_loss=Decimal(95_000)),
    )
    desk = Desk(trade=RESTING)
    step = desk.step(updated(request, order="3"))
    call = call_of(step)
    assert isinstance(call, c.UpdateOpenOrder)
    assert (call.index, call.tp_e10, call.sl_e10, call.max_slippage_e3) == (
        3,
        0,
        95_000 * E10,
        42,
    )
    assert (step.id, step.guard) == ("update", desk.orders.guard(request.intent, request.leg))
    stop = opened({"guard_price": None}, type="stop", trigger_price=Decimal(101_000))
    assert refused(desk, updated(stop, order="3")) == "NOT_UPDATABLE"
    assert refused(DESK, updated(request, order="7")) == "ORDER_GONE"
    assert refused(DESK, updated(request, request="7")) == "NOT_UPDATABLE"


def test_an_exit_gets_another_price() -> None:
    request = exited({"guard_price": None}, type="stop", trigger_price=Decimal(95_000))
    assert call_of(DESK.step(updated(request, sl="7"))) == closed(
        c.UpdateStopLoss(c.TradeIndex(7), 95_000 * E10), 65_535
    )
    assert refused(DESK, updated(request, tp="7")) == "BAD_REFS"


@pytest.mark.parametrize("refs", [{}, {"order": "x"}, {"order": "3", "tp": "7"}, {"index": "3"}])
def test_who_says_nothing_is_not_understood(refs: dict[str, str]) -> None:
    with pytest.raises(InputError) as error:
        reads.calls(TABLES, cancelled(**refs))
    assert error.value.code == "BAD_REFS"


@pytest.mark.parametrize(
    ("code", "changed", "leg_changes"),
    [
        ("NOT_OFFERED", {"type": "limit", "limit_price": Decimal(1), "time_in_force": "IOC"}, {}),
        (
            "NOT_OFFERED",
            {
                "type": "limit",
                "limit_price": Decimal(1),
                "time_in_force": "GTT",
                "good_til_s": 2_000_000_000,
            },
            {},
        ),
        ("NOT_OFFERED", {"type": "limit", "limit_price": Decimal(1), "post_only": True}, {}),
        ("BAD_PRICE", {}, {"expected_price": Decimal(2) * 10**9}),
        ("COLLATERAL", {}, {"collateral_amount": None}),
        ("COLLATERAL", {}, {"collateral_amount": Decimal("1e-7")}),
        ("LEVERAGE", {"leverage": Decimal("1e-4")}, {}),
    ],
)
def test_what_gains_does_not_take(
    code: str, changed: dict[str, Any], leg_changes: dict[str, Any]
) -> None:
    assert refused(DESK, opened(leg_changes, **changed)) == code


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("UNKNOWN_CHAIN", {"chain_id": 1}),
        ("UNKNOWN_CHAIN", {"chain_id": "dydx-mainnet-1"}),
        ("UNKNOWN_POOL", {"pool": "137:USDC"}),
        ("UNKNOWN_POOL", {"pool": None}),
        ("UNKNOWN_COLLATERAL", {"pool": "42161:USDT"}),
    ],
)
def test_what_there_is_not(code: str, changed: dict[str, Any]) -> None:
    with pytest.raises(InputError) as error:
        DESK.orders.reads(opened(changed))
    assert error.value.code == code
    with pytest.raises(InputError) as error:
        DESK.orders.reads(exited({"position_ref": "x"}))
    assert error.value.code == "POSITION"


# What is asked, and what is answered --------------------------------------------------------------


def test_the_calls_are_those_of_an_independent_encoder() -> None:
    asked = reads.calls(TABLES, exited())
    assert asked["trade"] == Call(DIAMOND, calldata("getTrade", TRADER, 7))
    assert asked["requests"] == Call(DIAMOND, calldata("getPendingOrders", TRADER))
    asked = reads.calls(TABLES, opened())
    assert asked["max_leverage"] == Call(DIAMOND, calldata("pairMaxLeverage", 0))
    assert asked["collateral"] == Call(DIAMOND, calldata("getCollateral", 3))
    balance = bytes.fromhex("70a08231") + encode(["address"], [TRADER])
    assert asked["balance"] == Call(USDC.address, balance)
    pending = calldata("getPendingOrder", (TRADER, 12))
    assert reads.calls(TABLES, cancelled(request="12"))["request"] == Call(DIAMOND, pending)


@pytest.mark.parametrize("name", ["collateral_price", "allowance"])
def test_a_chain_that_does_not_answer(name: str) -> None:
    with pytest.raises(VenueProtocolError) as error:
        Desk(**{name: None}).steps(opened())
    assert error.value.code == "BAD_ANSWER"


def test_answers_that_cannot_be() -> None:
    facts = DESK.facts(opened())
    with pytest.raises(InvariantViolation):
        DESK.orders.build(opened(), replace(facts, chain_id=137))
    with pytest.raises(InvariantViolation):
        DESK.orders.build(opened(), replace(facts, answers=facts.answers[1:]))
    with pytest.raises(VenueProtocolError):
        DESK.orders.build(opened(), replace(facts, answers=(b"",) * len(facts.answers)))
    with pytest.raises(VenueProtocolError):
        Desk(trade=TRADE | {"tradeType": 9}).steps(exited())
    with pytest.raises(VenueProtocolError):
        Desk(requests=[{"orderType": 99, "isOpen": True}]).codes(exited())


# What was signed ----------------------------------------------------------------------------------


def sent(step: Step, **changed: Any) -> Transaction:
    values = {"to": step.to, "value_wei": step.value_wei, "data": step.data} | changed
    return Transaction(chain_id=42161, sender=TRADER, nonce=3, gas=1, **values)


def test_the_step_itself_is_the_step() -> None:
    for step in (*DESK.steps(opened()), *DESK.steps(exited()), *DESK.steps(cancelled(order="3"))):
        assert DESK.orders.verify(step, sent(step)) is None
        assert DESK.orders.verify(step, sent(step, to=step.to.lower())) is None


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("to", {"to": TRADER}),
        ("to", {"to": None}),
        ("value", {"value_wei": 1}),
        ("data.tag", {"data": b"\x01" * 32}),
        ("data", {"data": calldata("cancelOpenOrder", 3) + TAG}),
        ("data", {"data": b""}),
    ],
)
def test_what_differs_is_named(field: str, changed: dict[str, Any]) -> None:
    step = DESK.step(opened())
    if field == "data.tag":
        changed = {"data": step.data[:-32] + changed["data"]}
        assert DESK.orders.verify(step, sent(step, data=step.data[:-32])) == "data.tag"
    assert DESK.orders.verify(step, sent(step, **changed)) == field


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("multicall[0].updateMaxClosingSlippageP._maxSlippageP", (7, 1_001, 7, 5)),
        ("multicall[1].closeTradeMarket._index", (7, 1_000, 8, 5)),
        ("multicall[1].closeTradeMarket._expectedPrice", (7, 1_000, 7, 6)),
    ],
)
def test_a_field_inside_a_batch_is_named(field: str, call: tuple[int, int, int, int]) -> None:
    ours = closed(c.CloseTrade(c.TradeIndex(7), 5))
    step = Step("order", DIAMOND, 0, c.encode(ours) + TAG, GAS)
    first = c.UpdateClosingSlippage(c.TradeIndex(call[0]), call[1])
    theirs = c.encode(c.Batch((first, c.CloseTrade(c.TradeIndex(call[2]), call[3])))) + TAG
    assert DESK.orders.verify(step, sent(step, data=theirs)) == f"data.{field}"
    other = c.encode(c.Batch((first,))) + TAG
    assert DESK.orders.verify(step, sent(step, data=other)) == "data.multicall"
    swapped = c.encode(c.Batch((ours.calls[1], ours.calls[0]))) + TAG
    assert DESK.orders.verify(step, sent(step, data=swapped)) == "data.multicall[0]"


def test_a_field_of_an_approval_is_named() -> None:
    step = DESK.steps(opened())[0]
    more = bytes.fromhex("095ea7b3") + encode(["address", "uint256"], [DIAMOND, 10**18]) + TAG
    assert DESK.orders.verify(step, sent(step, data=more)) == "data.approve.amount"
    other = bytes.fromhex("095ea7b3") + encode(["address", "uint256"], [TRADER, 10**9]) + TAG
    assert DESK.orders.verify(step, sent(step, data=other)) == "data.approve.spender"


def test_the_pool_of_the_tests_is_one_of_a_million() -> None:
    assert POOL.state.pair.above.depth_usd == 1_000_000


# Margin -----------------------------------------------------------------------------------------


def margin(amount: str, *, out: bool = False) -> Any:
    """Of the long, 1000 USDC x10."""
    wanted = {
        "intent": "decrease" if out else "increase",
        "side": "SELL" if out else "BUY",
        "size_base": None,
        "leverage": None,
        "collateral_amount": Decimal(amount),
    }
    amounts = {
        "collateral_amount": Decimal(amount), "size_base": Decimal(0), "notional_usd": Decimal(0),
        "guard_price": None, "position_ref": "7",
    }  # fmt: skip
    return opened(amounts, **wanted)


def test_margin_is_another_leverage_of_the_same_size() -> None:
    """10000 of 1250 is 8x. 1333.33 would be 7.5x with 0.003 more than was asked for: 7.501."""
    approve, step = DESK.steps(margin("250"))
    assert approve.data[4:68] == encode(["address", "uint256"], [DIAMOND, 250 * 10**6])
    assert call_of(step) == c.UpdateLeverage(c.TradeIndex(7), 8_000)
    assert (step.id, step.gas, step.guard) == ("order", ORACLE_GAS, None)
    assert call_of(DESK.step(margin("333.33"))) == c.UpdateLeverage(c.TradeIndex(7), 7_501)
    [out] = DESK.steps(margin("200", out=True))
    assert call_of(out) == c.UpdateLeverage(c.TradeIndex(7), 12_500)
    # 850.01 left is 11.7645x: at 11.764 nothing more is sent back than was asked for.
    [out] = DESK.steps(margin("149.99", out=True))
    assert call_of(out) == c.UpdateLeverage(c.TradeIndex(7), 11_764)


def test_margin_that_cannot_be_changed_is_refused() -> None:
    assert refused(DESK, margin("0.0000001")) == "COLLATERAL"
    assert refused(DESK, margin("0.01")) == "COLLATERAL"
    assert refused(DESK, margin("1000", out=True)) == "COLLATERAL"
    assert DESK.codes(margin("250")) == []
    assert Desk(balance=249 * 10**6).codes(margin("250")) == ["BALANCE"]
    assert Desk(balance=0).codes(margin("200", out=True)) == []
    assert Desk(activated=1).codes(margin("250")) == ["MARKET_CLOSED"]
    # More margin is never refused because nobody knows the pool.
    assert Desk(pool=None).codes(margin("250")) == []


# Profit ------------------------------------------------------------------------------------------


def claim(amount: str | None = None, **leg_changes: Any) -> Place:
    nothing = {"size_base": None, "leverage": None}
    wanted = intent(side="SELL", intent="claim", **nothing)
    given = None if amount is None else Decimal(amount)
    changes = {"position_ref": "7", "collateral_amount": given, "guard_price": None}
    return Place(TAG, TRADER, wanted, leg(**changes | leg_changes))


def test_profit_is_taken_out_of_a_position_that_stays() -> None:
    assert call_of(DESK.step(claim())) == c.WithdrawProfit(c.TradeIndex(7), 2**120 - 1)
    (step,) = DESK.steps(claim("12.5000009"))
    assert step == Step(
        "order", DIAMOND, 0, calldata("withdrawPositivePnl", 7, 12_500_000) + TAG, ORACLE_GAS
    )
    assert refused(DESK, claim("0.0000001")) == "COLLATERAL"
    assert refused(DESK, claim(position_ref=None)) == "POSITION"
    assert refused(DESK, claim(pool="42161:DAI", collateral_symbol="DAI")) == "POSITION"


def test_what_speaks_against_taking_profit() -> None:
    won = Desk(trade=TRADE | {"openPrice": 90_000 * E10})
    assert won.codes(claim()) == []
    assert DESK.codes(claim()) == ["NOTHING"]
    short = Desk(trade=TRADE | {"openPrice": 110_000 * E10, "long": False})
    assert short.codes(replace(claim(), intent=replace(claim().intent, side="BUY"))) == []
    # Where no price is known the venue tells.
    assert Desk(pool=None).codes(claim()) == []
    pending = {"trade": {"index": 7}, "user": TRADER, "isOpen": True, "orderType": 1}
    busy = Desk(trade=TRADE | {"openPrice": 90_000 * E10}, requests=[pending])
    assert len(busy.codes(claim())) == 1
    assert Desk(pool=None, activated=1).codes(claim()) == []
    assert Desk(pool=None, activated=2).codes(claim()) == ["MARKET_CLOSED"]
