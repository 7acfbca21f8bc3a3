"""The lease of the one feed that writes: who holds it, until when, in which epoch."""

import asyncio
import contextlib
import secrets
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from runtime import channels
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger

RENEW_S: Final = 0.3
RETRY_S: Final = 0.1

# Extends the lease if it is still ours: nobody else may have taken it in between.
_RENEW: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_log = get_logger(__name__)


class Lease:
    """Of this process. Methods raise what Redis raises unless they say otherwise."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._identity = secrets.token_hex(8)
        self._until_ns = 0

    def is_held(self, now_ns: int) -> bool:
        return now_ns < self._until_ns

    async def take(self, epoch: int) -> int:
        """Waits until the lease is held. Returns ``epoch`` if it had not lapsed since that, and
        else a new one, higher than every one before, so that sequence numbers never fall and
        readers can tell. 0: there was none."""
        waiting = False
        while True:
            asked_ns = mono_ns()
            if epoch and await self._renew():
                return epoch
            if await self._client.set(
                channels.FEED_LEADER, self._identity, nx=True, px=channels.LEASE_MS
            ):
                break
            if not waiting:
                waiting = True
                _log.info("feed_stands_by", why="another feed holds the lease")
            await asyncio.sleep(RETRY_S)
        self._until_ns = asked_ns + channels.LEASE_MS * 1_000_000
        last = int(await self._client.get(channels.FEED_EPOCH) or 0)
        new = max(wall_us() // 1_000_000, last + 1, epoch + 1)
        await self._client.set(channels.FEED_EPOCH, new)
        return new

    async def keep(self) -> None:
        """Renews it for ever. Raises nothing."""
        while True:
            await asyncio.sleep(RENEW_S)
            # A failing Redis ends the lease by its own time; the writer notices first anyway.
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                if not await self._renew():
                    self._until_ns = 0

    async def release(self) -> None:
        """Gives it back, so that a successor need not wait for it to run out. Raises nothing."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            release = self._client.register_script(_RELEASE)
            await release(keys=[channels.FEED_LEADER], args=[self._identity])

    async def _renew(self) -> bool:
        asked_ns = mono_ns()
        renew = self._client.register_script(_RENEW)
        kept = await renew(keys=[channels.FEED_LEADER], args=[self._identity, channels.LEASE_MS])
        if kept:
            self._until_ns = asked_ns + channels.LEASE_MS * 1_000_000
        return bool(kept)
