"""Orders as their owners see them, with all that belongs to them; and fills, the newest first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from db import order_amendments, orders
from db.order_amendments import AmendmentRow
from db.orders import OrderFilter, OrderRow, Told
from domain.orders import PASSING


class StepView(NamedTuple):
    """``payload``: what is to be signed, as the published API has it."""

    step_id: str
    version: int
    kind: str
    status: str
    blocked_by: str | None
    sign_by: datetime
    payload: Mapping[str, Any]
    simulation: Mapping[str, Any] | None
    not_before: datetime | None = None


class AttemptView(NamedTuple):
    step_id: str
    step_version: int
    tx_hash: str
    nonce: Decimal
    status: str
    block_number: int | None
    stored_at: datetime


class FillView(NamedTuple):
    """``id``: the chain, the transaction and the log's place in its block."""

    id: str
    order_id: str
    market: str
    venue: str
    chain_id: str
    side: str
    price: Decimal
    size_base: Decimal
    fee_usd: Decimal | None
    impact_usd: Decimal | None
    funding_usd: Decimal | None
    borrowing_usd: Decimal | None
    pnl_usd: Decimal | None
    tx_hash: str
    log_index: int
    at: datetime


class FillFilter(NamedTuple):
    """Which fills; None: whatever it is."""

    market: str | None = None
    venue: str | None = None
    order_id: str | None = None


class OrderView(NamedTuple):
    """``fills``: the oldest first."""

    row: OrderRow
    steps: Sequence[StepView]
    attempts: Sequence[AttemptView]
    fills: Sequence[FillView]
    events: Sequence[Told]
    amendments: Sequence[AmendmentRow] = ()


class Place(NamedTuple):
    """Of a row in a list: what comes after it is older, or of the same time with a higher id."""

    at: datetime
    id: str


_FILL_ID: Final = "chain_id || ':' || tx_hash || ':' || log_index"
_FILL: Final = f"""
{_FILL_ID} AS id, order_id, market, venue, chain_id, side, price, size_base, fee_usd, impact_usd,
funding_usd, borrowing_usd, pnl_usd, tx_hash, log_index, at
"""
_STEPS: Final = """
SELECT DISTINCT ON (order_id, step_id) order_id, step_id, version, kind, status, blocked_by,
    sign_by, payload, simulation, not_before
FROM order_steps WHERE order_id = ANY($1) ORDER BY order_id, step_id, version DESC
"""
_ATTEMPTS: Final = """
SELECT order_id, step_id, step_version, tx_hash, nonce, status, block_number, stored_at
FROM tx_attempts WHERE order_id = ANY($1) ORDER BY stored_at, tx_hash
"""
_FILLS: Final = f"SELECT {_FILL} FROM fills WHERE order_id = ANY($1) ORDER BY at, id"
_EVENTS: Final = """
SELECT order_id, seq, at, type, from_state, to_state FROM order_events
WHERE order_id = ANY($1) ORDER BY order_id, seq
"""
_HELD: Final = """
SELECT reason->>'code' AS code, count(*) AS count FROM orders
WHERE NOT final AND reason->>'code' = ANY($1) GROUP BY 1 ORDER BY 1
"""
_FILL_PAGE: Final = f"""
SELECT {_FILL} FROM fills
WHERE account_id = $1 AND ($2::timestamptz IS NULL
        OR (at <= $2 AND (at < $2 OR ({_FILL_ID}) COLLATE "C" > $3)))
    AND ($5::text IS NULL OR market = $5) AND ($6::text IS NULL OR venue = $6)
    AND ($7::uuid IS NULL OR order_id = $7)
ORDER BY at DESC, ({_FILL_ID}) COLLATE "C" LIMIT $4
"""
_TURN: Final = ("approve", "order", "update", "cancel")


async def read(
    connection: asyncpg.Connection, account_id: str, order_id: str, *, lock: bool = False
) -> OrderView | None:
    """None also for somebody else's. ``lock``: nobody changes it until the transaction ends."""
    row = await orders.read(connection, order_id, lock=lock)
    if row is None or row.new.account_id != account_id:
        return None
    [view] = await _views(connection, [row])
    return view


async def page(
    connection: asyncpg.Connection,
    account_id: str,
    wanted: OrderFilter,
    after: Place | None,
    limit: int,
) -> Sequence[OrderView]:
    """Of an account, the newest first."""
    rows = await orders.page(connection, account_id, wanted, after, limit)
    return await _views(connection, rows)


async def fill_page(
    connection: asyncpg.Connection,
    account_id: str,
    wanted: FillFilter,
    after: Place | None,
    limit: int,
) -> Sequence[FillView]:
    """Of an account, the newest first."""
    at, last = after or (None, None)
    rows = await connection.fetch(_FILL_PAGE, account_id, at, last, limit, *wanted)
    return [_fill(row) for row in rows]


async def held(connection: asyncpg.Connection) -> dict[str, int]:
    """How many wait, by the code of what for. Of all accounts."""
    rows = await connection.fetch(_HELD, sorted(PASSING))
    return {row["code"]: row["count"] for row in rows}


async def _views(connection: asyncpg.Connection, rows: Sequence[OrderRow]) -> list[OrderView]:
    ids = [row.new.id for row in rows]
    if not ids:
        return []
    steps = _grouped(await connection.fetch(_STEPS, ids))
    attempts = _grouped(await connection.fetch(_ATTEMPTS, ids))
    fills = _grouped(await connection.fetch(_FILLS, ids))
    events = _grouped(await connection.fetch(_EVENTS, ids))
    amendments = await order_amendments.of_orders(connection, ids)
    return [
        OrderView(
            row,
            sorted(map(_step, steps[row.new.id]), key=lambda step: _TURN.index(step.step_id)),
            [AttemptView(*tuple(item)[1:]) for item in attempts[row.new.id]],
            [_fill(item) for item in fills[row.new.id]],
            [Told(*tuple(item)[1:]) for item in events[row.new.id]],
            amendments[row.new.id],
        )
        for row in rows
    ]


def _grouped(rows: Iterable[asyncpg.Record]) -> Mapping[str, list[asyncpg.Record]]:
    found: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        found[str(row["order_id"])].append(row)
    return found


def _step(row: asyncpg.Record) -> StepView:
    values = dict(row)
    del values["order_id"]
    for name in ("payload", "simulation"):
        values[name] = None if values[name] is None else orjson.loads(values[name])
    return StepView(**values)


def _fill(row: asyncpg.Record) -> FillView:
    values = dict(row)
    return FillView(**(values | {"order_id": str(values["order_id"])}))
