"""Reads of quotes and of their like straight from Redis: what has no key is not true now."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.problems import Unavailable
from api.tape.keys import read_keys
from runtime import metrics
from runtime.channels import quote_key
from runtime.redis import CALL_TIMEOUT_S

_HITS: Final = metrics.CACHE_READS.labels(cache="keys", outcome="hit")
_MISSES: Final = metrics.CACHE_READS.labels(cache="keys", outcome="miss")


class QuoteReader:
    """Reads asked for while another is under way share the next one: every answer was read after
    its question, and any number of questions costs one connection."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: dict[str, list[asyncio.Future[bytes | None]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def read(self, markets: Sequence[str]) -> list[bytes | None]:
        """The envelope of each market as it stands in Redis, None where the key is gone.

        Raises Unavailable ``REDIS_UNAVAILABLE`` after 250 ms at the latest.
        """
        return await self.read_keys([quote_key(market) for market in markets])

    async def read_keys(self, keys: Sequence[str]) -> list[bytes | None]:
        """The same for keys of any kind."""
        answers = [self._ask(key) for key in keys]
        try:
            return [await answer for answer in answers]
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "quotes cannot be read now") from error

    def _ask(self, key: str) -> "asyncio.Future[bytes | None]":
        answer = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(answer)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        return answer

    async def _read_all(self) -> None:
        """Runs only while something is asked."""
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    found = await read_keys(self._redis, list(asked))
            except (RedisError, OSError, TimeoutError) as error:
                # Those who asked meanwhile would wait for the same in vain.
                late, self._asked = self._asked, {}
                for answer in chain(*asked.values(), *late.values()):
                    if not answer.done():
                        answer.set_exception(error)
                        answer.exception()
            else:
                for waiting, value in zip(asked.values(), found, strict=True):
                    for answer in waiting:
                        if not answer.done():
                            answer.set_result(value)
                missing = found.count(None)
                _HITS.inc(len(found) - missing)
                _MISSES.inc(missing)
