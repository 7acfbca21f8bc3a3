"""Priced pools, the best of them, and splits over cost curves."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from domain.costs import (
    CostCurve,
    OrderSide,
    PricedPool,
    UnpricedPool,
    all_in_bps_array,
    all_in_price_array,
    best_pool,
    best_single,
    best_split,
    curve_of,
    variable_usd_array,
)
from domain.errors import InputError
from domain.ids import VenueId

D = Decimal
V = VenueId("dydx")


def pool(
    name: str, price: str, fee: str = "5", side: OrderSide = "BUY", size: str = "1000", **more: str
) -> PricedPool:
    fixed = {key: D(value) for key, value in more.items()}
    return PricedPool(V, name, side, D(size), D(price), D(fee), D("0.5"), D("0.25"), **fixed)


def curve(name: str, *points: tuple[float, float], fixed: float = 0.0) -> CostCurve:
    sizes, costs = (np.array(column) for column in zip(*points, strict=True))
    return CostCurve(V, name, sizes, costs, fixed)


def test_the_parts_add_up_exactly() -> None:
    found = pool("a", "100", gas_usd="0.1", execution_fee_usd="0.2")
    assert found.all_in_bps == D("5.75")
    assert found.fixed_usd == D("0.3")
    assert found.all_in_price == D("100.05")
    assert pool("a", "100", side="SELL").all_in_price == D("99.95")
    long = pool("a", "100." + "0" * 40 + "1", fee="-1")
    assert Fraction(long.all_in_price) == Fraction(long.price) * Fraction(9999, 10_000)


def test_cost_against_a_reference() -> None:
    # 1000 USD at 101 buy 9.900990.. worth 990.099.. at 100; the fee is 0.5.
    found = pool("a", "101", gas_usd="0.1")
    assert found.variable_usd(D(100)) == D("10.400990099009900991")
    assert found.cost_usd(D(100)) == D("10.500990099009900991")
    # 1000 USD brought by selling 10.10.. worth 1010.10.. at 100.
    assert pool("a", "99", side="SELL").variable_usd(D(100)) == D("10.601010101010101011")
    assert pool("a", "100", fee="-1").variable_usd(D(100)) == D("-0.1")
    for bad in ("0", "-1", "NaN"):
        with pytest.raises(InputError):
            found.variable_usd(D(bad))


def test_the_best_pool_counts_everything() -> None:
    gone = UnpricedPool(V, "gone", "BUY", D(1000), "DEPTH")
    cheap, dear = pool("cheap", "100"), pool("dear", "100.01")
    assert best_pool([gone, dear, cheap]) == cheap
    assert best_pool([dear, pool("free", "100.03", fee="0")]) == pool("free", "100.03", fee="0")
    assert best_pool([dear, pool("gas", "100", gas_usd="0.2")]) == dear
    assert best_pool([pool("first", "100"), pool("second", "100")]) == pool("first", "100")
    assert best_pool([gone]) is None
    assert best_pool([]) is None
    sells = [pool(name, price, side="SELL") for name, price in (("low", "99"), ("high", "100"))]
    assert best_pool(sells) == sells[1]
    with pytest.raises(InputError) as refused:
        best_pool([cheap, sells[0]])
    assert refused.value.code == "MIXED_TRADES"
    with pytest.raises(InputError):
        best_pool([cheap, pool("more", "100", size="1001")])


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_float_forms_agree(side: OrderSide) -> None:
    pools = [
        pool(str(place), price, fee, side, size)
        for place, (price, fee, size) in enumerate(
            [("97013.123456789", "5", "1000"), ("0.00001234", "-1.1", "1e6"), ("3", "0", "7")]
        )
    ]
    price = np.array([float(item.price) for item in pools])
    fee = np.array([float(item.fee_bps) for item in pools])
    size = np.array([float(item.notional_usd) for item in pools])
    part = np.full(3, 0.5), np.full(3, 0.25)
    all_in_bps = all_in_bps_array(fee, *part)
    all_in = all_in_price_array(side, price, fee)
    for place, item in enumerate(pools):
        reference = item.price * D("1.001")
        cost = variable_usd_array(side, size, price, fee, float(reference))
        assert all_in_bps[place] == pytest.approx(float(item.all_in_bps), rel=1e-9)
        assert all_in[place] == pytest.approx(float(item.all_in_price), rel=1e-12)
        assert cost[place] == pytest.approx(float(item.variable_usd(reference)), rel=1e-9)


def test_a_curve_between_and_beyond_its_points() -> None:
    found = curve("a", (1_000.0, 1.0), (10_000.0, 19.0), fixed=0.5)
    asked = np.array([0.0, 500.0, 1_000.0, 5_500.0, 10_000.0, 10_000.1, -1.0])
    expected = [0, 1.0, 1.5, 10.5, 19.5, np.inf, np.inf]
    assert found.cost_at(asked).tolist() == expected
    assert found.max_notional_usd == 10_000


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [
        ([], []), ([0.0], [1.0]), ([2.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, 1.0]),
        ([1.0], [np.nan]), ([np.inf], [1.0]), ([1.0, 2.0], [1.0]), ([[1.0]], [[1.0]]),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_curve(sizes: Any, costs: Any) -> None:
    with pytest.raises(InputError) as refused:
        CostCurve(V, None, np.array(sizes), np.array(costs))
    assert refused.value.code == "BAD_CURVE"


def test_a_curve_through_exact_prices() -> None:
    ladder = [pool("a", "100", size="1000"), pool("a", "101", size="10000")]
    found = curve_of(ladder, D(100))
    assert found.pool == "a"
    assert found.notional_usd.tolist() == [1_000, 10_000]
    assert found.cost_usd.tolist() == [0.5, float(ladder[1].variable_usd(D(100)))]
    for mixed in ([], [pool("a", "100"), pool("b", "100", size="2000")]):
        with pytest.raises(InputError):
            curve_of(mixed, D(100))


def test_a_split_deals_out_what_one_pool_makes_dear() -> None:
    steep = curve("steep", (500.0, 1.0), (1_000.0, 10.0))
    other = curve("other", (500.0, 2.0), (1_000.0, 9.0))
    third = curve("third", (1_000.0, 1000.0))
    curves = [steep, other, third]
    single = best_single(curves, 1_000)
    assert single is not None
    assert [(leg.pool, leg.share) for leg in single.legs] == [("other", 20)]
    assert single.cost_usd == 9.0
    split = best_split(curves, 1_000)
    assert split is not None
    assert [(leg.pool, leg.notional_usd) for leg in split.legs] == [("steep", 500), ("other", 500)]
    assert split.cost_usd == 3.0
    assert split.parts == 20


def test_a_split_reaches_further_than_any_pool() -> None:
    curves = [curve(name, (400.0, 1.0)) for name in "abc"]
    assert best_split(curves, 1_000, max_legs=2) is None
    split = best_split(curves, 1_000)
    assert split is not None
    assert sum(leg.share for leg in split.legs) == 20
    assert len({leg.pool for leg in split.legs}) == 3
    assert best_split(curves, 1_300) is None
    assert best_split([], 1_000) is None


def test_fixed_costs_keep_legs_few() -> None:
    curves = [curve(name, (500.0, 1.0), (1_000.0, 3.0), fixed=1.0) for name in "ab"]
    split = best_split(curves, 1_000)
    assert split is not None
    # Two legs would cost 2 x (1 + 1), one 3 + 1: equal, so one.
    assert len(split.legs) == 1
    assert split.cost_usd == 4.0


@pytest.mark.parametrize(
    ("notional", "legs", "parts"),
    [(0.0, 1, 20), (-1.0, 1, 20), (np.inf, 1, 20), (np.nan, 1, 20), (1.0, 0, 20), (1.0, 4, 20),
     (1.0, 1, 0), (1.0, 1, 1001)],
)  # fmt: skip
def test_splits_that_make_no_sense(notional: float, legs: int, parts: int) -> None:
    with pytest.raises(InputError) as refused:
        best_split([curve("a", (1.0, 1.0))], notional, max_legs=legs, parts=parts)
    assert refused.value.code == "BAD_SPLIT"
