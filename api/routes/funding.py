"""``/v1/funding``: where a position is cheapest to hold."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.held import place_of
from api.problems import Unavailable
from api.routes.markets import require_markets
from api.schemas.base import Rows
from api.schemas.market import FundingQuery
from api.schemas.market import Held as HeldRow
from domain.funding import Carry, PositionSide, carry
from domain.ids import VenueId
from domain.units import minimal

SIDES: Final[Mapping[str, PositionSide]] = {"long": "LONG", "short": "SHORT"}
_COST_DECIMALS: Final = 18
_COST_DIGITS: Final = 36
AT_ONCE: Final = 100
"""Places worked out before others have their turn."""


async def list_funding(asked: Asked[None, FundingQuery, None]) -> Response:
    board, wanted = asked.context.board, asked.query
    require_markets(board)
    if board.silent:
        raise Unavailable("FEED_UNAVAILABLE", "nothing is heard from the feed")
    rows = board.funding.rows()
    if wanted.market is not None:
        board.require_market(wanted.market)
        rows = {name: row for name, row in rows.items() if name == wanted.market}
    found = await _ordered(rows, SIDES[wanted.side], wanted.hours, wanted.sort)
    shown, next_cursor = query.page(wanted, found, lambda item: item.key)
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
                cost = carry(place_of(VenueId(venue), told), side, hours)
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


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/funding",
        "Where a position is cheapest to hold",
        "market",
        list_funding,
        Rows[HeldRow],
        query=FundingQuery,
        errors=["UNKNOWN_MARKET", "FEED_UNAVAILABLE"],
        shared=True,
    ),
)
