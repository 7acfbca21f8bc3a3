"""Nonces that are given out: the lowest ones that nobody uses."""

from execution.prepare import free_nonces


def test_holes_are_filled_first() -> None:
    assert free_nonces(5, set(), 2) == [5, 6]
    assert free_nonces(5, {5, 7}, 2) == [6, 8]
    assert free_nonces(5, {3, 4}, 1) == [5]
