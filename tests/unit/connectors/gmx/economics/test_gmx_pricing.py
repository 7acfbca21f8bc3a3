"""GMX as whoever prices trades sees it: exact prices, ladders, and what goes over the wire."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from connectors.gmx.economics.model import Sided, Signed
from connectors.gmx.economics.pricing import ECONOMICS, Fixed, GmxInputs, PoolTerms
from domain.costs import OrderSide, PricedPool, UnpricedPool
from domain.errors import InputError
from tests.unit.connectors.gmx.economics import openings as o
from tests.unit.connectors.gmx.economics import vectors as v

USD = 10**30
SIDES: tuple[OrderSide, OrderSide] = ("BUY", "SELL")


def named(name: str, market: str) -> GmxInputs:
    return o.inputs(v.named(name, market), o.DECIMALS[market])


@pytest.mark.parametrize(("row", "inputs"), list(zip(v.STATES, o.STATES, strict=True)))
def test_prices_are_the_contracts_own(row: v.Row, inputs: GmxInputs) -> None:
    for case in row["increase"]:
        size = Decimal(case["size_delta_usd"] + "E-30")
        side: OrderSide = "BUY" if case["is_long"] else "SELL"
        priced = ECONOMICS.price("pool", inputs, side, size)
        assert isinstance(priced, PricedPool)
        assert (priced.venue, priced.pool, priced.side) == ("gmx", "pool", side)
        price = Decimal(case["out"]["executionPrice"] + f"E{inputs.terms.decimals - 30}")
        assert priced.price == price
        assert (priced.gas_usd, priced.execution_fee_usd) == (None, None)
        # Fee factors of the configuration, in basis points.
        improved = case["out"]["balanceWasImproved"]
        factor = inputs.terms.config.position_fee_factor_e30.of(improved)
        assert priced.fee_bps == Decimal(factor).scaleb(-26)


@pytest.mark.parametrize("inputs", o.STATES)
@pytest.mark.parametrize("side", SIDES)
def test_spread_and_impact_are_the_way_from_the_middle(inputs: GmxInputs, side: OrderSide) -> None:
    priced = ECONOMICS.price(None, inputs, side, Decimal(100_000))
    assert isinstance(priced, PricedPool)
    index, scale = inputs.prices.index, Fraction(10) ** (inputs.terms.decimals - 30)
    middle = Fraction(index.min_usd_e30 + index.max_usd_e30, 2) * scale
    way = Fraction(priced.price) / middle - 1
    parts = Fraction(priced.spread_bps + priced.impact_bps) / 10_000
    assert parts == pytest.approx(way if side == "BUY" else -way, abs=1e-21)
    assert Fraction(priced.spread_bps) / 10_000 * middle == pytest.approx(
        Fraction(index.max_usd_e30 - index.min_usd_e30, 2) * scale, abs=1e-15
    )


def test_a_size_is_what_is_paid_at_the_fill() -> None:
    """1 M into 18 M long and 6 M short: the tokens at the fill price are worth the size."""
    inputs = named("long-heavy", "BTC")
    buy, sell = (ECONOMICS.price(None, inputs, side, Decimal(10**6)) for side in SIDES)
    assert isinstance(buy, PricedPool)
    assert isinstance(sell, PricedPool)
    oracle = Decimal(inputs.prices.index.min_usd_e30).scaleb(-22)
    # The buyer holds less than at the oracle's price, the seller owes less.
    assert buy.price > oracle
    assert sell.price > oracle
    assert buy.impact_bps == pytest.approx(Decimal("22.55"), rel=Decimal("1e-4"))
    assert sell.impact_bps < 0


def unpriced(**change: Any) -> tuple[GmxInputs, int]:
    inputs = named("long-heavy", "BTC")
    size = change.pop("size_usd", 10**6)
    terms = replace(inputs.terms, config=replace(inputs.terms.config, **change))
    return replace(inputs, terms=terms), size


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_position_size_usd_e30": 2 * 10**6 * USD}, "BELOW_MIN"),
        ({"size_usd": 96 * 10**6}, "DEPTH"),
        ({"reserve_factor_e30": Sided(0, 0)}, "DEPTH"),
        ({"open_interest_reserve_factor_e30": Sided(0, 0)}, "DEPTH"),
        ({"impact_factor_e30": Signed(10**26, 10**26)}, "IMPACT"),
    ],
)
def test_why_there_is_no_price(change: dict[str, Any], reason: str) -> None:
    inputs, size = unpriced(**change)
    found = ECONOMICS.price("pool", inputs, "BUY", Decimal(size))
    assert found == UnpricedPool("gmx", "pool", "BUY", Decimal(size), reason)  # type: ignore[arg-type]
    ladder = ECONOMICS.ladder([inputs], np.array([float(size)]))
    assert ladder.reason is not None
    assert ladder.reason[0, 0, 0] == reason
    for values in ladder[:4]:
        assert np.isnan(values[0, 0, 0])


@pytest.mark.parametrize("size", [Decimal(0), Decimal(-5)])
def test_a_size_is_positive(size: Decimal) -> None:
    with pytest.raises(InputError) as caught:
        ECONOMICS.price(None, o.STATES[0], "BUY", size)
    assert caught.value.code == "BAD_SIZE"


def test_a_ladder_of_no_pools() -> None:
    ladder = ECONOMICS.ladder([], np.array([1e3, 1e4]))
    assert [values.shape for values in ladder if values is not None] == [(2, 0, 2)] * 5


# Over the wire --------------------------------------------------------------------------------


def wire(inputs: GmxInputs) -> Any:
    return json.loads(json.dumps(ECONOMICS.encode(inputs)))


@pytest.mark.parametrize("inputs", o.STATES)
def test_inputs_come_back_equal(inputs: GmxInputs) -> None:
    without = replace(
        inputs.terms.state, virtual_position_usd_e30=None, virtual_position_units=None
    )
    for given in (
        inputs,
        replace(inputs, fixed=Fixed(Decimal("0.1"), Decimal("0.25"))),
        replace(inputs, terms=replace(inputs.terms, state=without)),
    ):
        found = ECONOMICS.decode(wire(given))
        assert found == given
        np.testing.assert_array_equal(found.terms.row, given.terms.row)
        assert found.price_row == given.price_row


def paths(value: Any) -> list[tuple[Any, ...]]:
    """The places of all values that hold no others."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return [()]
    return [(name, *rest) for name, inner in items for rest in paths(inner)]


@pytest.mark.parametrize("path", paths(wire(o.STATES[1])), ids=str)
@pytest.mark.parametrize("bad", ["1e999", 1.5, [], "x", {}])
def test_inputs_that_make_no_sense_are_refused(path: tuple[Any, ...], bad: Any) -> None:
    row = holder = wire(o.STATES[1])
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = bad
    with pytest.raises(InputError) as caught:
        ECONOMICS.decode(row)
    assert caught.value.code == "BAD_DEPTH"


@pytest.mark.parametrize("row", [None, 7, [], "", {}, *({name: 1} for name in wire(o.STATES[0]))])
def test_inputs_that_lack_something_are_refused(row: Any) -> None:
    with pytest.raises(InputError) as caught:
        ECONOMICS.decode(row)
    assert caught.value.code == "BAD_DEPTH"


def test_terms_know_their_row() -> None:
    terms = o.STATES[0].terms
    assert PoolTerms(terms.decimals, terms.config, terms.state) == terms
