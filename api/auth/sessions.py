"""Who a session is of: from memory for a second, else from Redis, else from Postgres."""

import asyncio
import contextlib
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.auth.postgres import transaction
from api.problems import Unavailable
from db import sessions
from db.accounts import Account
from db.instants import instant
from db.pool import Database
from runtime import metrics
from runtime.channels import SESSION_TTL_S, SESSIONS_ENDED, SESSIONS_ENDED_KEPT, session_key
from runtime.clock import mono_ns, wall_us
from runtime.redis import CALL_TIMEOUT_S

MEMORY_S: Final = 1.0
"""How long a session that ended at another gateway is taken here."""
MEMORY_BOUND: Final = 10_000

# Does not bring back what ended meanwhile.
_KEEP: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'account_id', ARGV[2], 'address', ARGV[3], 'chain_id', ARGV[4])
    redis.call('EXPIRE', KEYS[1], ARGV[1])
end
"""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memory(Generic[Key, Value]):
    """The newest ``bound`` things, each for ``life_s``."""

    def __init__(self, name: str, life_s: float, bound: int = MEMORY_BOUND) -> None:
        self._hits = metrics.CACHE_READS.labels(cache=name, outcome="hit")
        self._misses = metrics.CACHE_READS.labels(cache=name, outcome="miss")
        self._life_ns = int(life_s * 1e9)
        self._bound = bound
        self._kept: OrderedDict[Key, tuple[int, Value]] = OrderedDict()

    def get(self, key: Key, now_ns: int) -> Value | None:
        until_ns, value = self._kept.get(key, (0, None))
        found = value if now_ns < until_ns else None
        (self._misses if found is None else self._hits).inc()
        return found

    def put(self, key: Key, value: Value, now_ns: int) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (now_ns + self._life_ns, value)
        if len(self._kept) > self._bound:
            self._kept.popitem(last=False)

    def drop(self, key: Key) -> None:
        self._kept.pop(key, None)

    def clear(self) -> None:
        self._kept.clear()


class LiveSessions:
    def __init__(self, redis: Redis, database: Database) -> None:
        self._redis = redis
        self._database = database
        self._memory: Memory[str, Account] = Memory("sessions", MEMORY_S)
        self._asking: dict[str, asyncio.Task[Account | None]] = {}

    async def account(self, session_id: str) -> Account | None:
        """The account of a session that lives, else None; Redis keeps it for another day.

        Raises Unavailable ``DATABASE_UNAVAILABLE`` when neither Redis nor Postgres can say.
        """
        known = self._memory.get(session_id, mono_ns())
        if known is not None:
            return known
        asking = self._asking.get(session_id)
        if asking is None:
            asking = asyncio.create_task(self._ask(session_id))
            self._asking[session_id] = asking
            asking.add_done_callback(lambda done: self._asking.pop(session_id))
        # Who leaves does not take the answer from the others.
        return await asyncio.shield(asking)

    async def _ask(self, session_id: str) -> Account | None:
        """Once for all requests of a session that come together."""
        fields = await self._in_redis(session_id)
        if b"ended" in fields:
            return None
        if b"account_id" in fields:
            account = Account(
                fields[b"account_id"].decode(),
                fields[b"address"].decode(),
                int(fields[b"chain_id"]),
            )
        else:
            found = await self._in_postgres(session_id)
            if found is None:
                return None
            account = found
            await self.keep(session_id, account)
        self._memory.put(session_id, account, mono_ns())
        return account

    async def keep(self, session_id: str, account: Account) -> None:
        """Into Redis, unless it has ended. Without Redis, Postgres is asked the next time."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._redis.eval(
                    _KEEP, 1, session_key(session_id), str(SESSION_TTL_S), *map(str, account)
                )

    async def end(self, session_id: str) -> None:
        """For one that has ended in Postgres: forgotten here, marked in Redis so that nobody puts
        it back, and told to all gateways. Raises Unavailable ``REDIS_UNAVAILABLE``."""
        self._memory.drop(session_id)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S), self._redis.pipeline() as pipeline:
                key = session_key(session_id)
                pipeline.delete(key)
                pipeline.hset(key, "ended", "1")
                pipeline.expire(key, SESSION_TTL_S)
                pipeline.xadd(SESSIONS_ENDED, {"id": session_id}, maxlen=SESSIONS_ENDED_KEPT)
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "the session cannot be ended now") from error

    async def _in_redis(self, session_id: str) -> dict[bytes, bytes]:
        try:
            async with (
                asyncio.timeout(CALL_TIMEOUT_S),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                key = session_key(session_id)
                pipeline.hgetall(key)
                pipeline.expire(key, SESSION_TTL_S)
                fields: dict[bytes, bytes] = (await pipeline.execute())[0]
                return fields
        except (RedisError, OSError, TimeoutError):
            return {}

    async def _in_postgres(self, session_id: str) -> Account | None:
        async with transaction(self._database) as connection:
            found = await sessions.find(connection, session_id, instant(wall_us()))
        return None if found is None else found.account
