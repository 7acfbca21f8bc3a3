"""Routes that somebody was shown and may place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from db.orders import as_json
from domain import codec
from domain.orders import OrderIntent, OrderLeg


class QuotedLeg(NamedTuple):
    """``shown``: the route as it was answered, with its costs."""

    leg: OrderLeg
    shown: Any


class GuardedQuote(NamedTuple):
    """``decision``: all that it was chosen from, as it was answered; None of older ones."""

    id: str
    account_id: str
    created_at: datetime
    expires_at: datetime
    intent: OrderIntent
    legs: tuple[QuotedLeg, ...]
    excluded: Sequence[Any]
    decision: Any = None


_INSERT: Final = """
INSERT INTO guarded_quotes (id, account_id, created_at, expires_at, request, legs, excluded,
    decision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_DECIDED: Final = """
INSERT INTO decisions (order_id, at, arrival_mid, routes)
SELECT $1, $3, (decision->>'reference_price')::numeric, decision FROM guarded_quotes
WHERE id = $2 AND decision IS NOT NULL
"""
_ROUTES: Final = "SELECT routes->'routes' FROM decisions WHERE order_id = $1"
_SELECT: Final = "SELECT * FROM guarded_quotes WHERE id = $1 AND account_id = $2"
_FORGET: Final = """
DELETE FROM guarded_quotes WHERE id IN (
    SELECT id FROM guarded_quotes WHERE expires_at < $1 LIMIT 100 FOR UPDATE SKIP LOCKED
)
"""


async def add(connection: asyncpg.Connection, quote: GuardedQuote, forget: datetime) -> None:
    """``forget``: what expired before it goes."""
    legs = [{"leg": codec.encode(item.leg), "shown": item.shown} for item in quote.legs]
    await connection.execute(
        _INSERT,
        quote.id,
        quote.account_id,
        quote.created_at,
        quote.expires_at,
        as_json(codec.encode(quote.intent)),
        as_json(legs),
        as_json(quote.excluded),
        None if quote.decision is None else as_json(quote.decision),
    )
    await connection.execute(_FORGET, forget)


async def decided(
    connection: asyncpg.Connection, order_id: str, quote_id: str, now: datetime
) -> None:
    """The order keeps what it was decided from, when the quote is gone. In the transaction that
    accepts it."""
    await connection.execute(_DECIDED, order_id, quote_id, now)


async def routes_of(connection: asyncpg.Connection, order_id: str) -> Sequence[Any]:
    """The routes that an order was decided from, as they were answered, in their ranking; none
    where nobody decided."""
    found = await connection.fetchval(_ROUTES, order_id)
    return [] if found is None else orjson.loads(found) or []


async def read(
    connection: asyncpg.Connection, account_id: str, quote_id: str
) -> GuardedQuote | None:
    """Of the account alone."""
    row = await connection.fetchrow(_SELECT, quote_id, account_id)
    if row is None:
        return None
    return GuardedQuote(
        str(row["id"]),
        str(row["account_id"]),
        row["created_at"],
        row["expires_at"],
        codec.decode(OrderIntent, orjson.loads(row["request"])),
        tuple(
            QuotedLeg(codec.decode(OrderLeg, item["leg"]), item["shown"])
            for item in orjson.loads(row["legs"])
        ),
        orjson.loads(row["excluded"]),
        None if row["decision"] is None else orjson.loads(row["decision"]),
    )
