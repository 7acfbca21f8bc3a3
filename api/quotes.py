"""Reads of quotes and of their like straight from Redis: what has no key is not true now."""

from collections.abc import Mapping, Sequence
from typing import Final

from redis.asyncio import Redis

from api.gathered import LOST, Gathered
from api.problems import Unavailable
from api.tape.keys import read_keys
from runtime import metrics
from runtime.channels import quote_key

_HITS: Final = metrics.CACHE_READS.labels(cache="keys", outcome="hit")
_MISSES: Final = metrics.CACHE_READS.labels(cache="keys", outcome="miss")


class QuoteReader:
    """See ``api.gathered`` for how reads share their trips."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keys = Gathered(self._fetch)

    async def read(self, markets: Sequence[str]) -> list[bytes | None]:
        """The envelope of each market as it stands in Redis, None where the key is gone.

        Raises Unavailable ``REDIS_UNAVAILABLE`` after 250 ms at the latest.
        """
        return await self.read_keys([quote_key(market) for market in markets])

    async def read_keys(self, keys: Sequence[str]) -> list[bytes | None]:
        """The same for keys of any kind."""
        answers = [self._keys.ask(key) for key in keys]
        try:
            return [await answer for answer in answers]
        except LOST as error:
            raise Unavailable("REDIS_UNAVAILABLE", "quotes cannot be read now") from error

    async def _fetch(self, asked: Mapping[str, int]) -> Sequence[Sequence[bytes | None]]:
        found = await read_keys(self._redis, list(asked))
        missing = found.count(None)
        _HITS.inc(len(found) - missing)
        _MISSES.inc(missing)
        return [[value] * count for value, count in zip(found, asked.values(), strict=True)]
