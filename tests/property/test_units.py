"""Ticks survive the way out and back, and nothing else gets in."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from domain.units import Grid, format_decimal, minimal, normalise_increment, parse_decimal

INCREMENTS = st.one_of(
    st.sampled_from(["1", "0.1", "0.25", "5", "10", "1e-7", "1E+2", "0.000000000000000001"]),
    st.builds(
        lambda digits, exponent: f"{digits}e{exponent}", st.integers(1, 999), st.integers(-15, 3)
    ),
)
WHOLES = st.integers(0, 9_999) | st.integers(0, 10**28 - 1)
FRACTIONS = st.text("0123456789", max_size=4) | st.text("0123456789", max_size=32)
PLAIN = st.builds(
    lambda whole, fraction: f"{whole}.{fraction}" if fraction else str(whole), WHOLES, FRACTIONS
)


@settings(deadline=None, max_examples=300)
@given(INCREMENTS, st.integers(0, 10**15))
def test_counts_survive_the_round_trip(increment: str, count: int) -> None:
    grid = Grid(increment)
    text = grid.format(count)
    assert grid.parse(text) == count
    assert Fraction(text) == count * Fraction(increment) == Fraction(count * grid.unit_e18, 10**18)
    # However many zeros a venue adds.
    assert Grid(increment).parse(text + ("000" if "." in text else ".00")) == count


@settings(deadline=None, max_examples=300)
@given(INCREMENTS, PLAIN)
def test_a_grid_takes_multiples_and_nothing_else(increment: str, text: str) -> None:
    count = Fraction(text) / Fraction(increment)
    if count.denominator == 1:
        assert Grid(increment).parse(text) == count
    else:
        with pytest.raises(InputError, match="no multiple"):
            Grid(increment).parse(text)


@settings(deadline=None, max_examples=500)
@given(st.text(max_size=12) | st.text("0123456789.-+eE_ \n\u0661", max_size=12))
def test_any_text_is_a_plain_decimal_or_refused(text: str) -> None:
    if re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", text, re.ASCII):
        digits, decimals = parse_decimal(text)
        assert Fraction(digits, 10**decimals) == Fraction(text)
    else:
        with pytest.raises(InputError, match="plain decimal"):
            parse_decimal(text)


@given(PLAIN)
def test_minimal_strings_stay_as_they_are(text: str) -> None:
    shortest = format_decimal(*parse_decimal(text))
    assert format_decimal(*parse_decimal(shortest)) == shortest
    assert minimal(Decimal(text)) == shortest == normalise_increment(text)
