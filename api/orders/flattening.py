"""Everything that an account holds, closed: one reducing order for each position."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg
import orjson

from api.auth.postgres import transaction
from api.orders import placing
from api.orders.answer import accepted_row
from api.orders.desk import OrderDesk
from api.orders.once import Asker
from api.routing.request import RouteRequest
from api.routing.router import Answer as Routes
from api.schemas.orders import FlattenBody
from connectors.base.order_tag import order_tag
from db import held, orders
from db.held import Holding
from db.orders import Answer, NewOrder
from db.pool import Database
from domain import exact
from domain.errors import PerpError
from domain.ids import MarketId, VenueId
from domain.orders import ChainId, OrderIntent, OrderLeg
from domain.units import minimal

AT_ONCE: Final = 20
"""Positions that one request closes at most."""

Price: TypeAlias = Callable[[RouteRequest], Awaitable[Routes]]


class Unpriced(NamedTuple):
    """Why nobody can say what closing it costs now."""

    code: str
    message: str


Found: TypeAlias = OrderLeg | Unpriced


class FlattenDesk:
    """``price``: routes of a request; ``RoutingDesk.route``."""

    def __init__(self, database: Database, desk: OrderDesk, price: Price) -> None:
        self._database = database
        self._desk = desk
        self._price = price

    async def flatten(self, who: Asker, body: FlattenBody) -> Answer:
        """An order for each position, and those that got none.

        Raises InputError ``UNKNOWN_MARKET``, ``FEED_UNAVAILABLE`` and those of ``Once``, and
        Unavailable: nothing is stored then.
        """
        account_id = who.account.id
        async with transaction(self._database) as connection:
            if body.market is not None:
                await self._desk.require_known(connection, account_id, body.market)
            holdings = await held.read(connection, account_id, body.market, body.venue)
        # Before the transaction: pricing takes its time.
        priced = {item[:8]: await self._leg(item, body) for item in holdings[:AT_ONCE]}

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            await held.lock(connection, account_id)
            group_id = str(uuid.uuid4())
            made, skipped = [], []
            for item in await held.read(connection, account_id, body.market, body.venue):
                later = Unpriced("AGAIN", "ask again: there was no time for it")
                found = priced.get(item[:8], later)
                if item.closing:
                    found = Unpriced("CLOSING", "an order that closes it lives")
                if isinstance(found, Unpriced):
                    skipped.append(_skipped(item, found))
                    continue
                leg = _resized(found, item)
                new = _order(who, item, leg, body, group_id, now)
                await orders.add(connection, new, now)
                made.append(accepted_row(new, now))
            data = {"orders": made, "skipped": skipped}
            return Answer(202, orjson.dumps({"data": data}), None)

        return await self._desk.once.run(who, act)

    async def _leg(self, item: Holding, body: FlattenBody) -> Found:
        chain_id = _chain(item.chain_id)
        if chain_id not in self._desk.chains.get(VenueId(item.venue), ()):
            return Unpriced("NOT_SUPPORTED", f"no orders for {item.venue} on {chain_id}")
        request = RouteRequest(
            _intent(item, body.slippage_bps, size_base=item.size_base),
            frozenset({item.venue}),
            frozenset({item.chain_id}),
            None,
            1,
        )
        found = await self._routed(item, request)
        if isinstance(found, Unpriced) and body.any_price:
            return _unbound(item)
        return found

    async def _routed(self, item: Holding, request: RouteRequest) -> Found:
        try:
            answer = await self._price(request)
        except PerpError as error:
            return Unpriced(error.code, error.message)
        for route in answer.legs:
            if route.leg.pool == item.pool and str(route.leg.chain_id) == item.chain_id:
                return route.leg
        told = [
            row
            for row in answer.excluded
            if row.venue == item.venue and row.pool in (None, item.pool)
        ]
        if told:
            return Unpriced(told[0].code, told[0].message)
        return Unpriced("ROUTE_GONE", "nothing is known of the pool now")


def _unbound(item: Holding) -> OrderLeg:
    """At any price: without a price of now the one it was opened at stands for the size."""
    return OrderLeg(
        VenueId(item.venue),
        _chain(item.chain_id),
        item.pool,
        item.collateral,
        None,
        item.size_base,
        exact.multiplied(item.size_base, item.entry_price),
        item.entry_price,
        None,
    )


def _resized(leg: OrderLeg, item: Holding) -> OrderLeg:
    """Of all that is held now, with the bound that was found a moment before."""
    return OrderLeg(
        leg.venue,
        leg.chain_id,
        leg.pool,
        item.collateral,
        None,
        item.size_base,
        exact.multiplied(item.size_base, leg.expected_price),
        leg.expected_price,
        leg.guard_price,
        item.position_ref,
    )


def _intent(item: Holding, slippage_bps: Decimal, **terms: Any) -> OrderIntent:
    """Without a size: all that the venue has by then. Which collateral has no part in the price."""
    return OrderIntent(
        market=MarketId(item.market),
        side="SELL" if item.side == "LONG" else "BUY",
        intent="close",
        type="market",
        reduce_only=True,
        slippage_bps=slippage_bps,
        **terms,
    )


def _order(
    who: Asker, item: Holding, leg: OrderLeg, body: FlattenBody, group_id: str, now: datetime
) -> NewOrder:
    order_id = str(uuid.uuid4())
    return NewOrder(
        id=order_id,
        account_id=who.account.id,
        client_order_id=None,
        group_id=group_id,
        quote_id=None,
        tag=order_tag(order_id),
        intent=_intent(item, body.slippage_bps, collateral_symbol=item.collateral),
        leg=leg,
        owner=item.owner,
        signing="wallet",
        approval="exact",
        allow_reroute=False,
        deadline=now + placing.DEADLINE,
    )


def _skipped(item: Holding, why: Unpriced) -> Mapping[str, Any]:
    return {
        "market": item.market,
        "venue": item.venue,
        "chain_id": _chain(item.chain_id),
        "pool": item.pool,
        "side": item.side,
        "size_base": minimal(item.size_base),
        "code": why.code,
        "message": why.message,
    }


def _chain(text: str) -> ChainId:
    return int(text) if text.isdecimal() else text
