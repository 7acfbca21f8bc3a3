"""Redis clients. A frozen server must cost 250 ms, not minutes: no client retries by itself."""

from typing import Any, Final, cast

import redis.asyncio as aioredis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from runtime.breaker import Breaker
from runtime.guard import Guard

CALL_TIMEOUT_S: Final = 0.25
_ANSWER_S: Final = 0.2
"""Of a guarded call, all in all: who gives it ``CALL_TIMEOUT_S`` learns why it failed."""
_FAILURES: Final = 2
_REST_NS: Final = 250_000_000
_SILENCE: Final = (RedisTimeoutError, TimeoutError)
_LOST: Final = (RedisConnectionError, OSError, *_SILENCE)


def fast_client(url: str) -> "aioredis.Redis":
    """For calls that must answer or fail within 250 ms."""
    return aioredis.Redis.from_url(url, **_options(CALL_TIMEOUT_S))


def guarded_client(url: str) -> "GuardedRedis":
    """A fast one that many use at once: while the server does not answer, all but one call in a
    while fail at once, with ``Resting``."""
    client = cast(GuardedRedis, GuardedRedis.from_url(url, **_options(_ANSWER_S)))
    client.guard = Guard("redis", Breaker(_FAILURES, _REST_NS), _LOST, _SILENCE, _ANSWER_S)
    return client


def subscriber_client(url: str) -> "aioredis.Redis":
    """For pub/sub: waits without limit between messages, so liveness is the caller's to watch."""
    return aioredis.Redis.from_url(url, **_options(CALL_TIMEOUT_S) | {"socket_timeout": None})


def _options(timeout_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }


class GuardedRedis(aioredis.Redis):
    guard: Guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with self.guard.call():
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipeline = _GuardedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        pipeline.guard = self.guard
        return pipeline


class _GuardedPipeline(Pipeline):
    guard: Guard

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        async with self.guard.call():
            return await super().execute(raise_on_error)


def cause_of(error: BaseException) -> str:
    """What went wrong in one line: what the server said (``MISCONF .. No space left``), or why it
    could not be reached."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:200]
