"""Redis clients. A frozen server must cost 250 ms, not minutes: no client retries by itself."""

from typing import Final

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CALL_TIMEOUT_S: Final = 0.25


def fast_client(url: str) -> "aioredis.Redis":
    """For calls that must answer or fail within 250 ms."""
    return aioredis.Redis.from_url(
        url,
        socket_timeout=CALL_TIMEOUT_S,
        socket_connect_timeout=CALL_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
    )


def subscriber_client(url: str) -> "aioredis.Redis":
    """For pub/sub: waits without limit between messages, so liveness is the caller's to watch."""
    return aioredis.Redis.from_url(
        url,
        socket_timeout=None,
        socket_connect_timeout=CALL_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
    )


def cause_of(error: BaseException) -> str:
    """What went wrong in one line: what the server said (``MISCONF .. No space left``), or why it
    could not be reached."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:200]
