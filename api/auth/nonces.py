"""Nonces of sign-in messages: kept in Redis, taken once."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Final

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.problems import Unavailable
from runtime.channels import NONCE_TTL_S, nonce_key
from runtime.redis import CALL_TIMEOUT_S

BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Binding:
    """What a nonce was given for."""

    address: str
    chain_id: int
    domain: str
    uri: str


async def keep(redis: Redis, nonce: str, binding: Binding) -> None:
    """Raises Unavailable ``REDIS_UNAVAILABLE``: there is no sign-in without Redis."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await redis.set(nonce_key(nonce), orjson.dumps(asdict(binding)), ex=NONCE_TTL_S)
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("REDIS_UNAVAILABLE", "nobody can sign in now") from error


async def take(redis: Redis, nonce: str) -> Binding | None:
    """What the nonce was given for, once; None for one that is unknown, used or too old.

    Raises Unavailable ``REDIS_UNAVAILABLE``; the nonce may be gone then.
    """
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await redis.getdel(nonce_key(nonce))
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("REDIS_UNAVAILABLE", "nobody can sign in now") from error
    return None if found is None else Binding(**orjson.loads(found))
