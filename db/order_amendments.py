"""What owners ask to be changed about orders that live.

``asked``: the venue does not have it yet, only the last one of an order is. ``superseded``: by a
later one, which has it in it; what was signed for it may still land. ``applied``: the order is so
now. ``refused``: it is not to be, and ``reason`` says why.
"""

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import asyncpg
import orjson

from db import order_changes, orders
from db.orders import ADD_EVENT, OrderRow, as_json
from domain import codec
from domain.amendments import Amendment, amended
from domain.orders import TERMINAL, OrderIntent, OrderLeg, Reason

AmendmentStatus: TypeAlias = Literal["asked", "superseded", "applied", "refused"]


class AmendmentRow(NamedTuple):
    """``seq``: the version of the order that asked for it. ``step_version``: of the
    last step ``update`` that asks for it; None while there was none."""

    order_id: str
    seq: int
    change: Amendment
    status: AmendmentStatus
    asked_at: datetime
    step_version: int | None
    reason: Reason | None


_COLUMNS: Final = """
order_id, seq, limit_price, trigger_price, size_base, take_profit, stop_loss, status, asked_at,
step_versions, reason
"""
_BUMP: Final = """
UPDATE orders SET version = version + 1, updated_at = $2 WHERE id = $1 RETURNING version
"""
# Applied while nothing was sent, after a version of the step ``order``.
_UNSENT: Final = """
SELECT seq, previous FROM order_amendments
WHERE order_id = $1 AND status = 'applied' AND (previous->>'unsent_after')::integer >= $2
ORDER BY seq
"""
_SINCE: Final = f"""
SELECT {_COLUMNS} FROM order_amendments
WHERE order_id = $1 AND seq >= $2 AND status IN ('applied', 'asked') ORDER BY seq
"""
_SUPERSEDE_SINCE: Final = """
UPDATE order_amendments SET status = 'superseded', previous = NULL
WHERE order_id = $1 AND seq >= $2 AND status IN ('applied', 'asked')
"""
_ASK_AGAIN: Final = """
UPDATE order_amendments SET status = 'asked', limit_price = $3, trigger_price = $4, size_base = $5,
    take_profit = $6, stop_loss = $7
WHERE order_id = $1 AND seq = $2
"""
_SUPERSEDE: Final = """
UPDATE order_amendments SET status = 'superseded' WHERE order_id = $1 AND status = 'asked'
"""
_INSERT: Final = """
INSERT INTO order_amendments (order_id, seq, asked_at, limit_price, trigger_price, size_base,
    take_profit, stop_loss)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_OF_ORDERS: Final = f"""
SELECT {_COLUMNS} FROM order_amendments WHERE order_id = ANY($1) ORDER BY order_id, seq
"""
_ASKED: Final = f"""
SELECT {_COLUMNS} FROM order_amendments WHERE order_id = $1 AND status = 'asked'
"""
_OF_STEP: Final = f"""
SELECT {_COLUMNS} FROM order_amendments WHERE order_id = $1 AND $2 = ANY(step_versions)
"""
_HANDED: Final = """
UPDATE order_amendments SET step_versions = array_append(step_versions, $3)
WHERE order_id = $1 AND seq = $2
"""
_REFUSE: Final = """
UPDATE order_amendments SET status = 'refused', reason = $3 WHERE order_id = $1 AND seq = $2
"""
_APPLY: Final = """
UPDATE order_amendments SET status = 'applied', previous = $3 WHERE order_id = $1 AND seq = $2
"""
_TERMS: Final = """
UPDATE orders SET intent = $2, leg = $3, size_base = $4 WHERE id = $1
"""
_TAKE_BACK: Final = """
UPDATE order_amendments a SET status = 'asked', previous = NULL
FROM order_amendments was
WHERE a.order_id = $1 AND $2 = ANY(a.step_versions) AND a.status = 'applied'
    AND was.order_id = a.order_id AND was.seq = a.seq
