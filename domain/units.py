"""The only scale conversions. Prices and sizes on the wire are decimal strings and become integers
by string arithmetic; a float never stands in between."""

import re
from decimal import Decimal
from typing import Final

from domain.errors import InputError

E18: Final = 10**18
BPS: Final = 10_000

_PLAIN: Final = re.compile(r"(0|[1-9][0-9]{0,27})(?:\.([0-9]{1,36}))?", re.ASCII)
_CACHE_BOUND: Final = 16_384


def power10(exponent: int) -> int:
    """10 to a non-negative power, as an integer."""
    return int(10**exponent)


def parse_decimal(text: str) -> tuple[int, int]:
    """``"97013.50"`` -> ``(9701350, 2)``: digits as an integer and the count of decimals.

    Accepts unsigned plain ASCII decimals of at most 28 integer and 36 fractional digits.
    Raises InputError ``BAD_DECIMAL`` for anything else (exponents, signs, blanks, NaN).
    """
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise InputError("BAD_DECIMAL", f"not a plain decimal: {text[:60]!r}")
    whole, fraction = match.groups()
    if fraction is None:
        return int(whole), 0
    return int(whole + fraction), len(fraction)


def format_decimal(digits: int, decimals: int) -> str:
    """``(9701350, 2)`` -> ``"97013.5"``: minimal decimal string, the inverse of parse_decimal."""
    if decimals == 0:
        return str(digits)
    sign = "-" if digits < 0 else ""
    text = str(abs(digits)).rjust(decimals + 1, "0")
    fraction = text[-decimals:].rstrip("0")
    whole = sign + text[:-decimals]
    return f"{whole}.{fraction}" if fraction else whole


def format_e18(value_e18: int) -> str:
    """An integer of 1e-18 units as a minimal decimal string."""
    return format_decimal(value_e18, 18)


def minimal(value: Decimal) -> str:
    """A finite Decimal as a minimal plain string: no exponent, no trailing zeros."""
    if not value.is_finite():
        raise InputError("BAD_DECIMAL", f"not finite: {value}")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def normalise_increment(text: str) -> str:
    """``"1e-7"`` or ``"0.10"`` -> minimal plain decimal; venues write tick sizes either way."""
    try:
        return minimal(Decimal(text))
    except ArithmeticError:
        raise InputError("BAD_INCREMENT", f"not a number: {text[:60]!r}") from None


class Grid:
    """Multiples of one positive increment (a tick of price, a step of size) as integers.

    ``Grid("0.25").parse("97013.5")`` is ``388054``; ``format(388054)`` is ``"97013.5"``.
    ``unit_e18`` is the increment in 1e-18 units, which makes grids of different venues comparable.
    """

    __slots__ = ("_cache", "_decimals", "_unit", "increment", "unit_e18")

    def __init__(self, increment: str) -> None:
        digits, decimals = parse_decimal(normalise_increment(increment))
        if digits <= 0:
            raise InputError("BAD_INCREMENT", f"increment must be positive: {increment!r}")
        if decimals > 18:
            raise InputError("BAD_INCREMENT", f"increment below 1e-18: {increment!r}")
        self.increment = format_decimal(digits, decimals)
        self._unit = digits
        self._decimals = decimals
        self.unit_e18 = digits * power10(18 - decimals)
        self._cache: dict[str, int] = {}

    def parse(self, text: str) -> int:
        """Decimal string -> count of increments.

        Raises InputError ``OFF_GRID`` when it is no multiple, ``BAD_DECIMAL`` when no number.
        Strings of a live book repeat, so results are remembered up to a bound.
        """
        try:
            return self._cache[text]
        except KeyError:
            value = self._parse(text)
            if len(self._cache) >= _CACHE_BOUND:
                self._cache.clear()
            self._cache[text] = value
            return value

    def _parse(self, text: str) -> int:
        digits, decimals = parse_decimal(text)
        if decimals <= self._decimals:
            scaled = digits * power10(self._decimals - decimals)
        else:
            scaled, rest = divmod(digits, power10(decimals - self._decimals))
            if rest:
                raise InputError("OFF_GRID", f"{text} is no multiple of {self.increment}")
        count, rest = divmod(scaled, self._unit)
        if rest:
            raise InputError("OFF_GRID", f"{text} is no multiple of {self.increment}")
        return count

    def format(self, count: int) -> str:
        """Count of increments -> minimal decimal string."""
        return format_decimal(count * self._unit, self._decimals)
