"""Keys of programs. A key is never stored, only its SHA-256."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from db.accounts import Account

BOUND: Final = 20
"""Keys an account can have."""
USED_STEP: Final = timedelta(minutes=1)
"""``used_at`` is right to this."""


class ApiKey(NamedTuple):
    """``scopes``: of ``read`` and ``trade``. ``expires_at`` None: never."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = None


class Found(NamedTuple):
    key: ApiKey
    account: Account


_LOCK: Final = "SELECT FROM accounts WHERE id = $1 FOR UPDATE"
_EXPIRE: Final = "DELETE FROM api_keys WHERE account_id = $1 AND expires_at <= $2"
_COUNT: Final = "SELECT count(*) FROM api_keys WHERE account_id = $1"
_CREATE: Final = """
INSERT INTO api_keys (id, account_id, name, scopes, sha256, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_COLUMNS: Final = "k.id, k.name, k.scopes, k.created_at, k.expires_at, k.used_at"
_OF_ACCOUNT: Final = f"""
SELECT {_COLUMNS} FROM api_keys k WHERE k.account_id = $1 ORDER BY k.created_at, k.id
"""
_FIND: Final = f"""
SELECT {_COLUMNS}, a.id AS account_id, a.address, a.chain_id
FROM api_keys k JOIN accounts a ON a.id = k.account_id
WHERE k.sha256 = $1 AND (k.expires_at IS NULL OR k.expires_at > $2)
"""
_USE: Final = "UPDATE api_keys SET used_at = $2 WHERE id = $1"
_DELETE: Final = "DELETE FROM api_keys WHERE account_id = $1 AND id = $2"


async def create(
    connection: asyncpg.Connection, account_id: str, key: ApiKey, sha256: bytes
) -> bool:
    """False when the account has ``BOUND`` already. In a transaction of the caller; raises what
    asyncpg raises."""
    await connection.execute(_LOCK, account_id)
    await connection.execute(_EXPIRE, account_id, key.created_at)
    if await connection.fetchval(_COUNT, account_id) >= BOUND:
        return False
    await connection.execute(
        _CREATE, key.id, account_id, key.name, list(key.scopes), sha256, key.created_at,
        key.expires_at,
    )  # fmt: skip
    return True


async def of_account(connection: asyncpg.Connection, account_id: str) -> Sequence[ApiKey]:
    """Oldest first. Raises what asyncpg raises."""
    return [_key(row) for row in await connection.fetch(_OF_ACCOUNT, account_id)]


async def find(connection: asyncpg.Connection, sha256: bytes, now: datetime) -> Found | None:
    """The key while it is valid; notes that it was used. Raises what asyncpg raises."""
    row = await connection.fetchrow(_FIND, sha256, now)
    if row is None:
        return None
    if row["used_at"] is None or now - row["used_at"] >= USED_STEP:
        await connection.execute(_USE, row["id"], now)
    return Found(_key(row), Account(str(row["account_id"]), row["address"], row["chain_id"]))


async def delete(connection: asyncpg.Connection, account_id: str, key_id: str) -> None:
    """Raises what asyncpg raises."""
    await connection.execute(_DELETE, account_id, key_id)


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        str(row["id"]),
        row["name"],
        tuple(row["scopes"]),
        row["created_at"],
        row["expires_at"],
        row["used_at"],
    )
