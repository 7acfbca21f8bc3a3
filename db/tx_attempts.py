"""Every transaction that was ever published for an order, or is about to be.

One hash is one row. ``stored``: it may go out at any time. ``sent``: it did. Then it is in a block
(``mined``, ``reverted``), or another one took its nonce (``replaced``), or it was never ours or can
never be (``dropped``).
"""

from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import asyncpg

Inclusion: TypeAlias = Literal["mined", "reverted"]
AttemptStatus: TypeAlias = Literal["stored", "sent", "mined", "reverted", "replaced", "dropped"]


class Attempt(NamedTuple):
    """``raw``: the signed bytes, sealed (``runtime.sealing``); None where a wallet sent them by
    itself and only the hash is known. ``tx_hash``: in lower case. ``sender``: checksummed."""

    chain_id: int
    tx_hash: str
    order_id: str
    step_id: str
    step_version: int
    sender: str
    nonce: int
    raw: bytes | None
    stored_at: datetime
    status: AttemptStatus = "stored"
    max_fee_wei: int | None = None
    tip_wei: int | None = None
    block_number: int | None = None
    block_hash: str | None = None
    sent_at: datetime | None = None


_COLUMNS: Final = ", ".join(Attempt._fields)
_ADD: Final = """
INSERT INTO tx_attempts (chain_id, tx_hash, order_id, step_id, step_version, sender, nonce, raw,
    stored_at, status, max_fee_wei, tip_wei, block_number, block_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (chain_id, tx_hash) DO UPDATE SET order_id = excluded.order_id,
    step_id = excluded.step_id, step_version = excluded.step_version, sender = excluded.sender,
    nonce = excluded.nonce, raw = excluded.raw, stored_at = excluded.stored_at,
    status = excluded.status, max_fee_wei = excluded.max_fee_wei, tip_wei = excluded.tip_wei,
    block_number = excluded.block_number, block_hash = excluded.block_hash, sent_at = NULL
WHERE tx_attempts.status = 'dropped' OR (
    tx_attempts.status = 'stored' AND tx_attempts.raw IS NULL AND excluded.raw IS NOT NULL)
RETURNING true
"""
_OF_ORDER: Final = f"""
SELECT {_COLUMNS} FROM tx_attempts WHERE order_id = $1 ORDER BY stored_at, tx_hash
"""
_READ: Final = f"SELECT {_COLUMNS} FROM tx_attempts WHERE chain_id = $1 AND tx_hash = $2"
_WITH_STATUS: Final = f"""
SELECT {_COLUMNS} FROM tx_attempts WHERE chain_id = $1 AND status = ANY($2)
ORDER BY stored_at, tx_hash LIMIT $3
"""
_OPEN_NONCES: Final = """
SELECT nonce FROM tx_attempts
WHERE chain_id = $1 AND lower(sender) = lower($2) AND nonce >= $3
    AND status IN ('stored', 'sent', 'mined', 'reverted')
"""
_SENT: Final = """
UPDATE tx_attempts SET status = 'sent', sent_at = $3
WHERE chain_id = $1 AND tx_hash = $2 AND status IN ('stored', 'sent')
"""
_INCLUDED: Final = """
UPDATE tx_attempts SET status = $3, block_number = $4, block_hash = $5
WHERE chain_id = $1 AND tx_hash = $2
"""
_MARK: Final = """
UPDATE tx_attempts SET status = $3, block_number = NULL, block_hash = NULL
WHERE chain_id = $1 AND tx_hash = $2
"""


async def add(connection: asyncpg.Connection, attempt: Attempt) -> bool:
    """False when the hash is known already: nothing is changed. One that was found to be of
    something else, or that somebody only named while this one has its bytes, gives way."""
    added = await connection.fetchval(
        _ADD, str(attempt.chain_id), *attempt[1:14],
    )  # fmt: skip
    return bool(added)


async def of_order(connection: asyncpg.Connection, order_id: str) -> list[Attempt]:
    """The oldest first."""
    return [_attempt(row) for row in await connection.fetch(_OF_ORDER, order_id)]


async def read(connection: asyncpg.Connection, chain_id: int, tx_hash: str) -> Attempt | None:
    row = await connection.fetchrow(_READ, str(chain_id), tx_hash)
    return None if row is None else _attempt(row)


async def with_status(
    connection: asyncpg.Connection, chain_id: int, statuses: tuple[AttemptStatus, ...], count: int
) -> list[Attempt]:
    """At most so many, the oldest first."""
    rows = await connection.fetch(_WITH_STATUS, str(chain_id), list(statuses), count)
    return [_attempt(row) for row in rows]


async def used_nonces(
    connection: asyncpg.Connection, chain_id: int, sender: str, from_nonce: int
) -> set[int]:
    """Nonces from ``from_nonce`` on that a transaction of ours may use or has used."""
    rows = await connection.fetch(_OPEN_NONCES, str(chain_id), sender, from_nonce)
    return {int(row["nonce"]) for row in rows}


async def sent(connection: asyncpg.Connection, chain_id: int, tx_hash: str, now: datetime) -> None:
    """Some node took it, now."""
    await connection.execute(_SENT, str(chain_id), tx_hash, now)


async def included(
    connection: asyncpg.Connection,
    chain_id: int,
    tx_hash: str,
    status: Inclusion,
    block_number: int,
    block_hash: str,
) -> None:
    await connection.execute(_INCLUDED, str(chain_id), tx_hash, status, block_number, block_hash)


async def mark(
    connection: asyncpg.Connection, chain_id: int, tx_hash: str, status: AttemptStatus
) -> None:
    """Not, or no more, in a block."""
    await connection.execute(_MARK, str(chain_id), tx_hash, status)


def _attempt(row: asyncpg.Record) -> Attempt:
    values = dict(row)
    for name in ("chain_id", "nonce", "max_fee_wei", "tip_wei"):
        values[name] = None if values[name] is None else int(values[name])
    return Attempt(**(values | {"order_id": str(values["order_id"])}))
