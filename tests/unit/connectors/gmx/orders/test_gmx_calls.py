"""Calldata against viem with signatures of its own, and against the reference vectors."""

import json
from dataclasses import fields
from typing import Any

import pytest

from connectors.base import erc20
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import calls
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.calls import (
    CancelOrder,
    ClaimCollateral,
    ClaimFundingFees,
    CreateOrder,
    SendTokens,
    SendWnt,
    SwapType,
    UpdateOrder,
)
from domain.errors import InputError
from tests.unit.connectors.gmx.orders.kit import ETH_USDC, FOLDER, KEY, OWNER, USDC, VIEM, WETH

VERSIONS: tuple[Version, ...] = ("v2.2b", "v2.2c")
VAULT = "0x31ef83a530fde1b38ee9a18093a333d8bbbc40d5"
REFERENCE = json.loads((FOLDER / "eth_abi.json").read_bytes())
ROUTER = "0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6"


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def order(params: dict[str, Any]) -> CreateOrder:
    """Of the contracts' names."""
    return CreateOrder(
        receiver=params["receiver"].lower(),
        market=params["market"].lower(),
        collateral_token=params["initialCollateralToken"].lower(),
        order_type=OrderType(params["orderType"]),
        is_long=params["isLong"],
        size_usd_e30=int(params["sizeDeltaUsd"]),
        collateral_units=int(params["initialCollateralDeltaAmount"]),
        acceptable_usd_e30=int(params["acceptablePrice"]),
        trigger_usd_e30=int(params["triggerPrice"]),
        execution_fee_wei=int(params["executionFee"]),
        min_output=int(params["minOutputAmount"]),
        valid_from_s=int(params["validFromTime"]),
        swap_type=SwapType(params["decreasePositionSwapType"]),
        unwrap_native=params["shouldUnwrapNativeToken"],
        auto_cancel=params["autoCancel"],
        swap_path=tuple(pool.lower() for pool in params["swapPath"]),
        cancellation_receiver=params["cancellationReceiver"].lower(),
        callback_contract=params["callbackContract"].lower(),
        callback_gas=int(params["callbackGasLimit"]),
        ui_fee_receiver=params["uiFeeReceiver"].lower(),
        referral_code=raw(params["referralCode"]),
        data_list=tuple(raw(word) for word in params["dataList"]),
    )


