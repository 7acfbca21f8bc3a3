"""Wire values that all of the venue's frames and bodies are made of. Pure.

Every function raises InputError on what the protocol does not allow, unless it says otherwise.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from connectors.gains.constants import PRICE_DECIMALS, PRICE_MAX_E10
from domain.errors import InputError
from domain.units import power10

MALFORMED: Final = (InputError, LookupError, TypeError, ValueError, AttributeError)
"""What a parser raises on rubbish."""

_T = TypeVar("_T")
_SIGNED: Final = re.compile(r"-?[0-9]{1,78}", re.ASCII)
_MAX_DIGITS: Final = 78
_POWERS: Final = tuple(power10(places) for places in range(PRICE_DECIMALS + 1))


def count(value: Any) -> int:
    """A non-negative integer, as a decimal string or a JSON number. Raises InputError."""
    if type(value) is int and value >= 0:
        return value
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _MAX_DIGITS:
        return int(value)
    raise InputError("BAD_COUNT", f"not a count: {value!r:.80}")


def signed(value: Any) -> int:
    """An integer of either sign, as a decimal string or a JSON number."""
    if type(value) is int:
        return value
    if type(value) is str and _SIGNED.fullmatch(value) is not None:
        return int(value)
    raise InputError("BAD_COUNT", f"not an integer: {value!r:.80}")


def flag(value: Any) -> bool:
    if type(value) is not bool:
        raise InputError("BAD_FLAG", f"not a boolean: {value!r:.80}")
    return value


def price_e10(value: Any) -> int:
    """A JSON number as an integer of 1e-10, cut off there.

    The shortest decimal that means the parsed double is what was sent, up to 15 digits.
    Raises InputError ``BAD_PRICE`` unless positive and within what the contracts can hold.
    """
    if (type(value) is not float and type(value) is not int) or not 0 < value < PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price: {value!r:.80}")
    text = repr(value)
    whole, _, fraction = text.partition(".")
    places = len(fraction)
    if places <= PRICE_DECIMALS and "e" not in text:
        price = int(whole + fraction) * _POWERS[PRICE_DECIMALS - places]
    else:
        price = _cut_off(text)
    if not 0 < price <= PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price: {value!r:.80}")
    return price


def _cut_off(text: str) -> int:
    """A price that is written with an exponent or with more digits than are kept."""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or "0") - len(fraction) + PRICE_DECIMALS
    digits = int(whole + fraction)
    if shift >= 0:
        return digits * power10(shift)
    return digits // power10(-shift) if shift > -64 else 0


def price_or_none(value: Any) -> int | None:
    try:
        return price_e10(value)
    except InputError:
        return None


# Lists ------------------------------------------------------------------------------------------


def array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise InputError("BAD_LIST", "not a list")
    return value


def at(items: Sequence[_T], place: int) -> _T | None:
    """None beyond the end."""
    return items[place] if place < len(items) else None


def readable(make: Callable[..., _T], *arguments: Any) -> _T | None:
    """What a parser makes of it; None for rubbish."""
    try:
        return make(*arguments)
    except MALFORMED:
        return None
