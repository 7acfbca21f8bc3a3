"""Why the contracts reverted, cancelled or froze: bytes -> (code, message). Pure.

``code`` is the contracts' own name, such as ``OrderNotFulfillableAtAcceptablePrice``; the message
has it with its arguments, and what can be done where that is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.base.abi import SELECTOR_BYTES, Function
from connectors.gmx.orders import abi
from domain.errors import InputError

UNKNOWN: Final = "UNKNOWN_REVERT"
REVERTED: Final = "REVERTED"
"""Without a word, as the EVM does when gas ran out."""
TEXT: Final = "Error"

_WRAPPER: Final = "ExternalCallFailed"
_MAX_WRAPS: Final = 4
_MAX_TEXT: Final = 300

SIMULATED: Final = "EndOfOracleSimulation"
"""How a simulation ends in which the order would be executed."""

_HINTS: Final[Mapping[str, str]] = {
    "OrderNotFulfillableAtAcceptablePrice": "the price had moved beyond the order's bound",
    "InsufficientExecutionFee": "the price of gas has risen: build the transaction again",
    "InsufficientWntAmountForExecutionFee": "less ether came along than the execution fee",
    "InvalidOrderPrices": "the trigger price has not been reached",
    "PriceImpactLargerThanOrderSize": "the size is too large for the pool",
    "NegativeExecutionPrice": "the size is too large for the pool",
    "InsufficientReserve": "the pool has not so much liquidity left",
    "InsufficientReserveForOpenInterest": "the pool has not so much liquidity left",
    "MaxOpenInterestExceeded": "the pool's open interest is at its limit",
    "MaxCollateralSumExceeded": "the pool's collateral is at its limit",
    "LiquidatablePosition": "too little collateral for this size",
    "InsufficientCollateralUsd": "too little collateral",
    "InsufficientCollateralAmount": "the fees take more than the collateral",
    "MinPositionSize": "the position would be too small",
    "InvalidDecreaseOrderSize": "the position is smaller than that",
    "UnableToWithdrawCollateral": "what stays would be too little collateral",
    "InsufficientFundsToPayForCosts": "the position cannot pay what closing costs",
    "InvalidCollateralTokenForMarket": "the market does not take this collateral",
    "InvalidPositionMarket": "the market has no positions",
    "DisabledMarket": "the market is paused",
    "DisabledFeature": "orders of this type are paused",
    "EmptyPosition": "there is no such position any more",
    "EmptyOrder": "there is no such order any more",
    "OrderNotFound": "there is no such order any more",
    "RequestNotYetCancellable": "a market order can be cancelled only after its time is up",
    "OrderNotUpdatable": "a market order cannot be changed",
    "InsufficientGasForCancellation": "the transaction needs more gas",
    "MaxAutoCancelOrdersExceeded": "the position has too many take-profits and stop-losses",
    "Unauthorized": "the router is not, or no longer, the one in use",
    "MaxPriceAgeExceeded": "the prices of the simulation were too old",
}


@dataclass(frozen=True, slots=True)
class Revert:
    """``arguments``: by name, as decoded; empty where they could not be read."""

    code: str
    message: str
    arguments: Mapping[str, Any]

    @property
    def simulated(self) -> bool:
        """Whether this is how a successful simulation ends."""
        return self.code == SIMULATED


def revert(data: bytes) -> Revert:
    """What revert data says; never raises. The error inside an ``ExternalCallFailed`` is told in
    its place. Texts are cut: they come from any token's contract."""
    for _ in range(_MAX_WRAPS):
        if not data:
            return Revert(REVERTED, "reverted without a reason", {})
        function = abi.errors().get(data[:SELECTOR_BYTES])
        if function is None:
            return Revert(UNKNOWN, f"unknown error 0x{data.hex()[:80]}", {})
        try:
            values = function.decode(data)
        except InputError:
            return Revert(function.name, f"{function.name} with unreadable arguments", {})
        if function.name != _WRAPPER:
            return _named(function, values)
        (data,) = values
    return Revert(_WRAPPER, "calls that failed in calls that failed", {})


def reason(text: object, data: object) -> Revert:
    """Of OrderCancelled or OrderFrozen: ``reason`` is a text where there is one, and empty for the
    contracts' own errors, which are in ``reasonBytes``. ``data``: 0x and hexadecimal digits."""
    raw = bytes.fromhex(data[2:]) if isinstance(data, str) else b""
    if raw:
        return revert(raw)
    words = text[:_MAX_TEXT] if isinstance(text, str) else ""
    return Revert(_code(words) if words else REVERTED, words or "no reason given", {})


def _named(function: Function, values: tuple[Any, ...]) -> Revert:
    arguments = {
        parameter.name: _shown(value)
        for parameter, value in zip(function.inputs, values, strict=True)
    }
    if function.name == TEXT:
        (text,) = values
        words = _shown(text)
        return Revert(TEXT, f"reverted: {words}", arguments)
    listed = ", ".join(f"{key}={value}" for key, value in arguments.items())
    hint = _HINTS.get(function.name)
    message = f"{function.name}({listed:.{_MAX_TEXT}})"
    return Revert(function.name, f"{hint}: {message}" if hint else message, arguments)


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return value[:_MAX_TEXT] if isinstance(value, str) else value


def _code(words: str) -> str:
    """``USER_INITIATED_CANCEL`` and ``AUTO_CANCEL`` are codes already."""
    return words if words.replace("_", "").isalnum() and words.isupper() else TEXT
