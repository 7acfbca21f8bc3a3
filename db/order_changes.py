"""Changes of orders. Whoever works on one holds a lease, and a write of one who lost it is refused:
the epoch of the lease is compared in the statement that writes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final, NamedTuple

import asyncpg

from db.orders import ADD_OUTBOX, NewOrder, Told, as_json
from domain import codec
from domain.errors import PerpError, Recovery
from domain.orders import OrderLeg, OrderState, Reason
from domain.outcomes import EventPlace, Executed, Outcome


class LeaseLost(PerpError):
    """Somebody else works on the order now."""

    recovery: ClassVar[Recovery] = "never"

    def __init__(self, order_id: str) -> None:
        super().__init__("LEASE_LOST", f"order {order_id} belongs to another worker")


class Change(NamedTuple):
    """What an event made of an order. ``version`` is the one after it."""

    version: int
    state: OrderState
    phase: str
    ending: str | None
    reason: Reason | None
    cancel_requested: bool
    cancel_sent: bool
    final: bool


# The clock of the database is the one that all workers share.
_LEASE: Final = """
UPDATE orders SET lease_owner = $2, lease_until = now() + $3, lease_epoch = lease_epoch + 1
WHERE id = $1 AND (lease_until IS NULL OR lease_until < now() OR lease_owner = $2)
RETURNING lease_epoch
"""
_RELEASE: Final = """
UPDATE orders SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_epoch = $2
"""
_FINISH: Final = """
WITH done AS (
    UPDATE outbox SET done_at = now() WHERE order_id = $1 AND version <= $3 AND done_at IS NULL
)
UPDATE orders SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_epoch = $2
"""
_HOLD: Final = "SELECT lease_epoch FROM orders WHERE id = $1 FOR UPDATE"
_LOCK_SENDER: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_SAVE: Final = """
WITH saved AS (
    UPDATE orders SET version = $3, state = $4, phase = $5, ending = $6, reason = $7,
        cancel_requested = $8, cancel_sent = $9, final = $10, updated_at = $11
    WHERE id = $1 AND version = $3 - 1 AND ($2::bigint IS NULL OR lease_epoch = $2)
    RETURNING id
)
INSERT INTO order_events (order_id, seq, at, type, from_state, to_state)
SELECT id, $12::integer, $11, $13::text, $14::text, $15::text FROM saved RETURNING true
"""
_REROUTE: Final = """
UPDATE orders SET leg = $3, venue = $4, chain_id = $5, pool = $6, size_base = $7
WHERE id = $1 AND lease_epoch = $2 RETURNING true
"""
_REFS: Final = """
UPDATE orders SET venue_refs = venue_refs || $2::jsonb WHERE id = $1
"""
_SEE: Final = """
INSERT INTO chain_events (chain_id, block_hash, tx_hash, log_index, block_number, order_id, kind,
    data, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (chain_id, block_hash, tx_hash, log_index) DO UPDATE SET undone_at = NULL
"""
_UNDO: Final = """
UPDATE chain_events SET undone_at = $5
WHERE chain_id = $1 AND block_hash = $2 AND tx_hash = $3 AND log_index = $4
"""
_BOOK: Final = """
INSERT INTO fills (chain_id, block_hash, tx_hash, log_index, order_id, account_id, market, venue,
    side, price, size_base, fee_usd, impact_usd, funding_usd, borrowing_usd, pnl_usd, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
_UNBOOK: Final = """
DELETE FROM fills
WHERE chain_id = $1 AND block_hash = $2 AND tx_hash = $3 AND log_index = $4
"""


async def lease(
    connection: asyncpg.Connection, order_id: str, owner: str, life: timedelta
) -> int | None:
    """The epoch under which ``owner`` may write, higher than every one before; None while somebody
    else holds the order."""
    epoch: int | None = await connection.fetchval(_LEASE, order_id, owner, life)
    return epoch


async def hold(connection: asyncpg.Connection, order_id: str, epoch: int) -> None:
    """Until the transaction ends nobody else takes the order over. Raises LeaseLost."""
    if await connection.fetchval(_HOLD, order_id) != epoch:
        raise LeaseLost(order_id)


async def lock_sender(connection: asyncpg.Connection, chain_id: int, sender: str) -> None:
    """Until the transaction ends nobody else gives out nonces of this address."""
    await connection.execute(_LOCK_SENDER, f"{chain_id}:{sender.lower()}")


async def release(connection: asyncpg.Connection, order_id: str, epoch: int) -> None:
    """Nothing when it was lost already."""
    await connection.execute(_RELEASE, order_id, epoch)


async def finish(connection: asyncpg.Connection, order_id: str, epoch: int, version: int) -> None:
    """All that was asked for up to a version of the order is done, and the lease ends with it."""
    await connection.execute(_FINISH, order_id, epoch, version)


async def save(
    connection: asyncpg.Connection,
    order_id: str,
    epoch: int | None,
    change: Change,
    told: Told,
) -> None:
    """``epoch``: of the lease; None for who only tells facts and has locked the row. Raises
    LeaseLost."""
    reason = change.reason
    saved = await connection.fetchval(
        _SAVE,
        order_id,
        epoch,
        *change[:4],
        None if reason is None else as_json(codec.encode(reason)),
        *change[5:],
        told.at,
        told.seq,
        *told[2:],
    )
    if not saved:
        raise LeaseLost(order_id)


async def reroute(connection: asyncpg.Connection, order_id: str, epoch: int, leg: OrderLeg) -> None:
    """It is traded there from now on. Raises LeaseLost."""
    leg_json = as_json(codec.encode(leg))
    where = leg.venue, str(leg.chain_id), leg.pool, leg.size_base
    if not await connection.fetchval(_REROUTE, order_id, epoch, leg_json, *where):
        raise LeaseLost(order_id)


async def notify(
    connection: asyncpg.Connection, order_id: str, version: int, now: datetime
) -> None:
    """The executor shall look at the order."""
    await connection.execute(ADD_OUTBOX, order_id, version, now)


async def add_refs(connection: asyncpg.Connection, order_id: str, refs: Mapping[str, str]) -> None:
    await connection.execute(_REFS, order_id, as_json(refs))


async def see(connection: asyncpg.Connection, order_id: str, fact: Outcome, now: datetime) -> None:
    """Again after it was taken back: it stands again."""
    place = fact.place
    await connection.execute(
        _SEE, *_key(place), place.block_number, order_id, codec.kind_of(fact),
        as_json(codec.encode(fact)), now,
    )  # fmt: skip


async def undo(connection: asyncpg.Connection, place: EventPlace, now: datetime) -> None:
    await connection.execute(_UNDO, *_key(place), now)


async def book(
    connection: asyncpg.Connection, order: NewOrder, fill: Executed, now: datetime
) -> None:
    costs = fill.costs
    money: tuple[Decimal | None, ...] = (
        fill.price, fill.size_base, costs.fee_usd, costs.impact_usd, costs.funding_usd,
        costs.borrowing_usd, fill.pnl_usd,
    )  # fmt: skip
    await connection.execute(
        _BOOK, *_key(fill.place), order.id, order.account_id, order.intent.market, order.leg.venue,
        order.intent.side, *money, now,
    )  # fmt: skip


async def unbook(connection: asyncpg.Connection, place: EventPlace) -> None:
    await connection.execute(_UNBOOK, *_key(place))


def _key(place: EventPlace) -> tuple[str, str, str, int]:
    return str(place.chain_id), place.block_hash, place.tx_hash, place.log_index
