"""Wallets of other chains: asked for a signature, linked, unlinked."""

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.auth import dydx_link, nonces
from api.auth.postgres import transaction
from api.auth.service import Auth
from api.problems import Invalid, Issue, Unavailable
from db import wallets
from db.accounts import Account
from db.instants import instant
from db.pool import Database
from db.wallets import Wallet
from domain import bech32
from domain.errors import InputError
from runtime.channels import NONCE_TTL_S, link_key
from runtime.clock import iso_ms, wall_us
from runtime.logs import get_logger
from runtime.redis import CALL_TIMEOUT_S

DYDX: Final = "dydx"
_ADDRESS_BYTES: Final = 20

Found = TypeVar("Found")
_log = get_logger(__name__)


class LinkError(InputError):
    """The proof is not good enough. ``issues`` say why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__("LINK_REFUSED", issue.message)
        self.issues = [issue]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a nonce was given for."""

    account_id: str
    address: str
    text: str


@dataclass(frozen=True, slots=True)
class LinkChallenge:
    """``text``: what a wallet shows; ``document``: the bytes whose SHA-256 is signed."""

    nonce: str
    text: str
    document: bytes
    expires_us: int


class Links:
    def __init__(self, redis: Redis, database: Database, auth: Auth) -> None:
        self._redis = redis
        self._database = database
        self._auth = auth

    async def challenge(self, account: Account, address: str) -> LinkChallenge:
        """Raises Invalid, Unavailable ``REDIS_UNAVAILABLE``."""
        _require_address(address)
        nonce = secrets.token_hex(nonces.BYTES)
        expires_us = wall_us() + NONCE_TTL_S * 1_000_000
        text = (
            f"{self._auth.config.domain} wants to link {address} to the account of"
            f" {account.address}.\n\nThis costs nothing and moves no funds.\n\n"
            f"Nonce: {nonce}\nExpires: {iso_ms(expires_us)}"
        )
        asked = orjson.dumps(asdict(Asked(account.id, address, text)))
        await self._in_redis(self._redis.set(link_key(nonce), asked, ex=NONCE_TTL_S))
        return LinkChallenge(nonce, text, dydx_link.sign_doc(address, text), expires_us)

    async def link(
        self, account: Account, nonce: str, address: str, public_key: bytes, signature: bytes
    ) -> Wallet:
        """The nonce is used up whatever comes of it. Raises LinkError, InputError
        ``TOO_MANY_WALLETS``, Unavailable."""
        stored = await self._in_redis(self._redis.getdel(link_key(nonce)))
        asked = None if stored is None else Asked(**orjson.loads(stored))
        if asked is None or asked.account_id != account.id:
            raise LinkError(
                Issue("body.nonce", "NONCE_UNKNOWN", "never given, used, too old, or of another")
            )
        if asked.address != address:
            raise LinkError(
                Issue("body.address", "ADDRESS_MISMATCH", "the nonce is of another address")
            )
        proof = address, asked.text, public_key, signature
        try:
            await self._auth.work("api.auth.dydx_link", "verify", *proof)
        except dydx_link.LinkRefused as refused:
            issue = Issue(f"body.{refused.path}", refused.code, refused.message)
            raise LinkError(issue) from None
        wallet = Wallet(DYDX, address, public_key, instant(wall_us()))
        async with transaction(self._database) as connection:
            linked = await wallets.link(connection, account.id, wallet)
        if not linked:
            raise InputError("TOO_MANY_WALLETS", f"an account can have {wallets.BOUND}")
        _log.info("wallet_linked", account_id=account.id, venue=DYDX, address=address)
        return wallet

    async def of_account(self, account: Account) -> Sequence[Wallet]:
        """Raises Unavailable."""
        async with transaction(self._database) as connection:
            return await wallets.of_account(connection, account.id)

    async def unlink(self, account: Account, address: str) -> None:
        """Raises InputError ``NOT_FOUND``, Unavailable."""
        async with transaction(self._database) as connection:
            known = await wallets.unlink(connection, account.id, DYDX, address)
        if not known:
            raise InputError("NOT_FOUND", "there is no such wallet")
        _log.info("wallet_unlinked", account_id=account.id, venue=DYDX, address=address)

    async def _in_redis(self, call: Awaitable[Found]) -> Found:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "no wallet can be linked now") from error


def _require_address(address: str) -> None:
    """Raises Invalid."""
    try:
        good = len(bech32.decode(dydx_link.PREFIX, address)) == _ADDRESS_BYTES
    except InputError:
        good = False
    if not good:
        raise Invalid([Issue("body.address", "NO_ADDRESS", "expected dydx1 and 38 characters")])
