"""Decimal strings in, integers out: what is a number and what only looks like one."""

from decimal import Decimal

import pytest

from domain.errors import InputError
from domain.units import (
    Grid,
    format_decimal,
    format_e18,
    minimal,
    normalise_increment,
    parse_decimal,
)

BAD_DECIMALS = [
    "", " ", "1 ", " 1", "1\n", "\t1", "1_000", "1,000", "+1", "-1", "-0", "-0.0", "1E+9", "1e9",
    "1E-9", ".5", "1.", ".", "1..2", "1.2.3", "00", "01", "00.5", "0x10", "NaN", "nan", "sNaN",
    "Infinity", "inf", "-inf", "null",
    "\u0661\u0662", "1.\u0665", "\uff11", "\u00b2", "1.\u00b2", "\u00bd", "1\u00a0000", "1\x00",
    "9" * 61, "1." + "1" * 60, "1" * 5000, "0." + "0" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_DECIMALS, ids=lambda text: ascii(text[:12]))
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_decimal(text)
    assert refused.value.code == "BAD_DECIMAL"
    assert len(refused.value.message) < 200
    with pytest.raises(InputError):
        Grid("0.1").parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, 0)),
        ("0.0", (0, 1)),
        ("97013.50", (9701350, 2)),
        ("0.000000000000000001", (1, 18)),
        ("9" * 28, (int("9" * 28), 0)),
        ("1." + "0" * 35 + "1", (10**36 + 1, 36)),
    ],
)
def test_plain_decimals_are_exact(text: str, expected: tuple[int, int]) -> None:
    assert parse_decimal(text) == expected


@pytest.mark.parametrize(
    ("increment", "text", "count"),
    [
        ("1", "97013", 97013),
        ("1", "97013.000", 97013),
        ("0.25", "97013.5", 388054),
        ("0.25", "97013.50", 388054),
        ("1e-7", "0.0000003", 3),
        ("1E+1", "120", 12),
        ("5", "0", 0),
        ("0.1", "9" * 27, int("9" * 27) * 10),
    ],
)
def test_a_grid_counts_increments(increment: str, text: str, count: int) -> None:
    grid = Grid(increment)
    assert grid.parse(text) == count
    assert grid.format(count) == minimal(Decimal(text))


@pytest.mark.parametrize(
    ("increment", "text"),
    [
        ("1", "0.5"), ("0.25", "0.2"), ("0.25", "0.250001"), ("5", "7"), ("10", "15"),
        ("0.1", "2340.7442700369913687"), ("1", "1." + "0" * 35 + "1"),
    ],
)  # fmt: skip
def test_a_price_between_two_ticks_is_refused_every_time(increment: str, text: str) -> None:
    grid = Grid(increment)
    for _ in range(2):
        with pytest.raises(InputError) as refused:
            grid.parse(text)
        assert refused.value.code == "OFF_GRID"


@pytest.mark.parametrize(
    "increment",
    ["0", "0.0", "-0.1", "", "abc", "NaN", "Infinity", "1e-19", "1e999999999999999999"],
)
def test_bad_increments_are_refused(increment: str) -> None:
    with pytest.raises(InputError) as refused:
        Grid(increment)
    assert refused.value.code in ("BAD_INCREMENT", "BAD_DECIMAL")


def test_a_grid_forgets_old_strings_and_still_answers_right() -> None:
    grid = Grid("0.01")
    for count in range(40_000):
        assert grid.parse(f"{count // 100}.{count % 100:02d}") == count


@pytest.mark.parametrize(
    ("digits", "decimals", "text"),
    [
        (9701350, 2, "97013.5"), (0, 0, "0"), (0, 18, "0"), (100, 0, "100"), (100, 2, "1"),
        (1, 18, "0.000000000000000001"), (-5, 1, "-0.5"), (-50, 0, "-50"),
    ],
)  # fmt: skip
def test_decimals_are_written_minimal(digits: int, decimals: int, text: str) -> None:
    assert format_decimal(digits, decimals) == text
    if decimals == 18:
        assert format_e18(digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"), ("0.50", "0.5"), ("-0", "0"), ("-0.00", "0"), ("1e-7", "0.0000001"),
        ("100", "100"), ("-1.50", "-1.5"),
    ],
)  # fmt: skip
def test_minimal_has_no_exponent_and_no_trailing_zero(value: str, text: str) -> None:
    assert minimal(Decimal(value)) == text
    assert normalise_increment(value) == text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_minimal_refuses_what_is_not_finite(value: str) -> None:
    with pytest.raises(InputError):
        minimal(Decimal(value))
