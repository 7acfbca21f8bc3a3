"""What a reverted call says, for every error of the diamond."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.gains.economics.position import CancelReason
from connectors.gains.orders.abi import ERRORS
from connectors.gains.orders.refusals import REVERTED, Revert, cancelled, message_of, revert
from domain.orders import Reason
from tests.unit.connectors.gains.orders.chain import ABI

NAMES = sorted(entry["name"] for entry in ABI if entry["type"] == "error")


@pytest.mark.parametrize(
    ("selector", "name", "code"),
    [
        ("10906acb", "BelowMin", "IMPACT"),
        ("34f38ee9", "WrongLeverage", "LEVERAGE"),
        ("3a23d825", "InsufficientCollateral", "COLLATERAL"),
        ("9e87fac8", "Paused", "MARKET_CLOSED"),
        ("5d49793a", "PendingTrigger", "TRIGGER_PENDING"),
        ("b1e706e4", "WaitTimeout", "TOO_EARLY"),
        ("80375d5a", "DoesntExist", "POSITION_GONE"),
        ("7c946ed7", "ZeroValue", "PRICE_GUARD"),
    ],
)
def test_selectors_that_were_published(selector: str, name: str, code: str) -> None:
    found = revert(bytes.fromhex(selector))
    assert (found, found.code) == (Revert(name), code)
    assert found.told == Reason(code, message_of(name), name)


def test_every_error_of_the_diamond_is_known_by_name() -> None:
    assert sorted(item.name for item in ERRORS.values()) == sorted([*NAMES, "Error", "Panic"])
    for name in set(NAMES) - {"ConflictingPendingOrder", "InitializationFunctionReverted"}:
        found = revert(keccak(text=f"{name}()")[:4])
        assert found == Revert(name)
        assert (found.code == REVERTED) == (message_of(name) == "")


def test_arguments_and_what_solidity_itself_says() -> None:
    conflict = keccak(text="ConflictingPendingOrder(uint8)")[:4] + encode(["uint8"], [1])
    assert revert(conflict) == Revert("ConflictingPendingOrder", (1,))
    assert revert(conflict).code == "ORDER_PENDING"
    text = bytes.fromhex("08c379a0") + encode(["string"], ["ERC20: insufficient allowance"])
    assert revert(text) == Revert("Error", ("ERC20: insufficient allowance",))
    assert revert(text).told.message == "reverted: ERC20: insufficient allowance"
    panic = bytes.fromhex("4e487b71") + encode(["uint256"], [17])
    assert revert(panic) == Revert("Panic", (17,))


def test_what_nobody_knows_is_kept() -> None:
    assert revert(b"") == Revert("")
    assert revert(b"").told == Reason(REVERTED, "reverted: no reason was given", "")
    assert revert(bytes.fromhex("deadbeef00")) == Revert("0xdeadbeef")
    assert revert(bytes.fromhex("08c379a0ff")) == Revert("Error")
    assert {revert(data).code for data in (b"", b"\x01")} == {REVERTED}


def test_every_reason_of_a_cancel_has_a_code_and_the_venues_word() -> None:
    told = {reason: cancelled(reason) for reason in CancelReason}
    assert told[CancelReason.SLIPPAGE].code == "PRICE_GUARD"
    assert {reason.name for reason in told} == {reason.venue_code for reason in told.values()}
    assert all(reason.message for reason in told.values())
