"""Reading keys of Redis as bytes."""

from collections.abc import Sequence
from typing import cast

from redis.asyncio import Redis


async def read_keys(redis: Redis, names: Sequence[str]) -> list[bytes | None]:
    """The value of each key, None where it is gone. ``names`` is not empty."""
    return cast(list[bytes | None], await redis.mget(names))
