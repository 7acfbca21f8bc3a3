"""The plan against trying everything, in fractions that share no code with it."""

from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.costs import PricedPool
from domain.errors import InputError
from domain.funding import Carry
from domain.ids import VenueId
from domain.routing import Offer, RoutePlace, plan
from domain.splits import PARTS, exact_split


def place(at: int) -> RoutePlace:
    return RoutePlace(VenueId("gmx"), 42161, f"0x{at}", "USDC")


def decimals(low: int, high: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda value: Decimal(value).scaleb(-places))


class Facts(NamedTuple):
    """Of one pool: prices of 1 to PARTS shares, as a walk away from the middle."""

    start: Decimal
    moves: list[Decimal]
    fee: Decimal
    gas: Decimal | None
    keeper: Decimal | None
    carry: tuple[Decimal, Decimal] | None
    known: int


FACTS = st.builds(
    Facts,
    decimals(-30, 60, 1),
    st.lists(decimals(0, 40, 1), min_size=PARTS, max_size=PARTS),
    # Few values, so that costs are often equal.
    st.sampled_from([Decimal(x) for x in ("0", "4.5", "5", "6", "-1")]),
    st.sampled_from([None, Decimal(0), Decimal("0.31")]),
    st.sampled_from([None, Decimal(0), Decimal("0.4")]),
    st.sampled_from([None, (Decimal("1.5"), Decimal("0.25")), (Decimal(-2), Decimal(0))]),
    st.sampled_from([PARTS, PARTS, PARTS, 7, 3]),
)
MID = Decimal("97013.25")


def pools(side: str, notional: Decimal, at: int, facts: Facts) -> list[PricedPool | None]:
    sign = 1 if side == "BUY" else -1
    found: list[PricedPool | None] = []
    for part in range(1, PARTS + 1):
        impact = sum(facts.moves[:part], Decimal(0))
        price = MID * (10_000 + sign * (facts.start + impact)) / 10_000
        found.append(
            PricedPool(
                VenueId("gmx"),
                f"0x{at}",
                "BUY" if side == "BUY" else "SELL",
                notional * part / PARTS,
                price,
                facts.fee,
                facts.start,
                impact,
                facts.gas,
                facts.keeper,
            )
            if part <= facts.known
            else None
        )
    return found


