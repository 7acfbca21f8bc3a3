"""Walks against a model that takes one step at a time; prices of liquidation against the
inequality they are the boundary of."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.dydx.economics.fees import charged_ppm, fee_e6
from connectors.dydx.economics.funding import expected_e6, index_delta, settlement_e6
from connectors.dydx.economics.liquidation import bankruptcy_price, liquidation_price
from connectors.dydx.economics.margin import (
    Position,
    initial_ppm,
    position_risk,
    subaccount_risk,
)
from connectors.dydx.economics.pricing import ECONOMICS, BookInputs
from connectors.dydx.economics.quote import price_trade, scale_of
from connectors.dydx.economics.terms import (
    MarketTerms,
    OracleValue,
    oracle_value,
    price_of,
    quantums_of,
    size_of,
    subticks_of,
)
from connectors.dydx.economics.walk import walk_notional, walk_size
from domain.costs import OrderSide, PricedPool, UnpricedPool
from domain.events import Levels
from domain.exact import Rounding
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import Grid

SIDES = st.sampled_from(["BUY", "SELL"])
PRICES = st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True)


@st.composite
def asks(draw: st.DrawFn) -> Levels:
    prices = sorted(draw(PRICES))
    return tuple((price, draw(st.integers(1, 9))) for price in prices)


@st.composite
def books(draw: st.DrawFn) -> tuple[Market, Levels, Levels]:
    """An uncrossed book somewhere between a thousandth and a hundred thousand."""
    middle = draw(st.integers(100, 10_000_000))
    above = sorted(draw(PRICES))
    below = sorted(draw(PRICES))
    sizes = st.integers(1, 10**6)
    market = Market(
        VenueId("dydx"),
        MarketId("X-USD"),
        "X-USD",
        Grid(draw(st.sampled_from(["1", "0.1", "0.05", "0.0001"]))),
        Grid(draw(st.sampled_from(["10", "1", "0.0001", "0.000001"]))),
    )
    return (
        market,
        tuple((middle - away, draw(sizes)) for away in below),
        tuple((middle + away, draw(sizes)) for away in above),
    )


@settings(deadline=None, max_examples=200)
@given(asks(), st.integers(1, 90), st.booleans())
def test_a_walk_is_one_step_after_the_other(levels: Levels, size: int, selling: bool) -> None:
    if selling:
        levels = tuple(reversed(levels))
    units = [ticks for ticks, steps in levels for _ in range(steps)][:size]
    found = walk_size(levels, size)
    assert found.steps == len(units)
    assert found.notional == sum(units)
    assert found.excess == sum(abs(ticks - units[0]) for ticks in units)
    assert found.worst_ticks == units[-1]
    assert found.exhausted == (len(units) < size)
    # What was paid for these buys just these.
    again = walk_notional(levels, found.notional)
    assert (again.steps, again.excess, again.exhausted) == (found.steps, found.excess, False)
    part = walk_notional(levels, found.notional - Fraction(1, 7))
    assert found.steps - 1 < part.steps < found.steps


@settings(deadline=None, max_examples=200)
@given(asks(), st.booleans(), st.lists(st.fractions(0, 3_000), min_size=2, max_size=2))
def test_prices_get_worse_with_size(levels: Levels, selling: bool, sizes: list[Fraction]) -> None:
    if selling:
        levels = tuple(reversed(levels))
    less, more = sorted(sizes)
    assume(less > 0)
    small, large = walk_notional(levels, less), walk_notional(levels, more)
    assert small.average_ticks is not None
    assert large.average_ticks is not None
    worse = large.average_ticks - small.average_ticks
    assert (worse <= 0) if selling else (worse >= 0)
    assert large.exhausted or not small.exhausted
    assert large.excess / large.steps >= small.excess / small.steps


@settings(deadline=None, max_examples=200)
@given(
    st.lists(books(), min_size=1, max_size=4),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
)
def test_the_float_form_of_several_books_is_the_exact_one(
    listed: list[tuple[Market, Levels, Levels]], amounts: list[int]
) -> None:
    inputs = [BookInputs(scale_of(market), bids, offers) for market, bids, offers in listed]
    market, bids, offers = listed[0]
    total = sum(ticks * steps for ticks, steps in offers)
    unit = Decimal(market.tick.increment) * Decimal(market.step.increment)
    # From parts of the known depth of one of them to more than all of it.
    sizes = [unit * total * amount / 700_000_000 for amount in amounts]
    found = ECONOMICS.ladder(inputs, np.array([float(size) for size in sizes]))
    for at, (market, bids, offers) in enumerate(listed):
        unit = Decimal(market.tick.increment) * Decimal(market.step.increment)
        for place, size in enumerate(sizes):
            for side, levels in ((0, offers), (1, bids)):
                cell = side, at, place
                exact = ECONOMICS.price(None, inputs[at], ("BUY", "SELL")[side], size)
                known = sum(ticks * steps for ticks, steps in levels)
                if pytest.approx(float(known), rel=1e-12) == float(size / unit):
                    continue  # Floats cannot tell whether the last level holds.
                if isinstance(exact, UnpricedPool):
                    assert np.isnan(found.price[cell])
                    assert found.reason is not None
                    assert found.reason[cell] == exact.reason
                    continue
                assert abs(found.price[cell] - float(exact.price)) < float(market.tick.increment)
                assert found.price[cell] == pytest.approx(float(exact.price), rel=1e-9)
                assert found.fee_bps[cell] == float(exact.fee_bps)
                assert found.spread_bps[cell] == pytest.approx(float(exact.spread_bps), rel=1e-9)
                impact = pytest.approx(float(exact.impact_bps), rel=1e-9, abs=1e-9)
                assert found.impact_bps[cell] == impact


@given(books())
def test_inputs_come_back_as_they_were(book: tuple[Market, Levels, Levels]) -> None:
    market, bids, offers = book
    inputs = BookInputs(scale_of(market), bids, offers)
    assert ECONOMICS.decode(json.loads(json.dumps(ECONOMICS.encode(inputs)))) == inputs


@settings(deadline=None, max_examples=200)
@given(books(), SIDES, st.lists(st.integers(1, 10**9), min_size=2, max_size=2).map(sorted))
def test_cost_grows_with_size_and_its_parts_are_not_negative(
    book: tuple[Market, Levels, Levels], side: OrderSide, amounts: list[int]
) -> None:
    market, bids, offers = book
    scale = scale_of(market)
    priced = [price_trade(scale, side, Decimal(amount), bids, offers) for amount in amounts]
    if not all(isinstance(found, PricedPool) for found in priced):
        assert not isinstance(priced[0], UnpricedPool) or priced[0].reason in (
            "DEPTH",
            "BELOW_STEP",
        )
        return
    small, large = priced
    assert isinstance(small, PricedPool)
    assert isinstance(large, PricedPool)
    assert 0 <= small.impact_bps <= large.impact_bps
    assert small.spread_bps == large.spread_bps > 0
    assert small.all_in_bps <= large.all_in_bps


TERMS = st.builds(
    MarketTerms,
    st.sampled_from([-10, -9, -6, -4]),
    st.just(-9),
    st.sampled_from([1, 1_000_000]),
    st.sampled_from([1, 100_000]),
    st.integers(1, 1_000_000),
    st.integers(1, 1_000_000),
)
ORACLES = st.builds(OracleValue, st.integers(1, 10**12), st.integers(-8, -3))
QUANTUMS = st.integers(-(10**14), 10**14)
POSITIONS = st.builds(Position, TERMS, QUANTUMS, ORACLES, st.just(0))


def below(balance: int, held: Position, others: list[Position], value: int) -> bool:
    moved = Position(held.terms, held.quantums, OracleValue(value, held.oracle.exponent), 0)
    risk = subaccount_risk(balance, [moved, *others])
    return risk.net_e6 < risk.maintenance_e6


@settings(deadline=None, max_examples=200)
@given(POSITIONS, st.lists(POSITIONS, max_size=3), st.integers(-(10**15), 10**15), st.data())
def test_the_liquidation_price_is_the_boundary(
    held: Position, others: list[Position], balance: int, data: st.DataObject
) -> None:
    assume(held.quantums)
    price = liquidation_price(balance, held, others)
    anywhere = data.draw(st.integers(0, 10**14))
    if price is None:
        assert not below(balance, held, others, anywhere)
        return
    value = int(Fraction(price) / Fraction(10) ** held.oracle.exponent)
    assert OracleValue(value, held.oracle.exponent).price == price
    assert below(balance, held, others, value)
    if held.quantums > 0:
        assert value == 2**160 or not below(balance, held, others, value + 1)
        assert below(balance, held, others, anywhere) == (anywhere <= value)
    else:
        assert value == 0 or not below(balance, held, others, value - 1)
        assert below(balance, held, others, anywhere) == (anywhere >= value)
    gone = bankruptcy_price(balance, held, others)
    if gone is not None:
        assert (gone <= price) if held.quantums > 0 else (gone >= price)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 10**6), st.integers(2, 10**6), st.integers(1, 1_000_000))
def test_the_exact_price_is_next_to_the_documented_formula(
    size: int, price: int, initial: int
) -> None:
    terms = MarketTerms(-6, -9, 1, 1, initial, 500_000)
    held = Position(terms, size * 10**6, oracle_value(str(price)), 0)
    equity = Fraction(size * price, 3)
    margin = Fraction(initial, 2_000_000)
    formula = (equity - size * price) / (size * margin - size)
    found = liquidation_price(int(equity * 10**6) - size * price * 10**6, held)
    assert found is not None
    # Three roundings to a millionth of a dollar, for a coin or more.
    assert abs(Fraction(found) - formula) < Fraction(1, 10**5)


@settings(deadline=None, max_examples=200)
@given(TERMS, st.integers(0, 10**15), st.lists(st.integers(0, 10**16), min_size=4, max_size=4))
def test_the_initial_fraction_grows_with_open_interest_only(
    terms: MarketTerms, size: int, amounts: list[int]
) -> None:
    lower, upper = sorted(amounts[:2])
    scaled = MarketTerms(-6, -9, 1, 1, terms.initial_margin_ppm, 500_000, lower, upper)
    less, more = (initial_ppm(scaled, interest) for interest in sorted(amounts[2:]))
    assert terms.initial_margin_ppm <= less <= more <= 1_000_000
    risks = [
        position_risk(Position(scaled, size, OracleValue(1, 0), interest))
        for interest in sorted(amounts[2:])
    ]
    assert risks[0].initial_e6 <= risks[1].initial_e6
    assert risks[0].maintenance_e6 == risks[1].maintenance_e6 <= risks[0].initial_e6


@settings(deadline=None, max_examples=200)
@given(TERMS, st.integers(1, 10**12), st.sampled_from(["up", "down"]))
def test_sizes_and_prices_convert_back(terms: MarketTerms, count: int, rounding: Rounding) -> None:
    quantums = count * terms.step_base_quantums
    assert quantums_of(size_of(quantums, terms), terms) == quantums
    subticks = count * terms.subticks_per_tick
    assert subticks_of(price_of(subticks, terms), terms) == subticks
    off = price_of(subticks, terms) + price_of(1, terms) / 3
    found = price_of(subticks_of(off, terms, rounding), terms)
    assert (found >= off) if rounding == "up" else (found <= off)
    assert abs(found - off) <= price_of(terms.subticks_per_tick, terms)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**15), st.integers(-500, 1_000), st.integers(0, 1_000_000))
def test_fees_never_favour_the_trader(quote: int, ppm: int, charge: int) -> None:
    exact = Fraction(quote * ppm, 1_000_000)
    assert 0 <= fee_e6(quote, ppm) - exact < 1
    assert abs(charged_ppm(ppm, charge, 1_000_000 - charge)) <= abs(ppm)


@settings(deadline=None, max_examples=200)
@given(QUANTUMS, st.integers(-(10**6), 10**6), ORACLES, TERMS)
def test_settlements_never_favour_the_holder(
    quantums: int, rate_ppm: int, oracle: OracleValue, terms: MarketTerms
) -> None:
    moved = index_delta(rate_ppm, 3_600, oracle, terms)
    assert settlement_e6(quantums, moved) + settlement_e6(-quantums, moved) in (0, -1)
    hourly = Decimal(rate_ppm) / 8 / 10**6
    assert expected_e6(quantums, hourly, oracle, terms) == settlement_e6(quantums, moved)
    more = hourly + Decimal("1e-8")
    if quantums:
        assert expected_e6(quantums, more, oracle, terms) <= settlement_e6(
            quantums, index_delta(rate_ppm + (quantums > 0), 3_600, oracle, terms)
        )
