"""What has to be signed for an order: prepared by the executor, shown and taken by the gateway.

Of a step only the newest version counts; the ones before stay, with what became of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import asyncpg
import orjson

from db.orders import as_json

StepId: TypeAlias = Literal["approve", "order", "cancel", "update"]
StepKind: TypeAlias = Literal["evm_tx", "cosmos_direct"]
StepStatus: TypeAlias = Literal["ready", "blocked", "submitted", "done", "expired", "failed"]


class NewStep(NamedTuple):
    """``payload``: of an ``evm_tx`` the ``tx`` of the published API, numbers as decimal strings.
    ``simulation``: ``{"ok", "block_number"}``, None where it could not be done yet; of a claim also
    what it would pay, ``claims``.
    ``blocked_by``: the step that has to be mined before; ``not_before``: blocked until then because
    the venue takes it no earlier. ``sign_by``: after it it is not taken."""

    step_id: StepId
    status: StepStatus
    sign_by: datetime
    payload: Mapping[str, Any]
    simulation: Mapping[str, Any] | None = None
    blocked_by: StepId | None = None
    kind: StepKind = "evm_tx"
    not_before: datetime | None = None


class StepRow(NamedTuple):
    order_id: str
    version: int
    new: NewStep


_COLUMNS: Final = (
    "order_id, step_id, version, kind, status, sign_by, payload, simulation, blocked_by, not_before"
)
_CURRENT: Final = f"""
SELECT DISTINCT ON (step_id) {_COLUMNS} FROM order_steps WHERE order_id = $1
ORDER BY step_id, version DESC
"""
_READ: Final = f"""
SELECT {_COLUMNS} FROM order_steps WHERE order_id = $1 AND step_id = $2
ORDER BY version DESC LIMIT 1 FOR UPDATE
"""
_SUPERSEDE: Final = """
UPDATE order_steps SET status = 'expired'
WHERE order_id = $1 AND status IN ('ready', 'blocked')
"""
_INSERT: Final = """
INSERT INTO order_steps (order_id, step_id, version, kind, status, sign_by, payload, simulation,
    blocked_by, not_before)
VALUES ($1, $2, 1 + coalesce((
    SELECT max(version) FROM order_steps WHERE order_id = $1 AND step_id = $2), 0),
    $3, $4, $5, $6, $7, $8, $9)
RETURNING version
"""
_MARK: Final = """
UPDATE order_steps SET status = $4 WHERE order_id = $1 AND step_id = $2 AND version = $3
"""
_SUBMITTED: Final = """
UPDATE order_steps SET status = 'submitted'
WHERE order_id = $1 AND step_id = $2 AND version = $3 AND status IN ('ready', 'blocked')
"""
_RETURNED: Final = """
UPDATE order_steps SET status = 'ready'
WHERE order_id = $1 AND step_id = $2 AND version = $3 AND status = 'submitted'
"""
_LOST: Final = """
UPDATE order_steps SET status = 'expired'
WHERE order_id = $1 AND step_id = $2 AND version = $3 AND status = 'submitted' RETURNING true
"""
_LANDED: Final = """
UPDATE order_steps SET status = 'done'
WHERE order_id = $1 AND step_id IN ('approve', 'order')
    AND status IN ('ready', 'blocked', 'submitted')
"""
_OVERTAKEN: Final = """
UPDATE order_steps s SET status = 'expired' FROM orders o
WHERE o.id = s.order_id AND s.order_id <> $4 AND s.status IN ('ready', 'blocked')
    AND s.kind = 'evm_tx' AND s.payload->>'chain_id' = $1
    AND lower(s.payload->>'from') = lower($2) AND (s.payload->>'nonce')::numeric = $3
RETURNING s.order_id, o.version
"""
_OUTSPENT: Final = """
UPDATE order_steps s SET status = 'expired' FROM orders o
WHERE o.id = s.order_id AND s.order_id <> $3 AND s.status = 'ready' AND s.step_id = 'order'
    AND s.kind = 'evm_tx' AND s.payload->>'chain_id' = $1
    AND lower(s.payload->>'from') = lower($2) AND o.approval = 'exact'
    AND NOT EXISTS (
        SELECT FROM order_steps a WHERE a.order_id = s.order_id AND a.step_id = 'approve'
            AND a.status IN ('ready', 'submitted'))
RETURNING s.order_id, o.version
"""
_FIRST_BLOCK: Final = """
SELECT min((simulation->>'block_number')::bigint) FROM order_steps WHERE order_id = $1
"""
_LAST: Final = """
SELECT coalesce(max(version), 0) FROM order_steps WHERE order_id = $1 AND step_id = $2
"""
_HIGHEST: Final = """
SELECT max((payload->>'nonce')::numeric) FROM order_steps
WHERE order_id = $1 AND kind = 'evm_tx'
"""
# Steps that nobody signed in time, those whose time has come, what owners asked for that no step is
# there for, and orders that are held for a reason that may be over.
_OVERDUE: Final = """
SELECT order_id FROM order_steps
WHERE status IN ('ready', 'blocked') AND sign_by < $1
UNION
SELECT order_id FROM order_steps WHERE status = 'blocked' AND not_before < $1
UNION
SELECT o.id FROM orders o
WHERE NOT o.final AND o.state IN ('working', 'partially_filled')
    AND (o.cancel_requested OR EXISTS (
        SELECT FROM order_amendments a WHERE a.order_id = o.id AND a.status = 'asked'))
    AND NOT EXISTS (
        SELECT FROM order_steps s WHERE s.order_id = o.id
            AND s.status IN ('ready', 'blocked', 'submitted'))
