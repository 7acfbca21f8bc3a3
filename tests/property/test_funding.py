"""Conversions of rates invert exactly, at any length."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.exact import added
from domain.funding import (
    FundingRate,
    PositionSide,
    apr,
    carry_bps,
    cheapest_to_hold,
    from_8h,
    from_apr,
    from_second,
    per_8h,
    per_hour,
    per_interval,
    symmetric_place,
    to_second,
)
from domain.ids import VenueId

RATES = st.builds(
    lambda digits, places: Decimal(f"{digits}E-{places}"),
    st.integers(-(10**30), 10**30),
    st.integers(0, 45),
)
HOURS = st.builds(
    lambda digits, places: Decimal(f"{digits}E-{places}"),
    st.integers(0, 10**6),
    st.integers(0, 3),
)


@settings(deadline=None, max_examples=300)
@given(RATES, st.sampled_from([1, 2, 4, 8, 10, 16]))
def test_conversions_invert(rate: Decimal, interval: int) -> None:
    assert per_interval(per_hour(rate, interval), interval) == rate
    assert per_hour(per_interval(rate, interval), interval) == rate
    assert from_8h(per_8h(rate)) == rate
    assert per_8h(from_8h(rate)) == rate
    assert from_apr(apr(rate)) == rate
    assert to_second(from_second(rate)) == rate
    hourly = FundingRate(rate, interval).per_hour
    assert per_interval(hourly, interval) == rate


@settings(deadline=None, max_examples=200)
@given(RATES, st.integers(1, 1000))
def test_a_rounded_conversion_errs_on_the_named_side(rate: Decimal, interval: int) -> None:
    up, down = per_hour(rate, interval, "up"), per_hour(rate, interval, "down")
    assert per_interval(down, interval) <= rate <= per_interval(up, interval)
    assert up - down <= Decimal("1e-60")


@settings(deadline=None, max_examples=200)
@given(RATES, HOURS, HOURS)
def test_carry_is_linear_and_its_sides_mirror(rate: Decimal, one: Decimal, two: Decimal) -> None:
    assert carry_bps(rate, "LONG", one) == carry_bps(rate, "SHORT", one).copy_negate()
    assert carry_bps(rate, "LONG", one + two) == added(
        carry_bps(rate, "LONG", one), carry_bps(rate, "LONG", two)
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(st.none() | RATES, max_size=6), HOURS, st.sampled_from(["LONG", "SHORT"]))
def test_the_ranking_is_sorted_and_complete(
    rates: list[Decimal | None], hours: Decimal, side: PositionSide
) -> None:
    places = [symmetric_place(VenueId(str(i)), None, rate) for i, rate in enumerate(rates)]
    found = cheapest_to_hold(places, side, hours)
    assert len(found) == sum(rate is not None for rate in rates)
    totals = [item.total_bps for item in found]
    assert totals == sorted(totals)