def cost(pool: PricedPool, carry: tuple[Decimal, Decimal] | None) -> Fraction:
    """Bought or sold base units against the middle, by money in and out."""
    notional, price = Fraction(pool.notional_usd), Fraction(pool.price)
    base = notional / price
    fee = notional * Fraction(pool.fee_bps) / 10_000
    worth = base * Fraction(MID)
    lost = notional - worth if pool.side == "BUY" else worth - notional
    held = Fraction(0) if carry is None else notional * Fraction(carry[0] + carry[1]) / 10_000
    return lost + fee + Fraction(pool.gas_usd or 0) + Fraction(pool.execution_fee_usd or 0) + held


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from([Decimal(1000), Decimal("33333.33"), Decimal(1_000_000)]),
    st.lists(FACTS, min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_the_plan_is_the_best_there_is(
    side: str, notional: Decimal, facts: list[Facts], legs: int
) -> None:
    table = [pools(side, notional, at, item) for at, item in enumerate(facts)]
    offers = []
    for at, (item, row) in enumerate(zip(facts, table, strict=True)):
        carry = item.carry and Carry(VenueId("gmx"), f"0x{at}", *item.carry)
        offers.append(Offer(place(at), row[-1], tuple(row[:-1]), carry, Decimal("0.3")))
    found = plan(offers, MID, max_legs=legs)
    known = [
        [None if pool is None else cost(pool, item.carry) for pool in row]
        for item, row in zip(facts, table, strict=True)
    ]
    whole = [(row[-1], at) for at, row in enumerate(known) if row[-1] is not None]
    assert [route.place for route in found.routes] == [place(at) for _, at in sorted(whole)]
    chosen = {share.place: share.share_bps for share in found.split}
    best = least(known, legs)
    if best is None:
        assert not chosen
        return
    assert sum(chosen.values()) == 10_000
    assert len(chosen) <= legs
    parts = [chosen.get(offer.place, 0) * PARTS // 10_000 for offer in offers]
    assert total(known, parts) == best
    # No more legs than the best needs.
    fewer = least(known, len(chosen) - 1)
    assert fewer is None or best < fewer


def total(known: list[list[Fraction | None]], parts: list[int]) -> Fraction | None:
    found = [row[part - 1] for row, part in zip(known, parts, strict=True) if part]
    return None if None in found else sum((cost for cost in found if cost), Fraction(0))


def least(known: list[list[Fraction | None]], legs: int) -> Fraction | None:
    """By all deals of all choices of pools."""
    sums = []
    for count in range(1, min(legs, len(known)) + 1):
        for rows in combinations(known, count):
            for cuts in combinations(range(1, PARTS), count - 1):
                edges = (0, *cuts, PARTS)
                parts = [end - start for start, end in pairwise(edges)]
                sums.append(total(list(rows), parts))
    reached = [value for value in sums if value is not None]
    return min(reached) if reached else None


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["BUY", "SELL"]), FACTS, st.booleans())
def test_the_lines_of_a_route_add_up_to_its_total(side: str, facts: Facts, holding: bool) -> None:
    [whole] = pools(side, Decimal(50_000), 0, facts._replace(known=PARTS))[-1:]
    assert whole is not None
    carry = facts.carry and Carry(VenueId("gmx"), "0x0", *facts.carry)
    [route] = plan([Offer(place(0), whole, (), carry, Decimal("0.3"))], MID, holding=holding).routes
    paid = sum((line.usd - line.refundable_usd for line in route.costs), Decimal(0))
    assert paid == route.total_cost_usd
    exact = cost(whole, facts.carry)
    assert 0 <= Fraction(route.total_cost_usd) - exact < Fraction(1, 10**18)
    lines = {line.code: line for line in route.costs}
    assert ("gas" in lines) != ("gas" in route.unknown)
    assert ("execution_fee" in lines) != ("execution_fee" in route.unknown)
    assert ("funding" in route.unknown) == (holding and facts.carry is None)
    assert Fraction(lines["fee"].usd) >= Fraction(50_000) * Fraction(facts.fee) / 10_000
    if not any(facts.moves):
        assert lines["impact"].usd == 0


def test_a_plan_is_of_one_side_and_at_a_price() -> None:
    facts = Facts(Decimal(1), [Decimal(0)] * PARTS, Decimal(5), None, None, None, PARTS)
    buy, sell = (pools(side, Decimal(1000), 0, facts)[-1] for side in ("BUY", "SELL"))
    assert buy is not None
    assert sell is not None
    with pytest.raises(InputError) as mixed:
        plan([Offer(place(0), buy), Offer(place(1), sell)], MID)
    assert mixed.value.code == "MIXED_TRADES"
    with pytest.raises(InputError) as priced:
        plan([Offer(place(0), buy)], Decimal(0))
    assert priced.value.code == "BAD_PRICE"


def test_pools_that_do_not_reach_together_give_no_split() -> None:
    short: list[Fraction | None] = [Fraction(1)] * 3 + [None] * (PARTS - 3)
    assert exact_split([short, short]) is None
    assert exact_split([]) is None


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["BUY", "SELL"]),
    st.lists(FACTS, min_size=1, max_size=4),
    st.sampled_from([Decimal(0), Decimal("2.5"), Decimal(100)]),
)
def test_a_fee_of_the_server_is_a_line_and_nothing_else(
    side: str, facts: list[Facts], fee_bps: Decimal
) -> None:
    notional = Decimal(50_000)
    offers = [
        Offer(place(at), pools(side, notional, at, item)[-1], service_fee_bps=fee_bps)
        for at, item in enumerate(facts)
    ]
    plain = plan([Offer(item.place, item.priced) for item in offers], MID)
    found = plan(offers, MID)
    assert [route.place for route in found.routes] == [route.place for route in plain.routes]
    for route, without in zip(found.routes, plain.routes, strict=True):
        lines = {line.code: line for line in route.costs}
        added = Fraction(notional) * Fraction(fee_bps) / 10_000
        paid = Fraction(route.total_cost_usd) - Fraction(without.total_cost_usd)
        assert abs(paid - added) <= Fraction(1, 10**18)
        assert abs(route.all_in_bps - without.all_in_bps - fee_bps) <= Decimal("0.0001")
        assert ("service_fee" in lines) == bool(fee_bps)
        if fee_bps:
            assert lines["service_fee"].bps == fee_bps
