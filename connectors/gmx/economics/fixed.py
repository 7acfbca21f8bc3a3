"""The integer arithmetic of the contracts: factors of 30 decimals, rounding that is always named,
and their power function, which is an approximation in 18 decimals and must be the same one.

Source: GMX v2 contracts, utils/Precision.sol, utils/Calc.sol, v2.2b and v2.2c. The power is that
of binary logarithms and exponentials in fixed point; the constants are computed here, being
nothing but roots of two.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import isqrt
from typing import Final

from domain.errors import InputError

FACTOR_ONE: Final = 10**30
"""1.0 as a factor, and 1 USD."""
PER_SIZE_ONE: Final = 10**45
"""The scale of amounts per USD of position size (funding)."""

_E12: Final = 10**12
_E18: Final = 10**18
_HALF_E18: Final = _E18 // 2
_REMEMBERED: Final = 256
"""Powers: a price of liquidation is looked for with the same ones a hundred times."""
_EXP2_LIMIT_E18: Final = 192 * _E18


def div_up(value: int, divisor: int) -> int:
    """Shape: scalars, divisor > 0. Rounds towards plus infinity."""
    return -(-value // divisor)


def div_to_zero(value: int, divisor: int) -> int:
    """Shape: scalars, divisor > 0. Rounds towards zero, as signed division on chain does."""
    return value // divisor if value >= 0 else -(-value // divisor)


def div_from_zero(value: int, divisor: int) -> int:
    """Shape: scalars, divisor > 0. Rounds away from zero ("magnitude up")."""
    return -(-value // divisor) if value >= 0 else value // divisor


def apply_factor(value: int, factor_e30: int) -> int:
    """Shape: scalars. Units: those of ``value``; rounded towards zero.

    Source: Precision.applyFactor.
    """
    return div_to_zero(value * factor_e30, FACTOR_ONE)


def to_factor(value: int, divisor: int) -> int:
    """Shape: scalars, divisor > 0. Units: a fraction, e30, rounded down.

    Source: Precision.toFactor.
    """
    return value * FACTOR_ONE // divisor


def bound_magnitude(value: int, low: int, high: int) -> int:
    """Shape: scalars, 0 <= low. The value with its magnitude moved into [low, high]; zero counts as
    positive. Source: Calc.boundMagnitude."""
    magnitude = min(max(abs(value), low), high)
    return -magnitude if value < 0 else magnitude


@lru_cache(maxsize=_REMEMBERED)
def power(base_e30: int, exponent_e30: int) -> int:
    """``base ** exponent`` as the contracts compute it: 0 below one, exact for the exponent 1,
    otherwise a few units of the 18th decimal off.

    Shape: scalars, both >= 0. Units: e30.
    Raises: InputError ``POWER_TOO_LARGE`` from 2**192 on, where the contract reverts.
    Source: Precision.applyExponentFactor.
    """
    if base_e30 < FACTOR_ONE:
        return 0
    if exponent_e30 == FACTOR_ONE:
        return base_e30
    product = _log2(base_e30 // _E12) * (exponent_e30 // _E12)
    whole, rest = divmod(product, _E18)
    return _exp2(whole + (rest >= _HALF_E18)) * _E12


def _log2(value_e18: int) -> int:
    """Of a number of at least one."""
    whole = (value_e18 // _E18).bit_length() - 1
    result = whole * _E18
    rest = value_e18 >> whole
    if rest == _E18:
        return result
    step = _HALF_E18
    while step:
        rest = rest * rest // _E18
        if rest >= 2 * _E18:
            result += step
            rest >>= 1
        step >>= 1
    return result


def _exp2(value_e18: int) -> int:
    if value_e18 >= _EXP2_LIMIT_E18:
        raise InputError("POWER_TOO_LARGE", "the power does not fit the contract's numbers")
    binary = (value_e18 << 64) // _E18
    result = 1 << 191
    for bit, root in _ROOTS:
        if binary & bit:
            result = result * root >> 64
    return result * _E18 >> (191 - (binary >> 64))


def _roots_of_two() -> Iterator[tuple[int, int]]:
    """(bit of a fraction of 64 bits, two to the power of that bit in 64 bits, to the nearest)."""
    root = 2 << 256
    for place in range(63, -1, -1):
        root = isqrt(root << 256)
        yield 1 << place, (root + (1 << 191)) >> 192


_ROOTS: Final = tuple(_roots_of_two())
