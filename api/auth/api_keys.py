"""API keys: ``ppk_`` and 256 random bits, shown once, known by their SHA-256 from then on."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from api.auth.identity import AuthError, Identity
from api.auth.postgres import transaction
from api.auth.sessions import LiveSessions, Memory
from api.auth.tokens import Claims
from db import api_keys
from db.accounts import Account
from db.api_keys import ApiKey
from db.instants import instant
from db.pool import Database
from domain.errors import InputError
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger

PREFIX: Final = "ppk_"
SCOPES: Final = ("read", "trade")
"""Who may trade may read."""
MEMORY_S: Final = 1.0
"""How long a key that was revoked at another gateway is taken here."""
SUBJECT_S: Final = 60.0
_BYTES: Final = 32
_KEY: Final = re.compile(r"ppk_[A-Za-z0-9_-]{43}", re.ASCII)
_NEVER_S: Final = 1 << 40

_log = get_logger(__name__)


class ApiKeys:
    def __init__(self, database: Database, live: LiveSessions) -> None:
        self._database = database
        self._live = live
        self._memory: Memory[bytes, Identity] = Memory("api-keys", MEMORY_S)
        self._subjects: Memory[bytes, str] = Memory("api-key-limits", SUBJECT_S)

    async def create(
        self, account: Account, name: str, scopes: Sequence[str], expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """The key, and its text, which nobody can be told again. Raises InputError
        ``TOO_MANY_KEYS``, Unavailable."""
        text = PREFIX + secrets.token_urlsafe(_BYTES)
        now = instant(wall_us())
        key = ApiKey(str(uuid.uuid4()), name, tuple(sorted(scopes)), now, expires_at)
        async with transaction(self._database) as connection:
            created = await api_keys.create(connection, account.id, key, _sha256(text))
        if not created:
            raise InputError("TOO_MANY_KEYS", f"an account can have {api_keys.BOUND}")
        _log.info("api_key_created", account_id=account.id, key_id=key.id, scopes=key.scopes)
        return key, text

    async def of_account(self, account: Account) -> Sequence[ApiKey]:
        """Raises Unavailable."""
        async with transaction(self._database) as connection:
            return await api_keys.of_account(connection, account.id)

    async def revoke(self, account: Account, key_id: str) -> None:
        """Also closes the sockets that it opened. Raises InputError ``NOT_FOUND`` for a key of
        nobody or of somebody else, and Unavailable: ask again."""
        if key_id not in [key.id for key in await self.of_account(account)]:
            raise InputError("NOT_FOUND", "there is no such key")
        # First what may fail without the key being gone: then it can be asked again.
        await self._live.end(_session_id(key_id))
        async with transaction(self._database) as connection:
            await api_keys.delete(connection, account.id, key_id)
        self._memory.clear()
        _log.info("api_key_revoked", account_id=account.id, key_id=key_id)

    async def identify(self, text: str) -> Identity:
        """Who a key is of. Raises AuthError, Unavailable."""
        if not _KEY.fullmatch(text):
            raise _unknown()
        sha256 = _sha256(text)
        known = self._memory.get(sha256, mono_ns())
        if known is not None:
            return known
        async with transaction(self._database) as connection:
            found = await api_keys.find(connection, sha256, instant(wall_us()))
        if found is None:
            raise _unknown()
        identity = _identity(found.key, found.account)
        self._memory.put(sha256, identity, mono_ns())
        self._subjects.put(sha256, identity.claims.session_id, mono_ns())
        return identity

    def remembered(self, text: str) -> str | None:
        """What limits count a key by that was good within the last minute: every key has its
        own."""
        return self._subjects.get(_sha256(text), mono_ns())


def is_api_key(token: str) -> bool:
    return token.startswith(PREFIX)


def _identity(key: ApiKey, account: Account) -> Identity:
    begun_s = int(key.created_at.timestamp())
    ends_s = _NEVER_S if key.expires_at is None else int(key.expires_at.timestamp())
    claims = Claims(account.id, _session_id(key.id), key.id, begun_s, ends_s)
    return Identity(account, claims, frozenset(("read", *key.scopes)))


def _session_id(key_id: str) -> str:
    """As which sockets of the key are known."""
    return f"key:{key_id}"


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _unknown() -> AuthError:
    return AuthError("TOKEN_INVALID", "the API key is not known, was revoked, or has expired")
