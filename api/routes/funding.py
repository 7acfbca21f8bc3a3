"""``/v1/funding``: where a position is cheapest to hold."""

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import query
from api.context import context_of
from api.problems import Invalid, Issue, Unavailable
from api.routes.markets import require_markets
from domain.funding import Carry, Place, PositionSide, carry
from domain.ids import VenueId
from domain.units import minimal

SIDES: Final[Mapping[str, PositionSide]] = {"long": "LONG", "short": "SHORT"}
SORTS: Final = ("cost", "market")
MAX_HOURS: Final = 8760
_HOURS: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?", re.ASCII)
_NAMES: Final = ("side", "hours", "sort", "market")
_COST_DECIMALS: Final = 18
_COST_DIGITS: Final = 36
AT_ONCE: Final = 100
"""Places worked out before others have their turn."""


async def list_funding(request: Request) -> Response:
    fields = query.read(request, "limit", "cursor", *_NAMES)
    board = context_of(request).board
    require_markets(board)
    issues: list[Issue] = []
    side = SIDES.get(fields.get("side", "long"))
    if side is None:
        issues.append(query.issue("side", "UNKNOWN_SIDE", "long or short"))
    sort = fields.get("sort", SORTS[0])
    if sort not in SORTS:
        issues.append(query.issue("sort", "UNKNOWN_SORT", f"one of {', '.join(SORTS)}"))
    hours = fields.get("hours", "24")
    if not _HOURS.fullmatch(hours) or not 0 < Decimal(hours) <= MAX_HOURS:
        issues.append(query.issue("hours", "OUT_OF_RANGE", f"above 0 and at most {MAX_HOURS}"))
    if issues or side is None:
        raise Invalid(issues)
    if board.silent:
        raise Unavailable("FEED_UNAVAILABLE", "nothing is heard from the feed")
    rows = board.funding.rows()
    if "market" in fields:
        board.require_market(fields["market"])
        rows = {name: row for name, row in rows.items() if name == fields["market"]}
    found = await _ordered(rows, side, Decimal(hours), sort)
    shown, next_cursor = query.page(request, found, lambda item: item.key, beside=_NAMES)
    return query.answer([_row(item) for item in shown], next_cursor=next_cursor)


class _Held(NamedTuple):
    """A place where a position could be held. ``key``: what it is ordered by."""

    key: str
    market: str
    told: Mapping[str, Any]
    cost: Carry


async def _ordered(
    rows: Mapping[str, Mapping[str, Any]], side: PositionSide, hours: Decimal, sort: str
) -> list[_Held]:
    """All places; others have their turn between some of them."""
    found: list[_Held] = []
    for market, venues in rows.items():
        for venue, of_venue in venues.items():
            for told in of_venue["pools"] or [of_venue]:
                cost = carry(_place(VenueId(venue), told), side, hours)
                assert cost is not None, "what is in the room has a rate"
                key = f"{market}:{venue}:{told['pool'] or ''}"
                if sort == "cost":
                    key = f"{_digits(cost)}:{key}"
                found.append(_Held(key, market, told, cost))
                if len(found) % AT_ONCE == 0:
                    await asyncio.sleep(0)
    found.sort(key=lambda item: item.key)
    return found


def _digits(cost: Carry) -> str:
    """Of fixed length, in the order of the costs."""
    shifted = floor(Fraction(cost.total_bps) * 10**_COST_DECIMALS) + 10**_COST_DIGITS
    return f"{max(0, shifted):0{_COST_DIGITS + 1}d}"


def _row(held: _Held) -> dict[str, Any]:
    cost = held.cost
    return {
        "market": held.market,
        "venue": cost.venue,
        **{field: value for field, value in held.told.items() if field != "pools"},
        "funding_bps": minimal(cost.funding_bps),
        "borrow_bps": minimal(cost.borrow_bps),
        "carry_bps": minimal(cost.total_bps),
    }


def _place(venue: VenueId, told: Mapping[str, Any]) -> Place:
    return Place(
        venue,
        told["pool"],
        Decimal(told["per_hour"]),
        # What shorts receive is what they do not pay.
        Decimal(told["short_per_hour"]).copy_negate(),
        Decimal(told["borrow_long_per_hour"] or 0),
        Decimal(told["borrow_short_per_hour"] or 0),
    )


ROUTES = [Route("/v1/funding", list_funding)]
