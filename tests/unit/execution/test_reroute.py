"""Where an order goes that its venue refuses."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.ids import VenueId
from domain.orders import OrderLeg, Reason
from execution.reroute import OF_THE_WALLET, alternatives, may_move, moved
from tests.integration.orders_kit import INTENT, LEG, order

WHY = Reason("PAUSED", "trading is paused", "GeneralPaused")
OTHER = replace(
    LEG, venue=VenueId("gains"), pool="42161:USDC", guard_price=Decimal("97400"),
    expected_price=Decimal(97_010),
)  # fmt: skip


def route(leg: OrderLeg) -> dict[str, Any]:
    """As a quote keeps it."""
    return {
        "venue": leg.venue,
        "chain_id": leg.chain_id,
        "pool": leg.pool,
        "collateral": leg.collateral_symbol,
        "collateral_amount": str(leg.collateral_amount),
        "size_base": str(leg.size_base),
        "notional_usd": str(leg.notional_usd),
        "expected_price": str(leg.expected_price),
        "guard": {"price": str(leg.guard_price)},
    }


def test_the_others_follow_in_their_ranking() -> None:
    third = replace(OTHER, chain_id=137, pool="137:USDC")
    rows = [route(OTHER), route(LEG), route(third)]
    assert alternatives(order("a", allow_reroute=True), rows) == [OTHER, third]
    assert alternatives(order("a"), []) == []
    assert alternatives(order("a"), [route(OTHER)]) == []


@pytest.mark.parametrize(
    ("side", "own", "other", "bound"),
    [("BUY", "100", "101", "100"), ("BUY", "102", "101", "101"), ("SELL", "100", "101", "101"),
     ("SELL", "102", "101", "102")],
)  # fmt: skip
def test_no_bound_is_wider_than_the_one_that_was_agreed(
    side: Any, own: str, other: str, bound: str
) -> None:
    mine = order("a", intent=replace(INTENT, side=side), leg=replace(LEG, guard_price=Decimal(own)))
    rows = [route(LEG), route(replace(OTHER, guard_price=Decimal(other)))]
    [found] = alternatives(mine, rows)
    assert found.guard_price == Decimal(bound)


def test_a_part_of_a_split_stays() -> None:
    part = order("a", leg=replace(LEG, notional_usd=Decimal(400)))
    assert alternatives(part, [route(LEG), route(OTHER)]) == []


def test_who_may_move() -> None:
    asked = order("a", allow_reroute=True)
    assert may_move(asked, WHY)
    assert not may_move(asked._replace(allow_reroute=False), WHY)
    for code in OF_THE_WALLET:
        assert not may_move(asked, Reason(code, "missing"))
    for intent in ("increase", "decrease", "close"):
        terms = {"intent": intent, "leverage": None}
        held = asked._replace(intent=replace(INTENT, **terms))  # type: ignore[arg-type]
        assert not may_move(held, WHY)
    told = moved(asked, WHY)
    assert (told.code, told.venue_code) == ("REROUTED", "PAUSED")
    assert told.message == "gmx on 42161: trading is paused"
