"""Orders that the contracts refused: the same error with the same numbers."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from connectors.gmx.economics.checks import OrderType
from connectors.gmx.economics.execution import ANY_BUY_PRICE
from connectors.gmx.economics.gas import gas_config, minimum_fee_wei, minimum_gas
from connectors.gmx.economics.model import Position
from connectors.gmx.economics.preview import Order, execution_refusal, request_refusal
from connectors.gmx.economics.trades import increase_position
from domain.errors import InputError
from domain.units import power10
from tests.unit.connectors.gmx.economics import vectors as v

GAS = gas_config(v.FEES["execution_fee_config"])
GAS_PRICE_WEI = 10_000_000
OPENED_S = 1_795_000_203


class Supplied(NamedTuple):
    """Inputs that the file does not have: it repeats neither the state nor all of the order, and
    its ``is_long`` is "0" throughout, also for longs."""

    is_long: bool
    extra: Mapping[str, Any] = MappingProxyType({})


# file refusals.json, case -> what only its label says.
BY_LABEL = {
    "acceptablePrice too low for a long": Supplied(True),
    "acceptablePrice 0 on a long": Supplied(True),
    "market order with validFromTime": Supplied(True, {"valid_from_s": 1}),
    "receiver zero": Supplied(True, {"has_receiver": False}),
}


def supplied(case: v.Row) -> Supplied:
    """The side follows from the price that stands for any: a buyer's is the largest number, a
    seller's 0."""
    params = case["params"]
    buys = int(params["acceptable_price"]) == ANY_BUY_PRICE
    is_long = buys == ("Increase" in params["order_type"])
    return BY_LABEL.get(case["label"], Supplied(is_long))


NOT_COMPARED: dict[tuple[str, str, str], str] = {}
"""(file, case, field) -> why it does not follow from the formulas. Nothing is left out."""


def world() -> tuple[v.Given, Position]:
    """The ETH pool with one long of 10,000 USD, as the price of the second case says: it is that of
    a market with just this imbalance."""
    given = v.named("empty")
    done = increase_position(
        *given, Position(True, False), 10_000 * power10(30), 2_000_000_000, ANY_BUY_PRICE, OPENED_S
    )
    return given._replace(state=done.state), done.position


def order(case: v.Row) -> Order:
    params = case["params"]
    name = "".join("_" + c if c.isupper() else c.upper() for c in params["order_type"])[1:]
    return Order(
        OrderType[name],
        int(params["size_delta_usd"]),
        int(params["collateral_amount"]),
        int(params["acceptable_price"]),
        int(params["trigger_price"]),
        int(params["execution_fee"]),
        **supplied(case).extra,
    )


@pytest.mark.parametrize("case", v.REFUSALS, ids=lambda case: case["label"])
def test_the_same_refusal(case: v.Row) -> None:
    is_long = supplied(case).is_long
    found = request_refusal(GAS, GAS_PRICE_WEI, order(case))
    if case["refused_at"] == "executeOrder":
        assert found is None
        given, long = world()
        held = long if is_long else Position(is_long, False)
        found = execution_refusal(*given, held, order(case), OPENED_S)
    assert str(found) == case["reason"]


def test_nothing_is_left_out() -> None:
    assert set(BY_LABEL) <= {case["label"] for case in v.REFUSALS}
    assert not NOT_COMPARED


@pytest.mark.parametrize("case", v.FEES["execution_fees"])
def test_the_smallest_execution_fee(case: v.Row) -> None:
    gas = minimum_gas(
        GAS,
        "decrease" if "Decrease" in case["order_type"] else "increase",
        swap_path_length=int(case["swap_path_length"]),
        swaps_output=case["decrease_position_swap_type"] != "0",
        callback_gas=int(case["callback_gas_limit"]),
    )
    fee = minimum_fee_wei(gas, int(case["gas_price"]))
    assert (str(gas), str(fee)) == (case["minimum_gas"], case["minimum_wei"])


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(v.REFUSALS) >= 13
    assert len(v.FEES["execution_fees"]) >= 9


def placed(order_type: OrderType, size_usd: int, acceptable: int, **more: Any) -> Order:
    return Order(order_type, size_usd * power10(30), 0, acceptable, **more)


