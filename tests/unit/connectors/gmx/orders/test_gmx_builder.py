"""From requests to steps: what the router is told, in which order, with how much ether."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from connectors.base import erc20
from connectors.base.order_tag import tag_of, untagged
from connectors.base.orders import OrderRequest, Step
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import calls
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.calls import CancelOrder, CreateOrder, SendTokens, SendWnt, UpdateOrder
from connectors.gmx.orders.prices import MAX_UINT
from domain.errors import InputError, InvariantViolation, VenueProtocolError
from domain.orders import Brackets, OrderIntent, PriceGuard
from tests.unit.connectors.gmx.economics import openings
from tests.unit.connectors.gmx.economics import vectors as v
from tests.unit.connectors.gmx.orders import kit as k
from tests.unit.connectors.gmx.orders.test_gmx_calls import VERSIONS

CONTRACTS = contracts(42161, "v2.2c", {})
ROUTER, VAULT = CONTRACTS["EXCHANGE_ROUTER"], CONTRACTS["ORDER_VAULT"].lower()
RICH = {"allowance": 2**256 - 1}
BALANCED = next(row for row in v.STATES if row["name"] == "balanced")
HELD = k.position(1000, 333333333333333333, 199_400_000)
ENTRY = CreateOrder(
    receiver=k.OWNER,
    market=k.ETH_USDC.lower(),
    collateral_token=k.USDC,
    order_type=OrderType.MARKET_INCREASE,
    is_long=True,
    size_usd_e30=1000 * k.USD,
    collateral_units=200_000_000,
    acceptable_usd_e30=3015 * 10**12,
    trigger_usd_e30=0,
    execution_fee_wei=k.FEE_WEI,
)


def steps(request: OrderRequest, version: Version = "v2.2c", **answers: Any) -> list[Step]:
    made = k.builder(version=version)
    return list(made.build(request, k.facts(request, version, **RICH | answers)))


def sent(step: Step, version: Version = "v2.2c") -> list[calls.Call]:
    """What the router is told; the tag is the order's."""
    assert tag_of(step.data) == k.TAG
    return list(calls.decode_all(version, untagged(step.data)))


def only_order(request: OrderRequest, **answers: Any) -> CreateOrder:
    (step,) = steps(request, **answers)
    (order,) = [call for call in sent(step) if isinstance(call, CreateOrder)]
    return order


@pytest.mark.parametrize("version", VERSIONS)
def test_an_opening_pays_its_keeper_and_its_collateral_and_then_orders(version: Version) -> None:
    (step,) = steps(k.place(), version)
    assert sent(step, version) == [
        SendWnt(VAULT, k.FEE_WEI),
        SendTokens(k.USDC, VAULT, 200_000_000),
        ENTRY,
    ]
    assert (step.id, step.value_wei) == ("order", k.FEE_WEI)
    assert step.to == contracts(42161, version, {})["EXCHANGE_ROUTER"]
    assert step.guard == PriceGuard("acceptablePrice", Decimal(3015), "3015000000000000")
    assert step.gas == 3_000_000


def test_brackets_come_behind_it_each_with_its_own_fee() -> None:
    brackets = Brackets(take_profit=Decimal(3500), stop_loss=Decimal("2500.5"))
    (step,) = steps(k.place(k.intent(brackets=brackets)))
    fee = SendWnt(VAULT, k.FEE_WEI)
    take_profit = replace(
        ENTRY,
        order_type=OrderType.LIMIT_DECREASE,
        collateral_units=0,
        acceptable_usd_e30=0,
        trigger_usd_e30=3500 * 10**12,
        auto_cancel=True,
    )
    stop_loss = replace(
        take_profit,
        order_type=OrderType.STOP_LOSS_DECREASE,
        trigger_usd_e30=25005 * 10**11,
    )
    tokens = SendTokens(k.USDC, VAULT, 200_000_000)
    assert sent(step) == [fee, tokens, ENTRY, fee, take_profit, fee, stop_loss]
    assert (step.value_wei, step.gas) == (3 * k.FEE_WEI, 9_000_000)


