"""Quote reads straight from Redis: what the key does not hold is no quote."""

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.problems import Unavailable
from api.tape.keys import read_keys
from runtime.channels import quote_key
from runtime.redis import CALL_TIMEOUT_S


class QuoteReader:
    """Reads asked for while another is under way share the next one: every answer was read after
    its question, and any number of questions costs one connection."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: dict[str, asyncio.Future[bytes | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def read(self, markets: Sequence[str]) -> list[bytes | None]:
        """The envelope of each market as it stands in Redis, None where the key is gone.

        Raises Unavailable ``REDIS_UNAVAILABLE`` after 250 ms at the latest.
        """
        answers = [self._ask(market) for market in markets]
        if not answers:
            return []
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await asyncio.wait(answers)
            return [answer.result() for answer in answers]
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "quotes cannot be read now") from error

    def _ask(self, market: str) -> "asyncio.Future[bytes | None]":
        if market not in self._asked:
            self._asked[market] = asyncio.get_running_loop().create_future()
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read_all())
        return self._asked[market]

    async def _read_all(self) -> None:
        """Runs only while something is asked."""
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    found = await read_keys(self._redis, [quote_key(m) for m in asked])
            except (RedisError, OSError, TimeoutError) as error:
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()
            else:
                for answer, value in zip(asked.values(), found, strict=True):
                    answer.set_result(value)
