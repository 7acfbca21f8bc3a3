"""Orders as rows: how they are accepted, and how they are read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import asyncpg
import orjson

from domain import codec
from domain.errors import InputError
from domain.orders import TERMINAL, Approval, OrderIntent, OrderLeg, OrderState, Reason
from domain.outcomes import Outcome


class NewOrder(NamedTuple):
    """``tag``: 32 bytes of this order alone. ``deadline``: after it nothing is sent."""

    id: str
    account_id: str
    client_order_id: str | None
    group_id: str
    quote_id: str | None
    tag: bytes
    intent: OrderIntent
    leg: OrderLeg
    owner: str
    signing: Literal["wallet", "delegated"]
    approval: Approval
    allow_reroute: bool
    deadline: datetime


class Request(NamedTuple):
    """Of one idempotency key. ``sha256``: of what was asked for."""

    key: str
    sha256: bytes


class Answer(NamedTuple):
    """As it was given the first time."""

    status: int
    body: bytes
    location: str | None


class OrderRow(NamedTuple):
    """All that is known of an order but its history. ``facts``: those that stand."""

    new: NewOrder
    version: int
    state: OrderState
    phase: str
    ending: str | None
    reason: Reason | None
    cancel_requested: bool
    cancel_sent: bool
    final: bool
    venue_refs: Mapping[str, str]
    lease_epoch: int
    created_at: datetime
    updated_at: datetime
    facts: frozenset[Outcome]


class OrderFilter(NamedTuple):
    """Which orders; None: whatever it is. ``terminal``: those that have ended, or the others."""

    client_order_id: str | None = None
    market: str | None = None
    venue: str | None = None
    state: OrderState | None = None
    terminal: bool | None = None


class Told(NamedTuple):
    """A row of the history. ``seq`` is the version that it led to."""

    seq: int
    at: datetime
    type: str
    from_state: str | None
    to_state: str


# Accepting ----------------------------------------------------------------------------------------

_INSERT: Final = """
INSERT INTO orders (id, account_id, client_order_id, group_id, quote_id, tag, market, venue,
    chain_id, pool, side, intent, leg, owner, signing, approval, allow_reroute, deadline, size_base,
    version, state, phase, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    1, 'accepted', 'accepted', $20, $20)
"""
ADD_EVENT: Final = """
INSERT INTO order_events (order_id, seq, at, type, from_state, to_state)
VALUES ($1, $2, $3, $4, $5, $6)
"""
ADD_OUTBOX: Final = "INSERT INTO outbox (order_id, version, created_at) VALUES ($1, $2, $3)"


async def add(connection: asyncpg.Connection, new: NewOrder, now: datetime) -> None:
    """Accepts it: the order, its first event, and the executor is told. In a transaction of the
    caller.

    Raises InputError ``CLIENT_ORDER_ID_USED`` where another order of the account has its
    ``client_order_id``, after which the transaction is void, and what asyncpg raises.
    """
    try:
        await _insert(connection, new, now)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "orders_account_id_client_order_id_key":
            raise
        raise InputError("CLIENT_ORDER_ID_USED", "another order of the account has it") from None


async def _insert(connection: asyncpg.Connection, new: NewOrder, now: datetime) -> None:
    leg = new.leg
    await connection.execute(
        _INSERT,
        new.id,
        new.account_id,
        new.client_order_id,
        new.group_id,
        new.quote_id,
        new.tag,
        new.intent.market,
        leg.venue,
        str(leg.chain_id),
        leg.pool,
        new.intent.side,
        as_json(codec.encode(new.intent)),
        as_json(codec.encode(leg)),
        new.owner,
        new.signing,
        new.approval,
        new.allow_reroute,
        new.deadline,
        leg.size_base,
        now,
    )
    await connection.execute(ADD_EVENT, new.id, 1, now, "accepted", None, "accepted")
    await connection.execute(ADD_OUTBOX, new.id, 1, now)


# Reading ------------------------------------------------------------------------------------------

_SELECT: Final = "SELECT * FROM orders WHERE id = $1"
_FACTS: Final = """
SELECT kind, data FROM chain_events WHERE order_id = $1 AND undone_at IS NULL
"""
_HISTORY: Final = """
SELECT seq, at, type, from_state, to_state FROM order_events WHERE order_id = $1 ORDER BY seq
"""
_OF_CLIENT: Final = "SELECT id FROM orders WHERE account_id = $1 AND client_order_id = $2"
_HAS_TRADED: Final = "SELECT EXISTS (SELECT 1 FROM orders WHERE account_id = $1 AND market = $2)"
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_PAGE: Final = f"""
SELECT * FROM orders
WHERE account_id = $1 AND ($2::timestamptz IS NULL
        OR (created_at <= $2 AND (created_at < $2 OR id > $3)))
    AND ($5::text IS NULL OR client_order_id = $5) AND ($6::text IS NULL OR market = $6)
    AND ($7::text IS NULL OR venue = $7) AND ($8::text IS NULL OR state = $8)
    AND ($9::boolean IS NULL OR (state IN ({_ENDED})) = $9)
