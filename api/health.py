"""What works and what does not, since when and why. One line in the log per change."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.problems import Issue
from db.pool import Database
from runtime.channels import BEAT_LOST_MS
from runtime.clock import iso_ms, mono_ns, wall_us
from runtime.logs import get_logger
from runtime.redis import CALL_TIMEOUT_S, cause_of
from runtime.watchdog import LoopWatch

PROBE_S: Final = 0.4
PROBE_AGAIN_S: Final = 0.1
"""After a failure: who does not answer is known within a second."""
PROBE_LIMIT_S: Final = 2.0
EXPIRY_NS: Final = 3_000_000_000
"""A result this old is none: whoever probes has been held up."""

_FAILURES: Final = (
    RedisError,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

Loop = Coroutine[Any, Any, None]

_log = get_logger(__name__)


class Advice(NamedTuple):
    """For people: what suffers while a part is away, and what to do about it."""

    impact: str
    action: str


REDIS: Final = Advice(
    "no quotes, no sign-in, rooms are stale; who is signed in stays so",
    "look at the log of Redis, its disk and its memory; all goes on by itself when it answers",
)
POSTGRES: Final = Advice(
    "no sign-in, no history, nothing is accepted that has to be stored; prices go on",
    "look at the log of Postgres, its disk and its locks; all goes on by itself when it answers",
)
FEED: Final = Advice(
    "no prices: every room is stale",
    "look at the log of the feed; the supervisor starts it again",
)
VENUES: Final = Advice(
    "markets that only these venues have are without a price; others are priced by the rest",
    "docs/operations.md explains every reason; the venue's status page says more",
)


@dataclass(slots=True)
class Part:
    """One thing this role needs. ``cause``: why it does not work, None while it does."""

    name: str
    code: str
    advice: Advice
    cause: str | None = "not checked yet"
    since_us: int = 0
    checked_ns: int | None = None

    def note(self, cause: str | None) -> None:
        self.checked_ns = mono_ns()
        if (cause is None) != (self.cause is None) or not self.since_us:
            self.since_us = wall_us()
            log = _log.info if cause is None else _log.warning
            log("health_changed", part=self.name, cause=cause)
        self.cause = cause

    @property
    def trouble(self) -> str | None:
        """Why it cannot be relied on now."""
        if self.checked_ns is not None and mono_ns() - self.checked_ns > EXPIRY_NS:
            return "the last check is too old: the process was held up"
        return self.cause

    def report(self) -> dict[str, Any]:
        trouble = self.trouble
        since = iso_ms(self.since_us) if self.since_us else None
        return report("ok" if trouble is None else "down", trouble, since, self.advice)

    def issues(self) -> list[Issue]:
        trouble = self.trouble
        return [] if trouble is None else [Issue(self.name, self.code, trouble)]


def report(
    status: str, cause: str | None, since: str | None, advice: Advice, **more: Any
) -> dict[str, Any]:
    """What is said of a part. There is nothing to advise while all is well."""
    well = cause is None
    return {
        "status": status,
        "cause": cause,
        "since": since,
        "impact": None if well else advice.impact,
        "action": None if well else advice.action,
        **more,
    }


class Health:
    """Probes Redis and Postgres. ``beat``: seconds since the feed's last sign of life."""

    def __init__(self, redis: Redis, database: Database, beat: Callable[[], float | None]) -> None:
        self.redis = Part("redis", "REDIS_UNAVAILABLE", REDIS)
        self.postgres = Part("postgres", "DATABASE_UNAVAILABLE", POSTGRES)
        self.feed = Part("feed", "FEED_UNAVAILABLE", FEED)
        self.stopping = False
        self._watch = LoopWatch()
        self._redis = redis
        self._database = database
        self._beat = beat

    def loops(self) -> list[Loop]:
        """To be run for ever."""
        return [
            _probe(self.redis, self._ping_redis),
            _probe(self.postgres, self._database.ping),
            self._watch_feed(),
            self._watch.run(),
        ]

    def missing(self) -> list[Issue]:
        """What stands against serving requests. Venues and the feed do not."""
        issues = self.redis.issues() + self.postgres.issues()
        if (blocked := self._watch.trouble) is not None:
            issues.append(Issue("gateway", "LOOP_BLOCKED", blocked))
        if self.stopping:
            issues.append(Issue("gateway", "STOPPING", "the gateway is stopping"))
        return issues

    @property
    def beat_age_ms(self) -> int | None:
        """Since the feed's last sign of life; None when there was none yet."""
        age_s = self._beat()
        return None if age_s is None else round(age_s * 1000)

    async def _ping_redis(self) -> None:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._redis.ping()

    async def _watch_feed(self) -> None:
        while True:
            age_ms = self.beat_age_ms
            if age_ms is None:
                self.feed.note("no beat since this gateway started")
            else:
                late = age_ms > BEAT_LOST_MS
                self.feed.note(f"no beat for over {BEAT_LOST_MS} ms" if late else None)
            await asyncio.sleep(PROBE_S)


async def _probe(part: Part, ping: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            async with asyncio.timeout(PROBE_LIMIT_S):
                await ping()
        except _FAILURES as error:
            part.note(cause_of(error))
            await asyncio.sleep(PROBE_AGAIN_S)
        else:
            part.note(None)
            await asyncio.sleep(PROBE_S)
