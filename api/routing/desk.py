"""Routes and guarded quotes for whoever asks: the router with what it reads, and what is kept."""

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from api.auth.postgres import transaction
from api.held import place_of
from api.problems import Unavailable
from api.quotes import QuoteReader
from api.routing.answer import answer_row, excluded_row, leg_row
from api.routing.choice import payable_places
from api.routing.needs import Grant, Lacks, Spenders, grant_of, lacking, link_wallet, nobody
from api.routing.nodes import WAIT_S
from api.routing.positions import NOTHING, Known, PositionReader, Spot
from api.routing.request import RouteRequest
from api.routing.router import Answer, Facts, Leg, Router
from api.routing.screens import Screens
from api.routing.sizes import enlarges
from api.routing.wallets import WalletReader
from api.tape.board import Board
from connectors.base.positions import OpenPosition
from connectors.base.screens import Barred
from db import guarded_quotes, held, trading_limits, wallets
from db.accounts import EVERY_CHAIN, Account
from db.guarded_quotes import GuardedQuote, QuotedLeg
from db.instants import instant
from db.pool import Database
from domain import risk
from domain.errors import InputError, StaleQuote
from domain.funding import Place
from domain.ids import VenueId
from domain.orders import OrderIntent
from domain.routing import RoutePlace
from runtime.channels import depth_key
from runtime.clock import wall_us

_LINK: Final = link_wallet()
QUOTE_LIFE: Final = timedelta(seconds=10)
"""To place the order. The price guard, not this, protects the fill."""
KEPT: Final = timedelta(hours=1)
"""Of expired ones, for whoever asks what they said."""

_REASONS: Final = 5
_UNKNOWN: Final[Mapping[str, str]] = {}


class _Asking(NamedTuple):
    """What a route is priced from, but for who asks."""

    request: RouteRequest
    depth: bytes
    venues: Facts
    funding: Sequence[Place]
    barred: Mapping[VenueId, Barred]


