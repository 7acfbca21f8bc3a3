"""What changes orders that wait: one call for each, each with the fee that is its own."""

from dataclasses import replace
from typing import Any

import pytest

from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders.calls import Call, CancelOrder, CreateOrder, SendWnt, UpdateOrder
from connectors.gmx.orders.changes import calls, replaced
from connectors.gmx.orders.prices import MAX_UINT
from connectors.gmx.orders.reader import StoredOrder, StoredPosition
from domain.errors import InputError

VAULT = "0x" + "aa" * 20
MARKET, TOKEN, OWNER = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20
ENTRY, STOP, PROFIT = (
    OrderType.LIMIT_INCREASE, OrderType.STOP_LOSS_DECREASE, OrderType.LIMIT_DECREASE,
)  # fmt: skip
KEYS = {ENTRY: "0x" + "01" * 32, STOP: "0x" + "02" * 32, PROFIT: "0x" + "03" * 32}


def stored(kind: OrderType, **changes: Any) -> StoredOrder:
    found = StoredOrder(
        KEYS[kind], OWNER, MARKET, TOKEN, kind, True, 1000, 200, 50, 60, 7, 0, 0, 0,
        is_frozen=False, auto_cancel=kind is not ENTRY,
    )  # fmt: skip
    return replace(found, **changes)


def wanted(kind: OrderType, **changes: Any) -> CreateOrder:
    return replace(CreateOrder(OWNER, MARKET, TOKEN, kind, True, 1000, 0, 60, 50, 7), **changes)


def update(kind: OrderType, *, size: int = 1000, trigger: int = 50) -> UpdateOrder:
    key = bytes.fromhex(KEYS[kind][2:])
    return UpdateOrder(key, size, 60, trigger, 0, 0, kind is not ENTRY)


def cancel(kind: OrderType) -> CancelOrder:
    return CancelOrder(bytes.fromhex(KEYS[kind][2:]))


def test_only_what_differs_is_changed() -> None:
    both = [stored(ENTRY), stored(STOP)]
    assert calls(both, [wanted(ENTRY), wanted(STOP, trigger_usd_e30=51)], VAULT) == [
        update(STOP, trigger=51)
    ]
    assert calls(both, [wanted(ENTRY, size_usd_e30=9), wanted(STOP, size_usd_e30=9)], VAULT) == [
        update(ENTRY, size=9),
        update(STOP, size=9),
    ]
    with pytest.raises(InputError, match="so already"):
        calls(both, [wanted(ENTRY), wanted(STOP)], VAULT)


def test_exits_come_and_go_with_their_own_fees() -> None:
    profit = wanted(PROFIT, execution_fee_wei=9)
    sent: list[Call] = [SendWnt(VAULT, 9), profit, cancel(STOP)]
    assert calls([stored(ENTRY), stored(STOP)], [wanted(ENTRY), profit], VAULT) == sent


def test_a_frozen_order_is_freed_and_its_fee_filled_up() -> None:
    frozen = stored(ENTRY, is_frozen=True, execution_fee_wei=0)
    assert calls([frozen], [wanted(ENTRY)], VAULT) == [SendWnt(VAULT, 7), update(ENTRY)]
    richer = stored(ENTRY, execution_fee_wei=8)
    assert calls([richer], [wanted(ENTRY, size_usd_e30=9)], VAULT) == [update(ENTRY, size=9)]


def test_an_exit_of_all_takes_the_place_of_those_before() -> None:
    held = StoredPosition(OWNER, MARKET, TOKEN, True, 1000, 5, 200)
    whole = wanted(STOP, size_usd_e30=MAX_UINT)
    others = [
        stored(STOP), stored(STOP, size_usd_e30=999), stored(PROFIT), stored(ENTRY),
        stored(STOP, is_long=False), stored(STOP, market=TOKEN),
        stored(STOP, collateral_token=MARKET),
    ]  # fmt: skip
    assert replaced(others, whole, held) == [cancel(STOP)]
    assert replaced(others, wanted(STOP, size_usd_e30=1000), held) == []
    assert replaced(others, whole, None) == []
