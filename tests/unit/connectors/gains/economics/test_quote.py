"""Quotes of pools: what they say, and when they say nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.depth import NO_DEPTH
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.inputs import Pool, PoolState
from connectors.gains.economics.limits import Exposure, room
from connectors.gains.economics.pricing import ECONOMICS
from connectors.gains.economics.quote import (
    Quote,
    Unquotable,
    available_usd_e18,
    depth_left_usd_e18,
    quote,
)
from connectors.gains.economics.scales import E8, E10, E18, rounded_up
from tests.unit.connectors.gains.economics import vectors as v
from tests.unit.connectors.gains.economics.pools import EXPOSURE, FEES, POOL, STATE, USDC, changed

FOREX = replace(POOL.state, fees=FeeTerms(120_000_000, 0, 45_000_000), min_leverage_e3=10_000)
"""Of 27 USD of collateral at least, at ten times at least."""


def quoted(pool: Pool, *, long: bool, usd: int) -> Quote:
    found = quote(pool, long=long, notional_usd_e18=usd * E18)
    assert isinstance(found, Quote)
    return found


def test_a_quote_says_what_it_costs() -> None:
    """Of 100 k USD in a band of 1 M and 100 ppm: a tenth of it, averaged, halved."""
    got = quoted(POOL, long=True, usd=100_000)
    assert (got.bid_e10, got.ask_e10) == (99_980 * E10, 100_020 * E10)
    assert got.fill_e10 == 100_000 * E10 + 100_000 * (2 * 10**8 + 250 * 10**4) // 100
    assert got.fee_bps_e8 == 6 * 10**8


def test_both_sides_pay() -> None:
    ask = quoted(POOL, long=True, usd=100_000)
    bid = quoted(POOL, long=False, usd=100_000)
    assert ask.fee_bps_e8 == bid.fee_bps_e8
    assert ask.fill_e10 + bid.fill_e10 == 2 * 100_000 * E10


def test_recent_volume_is_in_the_touch_of_its_side_alone() -> None:
    pool = changed(volume_long_usd_e18=500_000 * E18)
    got = quoted(pool, long=False, usd=1_000)
    assert got.bid_e10 == 99_980 * E10
    assert got.ask_e10 == 100_020 * E10 + 25 * E10 // 10


def test_skew_moves_the_touch_and_favours_a_side() -> None:
    heavy = changed(long_token_e18=100 * E18, skew_depth_e18=500 * E18)
    for long in (True, False):
        got = quoted(heavy, long=long, usd=1_000)
        assert (got.bid_e10, got.ask_e10) == (100_080 * E10, 100_120 * E10)


@pytest.mark.parametrize(
    ("pool", "usd_e18", "long", "reason"),
    [
        (POOL, 0, True, "NO_SIZE"),
        (POOL, 10**11, True, "NO_SIZE"),
        (POOL, 4_124_999 * 10**12, True, "BELOW_MIN"),
        (replace(POOL, state=FOREX), 270 * E18 - 1, False, "BELOW_MIN"),
        (POOL, 1_000_000 * E18 + 1, True, "DEPTH"),
        (changed(volume_short_usd_e18=999_995 * E18), 6 * E18, False, "DEPTH"),
        (changed(volume_short_usd_e18=2_000_000 * E18), 5 * E18, False, "DEPTH"),
        (changed(spread_p=200 * E10), 5 * E18, True, "IMPACT"),
        (changed(long_token_e18=10**30, skew_depth_e18=1), 5 * E18, False, "ABOVE_MAX"),
    ],
    ids=str,
)
def test_a_size_that_the_contract_would_not_fill(
    pool: Pool, usd_e18: int, long: bool, reason: str
) -> None:
    assert quote(pool, long=long, notional_usd_e18=usd_e18) == Unquotable(reason)


def test_the_least_collateral_at_the_least_leverage_is_a_trade() -> None:
    """3.75 USD at 1.1, and 27 at 10."""
    for pool, usd_e18 in ((POOL, 4_125 * 10**15), (replace(POOL, state=FOREX), 270 * E18)):
        for long in (True, False):
            assert isinstance(quote(pool, long=long, notional_usd_e18=usd_e18), Quote)


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize(
    ("min_leverage_e3", "most_p"), [(1_100, 363_636_363_637), (10_000, 4 * E10)]
)
def test_what_costs_too_much_at_the_least_leverage_is_refused(
    long: bool, min_leverage_e3: int, most_p: int
) -> None:
    """Half of the spread is all that it costs."""
    for spread_p, refused in ((2 * most_p, False), (2 * most_p + 2, True)):
        bare = changed(spread_p=spread_p, above=NO_DEPTH, below=NO_DEPTH)
        pool = replace(bare, state=replace(bare.state, min_leverage_e3=min_leverage_e3))
        got = quote(pool, long=long, notional_usd_e18=1_000 * E18)
        assert (got == Unquotable("IMPACT")) is refused
        ranked = ECONOMICS.ladder([pool], np.array([1_000.0])).reason
        assert ranked is not None
        assert ranked[0 if long else 1, 0, 0] == ("IMPACT" if refused else None)


def test_a_size_beyond_the_limits_of_open_interest() -> None:
    taken = Exposure(OpenInterest(3 * E10, 3 * E10, 10 * E10), OpenInterest(0, 0, 0))
    pool = replace(POOL, state=replace(POOL.state, exposure=taken))
    for long in (True, False):
        assert isinstance(quote(pool, long=long, notional_usd_e18=7 * E18), Quote)
        beyond = 7 * E18 + 10**12
        got = quote(pool, long=long, notional_usd_e18=beyond)
        assert got == Unquotable("EXPOSURE_LIMITS")


def test_small_sizes_pay_the_least_fee() -> None:
    """0.75 USD on 100."""
    assert quoted(POOL, long=True, usd=100).fee_bps_e8 == 75 * 10**8


@pytest.mark.parametrize("long", [True, False])
def test_availability_is_what_limits_and_depth_leave(long: bool) -> None:
    volume = {f"volume_{'long' if long else 'short'}_usd_e18": 400_000 * E18}
    state = replace(STATE, **volume)
    pool = changed(**volume)
    assert available_usd_e18(pool, long=long) == 600_000 * E18
    assert available_usd_e18(pool, long=not long) == 1_000_000 * E18
    exempt = changed(**volume, factors=replace(state.factors, exempt_on_open=True))
    assert available_usd_e18(exempt, long=long) == 10**10 * E18
    bare = changed(**volume, above=NO_DEPTH, below=NO_DEPTH)
    assert available_usd_e18(bare, long=long) == 10**10 * E18
    taken = Exposure(OpenInterest(3 * E10, 3 * E10, 10 * E10), OpenInterest(0, 0, 0))
    full = replace(pool, state=replace(pool.state, exposure=taken))
    assert available_usd_e18(full, long=long) == 7 * E18
    assert room(taken, state, USDC, 1, long=long) == 7 * 10**6


@pytest.mark.parametrize("case", v.of_kind("open_fill"), ids=v.name_of)
def test_the_contract_fills_what_was_quoted(case: Any) -> None:
    """It knows no end of the depth: what lies beyond has a fill there and none here."""
    raw = case["in"]
    market, trade = v.market(raw), v.trade(raw["trade"])
    state = PoolState(market.collateral, market.pair, FEES, EXPOSURE, 1_100)
    pool = Pool(int(raw["oraclePrice"]), state)
    collateral = market.collateral
    notional = rounded_up(trade.size * collateral.precision_delta, collateral.price_usd_e8, E8)
    got = quote(pool, long=trade.long, notional_usd_e18=notional)
    left = depth_left_usd_e18(market.pair, long=trade.long)
    if left is not None and notional > left:
        assert got == Unquotable("DEPTH")
    else:
        assert isinstance(got, Quote)
        assert got.fill_e10 == int(case["out"]["openPrice"])
