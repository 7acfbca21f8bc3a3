"""JSON numbers become integers without losing a digit; nothing else becomes a price."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.gains import values
from domain.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("76562.91", 765629100000000),
        ("2463.54", 24635400000000),
        ("97013", 970130000000000),
        ("97013.0", 970130000000000),
        ("1.0922896117", 10922896117),
        ("0.00000812", 81200),
        ("8.12e-06", 81200),
        ("1e-10", 1),
        ("0.00001234567891", 123456),
        ("1.5e3", 15000000000000),
        ("123456789.012345", 1234567890123450000),
        ("0.1", 1000000000),
        ("0.3", 3000000000),
        ("4.35", 43500000000),
        ("1844674407.3", 18446744073000000000),
    ],
)
def test_what_was_written_is_what_is_read(text: str, expected: int) -> None:
    assert values.price_e10(orjson.loads(text)) == expected


@given(st.integers(1, 10**15 - 1), st.integers(0, 10))
def test_fifteen_digits_are_exact(digits: int, decimals: int) -> None:
    text = format(Decimal(digits).scaleb(-decimals), "f")
    expected = digits * 10 ** (10 - decimals)
    if expected < 2**64:
        assert values.price_e10(orjson.loads(text)) == expected


@pytest.mark.parametrize(
    "value",
    [
        0, 0.0, -0.0, -1, -0.5, 1e-11, 5e-324, 2**64, 1e300, 1.7e308, 1844674407.4, True, False,
        None, "1", "", b"1", [], {}, [1], float("nan"), float("inf"), float("-inf"),
    ],
    ids=repr,
)  # fmt: skip
def test_nothing_else_is_a_price(value: Any) -> None:
    with pytest.raises(InputError):
        values.price_e10(value)


@pytest.mark.parametrize(
    ("value", "expected"), [("0", 0), ("12", 12), (7, 7), ("9" * 78, 10**78 - 1)]
)
def test_counts(value: Any, expected: int) -> None:
    assert values.count(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        1.0,
        -1,
        "",
        "-1",
        "+1",
        " 1",
        "1.0",
        "1e3",
        "0x1",
        "\u0661",
        "9" * 79,
        [],
        {},
    ],
    ids=repr,
)
def test_nothing_else_is_a_count(value: Any) -> None:
    with pytest.raises(InputError):
        values.count(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", 0), ("-7", -7), ("12", 12), (-3, -3), ("-" + "9" * 78, 1 - 10**78)],
)
def test_integers_of_either_sign(value: Any, expected: int) -> None:
    assert values.signed(value) == expected


@pytest.mark.parametrize(
    "value",
    ["", "-", "--1", "+1", "1.5", " 1", "1e9", "٣", "9" * 79, True, None, 1.0, [1]],
    ids=str,
)
def test_nothing_else_is_an_integer(value: Any) -> None:
    with pytest.raises(InputError):
        values.signed(value)