@pytest.mark.parametrize(("approval", "units"), [("exact", 200_000_000), ("unlimited", MAX_UINT)])
def test_an_allowance_that_does_not_reach_is_asked_for(approval: Any, units: int) -> None:
    request = replace(k.place(), approval=approval)
    approve, order = steps(request, allowance=199_999_999)
    assert (approve.id, order.id) == ("approve", "order")
    assert approve.to == to_checksum_address(k.USDC)
    assert tag_of(approve.data) == k.TAG
    assert erc20.approval(untagged(approve.data)) == (CONTRACTS["ROUTER"].lower(), units)
    assert approve.value_wei == 0
    assert [step.id for step in steps(request, allowance=200_000_000)] == ["order"]


def test_ether_as_collateral_comes_with_the_fee_in_one() -> None:
    request = k.place(collateral_symbol="ETH", collateral_amount=Decimal("0.5"))
    (step,) = steps(request)
    paid = k.FEE_WEI + 5 * 10**17
    order = replace(ENTRY, collateral_token=k.WETH, collateral_units=5 * 10**17, unwrap_native=True)
    assert sent(step) == [SendWnt(VAULT, paid), order]
    assert step.value_wei == paid


def test_wrapped_ether_is_a_token_like_others() -> None:
    request = k.place(collateral_symbol="WETH", collateral_amount=Decimal("0.5"))
    (step,) = steps(request)
    fee, tokens, order = sent(step)
    assert fee == SendWnt(VAULT, k.FEE_WEI)
    assert tokens == SendTokens(k.WETH, VAULT, 5 * 10**17)
    assert isinstance(order, CreateOrder)
    assert not order.unwrap_native


