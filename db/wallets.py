"""Wallets of other chains that an account has shown to be its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

BOUND: Final = 10
"""Wallets an account can have."""


class Wallet(NamedTuple):
    """``public_key``: secp256k1, compressed."""

    venue: str
    address: str
    public_key: bytes
    linked_at: datetime


_LOCK: Final = "SELECT FROM accounts WHERE id = $1 FOR UPDATE"
_COUNT: Final = """
SELECT count(*) FROM wallets WHERE account_id = $1 AND (venue, address) <> ($2, $3)
"""
_LINK: Final = """
INSERT INTO wallets (account_id, venue, address, public_key, linked_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, venue, address) DO NOTHING
"""
_OF_ACCOUNT: Final = """
SELECT venue, address, public_key, linked_at FROM wallets WHERE account_id = $1
ORDER BY linked_at, address
"""
_UNLINK: Final = """
DELETE FROM wallets WHERE account_id = $1 AND venue = $2 AND address = $3 RETURNING address
"""


async def link(connection: asyncpg.Connection, account_id: str, wallet: Wallet) -> bool:
    """False when the account has ``BOUND`` others already; one that is linked stays as it is. In a
    transaction of the caller; raises what asyncpg raises."""
    await connection.execute(_LOCK, account_id)
    if await connection.fetchval(_COUNT, account_id, wallet.venue, wallet.address) >= BOUND:
        return False
    await connection.execute(_LINK, account_id, *wallet)
    return True


async def of_account(connection: asyncpg.Connection, account_id: str) -> Sequence[Wallet]:
    """Oldest first. Raises what asyncpg raises."""
    return [Wallet(*row) for row in await connection.fetch(_OF_ACCOUNT, account_id)]


async def unlink(connection: asyncpg.Connection, account_id: str, venue: str, address: str) -> bool:
    """Whether it was linked. Raises what asyncpg raises."""
    return await connection.fetchval(_UNLINK, account_id, venue, address) is not None