def test_orders_that_are_taken() -> None:
    given, long = world()
    add = Order(OrderType.MARKET_INCREASE, 10**33, 10**9, ANY_BUY_PRICE)
    assert execution_refusal(*given, long, add, OPENED_S) is None
    for part in (1, 5_000, 10_000):
        cut = placed(OrderType.MARKET_DECREASE, part, 0)
        assert execution_refusal(*given, long, cut, OPENED_S) is None
    withdraw = Order(OrderType.MARKET_DECREASE, 0, 10**9, 0)
    assert execution_refusal(*given, long, withdraw, OPENED_S) is None


def test_a_stop_takes_the_whole_position_at_most() -> None:
    given, long = world()
    stop = placed(OrderType.STOP_LOSS_DECREASE, 10**9, 0, trigger_usd_e30=3_000 * 10**12)
    assert execution_refusal(*given, long, stop, OPENED_S) is None
    cut = placed(OrderType.MARKET_DECREASE, 10_001, 0)
    found = execution_refusal(*given, long, cut, OPENED_S)
    assert found is not None
    assert found.name == "InvalidDecreaseOrderSize"


@pytest.mark.parametrize("size_usd", [5_000, 10_000])
def test_the_price_of_a_decrease_is_compared_too(size_usd: int) -> None:
    given, long = world()
    cut = placed(OrderType.MARKET_DECREASE, size_usd, ANY_BUY_PRICE)
    found = execution_refusal(*given, long, cut, OPENED_S)
    assert found is not None
    assert found.name == "OrderNotFulfillableAtAcceptablePrice"


@pytest.mark.parametrize(
    "order_type", [OrderType.MARKET_SWAP, OrderType.LIMIT_SWAP, OrderType.LIQUIDATION]
)
def test_orders_that_are_none_on_a_position(order_type: OrderType) -> None:
    given, long = world()
    with pytest.raises(InputError) as caught:
        execution_refusal(*given, long, placed(order_type, 1, 0), OPENED_S)
    assert caught.value.code == "BAD_ORDER_TYPE"


def test_a_withdrawal_that_the_fee_for_closing_turns_too_large() -> None:
    given, long = world()
    enough = long.collateral_units - 52 * 10**6
    found = execution_refusal(
        *given, long, Order(OrderType.MARKET_DECREASE, 0, enough, 0), OPENED_S
    )
    assert found is not None
    assert found.name == "LiquidatablePosition"


def test_an_order_whose_time_has_not_come() -> None:
    given, long = world()
    stop = placed(OrderType.STOP_LOSS_DECREASE, 1, 0, trigger_usd_e30=3_000 * 10**12)
    assert execution_refusal(*given, long, replace(stop, valid_from_s=OPENED_S), OPENED_S) is None
    found = execution_refusal(*given, long, replace(stop, valid_from_s=OPENED_S + 1), OPENED_S)
    assert str(found) == (
        f"OrderValidFromTimeNotReached(validFromTime={OPENED_S + 1}, currentTimestamp={OPENED_S})"
    )


def test_what_createorder_looks_at_first() -> None:
    bad = placed(OrderType.MARKET_INCREASE, 0, 0, valid_from_s=1, has_receiver=False)
    rich = replace(bad, execution_fee_wei=10**18)
    orders = (
        bad,
        replace(bad, valid_from_s=0),
        replace(bad, valid_from_s=0, has_receiver=True),
        replace(rich, valid_from_s=0, has_receiver=True),
    )
    found = [request_refusal(GAS, GAS_PRICE_WEI, order) for order in orders]
    assert [refusal and refusal.name for refusal in found] == [
        "UnexpectedValidFromTime",
        "EmptyReceiver",
        "InsufficientExecutionFee",
        "EmptyOrder",
    ]


def test_a_request_that_is_taken() -> None:
    fee = minimum_fee_wei(minimum_gas(GAS, "decrease", swaps_output=True), GAS_PRICE_WEI)
    stop = placed(
        OrderType.STOP_LOSS_DECREASE, 1, 0, execution_fee_wei=fee, valid_from_s=1, swaps_output=True
    )
    assert request_refusal(GAS, GAS_PRICE_WEI, stop) is None
