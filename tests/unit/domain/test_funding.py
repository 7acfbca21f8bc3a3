"""Rates of any interval in one measure, and the carry of holding."""

from decimal import Decimal

import pytest

from domain.errors import InputError
from domain.funding import (
    FundingRate,
    Place,
    apr,
    carry,
    carry_bps,
    cheapest_to_hold,
    from_8h,
    from_apr,
    from_second,
    next_at,
    per_8h,
    per_hour,
    per_interval,
    symmetric_place,
    to_second,
)
from domain.ids import VenueId

D = Decimal
A, B, C = VenueId("a"), VenueId("b"), VenueId("c")


def test_a_recorded_hourly_rate() -> None:
    rate = FundingRate(D("0.00001147560975609756"), 1, 3_600_000)
    assert rate.per_hour == D("0.00001147560975609756")
    assert rate.per_8h == D("0.00009180487804878048")
    assert rate.apr == D("0.1005263414634146256")


def test_rates_of_longer_intervals() -> None:
    assert FundingRate(D("0.0001"), 8).per_hour == D("0.0000125")
    assert FundingRate(D("0.0001"), 8).per_8h == D("0.0001")
    assert FundingRate(D("-0.0001"), 8).apr == D("-0.1095")
    day = FundingRate(D("0.0001"), 24).per_hour
    assert D("0.000004166666") < day < D("0.000004166667")
    with pytest.raises(InputError) as refused:
        per_hour(D("0.0001"), 24)
    assert refused.value.code == "INEXACT"


def test_inverse_conversions() -> None:
    assert per_interval(per_hour(D("0.0001"), 8), 8) == D("0.0001")
    assert from_8h(per_8h(D("0.0003"))) == D("0.0003")
    assert from_apr(apr(D("0.0003"))) == D("0.0003")
    assert to_second(from_second(D("1e-30"))) == D("1e-30")
    with pytest.raises(InputError):
        from_apr(D("0.1"))
    assert apr(from_apr(D("0.1"), "up")) >= D("0.1")
    assert apr(from_apr(D("0.1"), "down")) <= D("0.1")


def test_when_funding_is_settled_next() -> None:
    hour = 3_600_000
    assert next_at(0, 1) == hour
    assert next_at(hour - 1, 1) == hour
    assert next_at(hour, 1) == 2 * hour
    assert next_at(hour, 8) == 8 * hour
    for bad in (0, -1):
        with pytest.raises(InputError) as refused:
            next_at(0, bad)
        assert refused.value.code == "BAD_INTERVAL"


def test_positive_means_longs_pay() -> None:
    assert carry_bps(D("0.0001"), "LONG", D(8)) == 8
    assert carry_bps(D("0.0001"), "SHORT", D(8)) == -8
    assert carry_bps(D("-0.0001"), "LONG", D("0.5")) == D("-0.5")
    assert carry_bps(D("0.0001"), "LONG", D(0)) == 0
    for bad in ("-1", "NaN", "Infinity"):
        with pytest.raises(InputError) as refused:
            carry_bps(D("0.0001"), "LONG", D(bad))
        assert refused.value.code == "BAD_HOURS"


def test_sides_that_pay_differently() -> None:
    pool = Place(B, "p", D("0.0002"), D("-0.0001"), D("0.00003"), D("0.00001"))
    long, short = carry(pool, "LONG", D(10)), carry(pool, "SHORT", D(10))
    assert long is not None
    assert short is not None
    assert (long.funding_bps, long.borrow_bps, long.total_bps) == (20, 3, 23)
    assert (short.funding_bps, short.borrow_bps, short.total_bps) == (-10, 1, -9)


def test_the_cheapest_place_to_hold() -> None:
    places = [
        symmetric_place(A, None, D("0.0001")),
        Place(B, "p", D("0.00005"), D("0.00005"), D("0.00006")),
        symmetric_place(C, None, None),
        symmetric_place(C, "later", D("0.0001")),
    ]
    longs = cheapest_to_hold(places, "LONG", D(24))
    assert [(found.venue, found.pool) for found in longs] == [(A, None), (C, "later"), (B, "p")]
    shorts = cheapest_to_hold(places, "SHORT", D(24))
    assert [(found.venue, found.total_bps) for found in shorts] == [
        (A, D(-24)),
        (C, D(-24)),
        (B, D(12)),
    ]
    assert cheapest_to_hold([], "LONG", D(1)) == ()
