"""The only scale conversions. Prices and sizes on the wire are decimal strings and become integers
by string arithmetic; a float never stands in between."""

from decimal import Decimal
from typing import Final

from domain.errors import InputError

E18: Final = 10**18
BPS: Final = 10_000

_MAX_EXPONENT: Final = 63
_MAX_DIGITS: Final = 60


_POWERS: Final = tuple(int("1" + "0" * exponent) for exponent in range(64))


def power10(exponent: int) -> int:
    """10 to a power of 0 to 63, as an integer."""
    return _POWERS[exponent]


def parse_decimal(text: str) -> tuple[int, int]:
    """``"97013.50"`` -> ``(9701350, 2)``: digits as an integer and the count of decimals.

    Accepts unsigned plain ASCII decimals of at most 60 digits.
    Raises InputError ``BAD_DECIMAL`` for anything else (exponents, signs, blanks, NaN).
    """
    whole, fraction = _split(text)
    return int(whole + fraction), len(fraction)


def minimal_decimal(text: str) -> str:
    """``"97013.50"`` -> ``"97013.5"``. Accepts and raises what parse_decimal does."""
    whole, fraction = _split(text)
    if not fraction or fraction[-1] != "0":
        return text
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _split(text: str) -> tuple[str, str]:
    whole, dot, fraction = text.partition(".")
    digits = whole + fraction
    if (
        not digits.isdigit()
        or not digits.isascii()
        or (text[0] <= "0" and whole != "0")
        or (dot and not fraction)
        or len(digits) > _MAX_DIGITS
    ):
        raise InputError("BAD_DECIMAL", f"not a plain decimal: {text[:60]!r}")
    return whole, fraction


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
    if value_e18 < 0:
        return format_decimal(value_e18, 18)
    # Written out: every price of every pool comes by here.
    text = str(value_e18).rjust(19, "0")
    fraction = text[-18:].rstrip("0")
    return f"{text[:-18]}.{fraction}" if fraction else text[:-18]


def minimal(value: Decimal) -> str:
    """A finite Decimal as a minimal plain string: no exponent, no trailing zeros."""
    # A few characters with an exponent can stand for gigabytes of zeros.
    if not value.is_finite() or abs(value.adjusted()) > _MAX_EXPONENT:
        raise InputError("BAD_DECIMAL", f"not a number to be written out: {value!s:.60}")
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
    ``unit_e18`` is the increment in 1e-18 units, which makes grids of different venues comparable;
    ``decimals`` is how many it has.
    """

    __slots__ = ("_unit", "decimals", "increment", "unit_e18")

    def __init__(self, increment: str) -> None:
        digits, decimals = parse_decimal(normalise_increment(increment))
        if digits <= 0:
            raise InputError("BAD_INCREMENT", f"increment must be positive: {increment!r}")
        if decimals > 18:
            raise InputError("BAD_INCREMENT", f"increment below 1e-18: {increment!r}")
        self.increment = format_decimal(digits, decimals)
        self._unit = digits
        self.decimals = decimals
        self.unit_e18 = digits * power10(18 - decimals)

    def parse(self, text: str) -> int:
        """Decimal string -> count of increments.

        Raises InputError ``OFF_GRID`` when it is no multiple, ``BAD_DECIMAL`` when no number.
        """
        if text == "0":
            return 0
        # parse_decimal written out for what nearly every price and size looks like: both pass here
        # for every level of every update.
        whole, dot, fraction = text.partition(".")
        digits = whole + fraction
        finer = self.decimals - len(fraction)
        if (
            digits.isdigit()
            and digits.isascii()
            and (text[0] > "0" or whole == "0")
            and (fraction or not dot)
            and finer >= 0
            and len(digits) <= _MAX_DIGITS
        ):
            scaled = int(digits) * _POWERS[finer]
        else:
            scaled = self._scale(text)
        if self._unit == 1:
            return scaled
        count, rest = divmod(scaled, self._unit)
        if rest:
            raise InputError("OFF_GRID", f"{text} is no multiple of {self.increment}")
        return count

    def _scale(self, text: str) -> int:
        """Any decimal as an integer of this grid's decimals."""
        digits, decimals = parse_decimal(text)
        if decimals <= self.decimals:
            return digits * _POWERS[self.decimals - decimals]
        scaled, rest = divmod(digits, _POWERS[decimals - self.decimals])
        if rest:
            raise InputError("OFF_GRID", f"{text} is no multiple of {self.increment}")
        return scaled

    def format(self, count: int) -> str:
        """Count of increments -> minimal decimal string."""
        return format_decimal(count * self._unit, self.decimals)
