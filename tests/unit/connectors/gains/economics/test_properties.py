"""What holds for every input: rounding, order, symmetry, and nothing at the edges."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from connectors.gains.economics.depth import (
    Side,
    average_offset_p,
    decode_side,
    encode_side,
    volume_impact_p,
)
from connectors.gains.economics.impact import (
    PairFactors,
    PairState,
    TraderTerms,
    market_price_e10,
    opening_impact,
    oracle_from_market_e10,
    skew_impact_p,
    standing_skew_p,
)
from connectors.gains.economics.scales import (
    E10,
    E18,
    WHOLE_P,
    Collateral,
    ContractRefusal,
    fill_e10,
    rounded_up,
    truncated,
)
from connectors.gains.economics.windows import Windows

USDC = Collateral(6, 99_991_354)
MILLION = 10**6

usd = st.integers(0, 10**12)
tokens = st.integers(0, 10**30)
prices = st.integers(1, 10**17)
bands = st.lists(st.integers(0, 10_000), min_size=29, max_size=29).map(
    lambda found: (*sorted(found), 10_000)
)
offsets = st.lists(st.integers(0, 65_535), min_size=30, max_size=30).map(
    lambda found: tuple(sorted(found))
)
sides = st.builds(Side, st.integers(1, 2**32 - 1), bands)
decimals = st.sampled_from([6, 8, 18])


@st.composite
def states(draw: Any) -> PairState:
    """Any pair, its spread and skew within what leaves a price."""
    return PairState(
        spread_p=draw(st.integers(0, 5 * E10)),
        above=draw(sides),
        below=draw(sides),
        offsets_ppm=draw(offsets),
        volume_long_usd_e18=draw(usd) * E18,
        volume_short_usd_e18=draw(usd) * E18,
        long_token_e18=draw(st.integers(0, 10**24)),
        short_token_e18=draw(st.integers(0, 10**24)),
        skew_depth_e18=draw(st.one_of(st.just(0), st.integers(10**24, 10**27))),
        block=draw(st.integers(0, 10**9)),
        factors=PairFactors(
            cumulative_e10=draw(st.sampled_from([0, E10, 15 * E10 // 10])),
            exempt_on_open=draw(st.booleans()),
        ),
        trader=TraderTerms(
            spread_e3=draw(st.integers(0, 100)),
            volume_multiplier_e3=draw(st.integers(0, 3_000)),
        ),
    )


# Rounding --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(), st.integers(1, 10**20), st.integers(1, 10**20))
def test_truncation_is_toward_zero_and_may_be_done_in_steps(n: int, a: int, b: int) -> None:
    assert truncated(n, a) == int(Fraction(n, a))
    assert truncated(-n, a) == -truncated(n, a)
    assert truncated(truncated(n, a), b) == truncated(n, a * b)


@settings(deadline=None)
@given(st.integers(0, 10**30), st.integers(0, 10**20), st.integers(1, 10**20))
def test_rounding_up_is_the_least_that_is_enough(value: int, n: int, d: int) -> None:
    up = rounded_up(value, n, d)
    assert up * d >= value * n > (up - 1) * d


@settings(deadline=None)
@given(prices, st.integers(-2 * WHOLE_P, 2 * WHOLE_P))
def test_a_fill_is_within_a_unit_of_the_exact_one(oracle: int, impact: int) -> None:
    exact = oracle * (1 + Fraction(impact, WHOLE_P))
    found = fill_e10(oracle, impact)
    if found is None:
        assert exact < 1
    else:
        assert abs(found - exact) < 1
        assert abs(found - oracle) <= abs(exact - oracle)


@settings(deadline=None)
@given(decimals, st.integers(1, 10**14), st.integers(0, 10**40))
def test_collateral_of_a_value_is_worth_no_more(places: int, price: int, value: int) -> None:
    collateral = Collateral(places, price)
    back = collateral.usd_e18(collateral.from_usd_e18(value))
    assert back <= value
    assert value - back <= collateral.usd_e18(1) + price


# Depth -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**16 - 1), min_size=30, max_size=30))
def test_slots_hold_what_was_put_in(depth: int, values: list[int]) -> None:
    side = Side(depth, tuple(values))
    assert decode_side(*encode_side(side)) == side


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_any_two_words_are_a_side(slot1: int, slot2: int) -> None:
    assert encode_side(decode_side(slot1, slot2)) == (slot1, slot2)


@pytest.mark.parametrize("slots", [(-1, 0), (0, -1), (2**256, 0), (0, 2**256)])
def test_a_slot_is_one_word(slots: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="256 bits"):
        decode_side(*slots)


def exact_offset(volume: Fraction, side: Side, ppm: tuple[int, ...]) -> Fraction:
    """In units of 1e-10 percent."""
    left, total, low, before = volume, Fraction(0), 0, 0
    for share, high in zip(side.bands, ppm, strict=True):
        if share > before:
            capacity = Fraction(side.depth_usd * (share - before), 10_000)
            used = left if share == 10_000 else min(left, capacity)
            total += (low + (high - low) * used / capacity / 2) * used
            left -= used
            before = share
        low = high
    return total * MILLION / volume


@settings(deadline=None)
@given(sides, offsets, st.integers(1, 10**30))
def test_integer_steps_lose_a_few_units(side: Side, ppm: tuple[int, ...], volume: int) -> None:
    exact = exact_offset(Fraction(volume, E18), side, ppm)
    found = average_offset_p(volume, side, ppm)
    assert 0 <= exact - found < 3


@settings(deadline=None)
@given(sides, offsets, usd, usd, usd, st.booleans())
def test_impact_grows_with_size_and_volume(
    side: Side, ppm: tuple[int, ...], volume: int, size: int, more: int, up: bool
) -> None:
    def impact(window: int, trade: int) -> int:
        return abs(volume_impact_p(window * E18, trade * E18, side, ppm, up=up))

    # What is cut off can differ by a unit or two.
    assert impact(volume, size + more) >= impact(volume, size) - 3
    assert impact(volume + more, size) >= impact(volume, size) - 3
    assert impact(volume, 0) <= impact(volume, size) + 3


@settings(deadline=None)
@given(sides, offsets, usd, usd)
def test_volume_impact_is_the_same_in_both_directions(
    side: Side, ppm: tuple[int, ...], volume: int, size: int
) -> None:
    up = volume_impact_p(volume * E18, size * E18, side, ppm, up=True)
    assert volume_impact_p(volume * E18, size * E18, side, ppm, up=False) == -up
    assert up >= 0


@settings(deadline=None)
@given(sides, offsets)
def test_nothing_traded_and_nothing_to_trade_is_no_impact(side: Side, ppm: tuple[int, ...]) -> None:
    assert volume_impact_p(0, 0, side, ppm, up=True) == 0
    assert volume_impact_p(0, 1, side, ppm, up=True) <= ppm[29] * MILLION
    assert volume_impact_p(10**30, 10**30, Side(0, side.bands), ppm, up=True) == 0


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3_600), st.integers(0, 5), st.integers(0, 10**9))
def test_windows_that_are_empty_or_over_have_no_volume(
    start: int, duration: int, count: int, later: int
) -> None:
    windows = Windows(start, duration, count)
    now = start + later
    last = windows.current(now)
    assert windows.volume({}, now) == 0
    assert windows.volume({last - count: 7, last + 1: 7}, now) == 0
    assert windows.volume({last: 7}, now) == (7 if count else 0)


# Skew ------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(states(), st.integers(0, 10**24))
def test_skew_is_mirrored_with_the_sides(state: PairState, token: int) -> None:
    mirrored = replace(
        state, long_token_e18=state.short_token_e18, short_token_e18=state.long_token_e18
    )
    assert skew_impact_p(mirrored, token, up=False) == -skew_impact_p(state, token, up=True)
    assert mirrored.standing_p == -state.standing_p
    assert skew_impact_p(state, token, up=True) >= skew_impact_p(state, token, up=False)


@settings(deadline=None)
@given(tokens, tokens)
def test_no_open_interest_or_no_depth_is_no_skew(token: int, depth: int) -> None:
    assert standing_skew_p(0, 0, depth) == 0
    assert standing_skew_p(token, token, depth) == 0
    assert standing_skew_p(token, 0, 0) == 0


@settings(deadline=None)
@given(prices, st.integers(-WHOLE_P // 2, WHOLE_P // 2))
def test_the_oracle_price_of_a_market_price_reaches_it(market: int, standing: int) -> None:
    oracle = oracle_from_market_e10(market, standing)
    assume(oracle < 10**18)
    reached_at = market_price_e10(oracle, standing)
    assert market - 1 <= reached_at
    assert oracle == 1 or (oracle - 1) * (WHOLE_P + standing) < market * WHOLE_P


# Fills -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(states(), st.integers(10**6, 10**15), usd, usd, st.booleans())
def test_a_larger_opening_never_fills_better(
    state: PairState, oracle: int, size: int, more: int, long: bool
) -> None:
    def fill(amount: int) -> int | None:
        try:
            return opening_impact(oracle, amount * MILLION, USDC, state, long=long).price_e10
        except ContractRefusal:
            return None

    small, large = fill(size + 1), fill(size + 1 + more)
    if small is None:
        assert large is None
    elif large is not None:
        slack = oracle * 8 // WHOLE_P + 2
        assert large >= small - slack if long else large <= small + slack


@settings(deadline=None)
@given(states(), st.integers(10**6, 10**15), st.booleans())
@example(
    PairState(0, Side(0, (0,) * 30), Side(0, (0,) * 30), (0,) * 30, 0, 0, 0, 0, 0, 0), 10**15, True
)
def test_one_base_unit_fills_at_the_standing_price(
    state: PairState, oracle: int, long: bool
) -> None:
    try:
        impact = opening_impact(oracle, 1, USDC, state, long=long)
    except ContractRefusal:
        return
    assert impact.total_p == impact.fixed_spread_p + impact.volume_p + impact.skew_p
    half = state.total_spread_p // 2
    assert impact.fixed_spread_p == (half if long else -half)


@settings(deadline=None)
@given(st.integers(1, 10**30), st.integers(10**6, 10**15), st.booleans())
def test_a_bare_pair_fills_at_the_oracle_price(size: int, oracle: int, long: bool) -> None:
    nothing = Side(0, (0,) * 30)
    state = PairState(0, nothing, nothing, (0,) * 30, 10**30, 10**30, 10**30, 0, 0, 0)
    impact = opening_impact(oracle, size, USDC, state, long=long)
    assert impact.price_e10 == oracle
    assert impact.total_p == 0
