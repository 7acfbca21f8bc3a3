"""Exact numbers for money: quotients whose rounding has a name, sums and products that never round.

The context of ``decimal`` cuts at 28 digits without a word; nothing here does.
"""

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from domain.errors import InputError

Rounding: TypeAlias = Literal["up", "down"]
"""Toward plus or toward minus infinity, whatever the sign."""

_CONTEXT: Final = Context(
    prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow]
)  # fmt: skip
_MAX_EXPONENT: Final = 63


def floor_div(numerator: int, denominator: int) -> int:
    """Quotient toward minus infinity."""
    return numerator // denominator


def ceil_div(numerator: int, denominator: int) -> int:
    """Quotient toward plus infinity."""
    return -(-numerator // denominator)


def trunc_div(numerator: int, denominator: int) -> int:
    """Quotient toward zero; ``denominator`` is positive."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def fraction(value: Decimal | int | str) -> Fraction:
    """The number as it stands.

    Raises InputError ``BAD_DECIMAL`` for what is no finite number of sane size: a few characters
    with an exponent can stand for gigabytes of zeros.
    """
    if isinstance(value, int):
        return Fraction(value)
    try:
        number = Decimal(value)
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        raise InputError("BAD_DECIMAL", f"not a number to count with: {value!s:.60}")
    return Fraction(number)


def decimal(value: Fraction | int, decimals: int, rounding: Rounding) -> Decimal:
    """The number cut to ``decimals`` places in the named direction."""
    scale = 10**decimals
    divide = ceil_div if rounding == "up" else floor_div
    numerator, denominator = value.numerator * scale, value.denominator
    return Decimal(f"{divide(numerator, denominator)}E-{decimals}")


def added(*values: Decimal) -> Decimal:
    """The exact sum."""
    total = Decimal(0)
    for value in values:
        total = _CONTEXT.add(total, value)
    return total


def multiplied(first: Decimal, *others: Decimal | int) -> Decimal:
    """The exact product."""
    for other in others:
        first = _CONTEXT.multiply(first, other)
    return first


def divided(value: Decimal, divisor: Decimal | int, rounding: Rounding | None = None) -> Decimal:
    """The exact quotient, or one cut after 60 decimals in the named direction.

    Raises InputError ``INEXACT`` when it has no end and no rounding was named.
    """
    try:
        return _CONTEXT.divide(value, divisor)
    except Inexact:
        if rounding is None:
            raise InputError("INEXACT", f"{value} / {divisor} has no end") from None
        return decimal(Fraction(value) / Fraction(divisor), 60, rounding)
