"""Accounts: who signs in."""

from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

EVERY_CHAIN: Final = 0
"""The ``chain_id`` of an account that a key owns: it is the same on all."""


class Account(NamedTuple):
    """``address`` with its checksum; ``chain_id`` of the only chain it is known on, or
    ``EVERY_CHAIN``."""

    id: str
    address: str
    chain_id: int


# The update changes nothing: without it a row that was there is not returned.
_ENSURE: Final = """
INSERT INTO accounts (address, chain_id, created_at) VALUES ($1, $2, $3)
ON CONFLICT (address, chain_id) DO UPDATE SET address = excluded.address
RETURNING id
"""
_CHAIN: Final = "SELECT chain_id FROM accounts WHERE id = $1"


async def ensure(
    connection: asyncpg.Connection, address: str, chain_id: int, now: datetime
) -> Account:
    """The account, made when this is its first time. Raises what asyncpg raises."""
    found = await connection.fetchval(_ENSURE, address, chain_id, now)
    return Account(str(found), address, chain_id)


async def chain_of(connection: asyncpg.Connection, account_id: str) -> int | None:
    """The only chain it is known on, or ``EVERY_CHAIN``; None where there is no such account."""
    found: int | None = await connection.fetchval(_CHAIN, account_id)
    return found
