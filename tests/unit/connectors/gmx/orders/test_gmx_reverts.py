"""Errors of the contracts in words and codes."""

import pytest

from connectors.gmx.orders import abi
from connectors.gmx.orders.reverts import Revert, reason, revert
from tests.unit.connectors.gmx.economics.vectors import REFUSALS
from tests.unit.connectors.gmx.kit import recorded
from tests.unit.connectors.gmx.orders.kit import VIEM
from tests.unit.connectors.gmx.orders.test_gmx_calls import raw

SELECTORS = {
    "InsufficientExecutionFee": "5dac504d",
    "OrderNotFulfillableAtAcceptablePrice": "e09ad0e9",
    "InsufficientReserve": "315276c9",
    "MaxCollateralSumExceeded": "d1a942ab",
    "LiquidatablePosition": "bc121108",
    "MinPositionSize": "85efb31a",
    "RequestNotYetCancellable": "e8266438",
    "InsufficientGasForCancellation": "d3dacaac",
    "Unauthorized": "a35b150b",
    "EndOfOracleSimulation": "4e48dcda",
    "Error": "08c379a0",
    "Panic": "4e487b71",
}
"""As the venue's documentation has them."""


def test_every_error_is_known_by_its_selector() -> None:
    found = abi.errors()
    assert len(found) == 372
    for name, selector in SELECTORS.items():
        assert found[bytes.fromhex(selector)].name == name


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        (
            "unfulfillable",
            "PRICE_GUARD",
            "OrderNotFulfillableAtAcceptablePrice("
            "price=1903000000000000, acceptablePrice=1891354981243218)",
        ),
        ("wrapped", "PRICE_GUARD", "price=1903000000000000"),
        ("fee", "KEEPER_FEE", "minExecutionFee=43500000000000"),
        ("router", "ROUTER", "role=ROUTER_PLUGIN"),
        ("text", "REVERTED", "ERC20: transfer amount exceeds allowance"),
    ],
)
def test_reverts_as_viem_encodes_them(name: str, code: str, message: str) -> None:
    told = revert(raw(VIEM["reverts"][name])).told
    assert told.code == code
    assert message in told.message
    assert told.venue_code is not None
    assert not told.venue_code.startswith("0x")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", ""),
        (raw(VIEM["reverts"]["text"])[:-1], "Error"),
        (b"\x01", "0x01"),
        (b"\xde\xad\xbe\xef" + b"\0" * 64, "0xdeadbeef"),
        (bytes.fromhex("59afd6c6") + b"\0" * 32, "ExternalCallFailed"),
    ],
)
def test_what_nobody_can_read_is_told_as_it_is(data: bytes, name: str) -> None:
    found = revert(data)
    assert (found.code, found.name) == ("REVERTED", name)
    assert found.message


def test_calls_in_calls_in_calls_end() -> None:
    data = raw(VIEM["reverts"]["text"])
    wrap = abi.errors()[bytes.fromhex("59afd6c6")]
    for _ in range(6):
        data = wrap.encode(data)
    assert revert(data).name == "ExternalCallFailed"


def test_long_texts_are_cut() -> None:
    text = abi.errors()[bytes.fromhex("08c379a0")].encode("x" * 5000)
    assert len(revert(text).message) < 400


@pytest.mark.parametrize(
    ("text", "code"),
    [("USER_INITIATED_CANCEL", "CANCELLED"), ("AUTO_CANCEL", "POSITION_CLOSED")],
)
def test_cancellations_that_are_no_failures(text: str, code: str) -> None:
    found = reason(text, "0x")
    assert (found.name, found.code) == (text, code)


def test_a_contracts_text_is_never_taken_for_the_venues_word() -> None:
    spoof = abi.errors()[bytes.fromhex("08c379a0")].encode("USER_INITIATED_CANCEL")
    assert reason("USER_INITIATED_CANCEL", f"0x{spoof.hex()}").code == "REVERTED"


def test_reasons_without_a_word() -> None:
    assert reason("", "0x") == Revert("", "no reason was given")
    assert reason("anything else", "0x").told.message == "anything else"


def test_the_recorded_reason_of_a_cancellation() -> None:
    rows = recorded("synthetic-order-lifecycle-logs.json")["logs"]
    (data,) = {
        row["decoded"]["items"]["reasonBytes"]
        for row in rows
        if row["eventName"] in ("OrderCancelled", "OrderFrozen")
    }
    found = reason("", data)
    assert found.arguments == {"price": 0x6C42EBC4536D9, "acceptablePrice": 0x6B30840BE313D}


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row["label"])
def test_what_the_contracts_refused_has_a_code_of_ours(row: dict[str, str]) -> None:
    name = row["reason"].partition("(")[0]
    assert name.startswith("Error: ") or Revert(name, "").code != "REVERTED"
