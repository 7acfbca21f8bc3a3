"""Answers to requests that must not be carried out twice, by the key that the client gave them."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from db.orders import Answer, Request
from domain.errors import InputError

KEPT: Final = timedelta(days=7)

_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"
_READ: Final = """
SELECT sha256, status, body, location FROM idempotency WHERE account_id = $1 AND key = $2
"""
_KEEP: Final = """
INSERT INTO idempotency (account_id, key, sha256, status, body, location, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_FORGET: Final = """
DELETE FROM idempotency WHERE (account_id, key) IN (
    SELECT account_id, key FROM idempotency WHERE created_at < $1
    ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED
)
"""


async def begin(connection: asyncpg.Connection, account_id: str, request: Request) -> Answer | None:
    """The stored answer; None: the request is the first one, and nobody else's until the
    transaction of the caller ends.

    Raises InputError ``IDEMPOTENCY_MISMATCH`` where the key was used for something else, and
    ``IDEMPOTENCY_IN_PROGRESS`` while another request with it has not ended.
    """
    name = hashlib.sha256(f"{account_id} {request.key}".encode()).digest()
    if not await connection.fetchval(_LOCK, int.from_bytes(name[:8], "big", signed=True)):
        raise InputError("IDEMPOTENCY_IN_PROGRESS", "a request with this key has not ended")
    row = await connection.fetchrow(_READ, account_id, request.key)
    if row is None:
        return None
    if row["sha256"] != request.sha256:
        raise InputError("IDEMPOTENCY_MISMATCH", "the key was used for another request")
    return Answer(row["status"], row["body"], row["location"])


async def keep(
    connection: asyncpg.Connection,
    account_id: str,
    request: Request,
    answer: Answer,
    now: datetime,
) -> None:
    """In the transaction of ``begin``, with what it answers. What is older than ``KEPT`` goes."""
    await connection.execute(_KEEP, account_id, request.key, request.sha256, *answer, now)
    await connection.execute(_FORGET, now - KEPT)