ORDER BY created_at DESC, id LIMIT $4
"""
_FACTS_OF: Final = """
SELECT order_id, kind, data FROM chain_events WHERE order_id = ANY($1) AND undone_at IS NULL
"""
_STANDING: Final = "SELECT version, final FROM orders WHERE id = $1 AND account_id = $2"
_VERSIONS: Final = "SELECT id, version FROM orders WHERE id = ANY($1)"


async def read(
    connection: asyncpg.Connection, order_id: str, *, lock: bool = False
) -> OrderRow | None:
    """``lock``: until the transaction ends nobody else changes it."""
    row = await connection.fetchrow(_SELECT + (" FOR UPDATE" if lock else ""), order_id)
    if row is None:
        return None
    facts = await connection.fetch(_FACTS, order_id)
    return _row(row, facts)


async def page(
    connection: asyncpg.Connection,
    account_id: str,
    wanted: OrderFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[OrderRow]:
    """Of an account, the newest first. ``after``: when the last one of the page before was made,
    and its id."""
    created_at, last = after or (None, None)
    rows = await connection.fetch(_PAGE, account_id, created_at, last, limit, *wanted)
    facts: dict[Any, list[asyncpg.Record]] = {row["id"]: [] for row in rows}
    for fact in await connection.fetch(_FACTS_OF, list(facts)):
        facts[fact["order_id"]].append(fact)
    return [_row(row, facts[row["id"]]) for row in rows]


async def standing(
    connection: asyncpg.Connection, account_id: str, order_id: str
) -> tuple[int, bool] | None:
    """Its version, and whether it is final; None also for somebody else's."""
    row = await connection.fetchrow(_STANDING, order_id, account_id)
    return None if row is None else (row["version"], row["final"])


async def versions(connection: asyncpg.Connection, order_ids: Sequence[str]) -> Mapping[str, int]:
    """Of those that there are."""
    rows = await connection.fetch(_VERSIONS, order_ids)
    return {str(row["id"]): row["version"] for row in rows}


async def find(connection: asyncpg.Connection, account_id: str, client_order_id: str) -> str | None:
    """The id of an account's order."""
    found = await connection.fetchval(_OF_CLIENT, account_id, client_order_id)
    return None if found is None else str(found)


async def has_traded(connection: asyncpg.Connection, account_id: str, market: str) -> bool:
    """Whether the account ever had an order there."""
    return bool(await connection.fetchval(_HAS_TRADED, account_id, market))


async def history(connection: asyncpg.Connection, order_id: str) -> list[Told]:
    return [Told(*row) for row in await connection.fetch(_HISTORY, order_id)]


def _row(row: asyncpg.Record, facts: Sequence[asyncpg.Record]) -> OrderRow:
    new = NewOrder(
        str(row["id"]),
        str(row["account_id"]),
        row["client_order_id"],
        str(row["group_id"]),
        None if row["quote_id"] is None else str(row["quote_id"]),
        row["tag"],
        codec.decode(OrderIntent, orjson.loads(row["intent"])),
        codec.decode(OrderLeg, orjson.loads(row["leg"])),
        row["owner"],
        row["signing"],
        row["approval"],
        row["allow_reroute"],
        row["deadline"],
    )
    reason = row["reason"]
    return OrderRow(
        new,
        row["version"],
        row["state"],
        row["phase"],
        row["ending"],
        None if reason is None else codec.decode(Reason, orjson.loads(reason)),
        row["cancel_requested"],
        row["cancel_sent"],
        row["final"],
        orjson.loads(row["venue_refs"]),
        row["lease_epoch"],
        row["created_at"],
        row["updated_at"],
        frozenset(
            codec.decode(codec.KINDS[fact["kind"]], orjson.loads(fact["data"])) for fact in facts
        ),
    )


def as_json(value: Any) -> str:
    """As a jsonb column takes it."""
    return orjson.dumps(value).decode()