RETURNING was.previous
"""


async def ask(
    connection: asyncpg.Connection,
    account_id: str,
    order_id: str,
    change: Amendment,
    now: datetime,
) -> int | None:
    """The version of the order that asks for it; None where the account has no such order or it
    is not to be changed any more (it has ended or is to be cancelled). The executor is told in the
    same transaction, which is the caller's.

    Raises InputError for what does not fit the order (``domain.amendments``).
    """
    row = await orders.read(connection, order_id, lock=True)
    if row is None or row.new.account_id != account_id:
        return None
    if row.final or row.state in TERMINAL or row.cancel_requested:
        return None
    waiting = await asked(connection, order_id)
    if waiting is not None:
        change = change.over(waiting.change)
    amended(row.new.intent, row.new.leg, change, posted=False)
    await connection.execute(_SUPERSEDE, order_id)
    version: int = await connection.fetchval(_BUMP, order_id, now)
    await connection.execute(
        _INSERT, order_id, version, now, change.limit_price, change.trigger_price,
        change.size_base, change.take_profit, change.stop_loss,
    )  # fmt: skip
    told = (version, now, "update_requested", row.state, row.state)
    await connection.execute(ADD_EVENT, order_id, *told)
    await order_changes.notify(connection, order_id, version, now)
    return version


async def of_orders(
    connection: asyncpg.Connection, order_ids: list[str]
) -> dict[str, list[AmendmentRow]]:
    """Of each, the oldest first."""
    found: dict[str, list[AmendmentRow]] = {order_id: [] for order_id in order_ids}
    for row in await connection.fetch(_OF_ORDERS, order_ids):
        found[str(row["order_id"])].append(_row(row))
    return found


async def asked(connection: asyncpg.Connection, order_id: str) -> AmendmentRow | None:
    """The one that the venue is to be asked for."""
    row = await connection.fetchrow(_ASKED, order_id)
    return None if row is None else _row(row)


async def of_step(
    connection: asyncpg.Connection, order_id: str, step_version: int
) -> AmendmentRow | None:
    """The one that a step ``update`` asks for."""
    row = await connection.fetchrow(_OF_STEP, order_id, step_version)
    return None if row is None else _row(row)


async def handed_out(
    connection: asyncpg.Connection, found: AmendmentRow, step_version: int
) -> None:
    """A step asks for it from now on."""
    await connection.execute(_HANDED, found.order_id, found.seq, step_version)


async def refuse(connection: asyncpg.Connection, found: AmendmentRow, reason: Reason) -> None:
    await connection.execute(
        _REFUSE, found.order_id, found.seq, as_json(codec.encode(reason))
    )  # fmt: skip


async def apply(
    connection: asyncpg.Connection,
    found: AmendmentRow,
    row: OrderRow,
    intent: OrderIntent,
    leg: OrderLeg,
    unsent_after: int | None = None,
) -> None:
    """The order is so from now on. ``row``: as it was. ``unsent_after``: the last version of the
    step ``order`` that asked for what it was, 0 for none; None where the venue has the order."""
    before: dict[str, Any] = {
        "intent": codec.encode(row.new.intent),
        "leg": codec.encode(row.new.leg),
        "unsent_after": unsent_after,
    }
    await connection.execute(_APPLY, found.order_id, found.seq, as_json(before))
    await _set_terms(connection, found.order_id, intent, leg)


async def take_back(connection: asyncpg.Connection, order_id: str, step_version: int) -> bool:
    """The step that asked for it is in no block any more. False where it was not applied."""
    before = await connection.fetchval(_TAKE_BACK, order_id, step_version)
    if before is None:
        return False
    terms = orjson.loads(before)
    intent = codec.decode(OrderIntent, terms["intent"])
    await _set_terms(connection, order_id, intent, codec.decode(OrderLeg, terms["leg"]))
    return True


async def take_back_unsent(
    connection: asyncpg.Connection, order_id: str, step_version: int
) -> bool:
    """This version of the step ``order`` has landed, although changes came after it: the order is
    what that asked for, and what was changed since is asked for again, in one. False where
    nothing was."""
    rows = await connection.fetch(_UNSENT, order_id, step_version)
    if not rows:
        return False
    changes = [_row(row) for row in (await connection.fetch(_SINCE, order_id, rows[0]["seq"]))]
    merged = changes[0].change
    for later in changes[1:]:
        merged = later.change.over(merged)
    await connection.execute(_SUPERSEDE_SINCE, order_id, rows[0]["seq"])
    await connection.execute(
        _ASK_AGAIN, order_id, changes[-1].seq, merged.limit_price, merged.trigger_price,
        merged.size_base, merged.take_profit, merged.stop_loss,
    )  # fmt: skip
    terms = orjson.loads(rows[0]["previous"])
    intent = codec.decode(OrderIntent, terms["intent"])
    await _set_terms(connection, order_id, intent, codec.decode(OrderLeg, terms["leg"]))
    return True


async def _set_terms(
    connection: asyncpg.Connection, order_id: str, intent: OrderIntent, leg: OrderLeg
) -> None:
    await connection.execute(
        _TERMS, order_id, as_json(codec.encode(intent)), as_json(codec.encode(leg)), leg.size_base
    )


def _row(row: asyncpg.Record) -> AmendmentRow:
    values: dict[str, Any] = dict(row)
    change = Amendment(*(values[name] for name in Amendment.__dataclass_fields__))
    reason = values["reason"]
    return AmendmentRow(
        str(values["order_id"]),
        values["seq"],
        change,
        values["status"],
        values["asked_at"],
        (values["step_versions"] or [None])[-1],
        None if reason is None else codec.decode(Reason, orjson.loads(reason)),
    )
