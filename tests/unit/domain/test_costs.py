"""Priced pools, and the best of them."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from domain.costs import (
    OrderSide,
    PricedPool,
    UnpricedPool,
    all_in_bps_array,
    all_in_price_array,
    best_pool,
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


def test_the_parts_add_up_exactly() -> None:
    found = pool("a", "100", gas_usd="0.1", execution_fee_usd="0.2")
    assert found.all_in_bps == D("5.75")
    assert found.fixed_usd == D("0.3")
    assert found.all_in_price == D("100.05")
    assert pool("a", "100", side="SELL").all_in_price == D("99.95")
    unknown = pool("a", "100", gas_usd="0.1")
    assert (unknown.execution_fee_usd, unknown.fixed_usd) == (None, D("0.1"))
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