@pytest.mark.parametrize(
    ("wanted", "guard", "kind", "trigger", "acceptable"),
    [
        (
            k.intent(type="stop", trigger_price=Decimal("3100.0000000000009")),
            Decimal(3200),
            OrderType.STOP_INCREASE,
            3100000000000001,
            3200 * 10**12,
        ),
        (
            k.intent(type="take_profit", trigger_price=Decimal("2900.0000000000009")),
            None,
            OrderType.LIMIT_INCREASE,
            2900 * 10**12,
            MAX_UINT,
        ),
        (
            k.intent(side="SELL", type="stop", trigger_price=Decimal(2900)),
            None,
            OrderType.STOP_INCREASE,
            2900 * 10**12,
            0,
        ),
        (
            k.intent(side="SELL", type="limit", limit_price=Decimal(3100)),
            Decimal(3000),
            OrderType.LIMIT_INCREASE,
            # The fill at an oracle of 3000 is at 2999.999730000024.
            -(-3100 * 10**12 * 3000 * 10**12 // 2999999730000024),
            3100 * 10**12,
        ),
    ],
)
def test_entries_that_wait(
    wanted: OrderIntent, guard: Decimal | None, kind: OrderType, trigger: int, acceptable: int
) -> None:
    order = only_order(k.place(wanted, guard_price=guard))
    assert order.order_type is kind
    assert order.is_long == (wanted.side == "BUY")
    assert (order.trigger_usd_e30, order.acceptable_usd_e30) == (trigger, acceptable)
    assert not order.auto_cancel


def test_a_limit_waits_for_the_oracle_at_which_the_fill_is_within_it() -> None:
    request = k.place(k.intent(type="limit", limit_price=Decimal(2900)), guard_price=None)
    order = only_order(request)
    assert order.acceptable_usd_e30 == 2900 * 10**12
    # The fill at an oracle of 3000 is at 3000.00000270000024.
    assert order.trigger_usd_e30 == 2900 * 10**12 * 3000000000000000 // 3000000270000024
    (step,) = k.builder(None).build(request, k.facts(request, **RICH))
    blind = sent(step)[-1]
    assert isinstance(blind, CreateOrder)
    assert blind.trigger_usd_e30 == 2900 * 10**12


@pytest.mark.parametrize(
    ("wanted", "kind", "size"),
    [
        (k.exit_intent(), OrderType.MARKET_DECREASE, 1000 * k.USD),
        (
            k.exit_intent(type="stop", trigger_price=Decimal(2500)),
            OrderType.STOP_LOSS_DECREASE,
            MAX_UINT,
        ),
        (
            k.exit_intent(type="take_profit", trigger_price=Decimal(3500)),
            OrderType.LIMIT_DECREASE,
            MAX_UINT,
        ),
        (
            k.exit_intent(
                intent="decrease",
                size_base=Decimal("0.1"),
                type="limit",
                limit_price=Decimal(3500),
            ),
            OrderType.LIMIT_DECREASE,
            300 * k.USD,
        ),
    ],
)
def test_exits(wanted: OrderIntent, kind: OrderType, size: int) -> None:
    request = k.place(wanted, size_base=Decimal("0.1"), guard_price=None)
    (step,) = steps(request, position=HELD)
    fee, order = sent(step)
    assert fee == SendWnt(VAULT, k.FEE_WEI)
    assert isinstance(order, CreateOrder)
    assert order.order_type is kind
    assert order.is_long
    assert abs(order.size_usd_e30 - size) < 10**15
    assert order.auto_cancel == (kind is not OrderType.MARKET_DECREASE)
    limit = 3500 * 10**12 if wanted.type == "limit" else 0
    assert order.acceptable_usd_e30 == limit
    assert order.collateral_units == 0


@pytest.mark.parametrize("row", BALANCED["decrease"], ids=lambda row: row["size_delta_usd"][:-30])
def test_an_exit_at_a_limit_waits_for_more_where_it_moves_the_pool(row: dict[str, Any]) -> None:
    """With the execution prices that the contracts' Reader gave."""
    held_there = row["position_info"]["position"]
    numbers = held_there["numbers"]
    is_long = held_there["flags"]["isLong"]
    usd, tokens = int(numbers["sizeInUsd"]), int(numbers["sizeInTokens"])
    size = int(row["size_delta_usd"])
    part = Decimal(tokens * size // usd).scaleb(-18)
    wanted = k.exit_intent(
        intent="decrease",
        side="SELL" if is_long else "BUY",
        type="limit",
        size_base=part,
        limit_price=Decimal(3000),
    )
    request = k.place(wanted, size_base=part, guard_price=None)
    held = k.position(usd // k.USD, tokens, 10**12)
    made = k.builder(openings.inputs(v.given(BALANCED), 18))
    (step,) = made.build(request, k.facts(request, position=held))
    order = sent(step)[-1]
    assert isinstance(order, CreateOrder)
    assert order.size_usd_e30 == size
    limit, fill = 3000 * 10**12, int(row["position_info"]["executionPriceResult"]["executionPrice"])
    if is_long:
        assert order.trigger_usd_e30 == max(limit, -(-limit * limit // fill))
    else:
        assert order.trigger_usd_e30 == min(limit, limit * limit // fill)


def test_all_tokens_of_a_position_are_all_of_its_size() -> None:
    wanted = k.exit_intent(size_base=Decimal("0.333333333333333333"))
    assert only_order(k.place(wanted), position=HELD).size_usd_e30 == 1000 * k.USD


@pytest.mark.parametrize(
    ("request_", "answers", "code"),
    [
        (k.place(pool="0x" + "1" * 40), {}, "UNKNOWN_POOL"),
        (k.place(pool=None), {}, "UNKNOWN_POOL"),
        (k.place(collateral_symbol="DAI"), {}, "COLLATERAL"),
        (k.place(notional_usd=Decimal("1E-31")), {}, "MIN_SIZE"),
        (k.place(position_ref="0x" + "1" * 64), {}, "POSITION"),
        (k.place(k.exit_intent()), {}, "POSITION_GONE"),
        (
            k.place(k.exit_intent(size_base=Decimal(1)), size_base=Decimal(1)),
            {"position": HELD},
            "SIZE",
        ),
        (k.place(k.intent(time_in_force="GTT", good_til_s=5, type="limit",
                          limit_price=Decimal(1))), {}, "NOT_OFFERED"),
        (
            k.place(k.intent(type="limit", limit_price=Decimal(1), post_only=True)),
            {},
            "NOT_OFFERED",
        ),
        (k.cancel(position_key=k.KEY), {}, "BAD_REFS"),
        (k.cancel(), {}, "ORDER_GONE"),
        (k.cancel(), {"order_key": k.order(3, account="0x" + "2" * 40)}, "NOT_OWNER"),
        (k.update(k.intent()), {"order_key": k.order(2)}, "NOT_UPDATABLE"),
        (
            k.update(k.intent(type="limit", limit_price=Decimal(1))),
            {"order_key": k.order(8)},
            "NOT_UPDATABLE",
        ),
        (
            k.update(k.intent(type="limit", limit_price=Decimal(1))),
            {"order_key": k.order(3, market=k.BTC_USDC)},
            "NOT_UPDATABLE",
        ),
        (
            k.update(k.intent(type="limit", limit_price=Decimal(1))),
            {"order_key": k.order(3, is_long=False)},
            "NOT_UPDATABLE",
        ),
        (k.update(k.intent(type="limit", limit_price=Decimal(1))), {}, "ORDER_GONE"),
    ],
)  # fmt: skip
def test_what_cannot_be_built(request_: OrderRequest, answers: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as refused:
        steps(request_, **answers)
    assert refused.value.code == code


def test_a_cancel_takes_the_exits_along_that_still_wait() -> None:
    request = k.cancel(order_key=k.KEY, take_profit_key=k.EXIT_KEY, stop_loss_key="0x" + "f" * 64)
    (step,) = steps(request, order_key=k.order(3), take_profit_key=k.order(5),
                    stop_loss_key=k.order())  # fmt: skip
    keys = [CancelOrder(bytes.fromhex(key[2:])) for key in (k.KEY, k.EXIT_KEY)]
    assert sent(step) == keys
    assert (step.id, step.to, step.value_wei, step.gas) == ("cancel", ROUTER, 0, 4_000_000)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_update_says_every_value_again(version: Version) -> None:
    wanted = k.intent(type="stop", trigger_price=Decimal(3100))
    request = k.update(wanted, guard_price=Decimal(3200))
    stored = k.order(8, version=version)
    (step,) = steps(request, version, order_key=stored)
    key = bytes.fromhex(k.KEY[2:])
    update = UpdateOrder(key, 1000 * k.USD, 3200 * 10**12, 3100 * 10**12, 0, 0, auto_cancel=False)
    assert sent(step, version) == [update]
    assert (step.id, step.value_wei) == ("update", 0)


@pytest.mark.parametrize(("left_wei", "frozen"), [(0, True), (k.FEE_WEI - 7, False)])
def test_an_update_brings_the_fee_that_is_missing(left_wei: int, frozen: bool) -> None:
    wanted = k.exit_intent(type="stop", trigger_price=Decimal(2400))
    stored = k.order(6, fee_wei=left_wei, frozen=frozen)
    (step,) = steps(k.update(wanted), stop_loss_key=stored, position=HELD)
    fee, update = sent(step)
    assert fee == SendWnt(VAULT, k.FEE_WEI - left_wei)
    assert isinstance(update, UpdateOrder)
    assert (update.size_usd_e30, update.trigger_usd_e30) == (MAX_UINT, 2400 * 10**12)
    assert step.value_wei == k.FEE_WEI - left_wei


def test_facts_of_another_request_or_chain_are_a_bug() -> None:
    request = k.place()
    good = k.facts(request)
    for bad in (replace(good, chain_id=1), replace(good, answers=good.answers[:-1])):
        with pytest.raises(InvariantViolation):
            k.builder().build(request, bad)


@pytest.mark.parametrize(
    "answers",
    [
        {"INCREASE_ORDER_GAS_LIMIT": 0},
        {"INCREASE_ORDER_GAS_LIMIT": None},
        {"SINGLE_SWAP_GAS_LIMIT": b"\0" * 31},
        {"allowance": None},
    ],
)
def test_a_chain_that_does_not_answer_is_no_reason_to_guess(answers: dict[str, Any]) -> None:
    with pytest.raises(VenueProtocolError) as told:
        steps(k.place(), **answers)
    assert told.value.code == "BAD_ANSWER"


def test_the_same_request_asks_the_same_in_the_same_order() -> None:
    made = k.builder()
    for request in (k.place(), k.place(k.exit_intent()), k.cancel(), k.update(k.intent())):
        asked = made.reads(request)
        assert asked == made.reads(request)
        assert len(asked) == len(k.facts(request).answers)
        assert all(call.to == to_checksum_address(call.to) for call in asked)
    native = k.place(collateral_symbol="ETH")
    assert len(made.reads(native)) == len(made.reads(k.place())) - 2
