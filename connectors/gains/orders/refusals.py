"""Why the diamond refuses, in its words and in ours."""

from dataclasses import dataclass
from typing import Any, Final

from connectors.base.abi import SELECTOR_BYTES
from connectors.gains.orders.abi import ERRORS
from domain.errors import InputError

_UNKNOWN: Final = "VENUE_REFUSED"

CODES: Final = {
    "AboveMax": "ABOVE_MAX",
    "BelowMin": "PRICE_IMPACT_TOO_HIGH",
    "CollateralNotActive": "COLLATERAL_INACTIVE",
    "ConflictingPendingOrder": "ORDER_PENDING",
    "DelegateNotApproved": "DELEGATE_NOT_APPROVED",
    "DelegatedActionNotAllowed": "NOT_DELEGABLE",
    "DoesntExist": "NO_POSITION",
    "InsufficientCollateral": "COLLATERAL_BELOW_MIN",
    "InvalidCollateralIndex": "COLLATERAL_INACTIVE",
    "InvalidDecreasePositionSizeInput": "BAD_SIZE",
    "InvalidIncreasePositionSizeInput": "BAD_SIZE",
    "MaxSlippageZero": "BAD_SLIPPAGE",
    "NoOrder": "NO_ORDER",
    "NoTrade": "NO_POSITION",
    "NotWrappedNativeToken": "NOT_NATIVE_COLLATERAL",
    "Paused": "VENUE_PAUSED",
    "PendingTrigger": "TRIGGER_PENDING",
    "PriceImpactTooHigh": "PRICE_IMPACT_TOO_HIGH",
    "TradeOpenPriceZero": "BAD_PRICE",
    "TradePairNotListed": "MARKET_NOT_LISTED",
    "TradePositionSizeZero": "BAD_SIZE",
    "TradeSlInvalid": "STOP_LOSS_SIDE",
    "TradeTpInvalid": "TAKE_PROFIT_SIDE",
    "WaitTimeout": "TIMEOUT_NOT_REACHED",
    "WrongLeverage": "LEVERAGE_OUT_OF_RANGE",
    "WrongTradeType": "WRONG_ORDER_TYPE",
    "ZeroValue": "BAD_PRICE",
}
"""Our code of each error that a trader's call is known to end with."""


class OrderRefused(InputError):
    """The diamond would not take the call. ``venue_code``: the name of its error."""

    def __init__(self, venue_code: str, message: str = "") -> None:
        super().__init__(CODES.get(venue_code, _UNKNOWN), message or venue_code)
        self.venue_code = venue_code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.venue_code, self.message), self.__dict__


@dataclass(frozen=True, slots=True)
class Revert:
    """What a call reverted with. ``venue_code``: the error's name, ``Error`` or ``Panic`` for what
    Solidity itself has; empty where nothing was said."""

    venue_code: str
    arguments: tuple[Any, ...] = ()

    @property
    def code(self) -> str:
        return CODES.get(self.venue_code, _UNKNOWN)


def decode_revert(data: bytes) -> Revert:
    """What the returned bytes of a reverted call say.

    A selector that the ABI does not have is kept as it is, in hexadecimal digits. Never raises.
    """
    selector = data[:SELECTOR_BYTES]
    if not data:
        return Revert("")
    known = ERRORS.get(selector)
    if known is None:
        return Revert(f"0x{selector.hex()}")
    try:
        return Revert(known.name, known.decode(data))
    except InputError:
        return Revert(known.name)