class RoutingDesk:
    def __init__(
        self,
        board: Board,
        quotes: QuoteReader,
        router: Router,
        database: Database,
        screens: Screens,
        wallets: WalletReader,
        spenders: Spenders,
        positions: PositionReader,
    ) -> None:
        self._positions = positions
        self._wallets = wallets
        self._spenders = spenders
        self._board = board
        self._quotes = quotes
        self._router = router
        self._database = database
        self._screens = screens

    async def route(
        self,
        request: RouteRequest,
        addresses: Mapping[str, str] = _UNKNOWN,
        known: Known = NOTHING,
    ) -> Answer:
        """``addresses``: of the account, by venue. ``known``: what it holds. Raises InputError
        ``UNKNOWN_MARKET``, StaleQuote, Unavailable."""
        return await self._ask(await self._asking(request, addresses), known)

    async def decide(
        self,
        request: RouteRequest,
        account: Account | None,
        addresses: Mapping[str, str] = _UNKNOWN,
    ) -> tuple[Answer, Lacks]:
        """Routes for an account, None: for nobody, and what its wallet lacks for each. Its split
        goes only where the wallet can pay for its part, if it can anywhere. Raises as ``route``."""
        known = await self.known(account, request)
        asking = await self._asking(request, addresses)
        answer = await self._ask(asking, known)
        lacks = await self.lacks(account, [*answer.legs, *answer.split_legs])
        places = payable_places(answer.legs, answer.split_legs, lacks)
        if places is None:
            return answer, lacks
        again = await self._ask(asking, known, places)
        lacks_there = await self.lacks(account, [*answer.legs, *again.split_legs])
        return replace(answer, split=again.split, split_legs=again.split_legs), lacks_there

    async def _asking(self, request: RouteRequest, addresses: Mapping[str, str]) -> _Asking:
        market = request.intent.market
        row = self._board.require_market(market)
        venues = row["venues"]
        wanted = [name for name in venues if request.venues is None or name in request.venues]
        # Before the depth is read, which is of that moment.
        barred = await self._screens.barred(wanted, addresses)
        [depth] = await self._quotes.read_keys([depth_key(market)])
        if depth is None:
            raise StaleQuote("QUOTE_STALE", f"{market} has no current depth")
        return _Asking(request, depth, venues, self._funding(market), barred)

    async def _ask(
        self, asking: _Asking, known: Known, only: Collection[RoutePlace] | None = None
    ) -> Answer:
        return await self._router.route(*asking, known, only)

    async def known(self, account: Account | None, request: RouteRequest) -> Known:
        """What the account holds where the request would change something or add to it. Raises
        InputError ``UNKNOWN_MARKET``."""
        intent = request.intent
        venues = self._board.require_market(intent.market)["venues"]
        if account is None:
            return NOTHING
        spots = {
            (VenueId(venue), int(chain_id) if str(chain_id).isdecimal() else chain_id)
            for venue, row in venues.items()
            for chain_id in row.get("chain_ids", ())
            if request.venues is None or venue in request.venues
            if request.chain_ids is None or str(chain_id) in request.chain_ids
        }
        if intent.intent == "open":
            # All that it says of them is where they are liquidated.
            found = await self._positions_of(
                account, spots, details=True, fresh=False, wait_s=WAIT_S
            )
            return Known(found)
        return await self.holds(account, spots, intent.market, details=enlarges(intent))

    async def holds(
        self,
        account: Account,
        spots: Collection[Spot],
        market: str | None,
        *,
        details: bool = False,
    ) -> Known:
        """What the account holds: as the venues' contracts say, and of those that nobody could ask
        as its own fills do, where these are known. ``market``: of fills in this alone."""
        chain = await self._positions_of(account, spots, details=details)
        silent = {(spot[0], str(spot[1])) for spot in spots if spot not in chain}
        if not silent:
            return Known(chain)
        try:
            async with transaction(self._database) as connection:
                fills = await held.read(connection, account.id, market, None)
        except Unavailable:
            # Who wants to get out is not kept from asking the price.
            return Known(chain)
        return Known(chain, [item for item in fills if (item.venue, item.chain_id) in silent])

    async def _positions_of(
        self, account: Account, spots: Collection[Spot], **how: Any
    ) -> Mapping[Spot, Sequence[OpenPosition]]:
        at = account.chain_id
        asked = [spot for spot in spots if at in (EVERY_CHAIN, spot[1])]
        return await self._positions.read(account.address, asked, **how)

    def market_of(self, position: OpenPosition) -> str | None:
        """None where no market is known to be traded in its pool."""
        if position.market is not None:
            return position.market
        for market, row in (self._board.markets or {}).items():
            pools = row["venues"].get(position.venue, {}).get("pools", ())
            if position.pool in pools:
                return market
        return None

    async def lacks(self, account: Account | None, legs: Sequence[Leg]) -> Lacks:
        """Of the wallet of who asks, None: of nobody. Takes no longer than ``wallets.WAIT_S``."""
        if account is None:
            return nobody
        grants = {id(item): grant_of(item, self._spenders) for item in legs}
        wanted: dict[int, list[Grant]] = {}
        for item in legs:
            chain_id, grant = item.leg.chain_id, grants[id(item)]
            if item.paid is not None and isinstance(chain_id, int):
                wanted.setdefault(chain_id, []).extend([] if grant is None else [grant])
        linked, held = await asyncio.gather(
            self._linked(account, legs), self._wallets.read(account.address, wanted)
        )

        def lacks(item: Leg) -> Sequence[Mapping[str, Any]] | None:
            chain_id = item.leg.chain_id
            if not isinstance(chain_id, int):
                return None if linked is None else [] if item.leg.venue in linked else [_LINK]
            if account.chain_id not in (EVERY_CHAIN, chain_id):
                return [_LINK]
            known = held.get(chain_id)
            return None if known is None else lacking(item, known, grants.get(id(item)))

        return lacks

    async def _linked(self, account: Account, legs: Sequence[Leg]) -> frozenset[str] | None:
        """Venues that the account has shown an address of; None where nobody knows."""
        if all(isinstance(item.leg.chain_id, int) for item in legs):
            return frozenset()
        try:
            async with asyncio.timeout(WAIT_S), transaction(self._database) as connection:
                owned = await wallets.of_account(connection, account.id)
        except (Unavailable, TimeoutError):
            return None
        return frozenset(wallet.venue for wallet in owned)

    async def guard(
        self, request: RouteRequest, route_id: str | None, account: Account
    ) -> GuardedQuote:
        """Prices it anew and keeps it.

        Raises what ``route`` raises, InputError ``ROUTE_GONE`` when there is no such route now, and
        with the code of what the operators have stopped.
        """
        async with transaction(self._database) as connection:
            linked = await wallets.of_account(connection, account.id)
        addresses = {each.venue: each.address for each in linked}
        answer, lacks = await self.decide(request, account, addresses)
        legs = _chosen(answer, route_id)
        if not legs:
            raise InputError("ROUTE_GONE", _why_gone(answer, route_id))
        now = instant(wall_us())
        await self._require_allowed(request.intent, legs)
        quote = GuardedQuote(
            str(uuid.uuid4()),
            account.id,
            now,
            now + QUOTE_LIFE,
            request.intent,
            tuple(QuotedLeg(item.leg, leg_row(item, lacks)) for item in legs),
            [excluded_row(item) for item in answer.excluded],
            answer_row(answer, lacks),
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