ENTRY = order(VIEM["orders"]["market_increase_long"]["params"])
MARKET, USD = ETH_USDC.lower(), 10**30
OTHERS: dict[str, calls.Call] = {
    "send_wnt": SendWnt(VAULT, 116_040_000_000_000),
    "send_tokens": SendTokens(USDC, VAULT, 1_000_000_000),
    "update": UpdateOrder(
        raw(KEY), 9_000 * USD, 1891354981243218, 1880000000000000, 0, 0, auto_cancel=True
    ),
    "cancel": CancelOrder(raw(KEY)),
    "claim_funding": ClaimFundingFees((MARKET, MARKET), (WETH, USDC), OWNER),
    "claim_collateral": ClaimCollateral((MARKET,), (USDC,), (498_611,), OWNER),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", VIEM["orders"])
def test_orders_are_encoded_as_viem_does(name: str, version: Version) -> None:
    row = VIEM["orders"][name]
    made = order(row["params"])
    assert calls.encode(version, made) == raw(row["data"])
    assert calls.decode(version, raw(row["data"])) == made


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", VIEM["calls"])
def test_other_calls_are_encoded_as_viem_does(name: str, version: Version) -> None:
    data = raw(VIEM["calls"][name])
    assert calls.encode(version, OTHERS[name]) == data
    assert calls.decode(version, data) == OTHERS[name]


@pytest.mark.parametrize("version", VERSIONS)
def test_multicalls_are_encoded_as_viem_does(version: Version) -> None:
    fee, tokens = OTHERS["send_wnt"], OTHERS["send_tokens"]
    found = {
        name: calls.decode_all(version, raw(VIEM["multicalls"][name]))
        for name in ("entry", "entry_with_exits", "empty")
    }
    assert found["entry"] == (fee, tokens, ENTRY)
    assert [type(call) for call in found["entry_with_exits"]] == [
        SendWnt, SendTokens, CreateOrder, SendWnt, CreateOrder, SendWnt, CreateOrder,
    ]  # fmt: skip
    assert found["empty"] == ()
    for name, sent in found.items():
        assert calls.encode_all(version, sent) == raw(VIEM["multicalls"][name])


def test_the_reference_vector_of_a_market_increase() -> None:
    row = REFERENCE["market_increase_long_eth_usdc"]
    params = row["params"]
    flat = params["addresses"] | params["numbers"] | params
    made = order({key: value for key, value in flat.items() if not isinstance(value, dict)})
    parts = (OTHERS["send_wnt"], OTHERS["send_tokens"], made)
    for name, call in zip(("sendWnt", "sendTokens", "createOrder"), parts, strict=True):
        assert calls.encode("v2.2c", call) == raw(row[name])
    assert calls.encode_all("v2.2c", parts) == raw(row["multicall"])
    assert row["to"] == contracts(42161, "v2.2c", {})["EXCHANGE_ROUTER"]


@pytest.mark.parametrize("version", VERSIONS)
def test_selectors_are_those_of_the_reference(version: Version) -> None:
    selectors = {
        signature.partition("(")[0]: selector
        for signature, selector in REFERENCE["selectors"].items()
    }
    for call in (*OTHERS.values(), ENTRY):
        name = calls._NAMES[type(call)]
        if name in selectors:
            assert f"0x{calls.encode(version, call)[:4].hex()}" == selectors[name]


def test_approvals_are_encoded_as_viem_does() -> None:
    assert erc20.approve(ROUTER, 1_000_000_000) == raw(VIEM["approve"]["exact"])
    assert erc20.approve(ROUTER, None) == raw(VIEM["approve"]["unlimited"])
    assert erc20.approval(raw(VIEM["approve"]["exact"])) == (ROUTER.lower(), 1_000_000_000)
    with pytest.raises(InputError):
        erc20.approval(raw(VIEM["calls"]["send_wnt"]))


def broken(data: bytes) -> list[bytes]:
    offset = data.index(b"\x02\x00", 4)
    return [
        b"",
        data[:3],
        data[:-1],
        data[:-32],
        data + b"\0" * 32,
        b"\xff" + data[1:],
        # The first offset one word further, with a word in between: the same order to a contract.
        data[:4] + (64).to_bytes(32) + b"\0" * 32 + data[36:],
        data[:offset] + b"\x02\x20" + data[offset + 2 :],
    ]


@pytest.mark.parametrize("data", broken(raw(VIEM["orders"]["market_increase_long"]["data"])))
def test_what_is_no_call_of_ours_to_the_last_byte_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        calls.decode("v2.2c", data)
    assert refused.value.code == "BAD_CALLDATA"


def test_calldata_without_end_is_refused_unread() -> None:
    with pytest.raises(InputError) as refused:
        calls.decode("v2.2c", calls.encode("v2.2c", ENTRY)[:4] + b"\0" * 64_000)
    assert "64000 bytes" in refused.value.message


@pytest.mark.parametrize(("field", "value"), [("order_type", 9), ("swap_type", 3)])
def test_kinds_that_the_contracts_do_not_have_are_refused(field: str, value: int) -> None:
    made = {item.name: getattr(ENTRY, item.name) for item in fields(ENTRY)}
    data = calls.encode("v2.2c", CreateOrder(**made | {field: value}))
    with pytest.raises(InputError) as refused:
        calls.decode("v2.2c", data)
    assert refused.value.code == "BAD_CALLDATA"


@pytest.mark.parametrize(
    "call",
    [
        SendWnt(VAULT, 2**256),
        SendWnt(VAULT, -1),
        SendWnt("0x1234", 1),
        CancelOrder(b"\0" * 33),
    ],
)
def test_what_the_types_cannot_hold_is_refused(call: calls.Call) -> None:
    with pytest.raises(InputError) as refused:
        calls.encode("v2.2c", call)
    assert refused.value.code == "BAD_ARGUMENT"
