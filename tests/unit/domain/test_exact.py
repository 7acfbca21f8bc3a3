"""Quotients with a named rounding; sums and products that do not round."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from domain import exact
from domain.errors import InputError

D = Decimal


def test_the_three_divisions() -> None:
    cases = [(7, 2), (-7, 2), (6, 2), (-6, 2), (0, 2)]
    assert [exact.floor_div(*case) for case in cases] == [3, -4, 3, -3, 0]
    assert [exact.ceil_div(*case) for case in cases] == [4, -3, 3, -3, 0]
    assert [exact.trunc_div(*case) for case in cases] == [3, -3, 3, -3, 0]


def test_cut_decimals() -> None:
    third = Fraction(1, 3)
    assert exact.decimal(third, 4, "down") == D("0.3333")
    assert exact.decimal(third, 4, "up") == D("0.3334")
    assert exact.decimal(-third, 4, "down") == D("-0.3334")
    assert exact.decimal(-third, 4, "up") == D("-0.3333")
    assert exact.decimal(Fraction(5, 2), 1, "up") == exact.decimal(Fraction(5, 2), 1, "down")
    assert exact.decimal(7, 0, "up") == 7
    # More digits than the context of decimal holds.
    assert exact.decimal(Fraction(10**40 + 1), 2, "up") == D(10**40 + 1)


def test_sums_and_products_ignore_the_context() -> None:
    long = D("1." + "0" * 40 + "1")
    with localcontext(prec=5):
        assert exact.added(long, long) == D("2." + "0" * 40 + "2")
        assert exact.multiplied(long, 3) == D("3." + "0" * 40 + "3")
        assert exact.added() == 0
        assert exact.multiplied(long) == long


def test_a_quotient_without_end_needs_a_rounding() -> None:
    assert exact.divided(D(1), 8) == D("0.125")
    with pytest.raises(InputError) as refused:
        exact.divided(D(1), 3)
    assert refused.value.code == "INEXACT"
    up, down = exact.divided(D(1), 3, "up"), exact.divided(D(1), 3, "down")
    assert Fraction(down) < Fraction(1, 3) < Fraction(up)
    assert up - down == D("1e-60")


def test_numbers_as_they_stand() -> None:
    assert exact.fraction("0.1") == exact.fraction(D("0.1")) == Fraction(1, 10)
    assert exact.fraction(-3) == -3
    assert exact.fraction("1e-7") == Fraction(1, 10**7)
    for bad in ("", "x", "NaN", "-Infinity", "1e99999999", D("1e-99999999"), D("sNaN")):
        with pytest.raises(InputError) as refused:
            exact.fraction(bad)
        assert refused.value.code == "BAD_DECIMAL"
