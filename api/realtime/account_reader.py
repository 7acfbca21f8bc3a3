"""Reads the streams of all accounts that have sockets here, over one connection."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis.exceptions import RedisError

from api.realtime.account_room import AccountRoom
from runtime import events
from runtime.channels import SESSIONS_ENDED, events_key
from runtime.logs import get_logger
from runtime.redis import cause_of, subscriber_client
from runtime.tasks import Backoff

BLOCK_MS: Final = 250
"""So long a new account may wait to be read along."""
ANSWER_S: Final = 1.0
"""An answer this late means that the connection is lost."""
COUNT: Final = 100
PAUSE_PER_STREAM_S: Final = 0.00001
"""Every read names all streams again: of many, a moment's events are read together."""

_log = get_logger(__name__)


class AccountReader:
    """``rooms`` by account id may change at any time; ``on_end`` is called with every session that
    was ended anywhere."""

    def __init__(
        self, redis_url: str, rooms: Mapping[str, AccountRoom], on_end: Callable[[str], None]
    ) -> None:
        self._redis = subscriber_client(redis_url)
        self._rooms = rooms
        self._on_end = on_end
        self._ended_id = "0-0"
        self._trouble: str | None = None

    async def run(self) -> None:
        backoff = Backoff(0.05, 1.0)
        while True:
            try:
                await self._check()
                while True:
                    await self._turn()
                    backoff.reset()
            except (RedisError, OSError, TimeoutError) as error:
                if cause_of(error) != self._trouble:
                    self._trouble = cause_of(error)
                    _log.warning("accounts_lost", error=self._trouble)
                await self._redis.connection_pool.disconnect()
                await asyncio.sleep(backoff.next_s())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _check(self) -> None:
        """A server that was away may have forgotten what it said last."""
        placed = [room for room in self._rooms.values() if room.position is not None]
        async with asyncio.timeout(ANSWER_S):
            newest = await events.read_newest(self._redis, [room.account_id for room in placed])
        for room, seq in zip(placed, newest, strict=True):
            room.check(seq)
        self._trouble = None
        _log.info("accounts_followed", accounts=len(placed))

    async def _turn(self) -> None:
        await self._place()
        by_key = {
            events_key(name).encode(): room
            for name, room in self._rooms.items()
            if room.position is not None
        }
        streams: dict[Any, Any] = {key: f"{room.position}-0" for key, room in by_key.items()}
        streams[SESSIONS_ENDED.encode()] = self._ended_id
        async with asyncio.timeout(BLOCK_MS / 1000 + ANSWER_S):
            answer: Any = await self._redis.xread(streams, count=COUNT, block=BLOCK_MS)
        for key, entries in answer:
            if key in by_key:
                for event in events.decode(entries):
                    by_key[key].accept(event)
                continue
            for id_, fields in entries:
                self._ended_id = id_.decode()
                self._on_end(fields[b"id"].decode())
        if answer:
            await asyncio.sleep(len(streams) * PAUSE_PER_STREAM_S)

    async def _place(self) -> None:
        new = [room for room in self._rooms.values() if room.position is None]
        if new:
            async with asyncio.timeout(ANSWER_S):
                newest = await events.read_newest(self._redis, [room.account_id for room in new])
            for room, seq in zip(new, newest, strict=True):
                room.place(seq)
