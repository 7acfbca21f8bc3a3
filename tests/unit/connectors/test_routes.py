"""The bound a venue is told is never worse than the one asked for."""

from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dydx.economics.pricing import BookInputs
from connectors.dydx.economics.quote import Scale
from connectors.dydx.routes import ROUTES as DYDX
from connectors.gains.orders.entries import e10, market_guard
from connectors.gains.routes import ROUTES as GAINS
from connectors.gmx.constants import NATIVE_TOKENS
from connectors.gmx.economics.opened import PoolToken, Posted
from connectors.gmx.routes import ROUTES as GMX
from domain.costs import OrderSide
from domain.errors import InputError

SIDES = st.sampled_from(["BUY", "SELL"])
PRICES = st.integers(10**8, 10**16).map(lambda value: Decimal(value).scaleb(-8))
SLIPS = st.integers(0, 2_000).map(lambda bps: Fraction(bps, 10_000))
BOOK = BookInputs(Scale(5 * 10**17, 10**14), (), ())
POOL = SimpleNamespace(terms=SimpleNamespace(decimals=8))


def bound(side: OrderSide, price: Decimal, slip: Fraction) -> Decimal:
    edge = Fraction(price) * (1 + slip if side == "BUY" else 1 - slip)
    return Decimal(edge.numerator) / Decimal(edge.denominator)


@given(SIDES, PRICES, SLIPS)
def test_never_worse_and_hardly_better(side: OrderSide, price: Decimal, slip: Fraction) -> None:
    asked = bound(side, price, slip)
    sign = 1 if side == "BUY" else -1
    told = GMX.guard(POOL, side, price, asked)
    assert 0 <= sign * (asked - told.price) <= Decimal("1e-22")
    assert told.raw == str(int(told.price.scaleb(22)))
    told = DYDX.guard(BOOK, side, price, asked)
    assert 0 <= sign * (asked - told.price) < Decimal("0.5")
    told = GAINS.guard(None, side, price, asked)
    assert 0 <= sign * (asked - told.price) <= price * Decimal("0.00003") + Decimal("1e-9")


@given(SIDES, PRICES, SLIPS)
def test_what_gains_does_with_it(side: OrderSide, price: Decimal, slip: Fraction) -> None:
    """``limit = openPrice * p / 100 / 1000``: a long above openPrice + limit is cancelled."""
    asked = bound(side, price, slip)
    worst = e10(asked, up=side == "SELL")
    found = market_guard(price, worst, buys=side == "BUY")
    sent, slippage_p = found.expected_e10, found.max_slippage_e3
    limit = sent * slippage_p // 100 // 1000
    assert 1 <= slippage_p <= 65_535
    if side == "BUY":
        assert sent + limit <= asked * 10**10
    else:
        assert sent - limit >= asked * 10**10


def test_any_price() -> None:
    assert GMX.guard(POOL, "BUY", Decimal(1), None).raw == str(2**256 - 1)
    assert GMX.guard(POOL, "SELL", Decimal(1), None).raw == "0"
    assert GAINS.guard(None, "SELL", Decimal(100), None).raw == "65535"
    assert DYDX.guard(BOOK, "SELL", Decimal(100), None).price == Decimal(5)


def test_what_cannot_be_told() -> None:
    with pytest.raises(InputError, match="tick"):
        DYDX.guard(BOOK, "BUY", Decimal(1), Decimal("0.4"))
    with pytest.raises(InputError, match="hold"):
        GAINS.guard(None, "BUY", Decimal(2) * 10**9, Decimal(2) * 10**9)


POOL_OF = SimpleNamespace(
    terms=SimpleNamespace(
        posted=Posted(
            PoolToken("0x5979d7b546e38e414f7e9822514be443a4800529", "wstETH", 18),
            PoolToken("0x5d3a1ff2b6bab83b63cd9ad0787074081a52ef34", "USDe", 18),
            None,
            None,
        )
    )
)
ETHER = SimpleNamespace(
    terms=SimpleNamespace(
        posted=Posted(*[PoolToken(NATIVE_TOKENS[42161], "ETH", 18)] * 2, True, None)
    )
)


@pytest.mark.parametrize(
    ("rules", "pool", "inputs", "collateral", "route_id"),
    [
        (GMX, "0x7", POOL_OF, None, "gmx:42161:0x7:USDe"),
        (GMX, "0x7", POOL_OF, "USDe", "gmx:42161:0x7:USDe"),
        (GMX, "0x7", POOL_OF, "wstETH", "gmx:42161:0x7:wstETH"),
        (GMX, "0x7", ETHER, None, "gmx:42161:0x7:ETH"),
        (GMX, "0x7", ETHER, "WETH", "gmx:42161:0x7:WETH"),
        (GAINS, "42161:DAI", None, None, "gains:42161:42161:DAI:DAI"),
        (GAINS, "42161:WETH", None, None, "gains:42161:42161:WETH:WETH"),
        (GAINS, "42161:WETH", None, "ETH", "gains:42161:42161:WETH:ETH"),
        (DYDX, None, BOOK, "USDC", "dydx:42161:-:USDC"),
    ],
)
def test_places(rules: Any, pool: Any, inputs: Any, collateral: Any, route_id: str) -> None:
    assert rules.place(pool, [42161], inputs, collateral).route_id == route_id


@pytest.mark.parametrize(
    ("rules", "pool", "inputs", "collateral", "code"),
    [
        (GMX, None, POOL_OF, None, "UNKNOWN_POOL"),
        (GMX, "0x7", POOL_OF, "USDC", "COLLATERAL"),
        (GMX, "0x7", POOL_OF, "ETH", "COLLATERAL"),
        (GMX, "0x7", SimpleNamespace(terms=SimpleNamespace(posted=None)), None, "COLLATERAL"),
        (GAINS, "USDC", None, None, "UNKNOWN_POOL"),
        (GAINS, "1:USDC", None, None, "UNKNOWN_POOL"),
        (GAINS, "42161:DAI", None, "USDC", "COLLATERAL"),
        (GAINS, "42161:DAI", None, "ETH", "COLLATERAL"),
        (DYDX, "x", BOOK, None, "UNKNOWN_POOL"),
        (DYDX, None, BOOK, "DAI", "COLLATERAL"),
    ],
)
def test_no_places(rules: Any, pool: Any, inputs: Any, collateral: Any, code: str) -> None:
    with pytest.raises(InputError) as caught:
        rules.place(pool, [42161], inputs, collateral)
    assert caught.value.code == code
