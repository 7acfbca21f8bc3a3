"""The contracts' arithmetic against exact fractions."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.gmx.economics import fixed
from domain.errors import InputError

ONE = 10**30
wide = st.integers(min_value=-(10**80), max_value=10**80)
divisors = st.integers(min_value=1, max_value=10**60)


@given(wide, divisors)
def test_rounding_directions(value: int, divisor: int) -> None:
    exact = Fraction(value, divisor)
    assert fixed.div_up(value, divisor) == ceil(exact)
    assert fixed.div_to_zero(value, divisor) == (floor(exact) if value > 0 else ceil(exact))
    assert fixed.div_from_zero(value, divisor) == (ceil(exact) if value > 0 else floor(exact))
    assert fixed.apply_factor(-value, divisor) == -fixed.apply_factor(value, divisor)


@given(wide, st.integers(0, 10**40), st.integers(0, 10**40))
def test_a_bounded_magnitude_keeps_its_sign(value: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    bounded = fixed.bound_magnitude(value, low, high)
    assert low <= abs(bounded) <= high
    assert bounded == 0 or (bounded > 0) == (value >= 0)


@given(
    st.integers(min_value=ONE, max_value=10**12 * ONE),
    st.integers(min_value=0, max_value=3 * ONE),
)
def test_the_power_is_that_of_a_calculator(base: int, exponent: int) -> None:
    with localcontext() as context:
        context.prec = 80
        exact = (Decimal(base) / ONE) ** (Decimal(exponent) / ONE)
        error = abs(Decimal(fixed.power(base, exponent)) / ONE - exact)
    # The base loses what lies below the 18th decimal, and the logarithm is good to as many.
    assert error <= exact * Decimal("4e-16") + Decimal("1e-18")


@given(st.integers(min_value=0, max_value=10**12 * ONE))
def test_powers_of_one_and_of_what_is_below_one(base: int) -> None:
    assert fixed.power(base, ONE) == (base if base >= ONE else 0)
    assert fixed.power(ONE, base) == ONE
    assert fixed.power(base, 0) == (ONE if base >= ONE else 0)


@given(st.integers(min_value=0, max_value=39))
def test_powers_of_two_are_exact(exponent: int) -> None:
    assert fixed.power(2 * ONE, exponent * ONE) == (2**exponent * ONE)


def test_a_power_too_large_for_the_contract_raises() -> None:
    with pytest.raises(InputError) as caught:
        fixed.power(2 * ONE, 192 * ONE)
    assert caught.value.code == "POWER_TOO_LARGE"
