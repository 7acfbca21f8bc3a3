"""Sign-in, and what follows from it: tokens, their renewal, the end of a session."""

import asyncio
import base64
import hashlib
import importlib
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis

from api import metrics
from api.auth import nonces, tokens
from api.auth.api_keys import ApiKeys, is_api_key
from api.auth.chains import Chains
from api.auth.identity import AuthError, Identity
from api.auth.keys import KeyRing
from api.auth.nonces import Binding
from api.auth.postgres import transaction
from api.auth.sessions import LiveSessions, Memory
from api.auth.tokens import Claims
from api.problems import Unavailable
from db import accounts, sessions
from db.accounts import Account
from db.instants import instant
from db.pool import Database
from db.sessions import Rotated, Session
from runtime.channels import NONCE_TTL_S
from runtime.clock import iso_ms, mono_ns, wall_us
from runtime.dialer import Dialer

WORKERS: Final = 4
WAITING_BOUND: Final = 32
SIGN_IN_TIMEOUT_S: Final = 6.0
_KEPT: Final = timedelta(days=7)
"""How long an expired session stays in Postgres, where its tokens are still known."""
_REFRESH_BYTES: Final = 32
_REFRESH_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Config:
    """``keys`` None: nobody can sign in. ``public_url``: where browsers find us, without a path."""

    keys: KeyRing | None
    public_url: str
    rpc_urls: Mapping[int, str]
    dialer: Dialer

    @property
    def domain(self) -> str:
        return urlsplit(self.public_url).netloc

    @property
    def is_secure(self) -> bool:
        return self.public_url.startswith("https:")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client gets. Times are microseconds since 1970."""

    access_token: str
    expires_us: int
    refresh_token: str
    account: Account
    session_id: str


@dataclass(frozen=True, slots=True)
class Challenge:
    nonce: str
    binding: Binding
    expires_us: int
    message: str


class Auth:
    def __init__(self, redis: Redis, database: Database, config: Config) -> None:
        self.config = config
        self._redis = redis
        self._database = database
        self._chains = Chains(config.rpc_urls, config.dialer)
        self._live = LiveSessions(redis, database)
        self._decoded: Memory[str, Claims] = Memory("tokens", 60.0)
        self.api_keys = ApiKeys(database, self._live)
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="sign-in")
        self._waiting = 0

    async def challenge(self, address: str, chain_id: int) -> Challenge:
        """A nonce and the message to sign. Raises Invalid, Unavailable."""
        self._ring()
        binding = Binding(address, chain_id, self.config.domain, self.config.public_url)
        now_us = wall_us()
        expires_us = now_us + NONCE_TTL_S * 1_000_000
        nonce = secrets.token_hex(nonces.BYTES)
        times = iso_ms(now_us), iso_ms(expires_us)
        text = await self.work("api.auth.wallets", "message_text", binding, nonce, *times)
        await nonces.keep(self._redis, nonce, binding)
        return Challenge(nonce, binding, expires_us, text)

    async def sign_in(
        self, text: str, signature: str, admit: Callable[[str], Awaitable[object]]
    ) -> Grant:
        """``admit``: raises for an address that signed in too often; it has proven to be it then.

        Raises Invalid, LoginRefused, AuthError ``NONCE_UNKNOWN``, Unavailable. The nonce is used
        up whatever comes of it."""
        ring = self._ring()
        message = await self.work("api.auth.wallets", "parse", text)
        binding = await nonces.take(self._redis, message.nonce)
        if binding is None:
            raise _nonce_unknown()
        now = _now()
        eth_call = self._chains.blocking(message.chain_id)
        asked = message, signature, binding, now, eth_call
        owner = await self.work("api.auth.wallets", "owner", *asked)
        await admit(owner.address)
        token = _token_text(secrets.token_bytes(_REFRESH_BYTES))
        async with transaction(self._database) as connection:
            account = await accounts.ensure(connection, owner.address, owner.chain_id, now)
            session = Session(_session_id(message.nonce), account, now, now + sessions.LIFE)
            # A Redis that lost its last writes gives a nonce out again; Postgres knows its session.
            if not await sessions.create(connection, session, _sha256(token)):
                raise _nonce_unknown()
            await sessions.forget(connection, now - _KEPT)
        return await self._grant(ring, session, token)

    async def refresh(self, token: str, client: str) -> Grant:
        """The next tokens. ``client``: what the client says that it is, by which an answer that was
        lost is given again. Raises AuthError, Unavailable."""
        ring = self._ring()
        known_as = _sha256(token)
        following = _token_text(ring.derive(token.encode()))
        async with transaction(self._database) as connection:
            found = await sessions.rotate(connection, known_as, _sha256(following), client, _now())
            is_over = found in ("ended", "reused")
            ended = await sessions.of_token(connection, known_as) if is_over else None
        if isinstance(found, Rotated):
            return await self._grant(ring, found.session, following)
        if found == "reused":
            metrics.REFRESH_REUSED.inc()
        if ended is not None:
            await self._live.end(ended)
        raise AuthError(*_REFUSALS[found])

    async def sign_out(self, session_id: str) -> None:
        """Ends the session. Raises Unavailable: ask again."""
        async with transaction(self._database) as connection:
            await sessions.end(connection, session_id, _now())
        await self._live.end(session_id)

    async def session_of(self, refresh_token: str) -> str:
        """The id of the session that a refresh token is of. Raises AuthError, Unavailable."""
        known_as = _sha256(refresh_token)
        async with transaction(self._database) as connection:
            found = await sessions.of_token(connection, known_as)
        if found is None:
            raise AuthError("REFRESH_TOKEN_INVALID", "not a refresh token")
        return found

    async def identify(self, token: str) -> Identity:
        """Who an access token or an API key is of. Raises TokenError, AuthError, Unavailable."""
        if is_api_key(token):
            return await self.api_keys.identify(token)
        claims = self.claims(token)
        account = await self._live.account(claims.session_id)
        if account is None or account.id != claims.account_id:
            raise AuthError("SESSION_ENDED", "the session of this token has ended")
        return Identity(account, claims)

    def claims(self, token: str) -> Claims:
        """What an access token says. Raises TokenError, Unavailable."""
        ring, now_s = self._ring(), wall_us() // 1_000_000
        known = self._decoded.get(token, mono_ns())
        if known is not None and now_s < known.expires_at_s:
            return known
        claims = tokens.decode(ring, self.config.public_url, token, now_s)
        self._decoded.put(token, claims, mono_ns())
        return claims

    def remembered(self, token: str) -> str | None:
        """What limits count a token by that was good within the last minute, without a check: the
        account of an access token, an API key itself."""
        if is_api_key(token):
            return self.api_keys.remembered(token)
        claims = self._decoded.get(token, mono_ns()) if token else None
        return None if claims is None else claims.account_id

    async def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)
        await self._chains.close()

    async def _grant(self, ring: KeyRing, session: Session, refresh_token: str) -> Grant:
        await self._live.keep(session.id, session.account)
        now_s = wall_us() // 1_000_000
        expires_at_s = now_s + tokens.LIFE_S
        claims = Claims(session.account.id, session.id, secrets.token_hex(16), now_s, expires_at_s)
        access_token = tokens.encode(ring, self.config.public_url, claims)
        return Grant(
            access_token, expires_at_s * 1_000_000, refresh_token, session.account, session.id
        )

    def _ring(self) -> KeyRing:
        if self.config.keys is None:
            raise Unavailable("AUTH_OFF", "this server has no keys to sign tokens with")
        return self.config.keys

    async def work(self, module: str, name: str, *arguments: Any) -> Any:
        """A function of a module in a worker, which imports it: a second that the start of the
        gateway can do without. Raises Unavailable ``AUTH_BUSY``, and what the function raises."""
        if self._waiting >= WAITING_BOUND:
            raise Unavailable("AUTH_BUSY", "too many are signing in now")
        self._waiting += 1
        try:
            async with asyncio.timeout(SIGN_IN_TIMEOUT_S):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._workers, _call, module, name, arguments)
        except TimeoutError:
            raise Unavailable("AUTH_BUSY", "the signature could not be checked in time") from None
        finally:
            self._waiting -= 1


_REFUSALS: Final = {
    "unknown": ("REFRESH_TOKEN_INVALID", "not a refresh token"),
    "expired": ("SESSION_ENDED", "the session was not used for too long"),
    "ended": ("SESSION_ENDED", "the session has ended"),
    "reused": ("REFRESH_TOKEN_REUSED", "used before: the session has been ended"),
}


def _call(module: str, name: str, arguments: tuple[Any, ...]) -> Any:
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function(*arguments)


def _now() -> datetime:
    return instant(wall_us())


def _token_text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _session_id(nonce: str) -> str:
    """The one that a sign-in with this nonce makes."""
    return str(uuid.UUID(bytes=hashlib.sha256(nonce.encode()).digest()[:16], version=4))


def _nonce_unknown() -> AuthError:
    return AuthError("NONCE_UNKNOWN", "the nonce was never given, used, or is too old")


def _sha256(token: str) -> bytes:
    """What a refresh token is kept as. Raises AuthError for what cannot be one."""
    if not _REFRESH_TOKEN.fullmatch(token):
        raise AuthError("REFRESH_TOKEN_INVALID", "not a refresh token")
    return hashlib.sha256(token.encode()).digest()
