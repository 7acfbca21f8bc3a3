"""Leverage and smallest positions as the GMX API tells them."""

from typing import Any

import pytest

from connectors.gmx.limits import UNKNOWN, Limits, market_limits, of_pools
from domain.errors import InputError

A, B = "0x" + "aB" * 20, "0x" + "Cd" * 20


def row(token: str = A, *leverages: Any, size: Any = "1" + "0" * 30) -> dict[str, Any]:
    tiers = [{"maxLeverage": leverage} for leverage in leverages or ("100",)]
    return {"marketTokenAddress": token, "leverageTiers": tiers, "minPositionSizeUsd": size}


def test_the_largest_leverage_and_exact_usd() -> None:
    size = "2500000" + "0" * 24
    assert market_limits([row(A, "50", "100", "75", size=size)]) == {
        A.lower(): Limits("100", "2.5")
    }


def test_a_leverage_in_an_unknown_unit_is_none() -> None:
    assert market_limits([row(A, "1000000")]) == {A.lower(): Limits(None, "1")}
    assert market_limits([row(A, "0.5", "20")]) == {A.lower(): Limits("20", "1")}


def test_a_market_has_what_its_most_generous_pool_allows() -> None:
    known = {A.lower(): Limits("50", "10"), B.lower(): Limits("100", "2")}
    assert of_pools(known, (A, B)) == Limits("100", "2")
    assert of_pools(known, (A, "0x0")) == Limits("50", "10")
    assert of_pools({}, (A,)) == UNKNOWN


@pytest.mark.parametrize(
    "bad",
    [
        {},
        None,
        [],
        row(A) | {"leverageTiers": None},
        row(A, None),
        row(A, "NaN"),
        row(A, 100),
        row(A, size="-1"),
        row(A, size="1.5"),
        row(A, size=5),
        row(A) | {"marketTokenAddress": 7},
    ],
)
def test_a_row_without_sense_costs_itself_alone(bad: Any) -> None:
    assert market_limits([bad, row(B)]) == {B.lower(): Limits("100", "1")}
    with pytest.raises(InputError):
        market_limits([bad])


@pytest.mark.parametrize("body", [None, {}, "x", [], {"markets": []}])
def test_a_body_without_a_market_is_refused(body: Any) -> None:
    with pytest.raises(InputError):
        market_limits(body)
