"""Sessions and the refresh tokens that keep them. Tokens are never stored, only their SHA-256."""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import asyncpg

from db.accounts import Account

GRACE: Final = timedelta(seconds=10)
"""For the same client to ask again, when the answer to its first question was lost."""
LIFE: Final = timedelta(hours=24)
"""Since the last use of a refresh token."""


class Session(NamedTuple):
    id: str
    account: Account
    created_at: datetime
    expires_at: datetime


class Rotated(NamedTuple):
    """A refresh token was taken. ``repeated``: not for the first time, within the grace."""

    session: Session
    repeated: bool


Refusal = Literal["unknown", "ended", "expired", "reused"]
"""``reused``: and with that the session has ended."""

_CREATE: Final = """
INSERT INTO sessions (id, account_id, created_at, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING RETURNING true
"""
_ADD_TOKEN: Final = """
INSERT INTO refresh_tokens (sha256, session_id, issued_at) VALUES ($1, $2, $3)
"""
_SESSION: Final = """
SELECT s.id, s.created_at, s.expires_at, s.ended_at, a.id AS account_id, a.address, a.chain_id
FROM sessions s JOIN accounts a ON a.id = s.account_id
"""
_OF_TOKEN: Final = "SELECT session_id FROM refresh_tokens WHERE sha256 = $1"
_TOKEN: Final = "SELECT used_at, used_by, next FROM refresh_tokens WHERE sha256 = $1"
_USED: Final = "SELECT used_at IS NOT NULL FROM refresh_tokens WHERE sha256 = $1"
_USE: Final = """
UPDATE refresh_tokens SET used_at = $2, used_by = $3, next = $4 WHERE sha256 = $1
"""
_PROLONG: Final = "UPDATE sessions SET expires_at = $2 WHERE id = $1"
_END: Final = """
UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL
"""
_FORGET: Final = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE expires_at < $1 LIMIT 1000 FOR UPDATE SKIP LOCKED
)
"""


async def create(connection: asyncpg.Connection, session: Session, token_sha256: bytes) -> bool:
    """False where there is one with this id already. Raises what asyncpg raises."""
    created = await connection.fetchval(
        _CREATE, session.id, session.account.id, session.created_at, session.expires_at
    )
    if created:
        await connection.execute(_ADD_TOKEN, token_sha256, session.id, session.created_at)
    return bool(created)


async def find(connection: asyncpg.Connection, session_id: str, now: datetime) -> Session | None:
    """The session while it lives. Raises what asyncpg raises."""
    row = await connection.fetchrow(_SESSION + "WHERE s.id = $1", session_id)
    if row is None or row["ended_at"] is not None or row["expires_at"] <= now:
        return None
    return _session(row)


async def rotate(
    connection: asyncpg.Connection, sha256: bytes, next_sha256: bytes, client: str, now: datetime
) -> Rotated | Refusal:
    """Changes a refresh token into the next one and prolongs the session; to be called in a
    transaction of its own, and committed whatever it says. A token that was used ends the session,
    unless ``client`` asks the same again within ``GRACE`` and nobody used the next one.

    Raises what asyncpg raises.
    """
    session_id = await connection.fetchval(_OF_TOKEN, sha256)
    if session_id is None:
        return "unknown"
    # The lock on the session puts its tokens into one order.
    row = await connection.fetchrow(_SESSION + "WHERE s.id = $1 FOR UPDATE OF s", session_id)
    if row is None:
        return "unknown"
    if row["ended_at"] is not None:
        return "ended"
    if row["expires_at"] <= now:
        return "expired"
    token = await connection.fetchrow(_TOKEN, sha256)
    if token["used_at"] is None:
        expires_at = now + LIFE
        await connection.execute(_USE, sha256, now, client, next_sha256)
        await connection.execute(_ADD_TOKEN, next_sha256, session_id, now)
        await connection.execute(_PROLONG, session_id, expires_at)
        return Rotated(_session(row)._replace(expires_at=expires_at), repeated=False)
    again = token["used_by"] == client and now - token["used_at"] <= GRACE
    if again and token["next"] == next_sha256 and not await connection.fetchval(_USED, next_sha256):
        return Rotated(_session(row), repeated=True)
    await connection.execute(_END, session_id, now, "reuse")
    return "reused"


async def of_token(connection: asyncpg.Connection, sha256: bytes) -> str | None:
    """The id of the session that a refresh token, used or not, belongs to."""
    found = await connection.fetchval(_OF_TOKEN, sha256)
    return None if found is None else str(found)


async def end(connection: asyncpg.Connection, session_id: str, now: datetime) -> None:
    """Logout; nothing happens to a session that has ended. Raises what asyncpg raises."""
    await connection.execute(_END, session_id, now, "logout")


async def forget(connection: asyncpg.Connection, before: datetime) -> None:
    """Deletes sessions, at most 1,000, that expired before. Raises what asyncpg raises."""
    await connection.execute(_FORGET, before)


def _session(row: asyncpg.Record) -> Session:
    account = Account(str(row["account_id"]), row["address"], row["chain_id"])
    return Session(str(row["id"]), account, row["created_at"], row["expires_at"])
