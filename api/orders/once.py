"""Requests that must not be carried out twice: what they change and the answer that their key has
from then on are one transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, TypeAlias

import asyncpg
from pydantic import BaseModel

from api.auth.postgres import transaction
from db import idempotency
from db.accounts import Account
from db.instants import instant
from db.orders import Answer, Request
from db.pool import Database
from domain.errors import InputError
from runtime.clock import wall_us

Act: TypeAlias = Callable[[asyncpg.Connection, datetime], Awaitable[Answer]]


class Asker(NamedTuple):
    """Who asks for what. ``key``: what the client calls the request by, None where it does not."""

    account: Account
    key: str | None
    sha256: bytes

    @property
    def request(self) -> Request | None:
        return None if self.key is None else Request(self.key, self.sha256)


def asker(account: Account, key: str | None, what: str, body: BaseModel) -> Asker:
    """``what``: the method and the path."""
    said = f"{what}\n{body.model_dump_json()}".encode()
    return Asker(account, key, hashlib.sha256(said).digest())


class Once:
    """Of one process; between several the database decides."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: set[tuple[str, str]] = set()

    async def run(self, who: Asker, act: Act) -> Answer:
        """The answer of ``act``, kept under the key; with a key that has one, that.

        Raises what ``act`` raises, nothing is kept then; InputError ``IDEMPOTENCY_MISMATCH`` and
        ``IDEMPOTENCY_IN_PROGRESS``; Unavailable.
        """
        request = who.request
        if request is None:
            async with transaction(self._database) as connection:
                return await act(connection, instant(wall_us()))
        running = who.account.id, request.key
        if running in self._running:
            # So that they do not take the connections of all others.
            raise InputError("IDEMPOTENCY_IN_PROGRESS", "a request with this key has not ended")
        self._running.add(running)
        try:
            async with transaction(self._database) as connection:
                known = await idempotency.begin(connection, who.account.id, request)
                if known is not None:
                    return known
                now = instant(wall_us())
                answer = await act(connection, now)
                await idempotency.keep(connection, who.account.id, request, answer, now)
                return answer
        finally:
            self._running.discard(running)
