"""Routes and guarded quotes for whoever asks: the router with what it reads, and what is kept."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from api.auth.postgres import transaction
from api.held import place_of
from api.quotes import QuoteReader
from api.routing.answer import excluded_row, leg_row
from api.routing.request import RouteRequest
from api.routing.router import Answer, Leg, Router
from api.routing.screens import Screens
from api.tape.board import Board
from db import guarded_quotes, trading_limits, wallets
from db.guarded_quotes import GuardedQuote, QuotedLeg
from db.instants import instant
from db.pool import Database
from domain import risk
from domain.errors import InputError, StaleQuote
from domain.funding import Place
from domain.ids import VenueId
from domain.orders import OrderIntent, OrderLeg
from runtime.channels import depth_key
from runtime.clock import wall_us

QUOTE_LIFE: Final = timedelta(seconds=10)
"""To place the order. The price guard, not this, protects the fill."""
KEPT: Final = timedelta(hours=1)
"""Of expired ones, for whoever asks what they said."""

_REASONS: Final = 5
_UNKNOWN: Final[Mapping[str, str]] = {}


def no_needs(leg: OrderLeg) -> Sequence[Mapping[str, Any]]:
    """Of a wallet that nothing is known of."""
    del leg
    return ()


class RoutingDesk:
    def __init__(
        self,
        board: Board,
        quotes: QuoteReader,
        router: Router,
        database: Database,
        screens: Screens,
    ) -> None:
        self._board = board
        self._quotes = quotes
        self._router = router
        self._database = database
        self._screens = screens

    async def route(self, request: RouteRequest, addresses: Mapping[str, str] = _UNKNOWN) -> Answer:
        """``addresses``: of the account, by venue. Raises InputError ``UNKNOWN_MARKET``,
        StaleQuote, Unavailable."""
        market = request.intent.market
        row = self._board.require_market(market)
        venues = row["venues"]
        wanted = [name for name in venues if request.venues is None or name in request.venues]
        # Before the depth is read, which is of that moment.
        barred = await self._screens.barred(wanted, addresses)
        [depth] = await self._quotes.read_keys([depth_key(market)])
        if depth is None:
            raise StaleQuote("QUOTE_STALE", f"{market} has no current depth")
        return await self._router.route(request, depth, venues, self._funding(market), barred)

    async def guard(
        self, request: RouteRequest, route_id: str | None, account_id: str
    ) -> GuardedQuote:
        """Prices it anew and keeps it.

        Raises what ``route`` raises, InputError ``ROUTE_GONE`` when there is no such route now, and
        with the code of what the operators have stopped.
        """
        async with transaction(self._database) as connection:
            known = await wallets.of_account(connection, account_id)
        answer = await self.route(request, {each.venue: each.address for each in known})
        legs = _chosen(answer, route_id)
        if not legs:
            raise InputError("ROUTE_GONE", _why_gone(answer, route_id))
        now = instant(wall_us())
        await self._require_allowed(request.intent, legs)
        quote = GuardedQuote(
            str(uuid.uuid4()),
            account_id,
            now,
            now + QUOTE_LIFE,
            request.intent,
            tuple(QuotedLeg(item.leg, leg_row(item, no_needs)) for item in legs),
            [excluded_row(item) for item in answer.excluded],
        )
        async with transaction(self._database) as connection:
            await guarded_quotes.add(connection, quote, now - KEPT)
        return quote

    async def _require_allowed(self, intent: OrderIntent, legs: Sequence[Leg]) -> None:
        """Raises InputError with the code of what the operators have stopped."""
        async with transaction(self._database) as connection:
            limits = await trading_limits.read(connection)
        for item in legs:
            stopped = risk.refusal(intent, item.leg, limits)
            if stopped is not None:
                raise InputError(stopped.code, stopped.message)

    async def read(self, account_id: str, quote_id: str) -> GuardedQuote:
        """Raises InputError ``NOT_FOUND``, also for somebody else's."""
        async with transaction(self._database) as connection:
            quote = await guarded_quotes.read(connection, account_id, quote_id)
        if quote is None:
            raise InputError("NOT_FOUND", "there is no such quote")
        return quote

    def _funding(self, market: str) -> list[Place]:
        rows = self._board.funding.rows().get(market, {})
        return [
            place_of(VenueId(venue), told)
            for venue, of_venue in rows.items()
            for told in of_venue["pools"] or [of_venue]
        ]


def _why_gone(answer: Answer, route_id: str | None) -> str:
    """What is said of the venue of that route, of all venues where none is named."""
    venue = None if route_id is None else route_id.partition(":")[0]
    found = {
        f"{item.venue} {item.code}: {item.message}": None
        for item in answer.excluded
        if venue in (None, item.venue)
    }
    return "; ".join(["this cannot be traded there now", *found][:_REASONS])


def _chosen(answer: Answer, route_id: str | None) -> Sequence[Leg]:
    if route_id is None:
        return answer.split_legs
    return [item for item in answer.legs if item.route.place.route_id == route_id]
