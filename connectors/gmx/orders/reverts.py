"""Why the contracts reverted, cancelled or froze: bytes -> (code, message). Pure.

``name`` is the contracts' own, such as ``OrderNotFulfillableAtAcceptablePrice``; ``code`` is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.base.abi import SELECTOR_BYTES, Function
from connectors.gmx.orders import abi
from domain.errors import InputError
from domain.orders import Reason

REVERTED: Final = "REVERTED"
"""The code of what has no better one."""
_TEXT: Final = "Error"

_WRAPPER: Final = "ExternalCallFailed"
_MAX_WRAPS: Final = 4
_MAX_TEXT: Final = 300

_KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "OrderNotFulfillableAtAcceptablePrice": (
        "PRICE_GUARD",
        "the fill would have been worse than the order's bound",
    ),
    "InsufficientExecutionFee": ("KEEPER_FEE", "gas costs more now: build the transaction again"),
    "InsufficientWntAmountForExecutionFee": ("KEEPER_FEE", "less ether came than the keeper's fee"),
    "InvalidOrderPrices": ("TRIGGER", "the trigger price has not been reached"),
    "PriceImpactLargerThanOrderSize": ("IMPACT", "the size is too large for the pool"),
    "NegativeExecutionPrice": ("IMPACT", "the size is too large for the pool"),
    "EmptySizeDeltaInTokens": ("MIN_SIZE", "the size comes to nothing"),
    "InsufficientReserve": ("DEPTH", "the pool has not so much liquidity left"),
    "InsufficientReserveForOpenInterest": ("DEPTH", "the pool has not so much liquidity left"),
    "MaxOpenInterestExceeded": ("DEPTH", "the pool's open interest is at its limit"),
    "MaxCollateralSumExceeded": ("DEPTH", "the pool's collateral is at its limit"),
    "LiquidatablePosition": ("LEVERAGE", "too little collateral for this size"),
    "InsufficientCollateralUsd": ("COLLATERAL", "too little collateral for this size"),
    "InsufficientCollateralAmount": ("COLLATERAL", "the fees take more than the collateral"),
    "MinPositionSize": ("MIN_SIZE", "the position would be too small"),
    "InvalidDecreaseOrderSize": ("SIZE", "the position is smaller than that"),
    "UnableToWithdrawCollateral": ("COLLATERAL", "what stays would be too little"),
    "InsufficientFundsToPayForCosts": ("COLLATERAL", "the position cannot pay what closing costs"),
    "InvalidCollateralTokenForMarket": ("COLLATERAL", "the market does not take this token"),
    "InvalidPositionMarket": ("MARKET_CLOSED", "the market has no positions"),
    "DisabledMarket": ("MARKET_CLOSED", "the market is paused"),
    "DisabledFeature": ("MARKET_CLOSED", "orders of this type are paused"),
    "EmptyPosition": ("POSITION_GONE", "there is no such position any more"),
    "EmptyOrder": ("ORDER_GONE", "there is no such order any more"),
    "OrderNotFound": ("ORDER_GONE", "there is no such order any more"),
    "RequestNotYetCancellable": ("TOO_EARLY", "a market order is cancelled after its time is up"),
    "OrderNotUpdatable": ("NOT_UPDATABLE", "a market order cannot be changed"),
    "InsufficientGasForCancellation": ("GAS", "the transaction needs more gas"),
    "MaxAutoCancelOrdersExceeded": ("TOO_MANY_EXITS", "the position has too many exits waiting"),
    "Unauthorized": ("ROUTER", "the router is not, or no longer, the one in use"),
    "MaxPriceAgeExceeded": ("STALE_PRICE", "the prices were too old"),
    "UnexpectedValidFromTime": ("BAD_ORDER", "a market order has no time to wait for"),
    "UnexpectedMarket": ("BAD_ORDER", "a swap has no market"),
    "EmptyReceiver": ("BAD_ORDER", "an order without a receiver"),
    "CollateralAlreadyClaimed": ("NOTHING", "there is nothing to claim"),
    "USER_INITIATED_CANCEL": ("CANCELLED", "cancelled by its owner"),
    "AUTO_CANCEL": ("POSITION_CLOSED", "the position was closed, and its exits with it"),
}
"""Our code, and what it means, by the contracts' name."""


@dataclass(frozen=True, slots=True)
class Revert:
    """``name``: of the error, or the text of a cancellation. ``arguments``: by name, as decoded;
    empty where they could not be read."""

    name: str
    message: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return code_of(self.name)

    @property
    def told(self) -> Reason:
        """For people and programs that know no venue."""
        return Reason(self.code, self.message, self.name)


def code_of(name: str) -> str:
    """Ours, of an error by its name."""
    return _KNOWN[name][0] if name in _KNOWN else REVERTED


def hint_of(name: str) -> str:
    """What an error means, its name where that says it."""
    return _KNOWN[name][1] if name in _KNOWN else name


def revert(data: bytes) -> Revert:
    """What revert data says; never raises. The error inside an ``ExternalCallFailed`` is told in
    its place. Texts are cut: they come from any token's contract."""
    for _ in range(_MAX_WRAPS):
        if not data:
            return Revert("", "reverted without a reason")
        function = abi.errors().get(data[:SELECTOR_BYTES])
        if function is None:
            return Revert(f"0x{data[:SELECTOR_BYTES].hex()}", f"unknown error 0x{data.hex()[:80]}")
        try:
            values = function.decode(data)
        except InputError:
            return Revert(function.name, f"{function.name} with unreadable arguments")
        if function.name != _WRAPPER:
            return _named(function, values)
        (data,) = values
    return Revert(_WRAPPER, "calls that failed in calls that failed")


def reason(text: object, data: object) -> Revert:
    """Of OrderCancelled or OrderFrozen: ``reason`` is a text where there is one, and empty for the
    contracts' own errors, which are in ``reasonBytes``. ``data``: 0x and hexadecimal digits."""
    raw = bytes.fromhex(data[2:]) if isinstance(data, str) else b""
    if raw:
        return revert(raw)
    words = text[:_MAX_TEXT] if isinstance(text, str) else ""
    if words in _KNOWN:
        return Revert(words, hint_of(words))
    return Revert(_TEXT if words else "", words or "no reason was given")


def _named(function: Function, values: tuple[Any, ...]) -> Revert:
    arguments = {
        parameter.name: _shown(value)
        for parameter, value in zip(function.inputs, values, strict=True)
    }
    if function.name == _TEXT:
        (words,) = arguments.values()
        return Revert(_TEXT, f"reverted: {words}", arguments)
    listed = ", ".join(f"{key}={value}" for key, value in arguments.items())
    message = f"{function.name}({listed:.{_MAX_TEXT}})"
    if function.name in _KNOWN:
        message = f"{hint_of(function.name)}: {message}"
    return Revert(function.name, message, arguments)


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return value[:_MAX_TEXT] if isinstance(value, str) else value
