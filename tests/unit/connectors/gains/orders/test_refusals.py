"""What a reverted call says, for every error of the diamond."""

import pickle

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.gains.orders.abi import ERRORS
from connectors.gains.orders.refusals import CODES, OrderRefused, Revert, decode_revert
from tests.unit.connectors.gains.orders.chain import ABI

NAMES = sorted(entry["name"] for entry in ABI if entry["type"] == "error")


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("10906acb", "BelowMin"),
        ("34f38ee9", "WrongLeverage"),
        ("3a23d825", "InsufficientCollateral"),
        ("9e87fac8", "Paused"),
        ("12f5a659", "ConflictingPendingOrder"),
        ("5d49793a", "PendingTrigger"),
        ("7c946ed7", "ZeroValue"),
    ],
)
def test_selectors_that_were_published(selector: str, name: str) -> None:
    assert ERRORS[bytes.fromhex(selector)].name == name


def test_every_error_of_the_diamond_is_known_by_name() -> None:
    assert sorted(item.name for item in ERRORS.values()) == sorted([*NAMES, "Error", "Panic"])
    for name in set(NAMES) - {"ConflictingPendingOrder", "InitializationFunctionReverted"}:
        revert = decode_revert(keccak(text=f"{name}()")[:4])
        assert revert == Revert(name)
        assert revert.code == CODES.get(name, "VENUE_REFUSED")
    assert set(CODES) <= set(NAMES)


def test_arguments_and_what_solidity_itself_says() -> None:
    conflict = keccak(text="ConflictingPendingOrder(uint8)")[:4] + encode(["uint8"], [1])
    assert decode_revert(conflict) == Revert("ConflictingPendingOrder", (1,))
    assert decode_revert(conflict).code == "ORDER_PENDING"
    text = bytes.fromhex("08c379a0") + encode(["string"], ["ERC20: insufficient allowance"])
    assert decode_revert(text) == Revert("Error", ("ERC20: insufficient allowance",))
    panic = bytes.fromhex("4e487b71") + encode(["uint256"], [17])
    assert decode_revert(panic) == Revert("Panic", (17,))


def test_what_nobody_knows_is_kept() -> None:
    assert decode_revert(b"") == Revert("")
    assert decode_revert(bytes.fromhex("deadbeef00")) == Revert("0xdeadbeef")
    assert decode_revert(bytes.fromhex("08c379a0ff")) == Revert("Error")
    assert {decode_revert(data).code for data in (b"", b"\x01")} == {"VENUE_REFUSED"}


def test_a_refusal_has_both_codes_and_can_be_pickled() -> None:
    refused = OrderRefused("WrongLeverage", "200x is the most")
    copy = pickle.loads(pickle.dumps(refused))
    for error in (refused, copy):
        assert (error.code, error.venue_code) == ("LEVERAGE_OUT_OF_RANGE", "WrongLeverage")
        assert error.message == "200x is the most"
