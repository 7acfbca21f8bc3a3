"""Bounds of prices; ``tests/property/test_gains_orders`` has them for all numbers."""

import pytest

from connectors.gains.orders.guards import MAX_SLIPPAGE_E3, Guard, anchored, guard
from domain.errors import InputError

E10 = 10**10


def test_a_slippage_around_the_expected_price() -> None:
    assert guard(100 * E10, 500, up_is_worse=True) == Guard(100 * E10, 500, 1_005 * E10 // 10)
    assert guard(100 * E10, 500, up_is_worse=False) == Guard(100 * E10, 500, 995 * E10 // 10)


def test_a_limit_narrows_it() -> None:
    """0.3 of 100 are 300 of 1e-3 percent; a limit further away changes nothing."""
    limit = 1_003 * E10 // 10
    assert guard(100 * E10, 500, limit, up_is_worse=True) == Guard(100 * E10, 300, limit)
    assert guard(100 * E10, 500, 101 * E10, up_is_worse=True).max_slippage_e3 == 500
    limit = 997 * E10 // 10
    assert guard(100 * E10, 500, limit, up_is_worse=False) == Guard(100 * E10, 300, limit)


def test_without_room_the_expected_price_gives_way_by_a_step() -> None:
    found = guard(100 * E10, 500, 100 * E10, up_is_worse=True)
    assert found.max_slippage_e3 == 1
    assert found.worst_e10 == 100 * E10
    assert 100 * E10 - found.expected_e10 < 2 * E10 // 1000
    assert guard(101 * E10, 500, 100 * E10, up_is_worse=True) == found


def test_a_given_slippage_moves_the_expected_price() -> None:
    long = anchored(100 * E10, 1000, up_is_worse=False)
    assert long == Guard(1_010_101_010_101, 1000, 100 * E10)
    short = anchored(100 * E10, 1000, up_is_worse=True)
    assert short.worst_e10 == 100 * E10
    assert short.expected_e10 == 990_099_009_901


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("BAD_PRICE", (0, 500)),
        ("BAD_PRICE", (2**64, 500)),
        ("BAD_SLIPPAGE", (E10, 0)),
        ("BAD_SLIPPAGE", (E10, MAX_SLIPPAGE_E3 + 1)),
        ("BAD_PRICE", (E10, 500, 0)),
    ],
)
def test_what_no_request_can_hold(code: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as error:
        guard(*arguments, up_is_worse=True)
    assert error.value.code == code


def test_an_anchor_beyond_what_the_contract_holds() -> None:
    with pytest.raises(InputError) as error:
        anchored(2**64 - 1, 1000, up_is_worse=False)
    assert error.value.code == "BAD_PRICE"
