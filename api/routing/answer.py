"""The answer of ``POST /v1/routes`` as JSON. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from api.routing.choice import choose
from api.routing.needs import Lacks
from api.routing.router import Answer, Excluded, Leg
from connectors.base.positions import position_id
from domain.units import minimal
from runtime.clock import iso_ms


def answer_row(answer: Answer, lacks: Lacks) -> dict[str, Any]:
    """``data`` of the answer. ``best`` is None when there is no route."""
    routes = [leg_row(leg, lacks) for leg in answer.legs]
    chosen = choose(answer.legs, lacks)
    return {
        "as_of": iso_ms(answer.as_of_us),
        "reference_price": minimal(answer.reference_price),
        "best": None if chosen.leg is None else chosen.leg.route.place.route_id,
        "best_reason": {"code": chosen.code, "message": chosen.message},
        "routes": routes,
        "excluded": [excluded_row(item) for item in answer.excluded],
        "split": [
            {"route_id": share.place.route_id, "share_bps": share.share_bps}
            for share in answer.split
        ],
    }


def leg_row(item: Leg, lacks: Lacks) -> dict[str, Any]:
    """A route. ``liquidation_price`` is None of what is no opening: it takes what the account holds
    already."""
    route, leg, guard = item.route, item.leg, item.guard
    found = lacks(item)
    return {
        "route_id": route.place.route_id,
        "venue": leg.venue,
        "chain_id": leg.chain_id,
        "pool": leg.pool,
        "collateral": leg.collateral_symbol,
        "collateral_amount": _text(leg.collateral_amount),
        "size_base": minimal(leg.size_base),
        "notional_usd": minimal(leg.notional_usd),
        "expected_price": minimal(leg.expected_price),
        "guard": {
            "field": guard.field,
            # Any price: the venue is told the last one that it can hold.
            "price": None if leg.guard_price is None else minimal(guard.price),
            "raw": guard.raw,
        },
        "costs": [
            {
                "code": line.code,
                "usd": minimal(line.usd),
                "bps": minimal(line.bps),
                "refundable_usd": minimal(line.refundable_usd),
            }
            for line in route.costs
        ],
        "unknown_costs": list(route.unknown),
        "all_in_bps": minimal(route.all_in_bps),
        "total_cost_usd": minimal(route.total_cost_usd),
        "liquidation_price": _text(item.liquidation_price),
        "position": _position(item),
        "needs": list(found or ()),
        "needs_known": found is not None,
    }


def _position(item: Leg) -> Mapping[str, Any] | None:
    held, place = item.holding, item.route.place
    if held is None:
        return None
    return {
        "position_id": position_id(place.venue, place.chain_id, held.ref),
        "source": "fills" if held.position is None else "chain",
        "size_base": minimal(held.size_base),
        "entry_price": minimal(held.entry_price),
        "collateral_amount": _text(held.collateral_amount),
    }


def excluded_row(item: Excluded) -> Mapping[str, Any]:
    return {
        "venue": item.venue,
        "chain_id": item.chain_id,
        "pool": item.pool,
        "code": item.code,
        "message": item.message,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else minimal(value)
