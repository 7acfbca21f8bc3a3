"""Which route is the one to take."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.routing.answer import answer_row
from api.routing.choice import choose, is_payable, payable_places
from api.routing.needs import nobody
from api.routing.router import Leg
from tests.unit.api.test_router import BODY, route


def lacks(**by_venue: Sequence[str] | None) -> Any:
    def found(leg: Leg) -> Sequence[Mapping[str, Any]] | None:
        codes = by_venue[leg.leg.venue]
        return None if codes is None else [{"code": code, "symbol": "USDC"} for code in codes]

    return found


async def test_the_first_that_can_be_paid_for_is_the_best() -> None:
    legs = (await route(BODY)).legs
    first, second = (leg.leg.venue for leg in legs)
    for of_first, of_second, taken, code in (
        ([], [], 0, "CHEAPEST"),
        (["ALLOWANCE"], [], 0, "CHEAPEST"),
        (["BALANCE"], [], 1, "PAYABLE"),
        (["LINK_WALLET"], ["ALLOWANCE"], 1, "PAYABLE"),
        (None, [], 1, "PAYABLE"),
        (["BALANCE", "GAS"], ["GAS"], 0, "CHEAPEST"),
        (["BALANCE"], None, 0, "CHEAPEST"),
        (None, None, 0, "CHEAPEST"),
    ):
        found = choose(legs, lacks(**{first: of_first, second: of_second}))
        assert (found.leg, found.code) == (legs[taken], code)
    assert choose((), nobody).leg is None


async def test_the_reason_says_what_is_missing_and_what_it_costs() -> None:
    answer = await route(BODY)
    first, second = answer.legs
    poor = lacks(**{first.leg.venue: ["BALANCE", "ALLOWANCE"], second.leg.venue: []})
    shown = answer_row(answer, poor)
    assert shown["best"] == second.route.place.route_id
    # The ranking is by cost, whatever can be paid for.
    assert [item["route_id"] for item in shown["routes"]] == [
        first.route.place.route_id, second.route.place.route_id,
    ]  # fmt: skip
    reason = shown["best_reason"]
    dearer = second.route.total_cost_usd - first.route.total_cost_usd
    assert reason["code"] == "PAYABLE"
    assert f"{dearer.normalize():f}" in reason["message"]
    assert "lacks BALANCE USDC" in reason["message"]
    assert "ALLOWANCE" not in reason["message"]
    assert answer_row(answer, nobody)["best_reason"]["code"] == "CHEAPEST"


async def test_a_split_goes_where_it_can_be_paid_for() -> None:
    answer = await route(BODY | {"notional_usd": "1500000", "max_legs": 3})
    assert len(answer.split_legs) == 2
    rich = lacks(dydx=[], gains=[])
    assert payable_places(answer.legs, answer.split_legs, rich) is None
    assert payable_places(answer.legs, answer.split_legs, nobody) is None
    poor = lacks(dydx=["LINK_WALLET"], gains=[])
    places = payable_places(answer.legs, answer.split_legs, poor)
    assert places is not None
    assert {place.venue for place in places} == {"gains"}
    assert not is_payable(answer.legs[0], nobody)
