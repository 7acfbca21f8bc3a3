"""All-in quotes, exactly and as ladders of floats."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import execution, fees
from connectors.gmx.economics.capacity import capacity
from connectors.gmx.economics.model import ByToken, MarketConfig, PriceRange, Sided, Signed
from connectors.gmx.economics.quote import AllIn, Unquotable, all_in, ladder
from tests.unit.connectors.gmx.economics import strategies as s
from tests.unit.connectors.gmx.economics import vectors as v

USD = s.USD
TERMS = fees.Terms(2 * 10**29, 10**29, 5 * 10**28, 2 * 10**26)


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: row["name"])
def test_the_quote_has_the_contracts_price(row: v.Row) -> None:
    given = v.given(row)
    for case in row["increase"]:
        found = all_in(*given, case["is_long"], int(case["size_delta_usd"]))
        assert isinstance(found, AllIn)
        assert str(found.price_usd_e30) == case["out"]["executionPrice"]
        assert found.balance_improved == case["out"]["balanceWasImproved"]
        room = capacity(*given, case["is_long"])
        assert found.available_usd_e30 == room.available_usd_e30


def test_costs_of_a_quote() -> None:
    """BTC, 18 M long and 6 M short, no spread: 1 M more long has an impact of -2,250 USD."""
    found = all_in(*v.named("long-heavy", "BTC"), True, 10**6 * USD)
    assert isinstance(found, AllIn)
    assert found.fee_usd_e30 == 600 * USD
    assert (found.fee_bps_e6, found.spread_bps_e6) == (6 * 10**6, 0)
    assert found.impact_bps_e6 == pytest.approx(22.55 * 10**6, rel=1e-4)
    assert found.all_in_bps_e6 == found.fee_bps_e6 + found.impact_bps_e6
    better = all_in(*v.named("long-heavy", "BTC"), False, 10**6 * USD, TERMS)
    assert isinstance(better, AllIn)
    assert better.impact_bps_e6 < 0
    # Four basis points less a tenth, and 2 for the interface.
    assert better.fee_bps_e6 == 5_600_000


def test_half_of_the_spread_is_paid() -> None:
    found = all_in(*v.named("long-heavy, 9 h, spread 2 bp"), True, 10**6 * USD)
    assert isinstance(found, AllIn)
    assert found.spread_bps_e6 == 2 * 10**6
    assert found.all_in_bps_e6 == found.fee_bps_e6 + found.impact_bps_e6 + 10**6


@pytest.mark.parametrize(
    ("size_usd", "change", "reason"),
    [
        (0, {}, "MinPositionSize"),
        (96 * 10**6, {}, "MaxOpenInterestExceeded"),
        (10**6, {"reserve_factor_e30": Sided(0, 0)}, "InsufficientReserve"),
        (
            10**6,
            {"open_interest_reserve_factor_e30": Sided(0, 0)},
            "InsufficientReserveForOpenInterest",
        ),
        (
            10**6,
            {"impact_factor_e30": Signed(10**26, 10**26)},
            "PriceImpactLargerThanOrderSize",
        ),
    ],
)
def test_why_there_is_no_quote(size_usd: int, change: v.Row, reason: str) -> None:
    market = v.named("long-heavy", "BTC")
    config = replace(market.config, **change)
    found = all_in(config, market.state, market.prices, True, size_usd * USD)
    room = capacity(config, market.state, market.prices, True)
    assert found == Unquotable(reason, room.available_usd_e30)
    sizes = np.array([float(size_usd)])
    assert not ladder(config, market.state, market.prices, True, sizes).quotable.any()


def near(exact: AllIn, price: float, fee: float, impact: float, total: float) -> None:
    """Within 1e-9 of the price, which for bps of the price is 1e-5."""
    assert price == pytest.approx(exact.price_usd_e30, rel=1e-9)
    assert 1e-6 * exact.fee_bps_e6 == pytest.approx(fee, rel=1e-9, abs=2e-6)
    assert 1e-6 * exact.impact_bps_e6 == pytest.approx(impact, rel=1e-9, abs=1e-5)
    assert 1e-6 * exact.all_in_bps_e6 == pytest.approx(total, rel=1e-9, abs=2e-5)


@pytest.mark.parametrize("row", v.STATES, ids=lambda row: row["name"])
@pytest.mark.parametrize("is_long", [True, False])
def test_a_ladder_is_near_the_exact_quotes(row: v.Row, is_long: bool) -> None:
    given = v.given(row)
    sizes = np.geomspace(0.5, 2e8, 60)
    found = ladder(*given, is_long, sizes, TERMS)
    for place, size in enumerate(sizes):
        exact = all_in(*given, is_long, int(size * 10**9) * 10**21, TERMS)
        assert bool(found.quotable[place]) == isinstance(exact, AllIn)
        if isinstance(exact, AllIn):
            near(
                exact,
                *(
                    float(values[place])
                    for values in (
                        found.price_usd_e30,
                        found.fee_bps,
                        found.impact_bps,
                        found.all_in_bps,
                    )
                ),
            )
        else:
            assert np.isnan(found.price_usd_e30[place])
            assert np.isnan(found.all_in_bps[place])


@given(
    s.configs(),
    st.integers(10**12, 10**18),
    st.integers(0, 100),
    st.integers(0, 10**8),
    st.integers(0, 10**8),
    st.one_of(st.none(), st.integers(-(10**8), 10**8)),
    st.booleans(),
    st.lists(st.integers(100, 10**8), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_ladders_of_any_market(
    config: MarketConfig,
    low: int,
    width_bps: int,
    long_usd: int,
    short_usd: int,
    virtual_usd: int | None,
    is_long: bool,
    sizes_usd: list[int],
) -> None:
    index = PriceRange(low, low + low * width_bps // 10_000)
    state = s.with_interest(
        s.BASE.state,
        index,
        long_usd * USD,
        short_usd * USD,
        None if virtual_usd is None else virtual_usd * USD,
    )
    state = replace(state, pool_units=ByToken(10**12 * USD // low, 10**18))
    prices = replace(s.BASE.prices, index=index, long_token=index)
    market = v.Given(config, state, prices)
    found = ladder(*market, is_long, np.array(sizes_usd, dtype=np.float64))
    for place, size_usd in enumerate(sizes_usd):
        exact = all_in(*market, is_long, size_usd * USD)
        if not isinstance(exact, AllIn):
            assert not found.quotable[place]
            continue
        assert found.quotable[place]
        assert found.price_usd_e30[place] == pytest.approx(exact.price_usd_e30, rel=1e-9)


@given(st.integers(1, 10**7), st.booleans())
@settings(deadline=None)
def test_costs_are_rounded_against_the_trader(size_usd: int, is_long: bool) -> None:
    given = v.named("long-heavy, 9 h, spread 2 bp")
    size = size_usd * USD + 12345
    found = all_in(*given, is_long, size)
    assert isinstance(found, AllIn)
    assert found.fee_bps_e6 * size >= found.fee_usd_e30 * 10**10
    oracle = execution.oracle_price(given.prices.index, is_long, True)
    assert found.oracle_usd_e30 == oracle
    worse = found.price_usd_e30 - oracle if is_long else oracle - found.price_usd_e30
    assert worse * 10**10 <= found.impact_bps_e6 * oracle < worse * 10**10 + oracle