UNION
SELECT o.id FROM orders o
WHERE NOT o.final AND o.state IN ('accepted', 'prepared') AND o.reason IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM order_steps s WHERE s.order_id = o.id
            AND s.status IN ('ready', 'blocked', 'submitted'))
LIMIT $2
"""
_HANDED_OUT: Final = f"""
SELECT {_COLUMNS} FROM order_steps WHERE order_id = $1 AND kind = 'evm_tx'
ORDER BY version DESC
"""


async def replace(
    connection: asyncpg.Connection, order_id: str, steps: Sequence[NewStep]
) -> list[int]:
    """In place of all that were not submitted: their versions. Within a transaction that holds the
    order."""
    await connection.execute(_SUPERSEDE, order_id)
    return [
        await connection.fetchval(
            _INSERT,
            order_id,
            step.step_id,
            step.kind,
            step.status,
            step.sign_by,
            as_json(step.payload),
            None if step.simulation is None else as_json(step.simulation),
            step.blocked_by,
            step.not_before,
        )
        for step in steps
    ]


async def current(connection: asyncpg.Connection, order_id: str) -> list[StepRow]:
    """The newest of each, in the order in which they are to be signed."""
    rows = [_row(row) for row in await connection.fetch(_CURRENT, order_id)]
    return sorted(rows, key=lambda row: _TURN.index(row.new.step_id))


async def lock(connection: asyncpg.Connection, order_id: str, step_id: str) -> StepRow | None:
    """The newest version, which nobody else changes until the transaction ends."""
    row = await connection.fetchrow(_READ, order_id, step_id)
    return None if row is None else _row(row)


async def mark(
    connection: asyncpg.Connection, order_id: str, step_id: str, version: int, status: StepStatus
) -> None:
    await connection.execute(_MARK, order_id, step_id, version, status)


async def supersede(connection: asyncpg.Connection, order_id: str) -> None:
    """None of those that were not submitted is to be signed any more."""
    await connection.execute(_SUPERSEDE, order_id)


async def submitted(
    connection: asyncpg.Connection, order_id: str, step_id: str, version: int
) -> None:
    """A transaction for it is about to go out, unless more than that is known already."""
    await connection.execute(_SUBMITTED, order_id, step_id, version)


async def returned(
    connection: asyncpg.Connection, order_id: str, step_id: str, version: int
) -> None:
    """Nothing was sent for it after all."""
    await connection.execute(_RETURNED, order_id, step_id, version)


async def lost(connection: asyncpg.Connection, order_id: str, step_id: str, version: int) -> bool:
    """What was sent for it can never be mined: it has to be signed again. False where more than
    that is known."""
    return bool(await connection.fetchval(_LOST, order_id, step_id, version))


async def landed(connection: asyncpg.Connection, order_id: str) -> None:
    """The order is at the venue: neither it nor what came before is to be signed any more."""
    await connection.execute(_LANDED, order_id)


async def overtaken(
    connection: asyncpg.Connection, chain_id: int, sender: str, nonce: int, by_order: str
) -> list[tuple[str, int]]:
    """Orders, with their versions, of which something was to be signed with the nonce that another
    one uses now; that is not to be signed any more."""
    rows = await connection.fetch(_OVERTAKEN, str(chain_id), sender, nonce, by_order)
    return sorted({(str(row["order_id"]), row["version"]) for row in rows})


async def outspent(
    connection: asyncpg.Connection, chain_id: int, sender: str, by_order: str
) -> list[tuple[str, int]]:
    """Orders, with their versions, that counted on an exact approval which another one of the
    sender may have used, now that it is mined; their steps are not to be signed any more."""
    rows = await connection.fetch(_OUTSPENT, str(chain_id), sender, by_order)
    return sorted({(str(row["order_id"]), row["version"]) for row in rows})


async def last_version(connection: asyncpg.Connection, order_id: str, step_id: StepId) -> int:
    """0: there was none."""
    return int(await connection.fetchval(_LAST, order_id, step_id))


async def highest_nonce(connection: asyncpg.Connection, order_id: str) -> int | None:
    """Of all that was ever handed out for an order; None: nothing was."""
    found = await connection.fetchval(_HIGHEST, order_id)
    return None if found is None else int(found)


async def handed_out(connection: asyncpg.Connection, order_id: str) -> list[StepRow]:
    """All versions of all steps, the newest first."""
    return [_row(row) for row in await connection.fetch(_HANDED_OUT, order_id)]


async def first_block(connection: asyncpg.Connection, order_id: str) -> int | None:
    """What its first step was simulated on; None where none was."""
    found = await connection.fetchval(_FIRST_BLOCK, order_id)
    return None if found is None else int(found)


async def overdue(connection: asyncpg.Connection, now: datetime, count: int) -> list[str]:
    """Orders that have to be looked at because of the time."""
    return [str(row["order_id"]) for row in await connection.fetch(_OVERDUE, now, count)]


_TURN: Final = ("approve", "order", "update", "cancel")


def _row(row: asyncpg.Record) -> StepRow:
    simulation = row["simulation"]
    return StepRow(
        str(row["order_id"]),
        row["version"],
        NewStep(
            row["step_id"],
            row["status"],
            row["sign_by"],
            orjson.loads(row["payload"]),
            None if simulation is None else orjson.loads(simulation),
            row["blocked_by"],
            row["kind"],
            row["not_before"],
        ),
    )
