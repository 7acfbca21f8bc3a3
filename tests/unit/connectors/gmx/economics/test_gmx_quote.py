"""All-in quotes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gmx.economics import execution, fees
from connectors.gmx.economics.capacity import capacity
from connectors.gmx.economics.model import Sided, Signed
from connectors.gmx.economics.quote import AllIn, Unquotable, all_in
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
