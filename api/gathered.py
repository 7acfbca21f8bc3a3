"""Questions to Redis that come together share one trip."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

from redis.exceptions import RedisError

from runtime.redis import CALL_TIMEOUT_S

LOST: Final = (RedisError, OSError, TimeoutError)
"""What ``Gathered.ask`` raises where Redis does not answer in time."""

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Gathered(Generic[_Key, _Value]):
    """What is asked while a trip is under way is asked with the next one: every answer was made
    after its question, and any number of questions costs one connection. ``fetch`` is given how
    many ask for each key and returns in the same order what each of them is told."""

    def __init__(
        self, fetch: Callable[[Mapping[_Key, int]], Awaitable[Sequence[Sequence[_Value]]]]
    ) -> None:
        self._fetch = fetch
        self._asked: dict[_Key, list[asyncio.Future[_Value]]] = {}
        self._trip: asyncio.Task[None] | None = None

    def ask(self, key: _Key) -> "asyncio.Future[_Value]":
        answer: asyncio.Future[_Value] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(answer)
        if self._trip is None or self._trip.done():
            self._trip = asyncio.create_task(self._ask_all())
        return answer

    async def _ask_all(self) -> None:
        """Runs only while something is asked."""
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    found = await self._fetch({key: len(by) for key, by in asked.items()})
            except LOST as error:
                # Those who asked meanwhile would wait for the same in vain.
                late, self._asked = self._asked, {}
                for answer in chain(*asked.values(), *late.values()):
                    if not answer.done():
                        answer.set_exception(error)
                        answer.exception()
            else:
                for answers, values in zip(asked.values(), found, strict=True):
                    for answer, value in zip(answers, values, strict=True):
                        if not answer.done():
                            answer.set_result(value)
