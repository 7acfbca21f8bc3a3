"""A transaction is its step to the last byte, or the field that differs is named."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.base.order_tag import order_tag, untagged, with_tag
from connectors.base.orders import Step, Transaction
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import calls
from connectors.gmx.orders.calls import CreateOrder, SendTokens, SendWnt, SwapType, UpdateOrder
from domain.orders import Brackets
from tests.unit.connectors.gmx.orders import kit as k
from tests.unit.connectors.gmx.orders.test_gmx_builder import steps

BRACKETS = Brackets(take_profit=Decimal(3500), stop_loss=Decimal(2500))
APPROVE, ORDER = steps(k.place(k.intent(brackets=BRACKETS)), allowance=0)
(UPDATE,) = steps(k.update(k.intent(type="limit", limit_price=Decimal(2900))), order_key=k.order(3))
OTHER = "0x" + "6" * 40

NAMES: dict[str, tuple[str, Any]] = {
    "receiver": ("addresses.receiver", OTHER),
    "market": ("addresses.market", OTHER),
    "collateral_token": ("addresses.initialCollateralToken", OTHER),
    "order_type": ("orderType", OrderType.LIMIT_INCREASE),
    "is_long": ("isLong", False),
    "size_usd_e30": ("numbers.sizeDeltaUsd", 5),
    "collateral_units": ("numbers.initialCollateralDeltaAmount", 5),
    "acceptable_usd_e30": ("numbers.acceptablePrice", 5),
    "trigger_usd_e30": ("numbers.triggerPrice", 5),
    "execution_fee_wei": ("numbers.executionFee", 5),
    "min_output": ("numbers.minOutputAmount", 5),
    "valid_from_s": ("numbers.validFromTime", 5),
    "swap_type": ("decreasePositionSwapType", SwapType.TO_COLLATERAL),
    "unwrap_native": ("shouldUnwrapNativeToken", True),
    "auto_cancel": ("autoCancel", True),
    "swap_path": ("addresses.swapPath", (OTHER,)),
    "cancellation_receiver": ("addresses.cancellationReceiver", OTHER),
    "callback_contract": ("addresses.callbackContract", OTHER),
    "callback_gas": ("numbers.callbackGasLimit", 5),
    "ui_fee_receiver": ("addresses.uiFeeReceiver", OTHER),
    "referral_code": ("referralCode", b"\5" * 32),
    "data_list": ("dataList", (b"\5" * 32,)),
}


def transaction(step: Step, **changes: Any) -> Transaction:
    found = Transaction(42161, k.OWNER, step.to.lower(), step.value_wei, step.data, 3, 1_000_000)
    return replace(found, **changes)


def differing(step: Step, data: bytes) -> str | None:
    return k.builder().verify(step, transaction(step, data=data))


def changed(step: Step, place: int, **changes: Any) -> str | None:
    """The field that is named when one call of the multicall is another."""
    sent = list(calls.decode_all("v2.2c", untagged(step.data)))
    sent[place] = replace(sent[place], **changes)
    return differing(step, with_tag(calls.encode_all("v2.2c", sent), k.TAG))


@pytest.mark.parametrize("step", [APPROVE, ORDER, UPDATE], ids=lambda step: step.id)
def test_the_step_itself_passes_with_any_nonce_and_gas(step: Step) -> None:
    made = k.builder()
    assert made.verify(step, transaction(step)) is None
    assert made.verify(step, transaction(step, nonce=9, gas=5)) is None


@pytest.mark.parametrize("step", [APPROVE, ORDER, UPDATE], ids=lambda step: step.id)
def test_fields_of_the_transaction(step: Step) -> None:
    made = k.builder()
    for field, sent in (
        ("to", transaction(step, to=OTHER)),
        ("to", transaction(step, to=None)),
        ("value", transaction(step, value_wei=step.value_wei + 1)),
        ("data.tag", transaction(step, data=untagged(step.data))),
        ("data.tag", transaction(step, data=with_tag(untagged(step.data), order_tag("other")))),
        ("data", transaction(step, data=step.data + b"\0")),
        ("data", transaction(step, data=step.data + b"\0" * 32)),
        ("data", transaction(step, data=b"")),
        ("data", transaction(step, data=b"\1" * 4 + step.data[4:])),
    ):
        assert made.verify(step, sent) == field


def test_every_field_of_an_order_is_in_the_table() -> None:
    assert set(NAMES) == {field.name for field in fields(CreateOrder)}


@pytest.mark.parametrize("place", [2, 4, 6])
@pytest.mark.parametrize("name", NAMES)
def test_fields_of_each_order(name: str, place: int) -> None:
    told, value = NAMES[name]
    orders = calls.decode_all("v2.2c", untagged(ORDER.data))
    if getattr(orders[place], name) == value:
        value = type(value)(not value) if isinstance(value, bool) else OrderType.STOP_INCREASE
    assert changed(ORDER, place, **{name: value}) == f"data[{place}].createOrder.params.{told}"


def test_fields_of_other_calls() -> None:
    assert changed(ORDER, 0, amount_wei=1) == "data[0].sendWnt.amount"
    assert changed(ORDER, 0, receiver=OTHER) == "data[0].sendWnt.receiver"
    assert changed(ORDER, 1, token=OTHER) == "data[1].sendTokens.token"
    assert changed(ORDER, 1, units=1) == "data[1].sendTokens.amount"
    assert changed(UPDATE, 0, trigger_usd_e30=1) == "data[0].updateOrder.triggerPrice"
    assert changed(UPDATE, 0, key=b"\1" * 32) == "data[0].updateOrder.key"


def test_other_calls_and_more_calls() -> None:
    sent = list(calls.decode_all("v2.2c", untagged(ORDER.data)))

    def told(others: list[calls.Call]) -> str | None:
        return differing(ORDER, with_tag(calls.encode_all("v2.2c", others), k.TAG))

    assert told(sent[:-1]) == "data.length"
    assert told([*sent, SendWnt(OTHER, 0)]) == "data.length"
    assert told([sent[0], SendWnt(OTHER, 0), *sent[2:]]) == "data[1]"
    assert told([sent[1], sent[0], *sent[2:]]) == "data[0]"
    assert isinstance(sent[1], SendTokens)


def test_calldata_of_the_same_meaning_in_another_encoding_differs() -> None:
    plain = untagged(ORDER.data)
    moved = plain[:4] + (64).to_bytes(32) + b"\0" * 32 + plain[36:]
    assert differing(ORDER, with_tag(moved, k.TAG)) == "data"
    (inner,) = [
        calls.encode("v2.2c", call)
        for call in calls.decode_all("v2.2c", untagged(UPDATE.data))
        if isinstance(call, UpdateOrder)
    ]
    longer = calls.multicall("v2.2c", [inner + b"\0" * 32])
    assert differing(UPDATE, with_tag(longer, k.TAG)) == "data[0]"


def test_fields_of_an_approval() -> None:
    plain = untagged(APPROVE.data)
    more = plain[:-1] + bytes([plain[-1] ^ 1])
    assert differing(APPROVE, with_tag(more, k.TAG)) == "data.approve.amount"
    spender = plain[:16] + b"\6" * 20 + plain[36:]
    assert differing(APPROVE, with_tag(spender, k.TAG)) == "data.approve.spender"
    transfer = bytes.fromhex("a9059cbb") + plain[4:]
    assert differing(APPROVE, with_tag(transfer, k.TAG)) == "data"
    dirty = plain[:4] + b"\1" + plain[5:]
    assert differing(APPROVE, with_tag(dirty, k.TAG)) == "data"
