"""Scales and roundings of prices, sizes and fees."""

from dataclasses import replace
from decimal import Decimal

import pytest

from connectors.gmx.economics.checks import OrderType
from connectors.gmx.economics.gas import gas_config
from connectors.gmx.orders import prices
from connectors.gmx.orders.calls import SwapType
from connectors.gmx.orders.keeper_fee import execution_fee_wei
from domain.errors import InputError
from tests.unit.connectors.gmx.economics.vectors import FEES
from tests.unit.connectors.gmx.orders.kit import ANSWERS, FEE_WEI, GAS_PRICE_WEI
from tests.unit.connectors.gmx.orders.test_gmx_calls import ENTRY


@pytest.mark.parametrize(
    ("price", "decimals", "at_most", "raw"),
    [
        # The venue's own examples: ETH, BTC and DOGE.
        ("1739.495434083952", 18, True, 1739495434083952),
        ("61536.387027772485", 8, True, 615363870277724850000000000),
        ("0.0747867812088409725", 8, False, 747867812088409725000),
        ("0.000002623317", 18, True, 2623317),
        ("0.0000026233179", 18, True, 2623317),
        ("0.0000026233171", 18, False, 2623318),
        ("2.5000001", 24, True, 2500000),
        ("1.5", 30, False, 2),
        ("7", 32, False, 1),
    ],
)
def test_bounds_are_moved_to_their_strict_side(
    price: str, decimals: int, at_most: bool, raw: int
) -> None:
    assert prices.raw_price(Decimal(price), decimals, at_most=at_most) == raw


@pytest.mark.parametrize(
    ("price", "decimals"), [("0.9", 30), ("0", 18), ("-1", 18), ("NaN", 18), ("1E60", 0)]
)
def test_what_is_no_price_is_refused(price: str, decimals: int) -> None:
    with pytest.raises(InputError) as refused:
        prices.raw_price(Decimal(price), decimals, at_most=True)
    assert refused.value.code in ("BAD_PRICE", "BAD_DECIMAL")


def test_prices_come_back_exactly() -> None:
    assert prices.price_of(1739495434083952, 18) == Decimal("1739.495434083952")
    assert prices.price_of(2**256 - 1, 8) * 10**22 != 0


@pytest.mark.parametrize(
    ("kind", "long_at_most"),
    [
        (OrderType.LIMIT_INCREASE, True),
        (OrderType.STOP_INCREASE, False),
        (OrderType.LIMIT_DECREASE, False),
        (OrderType.STOP_LOSS_DECREASE, True),
    ],
)
def test_triggers_of_longs_and_shorts(kind: OrderType, long_at_most: bool) -> None:
    assert prices.trigger_at_most(kind, True) is long_at_most
    assert prices.trigger_at_most(kind, False) is not long_at_most


def test_a_market_order_has_no_trigger() -> None:
    with pytest.raises(InputError):
        prices.trigger_at_most(OrderType.MARKET_INCREASE, True)


def test_who_buys_is_bounded_from_above() -> None:
    for kind in (OrderType.MARKET_INCREASE, OrderType.LIMIT_INCREASE, OrderType.STOP_INCREASE):
        assert prices.acceptable_at_most(kind, True)
        assert not prices.acceptable_at_most(kind, False)
    for kind in (
        OrderType.MARKET_DECREASE,
        OrderType.LIMIT_DECREASE,
        OrderType.STOP_LOSS_DECREASE,
    ):
        assert not prices.acceptable_at_most(kind, True)
        assert prices.acceptable_at_most(kind, False)


def test_amounts() -> None:
    assert prices.units(Decimal("1000.0000019"), 6, "down") == 1_000_000_001
    assert prices.units(Decimal("1000.0000011"), 6, "up") == 1_000_000_002
    assert prices.usd_e30(Decimal("0.1"), "down") == 10**29
    for amount in ("-1", "1E60", "Infinity"):
        with pytest.raises(InputError):
            prices.units(Decimal(amount), 18, "down")


def test_a_trigger_is_tightened_by_what_the_fill_loses() -> None:
    assert prices.tightened(2000, 1000, 1001, at_most=True) == 1998
    assert prices.tightened(2000, 1000, 999, at_most=False) == 2003
    # A fill that is better than the oracle loosens nothing.
    assert prices.tightened(2000, 1000, 999, at_most=True) == 2000
    assert prices.tightened(2000, 1000, 1001, at_most=False) == 2000


def test_the_keepers_fee_is_the_contracts_minimum_with_head_room() -> None:
    config = gas_config(ANSWERS)
    assert execution_fee_wei(config, ENTRY, GAS_PRICE_WEI) == FEE_WEI
    for price in (0, -1):
        with pytest.raises(InputError) as refused:
            execution_fee_wei(config, ENTRY, price)
        assert refused.value.code == "BAD_GAS_PRICE"


@pytest.mark.parametrize("row", FEES["execution_fees"])
def test_the_keepers_fee_exceeds_what_the_contracts_took(row: dict[str, str]) -> None:
    order = replace(
        ENTRY,
        order_type=OrderType[_snake(row["order_type"])],
        swap_path=("0x" + "1" * 40,) * int(row["swap_path_length"]),
        swap_type=SwapType(int(row["decrease_position_swap_type"])),
        callback_gas=int(row["callback_gas_limit"]),
    )
    fee = execution_fee_wei(gas_config(ANSWERS), order, int(row["gas_price"]))
    assert fee == -(-int(row["minimum_wei"]) * 11 // 10)


def _snake(name: str) -> str:
    return "".join(f"_{char}" if char.isupper() else char for char in name)[1:].upper()
