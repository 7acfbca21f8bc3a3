"""Why the diamond refuses, in its words and in ours. Pure.

A call that cannot be is reverted; a request that the oracle answer does not fit is cancelled, or
still stands where it was triggered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.base.abi import SELECTOR_BYTES
from connectors.gains.economics.position import CancelReason
from connectors.gains.orders.abi import ERRORS
from domain.errors import InputError
from domain.orders import Reason

REVERTED: Final = "REVERTED"
"""The code of what has no better one."""
_MAX_TEXT: Final = 300

_KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "AboveMax": ("SIZE", "more than the venue takes"),
    "BelowMin": ("IMPACT", "the size is too large for the pool"),
    "CollateralNotActive": ("COLLATERAL", "the venue does not take this token now"),
    "ConflictingPendingOrder": ("ORDER_PENDING", "another request of the position waits"),
    "DelegateNotApproved": ("DELEGATE", "the owner has not made this key a delegate"),
    "DelegatedActionNotAllowed": ("DELEGATE", "a delegate may not do this"),
    "DoesntExist": ("POSITION_GONE", "there is no such position or order any more"),
    "InsufficientCollateral": ("COLLATERAL", "less collateral than the venue takes"),
    "InvalidCollateralIndex": ("COLLATERAL", "the venue does not take this token now"),
    "InvalidDecreasePositionSizeInput": ("SIZE", "either collateral or leverage is taken off"),
    "InvalidIncreasePositionSizeInput": ("SIZE", "an increase has leverage, price and slippage"),
    "MaxSlippageZero": ("PRICE_GUARD", "the venue asks for some slippage"),
    "NoOrder": ("ORDER_GONE", "the request was answered already"),
    "NoTrade": ("POSITION_GONE", "there is no such position any more"),
    "NotWrappedNativeToken": ("COLLATERAL", "the native coin is no collateral of this pool"),
    "Paused": ("MARKET_CLOSED", "the venue takes no such orders now"),
    "PendingTrigger": ("TRIGGER_PENDING", "a trigger of the order is being answered"),
    "PriceImpactTooHigh": ("IMPACT", "spread and impact cost more than 40 % of the collateral"),
    "TradeOpenPriceZero": ("PRICE_GUARD", "an order has a price"),
    "TradePairNotListed": ("MARKET_CLOSED", "the venue does not list the market"),
    "TradePositionSizeZero": ("MIN_SIZE", "the size comes to nothing"),
    "TradeSlInvalid": ("TRIGGER_SIDE", "the stop loss is on the wrong side of the price"),
    "TradeTpInvalid": ("TRIGGER_SIDE", "the take profit is on the wrong side of the price"),
    "WaitTimeout": ("TOO_EARLY", "a request is taken back after its time is up"),
    "WrongLeverage": ("LEVERAGE", "the leverage is outside of the market's limits"),
    "WrongTradeType": ("ORDER_GONE", "the order was executed, or is none"),
    "ZeroValue": ("PRICE_GUARD", "an order has a price"),
}
"""Our code and what it means, for the errors that calls of traders are known to end with."""

_CANCELLED: Final[Mapping[CancelReason, tuple[str, str]]] = {
    CancelReason.NONE: (REVERTED, "no reason was given"),
    CancelReason.PAUSED: ("MARKET_CLOSED", "the venue was paused"),
    CancelReason.MARKET_CLOSED: ("MARKET_CLOSED", "the market was closed"),
    CancelReason.SLIPPAGE: ("PRICE_GUARD", "the fill would have been worse than the order's bound"),
    CancelReason.TP_REACHED: ("TRIGGER_SIDE", "the fill would have been past the take profit"),
    CancelReason.SL_REACHED: ("TRIGGER_SIDE", "the price was past the stop loss"),
    CancelReason.EXPOSURE_LIMITS: ("DEPTH", "the pool's open interest is at its limit"),
    CancelReason.PRICE_IMPACT: (
        "IMPACT",
        "spread and impact would cost more than 40 % of the collateral",
    ),
    CancelReason.MAX_LEVERAGE: ("LEVERAGE", "the leverage would be outside of the limits"),
    CancelReason.NO_TRADE: ("POSITION_GONE", "there was no such position any more"),
    CancelReason.WRONG_TRADE: ("SIZE", "the position is not what it was"),
    CancelReason.NOT_HIT: ("TRIGGER", "the trigger price was not reached"),
    CancelReason.LIQ_REACHED: ("LEVERAGE", "the position would be liquidated at once"),
    CancelReason.COUNTER_TRADE_CANCELED: ("DEPTH", "the trade would not have lowered the skew"),
}


@dataclass(frozen=True, slots=True)
class Revert:
    """What a call reverted with. ``name``: of the error; empty where nothing was said."""

    name: str
    arguments: tuple[Any, ...] = ()

    @property
    def code(self) -> str:
        return code_of(self.name)

    @property
    def told(self) -> Reason:
        """For people and programs that know no venue."""
        listed = ", ".join(str(value)[:_MAX_TEXT] for value in self.arguments)
        message = message_of(self.name) or f"reverted: {listed or 'no reason was given'}"
        return Reason(self.code, message, self.name)


def code_of(name: str) -> str:
    """Our code of an error."""
    return _KNOWN[name][0] if name in _KNOWN else REVERTED


def message_of(name: str) -> str:
    """What an error means; empty for one that nobody has explained."""
    return _KNOWN[name][1] if name in _KNOWN else ""


def cancelled(reason: CancelReason) -> Reason:
    """Why an oracle answer changed nothing."""
    code, message = _CANCELLED[reason]
    return Reason(code, message, reason.name)


def revert(data: bytes) -> Revert:
    """What the returned bytes of a reverted call say; never raises.

    A selector that the ABI does not have is kept as it is, in hexadecimal digits.
    """
    if not data:
        return Revert("")
    known = ERRORS.get(data[:SELECTOR_BYTES])
    if known is None:
        return Revert(f"0x{data[:SELECTOR_BYTES].hex()}")
    try:
        return Revert(known.name, known.decode(data))
    except InputError:
        return Revert(known.name)
