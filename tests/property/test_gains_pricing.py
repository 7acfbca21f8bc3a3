"""Ladders of Gains pools say what the exact form says, what is written can be read back, and an
hour of holding costs what the contract would add up."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base.economics import LadderArrays
from connectors.gains.economics.borrowing import (
    Accrual,
    AccrualV2,
    FeeCap,
    OpenInterest,
    accrued,
    accrued_v2,
    fee_v2,
)
from connectors.gains.economics.depth import Side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.funding import Funding, FundingTerms, funding_fee
from connectors.gains.economics.funding import accrued as accrued_funding
from connectors.gains.economics.holding import HoldingTerms, hourly
from connectors.gains.economics.impact import TraderTerms
from connectors.gains.economics.inputs import Pool, PoolState
from connectors.gains.economics.limits import Exposure
from connectors.gains.economics.pricing import ECONOMICS
from connectors.gains.economics.quote import Quote, Unquotable, available_usd_e18, quote
from connectors.gains.economics.scales import E10, E18, Collateral
from domain.costs import PricedPool, UnpricedPool
from domain.errors import InputError
from tests.unit.connectors.gains.economics import vectors as v
from tests.unit.connectors.gains.economics.pools import EXPOSURE, FEES, POOL, changed
from tests.unit.connectors.gains.economics.test_properties import states

UNIT = Decimal("1e-10")
SIDES = ("BUY", "SELL")

interests = st.builds(
    OpenInterest, st.integers(0, 10**18), st.integers(0, 10**18), st.integers(1, 10**20)
)
collaterals = st.builds(
    Collateral, st.sampled_from([6, 8, 18]), st.sampled_from([99_991_354, 10**8, 2_535_91000000])
)
notionals = st.lists(st.integers(1, 10**9), min_size=1, max_size=6)


@st.composite
def pools(draw: Any) -> Pool:
    """Depths from some thousand USD on, so that sizes come to lie within and beyond them."""
    state = draw(states())
    if draw(st.booleans()):
        # The last band does not hold all that is said to be there.
        state = replace(state, above=Side(state.above.depth_usd, (*state.above.bands[:29], 9_999)))
    group = replace(draw(interests), max_e10=draw(st.sampled_from([0, 10**18])))
    return Pool(
        draw(st.integers(10**4, 10**16)),
        PoolState(
            draw(collaterals),
            state,
            FeeTerms(draw(st.integers(0, 10**10)), 0, draw(st.integers(0, 10**7)), 1000, 750),
            Exposure(draw(interests), group, draw(st.sampled_from([0, 10**16, 10**19]))),
            draw(st.sampled_from([0, 1_100, 10_000, 100_000])),
        ),
    )


def agree(pool: Pool, table: LadderArrays, place: int, sizes: list[int]) -> None:
    """Prices to a unit, or to 1e-11 where they have more digits than that, and parts likewise; what
    one form does not price the other does not, save at the very edge of what is available."""
    for row, side in enumerate(SIDES):
        for column, size in enumerate(sizes):
            where = row, place, column
            exact = ECONOMICS.price("p", pool, side, Decimal(size))  # type: ignore[arg-type]
            assert table.reason is not None
            if np.isnan(table.price[where]) or isinstance(exact, UnpricedPool):
                edge = available_usd_e18(pool, long=side == "BUY") / E18
                if size != pytest.approx(edge, rel=1e-9):
                    assert isinstance(exact, UnpricedPool)
                    assert table.reason[where] == exact.reason
                    assert all(np.isnan(values[where]) for values in table[:4])
                continue
            price = float(exact.price)
            tolerance = 1.01e-10 + price * 1e-11
            assert table.reason[where] is None
            assert abs(table.price[where] - price) <= tolerance
            bps = 1e4 * 2 * tolerance / (pool.mark_e10 / E10) + 1e-9
            assert table.spread_bps[where] == pytest.approx(float(exact.spread_bps), abs=bps)
            assert table.impact_bps[where] == pytest.approx(float(exact.impact_bps), abs=bps)
            # A base unit of collateral is what a fee is rounded by.
            unit = 1e4 * pool.state.collateral.price_usd_e8 / 10**8
            unit /= pool.state.collateral.precision * size
            assert table.fee_bps[where] == pytest.approx(
                float(exact.fee_bps), rel=1e-9, abs=1.01 * unit + 1.01e-8
            )


def compare(listed: list[Pool], sizes: list[int]) -> None:
    table = ECONOMICS.ladder(listed, np.array([float(size) for size in sizes]))
    assert table.price.shape == (2, len(listed), len(sizes))
    for place, pool in enumerate(listed):
        agree(pool, table, place, sizes)


@settings(deadline=None, max_examples=150)
@given(st.lists(pools(), min_size=1, max_size=5), notionals)
def test_ladders_of_any_pools_are_next_to_the_exact_form(
    listed: list[Pool], sizes: list[int]
) -> None:
    compare(listed, sizes)


@pytest.mark.parametrize("case", v.of_kind("open_fill"), ids=v.name_of)
def test_ladders_of_the_contracts_cases_are_next_to_the_exact_form(case: Any) -> None:
    raw = case["in"]
    market = v.market(raw)
    state = PoolState(market.collateral, market.pair, FEES, EXPOSURE, 1_100)
    sizes = [1, 50, 1_000, 30_000, 10**6, 5 * 10**6, 10**7]
    compare([Pool(int(raw["oraclePrice"]), state)], sizes)


def test_a_ladder_of_no_pools_and_of_none_that_fill() -> None:
    sizes = np.array([1_000.0, 2_000.0])
    assert ECONOMICS.ladder([], sizes).price.shape == (2, 0, 2)
    table = ECONOMICS.ladder([changed(spread_p=300 * E10), POOL], np.array([1e-9, 1e3, 1e9]))
    assert table.reason is not None
    assert table.reason[0].tolist() == [
        ["NO_SIZE", "IMPACT", "DEPTH"],
        ["NO_SIZE", None, "DEPTH"],
    ]
    assert np.isnan(table.price[:, 0]).all()


@settings(deadline=None, max_examples=60)
@given(pools(), st.integers(1, 10**6), st.integers(1, 10**6), st.booleans())
def test_a_larger_size_is_never_filled_better(
    pool: Pool, first: int, second: int, long: bool
) -> None:
    small, large = sorted((first, second))
    near, far = (quote(pool, long=long, notional_usd_e18=size * E18) for size in (small, large))
    if isinstance(far, Quote) and near != Unquotable("BELOW_MIN"):
        assert isinstance(near, Quote)
        # Averages are cut off to units of 1e-10 percent.
        slack = 2 + pool.mark_e10 * 3 // 10**12
        worse = far.fill_e10 - near.fill_e10
        assert (worse if long else -worse) >= -slack


@settings(deadline=None, max_examples=60)
@given(pools())
def test_what_is_written_is_read_back(pool: Pool) -> None:
    """Terms of a trader are none of the pool."""
    state = pool.state
    pair = replace(state.pair, trader=TraderTerms(), block=0)
    fees = replace(state.fees, trader_multiplier_e3=1000)
    pool = replace(pool, state=replace(state, pair=pair, fees=fees))
    written = json.loads(json.dumps(ECONOMICS.encode(pool)))
    assert ECONOMICS.decode(written) == pool


ROW = json.loads(json.dumps(ECONOMICS.encode(POOL)))


@pytest.mark.parametrize(
    "row",
    [
        None, [], {}, 7, "x", {"mark": "1"}, {"state": ROW["state"]}, ROW | {"mark": "0"},
        ROW | {"mark": 1}, ROW | {"mark": "-1"}, ROW | {"mark": str(2**64)}, ROW | {"state": None},
        *(ROW | {"state": ROW["state"] | {name: value}} for name, value in [
            ("collateral", [6]), ("collateral", [19, "1"]), ("collateral", [True, "1"]),
            ("collateral", [6, "0"]), ("spread", 1), ("spread", "1e9"), ("spread", "1" * 79),
            ("above", ["1"]), ("below", [str(2**256), "0"]), ("offsets", None),
            ("volumes", ["1", "2", "3"]), ("tokens", "12"), ("exempt", 0), ("exempt", "false"),
            ("fees", ["1", "2"]), ("oi", {}), ("max_skew", None), ("skew_depth", "٣"),
        ]),
        *(ROW | {"state": {key: value for key, value in ROW["state"].items() if key != name}}
          for name in ROW["state"]),
    ],
    ids=lambda row: str(row)[:40],
)  # fmt: skip
def test_what_cannot_be_a_pool_is_refused(row: Any) -> None:
    with pytest.raises(InputError) as refused:
        ECONOMICS.decode(row)
    assert refused.value.code == "BAD_DEPTH"


@pytest.mark.parametrize("notional", ["0", "-1", "NaN", "1e99"])
def test_a_notional_that_makes_no_sense(notional: str) -> None:
    with pytest.raises(InputError):
        ECONOMICS.price("p", POOL, "BUY", Decimal(notional))


def test_the_parts_add_up_to_the_distance_from_the_middle_of_the_touch() -> None:
    pool = changed(
        volume_long_usd_e18=500_000 * E18, long_token_e18=100 * E18, skew_depth_e18=500 * E18
    )
    for side, sign in (("BUY", 1), ("SELL", -1)):
        cost = ECONOMICS.price("p", pool, side, Decimal(100_000))  # type: ignore[arg-type]
        assert isinstance(cost, PricedPool)
        # Mark 100000: 20 of spread each way, 100 of standing skew, 2.5 of standing volume above.
        middle = Decimal("100101.25")
        away = (cost.price - middle) / middle * 10_000 * sign
        assert cost.spread_bps + cost.impact_bps == pytest.approx(away, abs=Decimal("1e-17"))
        assert cost.spread_bps == pytest.approx(Decimal("21.25") / middle * 10_000)
        assert cost.impact_bps > 0
        assert (cost.fee_bps, cost.gas_usd, cost.execution_fee_usd) == (6, None, 0)


@settings(deadline=None, max_examples=60)
@given(
    pools(),
    st.integers(-(10**14), 10**14),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
    st.booleans(),
    st.booleans(),
)
def test_an_hour_costs_what_the_accumulators_grow_by(
    pool: Pool, rate_e18: int, v2_p: int, fee_per_block: int, multiplied: bool, long: bool
) -> None:
    """While the rate of funding stands still and nobody trades; positions open at the mark."""
    state, blocks, hour_s = pool.state, 14_400, 3_600
    pair = replace(state.pair, long_token_e18=state.pair.long_token_e18 + 1, short_token_e18=E18)
    pool = replace(pool, state=replace(state, pair=pair))
    terms = FundingTerms(0, 0, 10**9, 0, enabled=True, apr_multiplier=multiplied)
    stored = Funding(0, 0, rate_e18, 0)
    accrual = Accrual(fee_per_block, 0, 0, 0, 1)
    cost = hourly(HoldingTerms(stored, terms, v2_p, accrual, FeeCap(), None), pool, 0, blocks)
    tokens = pair.long_token_e18, pair.short_token_e18
    price = pool.mark_e10
    grown = accrued_funding(
        stored, terms, *tokens, price, state.collateral.price_usd_e8, hour_s
    ).of(long=long)
    size = 10**30
    funding = funding_fee(size, grown, 0, price)
    paid = cost.funding_long_e20 if long else -cost.funding_short_e20
    assert funding / size == pytest.approx(paid / 10**20, rel=1e-9, abs=1e-12)
    by_second = fee_v2(size, accrued_v2(AccrualV2(v2_p, 0, 0), price, hour_s), 0, price)
    # A side without open interest is taken to have the least there can be.
    sides = max(cost.long_oi, 1), max(cost.short_oi, 1)
    by_block = accrued(
        accrual, *sides, state.exposure.before_v10.max_e10, state.collateral, blocks
    ).of(long=long)
    borrowed = cost.borrowing_long_e12 if long else cost.borrowing_short_e12
    assert by_second / size + by_block / 10**12 == pytest.approx(borrowed / 10**12, abs=1e-15)
