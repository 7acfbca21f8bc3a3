"""Quotes of pools: what they say, when they say nothing, and that ladders say the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.depth import NO_DEPTH, Side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.impact import PairState
from connectors.gains.economics.limits import Exposure, room
from connectors.gains.economics.quote import Pool, available_usd_e18, ladder, quote
from connectors.gains.economics.scales import E10, E18, Collateral
from tests.unit.connectors.gains.economics import vectors as v
from tests.unit.connectors.gains.economics.test_properties import states

USDC = Collateral(6, 10**8)
FEES = FeeTerms(600_000_000, 100_000_000_000, 1_250_000)
FREE = OpenInterest(0, 0, 10**20)
EXPOSURE = Exposure(FREE, OpenInterest(0, 0, 0))
STATE = PairState(
    spread_p=4 * 10**8,
    above=Side(1_000_000, (*(0,) * 29, 10_000)),
    below=Side(1_000_000, (*(0,) * 29, 10_000)),
    offsets_ppm=(*(0,) * 29, 100),
    volume_long_usd_e18=0,
    volume_short_usd_e18=0,
    long_token_e18=0,
    short_token_e18=0,
    skew_depth_e18=0,
    block=0,
)
POOL = Pool(42161, "USDC", 100_000 * E10, USDC, STATE, FEES, EXPOSURE)


def test_a_quote_says_what_it_costs() -> None:
    """Of 100 k USD in a band of 1 M and 100 ppm: a tenth of it, averaged, halved."""
    got = quote(POOL, long=True, notional_usd_e18=100_000 * E18)
    assert got.spread_bps_e8 == 4 * 10**8
    assert got.impact_bps_e8 == 250 * 10**4
    assert got.fee_bps_e8 == 6 * 10**8
    assert got.fill_price_e10 == 100_000 * E10 + 100_000 * (2 * 10**8 + 250 * 10**4) // 100
    assert got.available_usd_e18 == 1_000_000 * E18
    assert got.reason is None


def test_both_sides_pay() -> None:
    ask = quote(POOL, long=True, notional_usd_e18=100_000 * E18)
    bid = quote(POOL, long=False, notional_usd_e18=100_000 * E18)
    assert ask[1:] == bid[1:]
    assert ask.fill_price_e10 is not None
    assert bid.fill_price_e10 is not None
    assert ask.fill_price_e10 + bid.fill_price_e10 == 2 * 100_000 * E10


def test_skew_in_favour_is_a_negative_impact() -> None:
    heavy = replace(STATE, long_token_e18=100 * E18, skew_depth_e18=500 * E18)
    pool = replace(POOL, pair=heavy)
    costs = {
        long: quote(pool, long=long, notional_usd_e18=1_000 * E18).impact_bps_e8
        for long in (True, False)
    }
    assert costs[True] is not None
    assert costs[False] is not None
    assert costs[False] < 0 < costs[True]


@pytest.mark.parametrize(
    ("changes", "notional", "reason"),
    [
        ({"mark_e10": None}, E18, "NO_PRICE"),
        ({"mark_e10": 0}, E18, "NO_PRICE"),
        ({"collateral": None}, E18, "NO_COLLATERAL_PRICE"),
        ({"collateral": Collateral(6, 0)}, E18, "NO_COLLATERAL_PRICE"),
        ({"pair": None}, E18, "NO_DEPTH"),
        ({}, 0, "NO_SIZE"),
        ({}, 10**11, "NO_SIZE"),
    ],
)
def test_nothing_is_said_of_what_is_not_known(changes: Any, notional: int, reason: str) -> None:
    got = quote(replace(POOL, **changes), long=True, notional_usd_e18=notional)
    assert got == (None, None, None, None, None, reason)


def test_what_is_missing_is_named_and_the_rest_told() -> None:
    no_fees = quote(replace(POOL, fees=None), long=True, notional_usd_e18=E18)
    assert (no_fees.fee_bps_e8, no_fees.reason) == (None, "NO_FEES")
    assert no_fees.fill_price_e10 is not None
    no_limits = quote(replace(POOL, exposure=None), long=True, notional_usd_e18=E18)
    assert (no_limits.available_usd_e18, no_limits.reason) == (None, "NO_LIMITS")
    assert no_limits.fill_price_e10 is not None


def test_a_size_beyond_the_limits_is_quoted_and_marked() -> None:
    got = quote(POOL, long=True, notional_usd_e18=1_000_000 * E18 + 10**15)
    assert got.reason == "EXPOSURE_LIMITS"
    assert got.fill_price_e10 is not None


def test_a_price_the_contract_refuses_is_none() -> None:
    state = replace(STATE, offsets_ppm=(*(0,) * 29, 65_535))
    huge = quote(replace(POOL, pair=state), long=False, notional_usd_e18=10**9 * E18)
    assert (huge.fill_price_e10, huge.reason) == (None, "BELOW_MIN")
    above = quote(replace(POOL, pair=state), long=True, notional_usd_e18=10**15 * E18)
    assert (above.fill_price_e10, above.reason) == (None, "ABOVE_MAX")


def test_small_sizes_pay_the_least_fee() -> None:
    """0.75 USD on 100."""
    assert quote(POOL, long=True, notional_usd_e18=100 * E18).fee_bps_e8 == 75 * 10**8


@pytest.mark.parametrize("long", [True, False])
def test_availability_is_what_limits_and_depth_leave(long: bool) -> None:
    volume = {f"volume_{'long' if long else 'short'}_usd_e18": 400_000 * E18}
    state = replace(STATE, **volume)
    pool = replace(POOL, pair=state)
    assert available_usd_e18(pool, long=long) == 600_000 * E18
    assert available_usd_e18(pool, long=not long) == 1_000_000 * E18
    exempt = replace(state, factors=replace(state.factors, exempt_on_open=True))
    assert available_usd_e18(replace(pool, pair=exempt), long=long) == 10**10 * E18
    bare = replace(state, above=NO_DEPTH, below=NO_DEPTH)
    assert available_usd_e18(replace(pool, pair=bare), long=long) == 10**10 * E18
    taken = Exposure(OpenInterest(3 * E10, 3 * E10, 10 * E10), OpenInterest(0, 0, 0))
    assert available_usd_e18(replace(pool, exposure=taken), long=long) == 7 * E18
    assert room(taken, state, USDC, 1, long=long) == 7 * 10**6


def test_the_contract_fills_what_was_quoted() -> None:
    for case in v.of_kind("open_fill"):
        raw = case["in"]
        market, trade = v.market(raw), v.trade(raw["trade"])
        pool = Pool(42161, "", int(raw["oraclePrice"]), market.collateral, market.pair)
        notional = market.collateral.usd_e18(trade.size)
        if market.collateral.from_usd_e18(notional) != trade.size:
            continue
        got = quote(pool, long=trade.long, notional_usd_e18=notional)
        assert got.fill_price_e10 == int(case["out"]["openPrice"])
        assert got.reason == "NO_FEES"


# Ladders ---------------------------------------------------------------------------------------


def agree(pool: Pool, sizes: list[int], *, long: bool) -> None:
    """Fills to 1e-9, or a few units of the price; costs to 1e-9, or 1e-7 basis points."""
    table = ladder(pool, long=long, notional_usd=np.array([float(size) for size in sizes]))
    for place, size in enumerate(sizes):
        exact = quote(pool, long=long, notional_usd_e18=size * E18)
        if exact.fill_price_e10 is None:
            continue
        assert exact.impact_bps_e8 is not None
        assert exact.spread_bps_e8 is not None
        assert pool.mark_e10 is not None
        assert table.fill_price[place] * E10 == pytest.approx(exact.fill_price_e10, rel=1e-9, abs=2)
        assert table.impact_bps[place] == pytest.approx(
            exact.impact_bps_e8 / 10**8, rel=1e-9, abs=1e-7
        )
        assert table.spread_bps == pytest.approx(exact.spread_bps_e8 / 10**8, rel=1e-9)
        if exact.fee_bps_e8 is not None:
            assert table.fee_bps[place] == pytest.approx(
                exact.fee_bps_e8 / 10**8, rel=1e-9, abs=1.01 / size
            )


@pytest.mark.parametrize("case", v.of_kind("open_fill"), ids=v.name_of)
def test_ladders_are_near_the_exact_form(case: Any) -> None:
    raw = case["in"]
    market = v.market(raw)
    pool = Pool(42161, "", int(raw["oraclePrice"]), market.collateral, market.pair, FEES)
    agree(pool, [1, 50, 1_000, 30_000, 10**6, 5 * 10**6, 10**7], long=raw["trade"]["long"])


@settings(deadline=None, max_examples=60)
@given(
    states(), st.integers(10**9, 10**15), st.lists(st.integers(1, 10**9), min_size=1), st.booleans()
)
def test_ladders_of_any_pair_are_near_the_exact_form(
    state: PairState, mark: int, sizes: list[int], long: bool
) -> None:
    agree(replace(POOL, pair=state, mark_e10=mark), sizes, long=long)


def test_a_ladder_has_holes_where_there_is_no_fill() -> None:
    state = replace(STATE, offsets_ppm=(*(0,) * 29, 65_535))
    table = ladder(
        replace(POOL, pair=state), long=False, notional_usd=np.array([0.0, 1_000.0, 1e9])
    )
    for values in (table.fill_price, table.fee_bps, table.impact_bps):
        assert list(np.isnan(values)) == [True, False, True]


def test_a_ladder_keeps_the_shape_and_needs_the_state() -> None:
    sizes = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert ladder(POOL, long=True, notional_usd=sizes).fill_price.shape == (2, 2)
    for missing in ("mark_e10", "collateral", "pair"):
        with pytest.raises(ValueError, match="known"):
            ladder(replace(POOL, **{missing: None}), long=True, notional_usd=sizes)
    unknown = ladder(replace(POOL, fees=None), long=True, notional_usd=sizes)
    assert np.isnan(unknown.fee_bps).all()
