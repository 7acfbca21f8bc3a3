"""Which route is the one to take. Pure.

Routes are ranked by their cost. The one to take is the first of them that the wallet lacks nothing
for but an allowance, which the order itself asks for; where there is none, or nobody knows what the
wallet has, the first of all.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from api.routing.needs import Lacks
from api.routing.router import Leg
from domain import exact
from domain.routing import RoutePlace
from domain.units import minimal

_ASKED_FOR: Final = frozenset({"ALLOWANCE"})
"""What a wallet is asked for on the way: nothing has to be got from elsewhere."""


class Choice(NamedTuple):
    """``leg``: None where there is no route. ``code``: ``CHEAPEST`` of all, or of those that the
    wallet can pay for (``PAYABLE``)."""

    leg: Leg | None
    code: Literal["CHEAPEST", "PAYABLE"]
    message: str


def is_payable(leg: Leg, lacks: Lacks) -> bool:
    """Whether it is known that the wallet can place it as it is."""
    found = lacks(leg)
    return found is not None and all(need["code"] in _ASKED_FOR for need in found)


def choose(legs: Sequence[Leg], lacks: Lacks) -> Choice:
    """``legs``: the cheapest first."""
    if not legs:
        return Choice(None, "CHEAPEST", "there is no route")
    cheapest = legs[0]
    taken = next((leg for leg in legs if is_payable(leg, lacks)), None)
    if taken is None or taken is cheapest:
        return Choice(cheapest, "CHEAPEST", _cheapest(cheapest, lacks))
    dearer = exact.added(taken.route.total_cost_usd, cheapest.route.total_cost_usd.copy_negate())
    return Choice(
        taken,
        "PAYABLE",
        f"{cheapest.route.place.route_id} costs {minimal(dearer)} USD less, but "
        f"{_missing(cheapest, lacks)}",
    )


def payable_places(
    legs: Sequence[Leg], split_legs: Sequence[Leg], lacks: Lacks
) -> frozenset[RoutePlace] | None:
    """Where a split may go, when the one that was found cannot be paid for and something can; else
    None."""
    payable = [leg for leg in (*legs, *split_legs) if is_payable(leg, lacks)]
    if not payable or all(is_payable(leg, lacks) for leg in split_legs):
        return None
    return frozenset(leg.route.place for leg in payable)


def _cheapest(leg: Leg, lacks: Lacks) -> str:
    found = lacks(leg)
    if found is None:
        return "the cheapest; what the wallet has is not known"
    if is_payable(leg, lacks):
        return "the cheapest"
    return f"the cheapest; no route can be paid for, and here {_missing(leg, lacks)}"


def _missing(leg: Leg, lacks: Lacks) -> str:
    found = lacks(leg)
    if found is None:
        return "it is not known whether the wallet can pay for it"
    names = dict.fromkeys(
        " ".join(filter(None, (need["code"], need["symbol"])))
        for need in found
        if need["code"] not in _ASKED_FOR
    )
    return f"the wallet lacks {', '.join(names)}"
