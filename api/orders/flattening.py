"""Everything that an account holds, closed: one reducing order for each position."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import asyncpg
import orjson

from api.auth.postgres import transaction
from api.orders import placing
from api.orders.answer import accepted_row
from api.orders.desk import OrderDesk
from api.orders.once import Asker
from api.routing.positions import Known, Spot
from api.routing.request import RouteRequest
from api.routing.router import Answer as Routes
from api.schemas.orders import FlattenBody
from connectors.base.order_tag import order_tag
from connectors.base.positions import OpenPosition, position_id
from db import held, orders
from db.accounts import Account
from db.held import Closing
from db.orders import Answer, NewOrder
from db.pool import Database
from domain import exact
from domain.errors import PerpError
from domain.ids import MarketId, VenueId
from domain.orders import ChainId, OrderIntent, OrderLeg, PositionSide
from domain.units import minimal

AT_ONCE: Final = 20
"""Positions that one request closes at most."""


class Positions(Protocol):
    """What an account holds, and what closing it costs; ``RoutingDesk``."""

    async def route(
        self, request: RouteRequest, addresses: Mapping[str, str] = ..., known: Known = ...
    ) -> Routes: ...
    async def holds(self, account: Account, spots: Sequence[Spot], market: str | None) -> Known: ...
    def market_of(self, position: OpenPosition) -> str | None: ...


class Item(NamedTuple):
    """A position to be closed. ``chain_id``: as text. ``size_base``, ``entry_price`` and
    ``collateral``: None where the venue's contract says what is held, which is read with the price.
    """

    venue: VenueId
    chain_id: str
    pool: str | None
    market: str
    side: PositionSide
    position_ref: str | None
    collateral: str | None = None
    size_base: Decimal | None = None
    entry_price: Decimal | None = None


class Unpriced(NamedTuple):
    """Why nobody can say what closing it costs now."""

    code: str
    message: str


Found: TypeAlias = OrderLeg | Unpriced
_Key: TypeAlias = tuple[Any, ...]


class FlattenDesk:
    def __init__(self, database: Database, desk: OrderDesk, positions: Positions) -> None:
        self._database = database
        self._desk = desk
        self._positions = positions

    async def flatten(self, who: Asker, body: FlattenBody) -> Answer:
        """An order for each position, those that got none, and who said what is held.

        Raises InputError ``UNKNOWN_MARKET``, ``FEED_UNAVAILABLE`` and those of ``Once``, and
        Unavailable: nothing is stored then.
        """
        if body.market is not None:
            async with transaction(self._database) as connection:
                await self._desk.require_known(connection, who.account.id, body.market)
        # Before the transaction: chains are asked and prices looked up.
        known = await self._known(who.account, body)
        items = self._items(known, body)
        priced = {_key(item): await self._leg(item, body, known) for item in items[:AT_ONCE]}
        spots = [
            {"venue": venue, "chain_id": chain_id, "source": known.source((venue, chain_id))}
            for venue, chain_id in self._spots(body)
        ]

        async def act(connection: asyncpg.Connection, now: datetime) -> Answer:
            account_id = who.account.id
            await held.lock(connection, account_id)
            group_id = str(uuid.uuid4())
            made, skipped = [], []
            closing = await held.closing(connection, account_id)
            for item in await self._again(connection, account_id, items, known, body):
                later = Unpriced("AGAIN", "ask again: there was no time for it")
                found = priced.get(_key(item), later)
                if any(_closes(order, item, found) for order in closing):
                    found = Unpriced("CLOSING", "an order that closes it lives")
                if isinstance(found, Unpriced):
                    skipped.append(_skipped(item, found))
                    continue
                new = _order(who, item, _resized(found, item), body, group_id, now)
                await orders.add(connection, new, now)
                made.append(accepted_row(new, now))
            data = {"orders": made, "skipped": skipped, "sources": spots}
            return Answer(202, orjson.dumps({"data": data}), None)

        return await self._desk.once.run(who, act)

    # What is held -----------------------------------------------------------------------------

    def _spots(self, body: FlattenBody) -> list[Spot]:
        return [
            (venue, chain_id)
            for venue, chain_ids in self._desk.chains.items()
            for chain_id in chain_ids
            if body.venue in (None, venue)
        ]

    async def _known(self, account: Account, body: FlattenBody) -> Known:
        return await self._positions.holds(account, self._spots(body), body.market)

    def _items(self, known: Known, body: FlattenBody) -> list[Item]:
        """Positions of markets that nobody knows here are left out."""
        items = []
        for (venue, chain_id), positions in known.chain.items():
            for found in positions:
                market = self._positions.market_of(found)
                if market is not None and body.market in (None, market):
                    spot = venue, str(chain_id), found.pool
                    items.append(Item(*spot, market, found.side, found.ref))
        return [*items, *(_of_fills(item) for item in known.fills)]

    async def _again(
        self,
        connection: asyncpg.Connection,
        account_id: str,
        items: Sequence[Item],
        known: Known,
        body: FlattenBody,
    ) -> list[Item]:
        """What fills say was read before the account was locked."""
        asked = [item for item in items if item.size_base is None]
        rows = await held.read(connection, account_id, body.market, body.venue)
        return asked + [_of_fills(row) for row in rows if _spot(row) not in known.chain]

    # What closing costs -----------------------------------------------------------------------

    async def _leg(self, item: Item, body: FlattenBody, known: Known) -> Found:
        chain_id = _chain(item.chain_id)
        if chain_id not in self._desk.chains.get(item.venue, ()):
            return Unpriced("NOT_SUPPORTED", f"no orders for {item.venue} on {chain_id}")
        terms: dict[str, Any] = {"size_base": item.size_base}
        if item.size_base is None:
            terms = {"position_id": position_id(item.venue, chain_id, item.position_ref)}
        request = RouteRequest(
            _intent(item, body.slippage_bps, **terms),
            frozenset({item.venue}),
            frozenset({item.chain_id}),
            None,
            1,
        )
        asked = known if item.size_base is None else Known()
        found = await self._routed(item, request, asked)
        if isinstance(found, Unpriced) and body.any_price and item.size_base is not None:
            return _unbound(item, item.size_base)
        return found

    async def _routed(self, item: Item, request: RouteRequest, known: Known) -> Found:
        try:
            answer = await self._positions.route(request, {}, known)
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


def _spot(row: held.Holding) -> Spot:
    return VenueId(row.venue), _chain(row.chain_id)


def _of_fills(row: held.Holding) -> Item:
    side: PositionSide = "LONG" if row.side == "LONG" else "SHORT"
    return Item(
        VenueId(row.venue),
        row.chain_id,
        row.pool,
        row.market,
        side,
        row.position_ref,
        row.collateral,
        row.size_base,
        row.entry_price,
    )


def _key(item: Item) -> _Key:
    return item[:7]


def _closes(order: Closing, item: Item, found: Found) -> bool:
    """Whether an order that lives closes the position already."""
    of_order = order.venue, order.chain_id, order.pool, order.market, order.side
    if of_order != item[:5]:
        return False
    if order.position_ref is not None and item.position_ref is not None:
        return order.position_ref.lower() == item.position_ref.lower()
    symbol = found.collateral_symbol if isinstance(found, OrderLeg) else item.collateral
    return symbol in (None, order.collateral)


def _unbound(item: Item, size: Decimal) -> OrderLeg:
    """At any price: without a price of now the one it was opened at stands for the size."""
    price = item.entry_price or Decimal(0)
    return OrderLeg(
        item.venue,
        _chain(item.chain_id),
        item.pool,
        item.collateral or "",
        None,
        size,
        exact.multiplied(size, price),
        price,
        None,
    )


def _resized(leg: OrderLeg, item: Item) -> OrderLeg:
    """Of all that is held now, with the bound that was found a moment before."""
    if item.size_base is None:
        return leg
    return OrderLeg(
        leg.venue,
        leg.chain_id,
        leg.pool,
        item.collateral or leg.collateral_symbol,
        None,
        item.size_base,
        exact.multiplied(item.size_base, leg.expected_price),
        leg.expected_price,
        leg.guard_price,
        item.position_ref,
    )


def _intent(item: Item, slippage_bps: Decimal, **terms: Any) -> OrderIntent:
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
    who: Asker, item: Item, leg: OrderLeg, body: FlattenBody, group_id: str, now: datetime
) -> NewOrder:
    order_id = str(uuid.uuid4())
    return NewOrder(
        id=order_id,
        account_id=who.account.id,
        client_order_id=None,
        group_id=group_id,
        quote_id=None,
        tag=order_tag(order_id),
        intent=_intent(item, body.slippage_bps, collateral_symbol=leg.collateral_symbol),
        leg=leg,
        owner=who.account.address,
        signing="wallet",
        approval="exact",
        allow_reroute=False,
        deadline=now + placing.DEADLINE,
    )


def _skipped(item: Item, why: Unpriced) -> Mapping[str, Any]:
    return {
        "market": item.market,
        "venue": item.venue,
        "chain_id": _chain(item.chain_id),
        "pool": item.pool,
        "side": item.side,
        "size_base": None if item.size_base is None else minimal(item.size_base),
        "code": why.code,
        "message": why.message,
    }


def _chain(text: str) -> ChainId:
    return int(text) if text.isdecimal() else text
