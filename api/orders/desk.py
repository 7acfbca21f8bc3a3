"""Orders of accounts: accepted, shown, asked to go. Postgres is the truth of all of it."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson

from api.auth.postgres import reading
from api.orders import placing, submission
from api.orders.answer import accepted_row, order_row
from api.orders.once import Asker, Once
from api.orders.waiting import Versions
from api.problems import Unavailable
from api.quotes import QuoteReader
from api.schemas.claims import ClaimBody
from api.schemas.orders import AmendBody, OrderBody, SubmissionBody
from connectors import desks
from db import (
    guarded_quotes,
    heartbeats,
    order_amendments,
    order_requests,
    order_views,
    orders,
    trading_limits,
    wallets,
)
from db.guarded_quotes import GuardedQuote
from db.order_views import FillFilter, FillView, OrderView, Place
from db.orders import Answer, OrderFilter
from db.pool import Database
from domain import risk
from domain.errors import InputError
from domain.ids import VenueId
from domain.orders import TERMINAL
from runtime.failpoints import reach
from runtime.sealing import Seal

WAIT_S: Final = 20.0
"""So long a reader waits for the next version of an order at most."""


class OrderDesk:
    """``chains``: by venue, where orders are made. ``seal``: None where signed transactions cannot
    be kept. ``known``: raises InputError for a market that there is not, or while nobody can tell.
    """

    def __init__(
        self,
        database: Database,
        quotes: QuoteReader,
        seal: Seal | None,
        chains: Mapping[VenueId, Sequence[int]],
        known: Callable[[str], object],
    ) -> None:
        self.chains = chains
        self._known = known
        self._database = database
        self._quotes = quotes
        self._seal = seal
        self._versions = Versions(database)
        self.once = Once(database)

    async def close(self) -> None:
        await self._versions.close()

    # Changing -------------------------------------------------------------------------------

    async def place(self, who: Asker, body: OrderBody) -> Answer:
        """A new order, or the stored answer of an earlier request with the key.

        Raises InputError, Invalid, Unavailable: nothing is stored then, but after
        ``DATABASE_UNAVAILABLE`` it is not known, and asking again with the key tells.
        """
        placing.check(body)

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            account = who.account
            quote = await guarded_quotes.read(connection, account.id, body.quote_id)
            if quote is None:
                raise InputError("NOT_FOUND", "there is no such quote")
            await self._require_current(quote, now)
            owned = await wallets.of_account(connection, account.id)
            order_id = str(uuid.uuid4())
            new = placing.new_order(order_id, account, owned, quote, body, now, self.chains)
            if not new.intent.reduces and await order_requests.is_paused(connection, account.id):
                raise InputError("OPENINGS_PAUSED", "the account opens nothing now")
            stopped = risk.refusal(new.intent, new.leg, await trading_limits.read(connection))
            if stopped is not None:
                raise InputError(stopped.code, stopped.message)
            reach("P1")
            await orders.add(connection, new, now)
            await guarded_quotes.decided(connection, order_id, quote.id, now)
            shown = accepted_row(new, now)
            return Answer(202, orjson.dumps({"data": shown}), f"/v1/orders/{order_id}")

        answer = await self.once.run(who, act)
        reach("P2")
        return answer

    async def claim(self, who: Asker, body: ClaimBody) -> Answer:
        """A new order that takes out what is due. Neither a pause nor what the operators have
        stopped holds it up. Raises as ``place``, and InputError for a market that there is not."""

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            account = who.account
            await self.require_known(connection, account.id, body.market)
            owned = await wallets.of_account(connection, account.id)
            order_id = str(uuid.uuid4())
            kinds = desks.ROUTES[VenueId(body.venue)].offered.claims
            new = placing.new_claim(order_id, account, owned, body, now, self.chains, kinds)
            await orders.add(connection, new, now)
            shown = accepted_row(new, now)
            return Answer(202, orjson.dumps({"data": shown}), f"/v1/orders/{order_id}")

        return await self.once.run(who, act)

    async def submit(self, who: Asker, order_id: str, body: SubmissionBody) -> Answer:
        """Takes what was signed for a step. Raises as ``place``."""
        sent = await submission.read(body, self._seal)

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            view = await self._locked(connection, who, order_id)
            paused = await order_requests.is_paused(connection, who.account.id)
            new, limits = view.row.new, await trading_limits.read(connection)
            stopped = risk.refusal(new.intent, new.leg, limits)
            if await submission.take(
                connection, view, body, sent, now, paused=paused, stopped=stopped
            ):
                view = await self._locked(connection, who, order_id)
            return _shown(view)

        return await self.once.run(who, act)

    async def amend(self, who: Asker, order_id: str, body: AmendBody) -> Answer:
        """Raises InputError ``NOT_FOUND``, ``ORDER_TERMINAL``, ``CANCEL_REQUESTED``,
        ``OPENINGS_PAUSED`` and what the operators have stopped, Invalid for what does not fit the
        order, else as ``place``."""
        change = placing.amendment(body)

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            account_id = who.account.id
            row = (await self._locked(connection, who, order_id)).row
            if row.state in TERMINAL:
                raise InputError("ORDER_TERMINAL", f"the order is {row.state}")
            if row.cancel_requested:
                raise InputError("CANCEL_REQUESTED", "the order is to be cancelled")
            if not row.new.intent.reduces and await order_requests.is_paused(
                connection, account_id
            ):
                raise InputError("OPENINGS_PAUSED", "the account opens nothing now")
            wanted = placing.amended_terms(row.new, change)
            stopped = risk.refusal(*wanted, await trading_limits.read(connection))
            if stopped is not None:
                raise InputError(stopped.code, stopped.message)
            try:
                await order_amendments.ask(connection, account_id, order_id, change, now)
            except InputError as error:
                raise placing.misfit(error) from None
            return _shown(await self._locked(connection, who, order_id))

        return await self.once.run(who, act)

    async def cancel(self, who: Asker, order_id: str) -> Answer:
        """Raises InputError ``NOT_FOUND`` and ``ORDER_TERMINAL``, else as ``place``."""

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            view = await self._locked(connection, who, order_id)
            if view.row.state in TERMINAL:
                raise InputError("ORDER_TERMINAL", f"the order is {view.row.state}")
            if await order_requests.cancel(connection, who.account.id, now, order_id=order_id):
                view = await self._locked(connection, who, order_id)
            return _shown(view)

        return await self.once.run(who, act)

    async def cancel_all(self, who: Asker, market: str | None, venue: str | None) -> Answer:
        """Raises as ``place``, and InputError for a market that there is not."""

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            ids = await order_requests.cancel(
                connection, who.account.id, now, market=market, venue=venue
            )
            if market is not None and not ids:
                await self.require_known(connection, who.account.id, market)
            return Answer(202, orjson.dumps({"data": {"order_ids": ids}}), None)

        return await self.once.run(who, act)

    async def pause(self, who: Asker, *, paused: bool) -> Answer:
        """Raises as ``place``."""

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            wanted = now if paused else None
            since = await order_requests.pause(connection, who.account.id, wanted)
            return Answer(200, orjson.dumps({"data": placing.paused_row(since)}), None)

        return await self.once.run(who, act)

    async def beat(self, who: Asker, timeout_s: int) -> Answer:
        """Raises Unavailable."""

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            account_id = who.account.id
            # One that comes too late finds what it missed done, whoever should have seen to it.
            await heartbeats.lapse(connection, now, account_id)
            timeout = timedelta(seconds=timeout_s) if timeout_s else None
            shown = placing.heartbeat_row(
                timeout_s, await heartbeats.beat(connection, account_id, timeout)
            )
            return Answer(200, orjson.dumps({"data": shown}), None)

        return await self.once.run(who, act)

    async def require_known(
        self, connection: asyncpg.Connection, account_id: str, market: str
    ) -> None:
        """Where the account has traded it, it is one, whatever the feed says now."""
        if not await orders.has_traded(connection, account_id, market):
            self._known(market)

    # Reading --------------------------------------------------------------------------------

    async def read(self, account_id: str, order_id: str, wait_version: int | None) -> OrderView:
        """``wait_version``: waits for it, ``WAIT_S`` at most. Raises InputError ``NOT_FOUND``, also
        for somebody else's, and Unavailable."""
        if wait_version is not None:
            async with reading(self._database) as connection:
                standing = await orders.standing(connection, account_id, order_id)
            if standing is not None and standing[0] < wait_version and not standing[1]:
                await self._versions.wait(order_id, wait_version, WAIT_S)
        async with reading(self._database) as connection:
            return _found(await order_views.read(connection, account_id, order_id))

    async def page(
        self, account_id: str, wanted: OrderFilter, after: Place | None, limit: int
    ) -> Sequence[OrderView]:
        """Raises Unavailable."""
        async with reading(self._database) as connection:
            return await order_views.page(connection, account_id, wanted, after, limit)

    async def fills(
        self, account_id: str, wanted: FillFilter, after: Place | None, limit: int
    ) -> Sequence[FillView]:
        """Raises Unavailable."""
        async with reading(self._database) as connection:
            return await order_views.fill_page(connection, account_id, wanted, after, limit)

    async def _locked(self, connection: asyncpg.Connection, who: Asker, order_id: str) -> OrderView:
        return _found(await order_views.read(connection, who.account.id, order_id, lock=True))

    async def _require_current(self, quote: GuardedQuote, now: datetime) -> None:
        """Of what only reduces an expired one is enough while no other can be had: nobody is locked
        in, and its guard still bounds the price. Raises InputError ``QUOTE_EXPIRED``."""
        if now < quote.expires_at:
            return
        if quote.intent.reduces:
            try:
                [price] = await self._quotes.read([quote.intent.market])
            except Unavailable:
                return
            if price is None:
                return
        raise InputError("QUOTE_EXPIRED", "the quote was good for ten seconds")


def _found(view: OrderView | None) -> OrderView:
    if view is None:
        raise InputError("NOT_FOUND", "there is no such order")
    return view


def _shown(view: OrderView) -> Answer:
    shown: Any = order_row(view)
    return Answer(202, orjson.dumps({"data": shown}), f"/v1/orders/{view.row.new.id}")
