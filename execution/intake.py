"""The consumer group of the order stream: read, take over, acknowledge.

Who may work on an order a lease in Postgres decides, not this: an entry may come twice, or to two
workers. What is here makes sure that it comes at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from runtime.channels import ORDERS_DEAD_STREAM, ORDERS_GROUP, ORDERS_STREAM
from runtime.redis import CALL_TIMEOUT_S

CLAIM_IDLE_MS: Final = 15_000
"""Longer than the slowest handler: it renews its lease, but not its place here."""
MAX_DELIVERIES: Final = 5


class Delivery(NamedTuple):
    """``deliveries``: how often it was handed out, this time included."""

    entry_id: str
    order_id: str
    version: int
    deliveries: int


class Claimed(NamedTuple):
    """``gone``: entries that were deleted while somebody had them; Postgres tells their orders
    again."""

    deliveries: list[Delivery]
    gone: int


class Intake:
    """``consumer``: a name of this worker alone. Methods raise RedisError, OSError, TimeoutError;
    nothing is lost then."""

    def __init__(self, redis: Redis, consumer: str, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        self._redis = redis
        self._consumer = consumer
        self._claim_idle_ms = claim_idle_ms

    async def prepare(self) -> None:
        """The group, from the first entry on: a stream that came back empty is filled again."""
        try:
            await self._redis.xgroup_create(ORDERS_STREAM, ORDERS_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int, block_ms: int) -> list[Delivery]:
        """New entries; waits for one at most so long, 1 or more."""
        found = await self._grouped(
            lambda: self._redis.xreadgroup(
                ORDERS_GROUP, self._consumer, {ORDERS_STREAM: ">"}, count, block_ms
            ),
            block_ms / 1000,
        )
        # A dict from RESP3, pairs from RESP2.
        streams = found.values() if isinstance(found, dict) else [pair[1] for pair in found]
        return await self._deliveries([row for rows in streams for row in _flat(rows)], {})

    async def claim(self, count: int) -> Claimed:
        """Entries that whoever has them left alone for too long.

        By id, because that is the same on every server: what Redis 6.2 answers to XAUTOCLAIM for a
        deleted entry does not say which it was, and it stays pending.
        """
        pending = await self._grouped(
            lambda: self._redis.xpending_range(
                ORDERS_STREAM, ORDERS_GROUP, "-", "+", count, idle=self._claim_idle_ms
            )
        )
        times = {row["message_id"].decode(): int(row["times_delivered"]) for row in pending}
        if not times:
            return Claimed([], 0)
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await self._redis.xclaim(
                ORDERS_STREAM, ORDERS_GROUP, self._consumer, self._claim_idle_ms, list(times)
            )
        # Redis 6.2 says (None, None) for a deleted entry, later ones leave it out.
        entries = _flat(found)
        missing = times.keys() - {entry_id.decode() for entry_id, _ in entries}
        gone = [entry_id for entry_id in sorted(missing) if not await self._exists(entry_id)]
        if gone:
            await self.acknowledge(gone)
        return Claimed(await self._deliveries(entries, times), len(gone))

    async def acknowledge(self, entry_ids: Sequence[str]) -> None:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._redis.xack(ORDERS_STREAM, ORDERS_GROUP, *entry_ids)

    async def trim(self) -> None:
        """Forgets what nobody has to read any more: all below the oldest entry that is not
        acknowledged. Never by length, which would take entries away from who has them."""
        pending = await self._grouped(lambda: self._redis.xpending(ORDERS_STREAM, ORDERS_GROUP))
        oldest = pending["min"]
        async with asyncio.timeout(CALL_TIMEOUT_S):
            if oldest is None:
                groups = await self._redis.xinfo_groups(ORDERS_STREAM)
                [oldest] = [
                    group["last-delivered-id"]
                    for group in groups
                    if group["name"] == ORDERS_GROUP.encode()
                ]
            await self._redis.xtrim(ORDERS_STREAM, minid=oldest, approximate=False)

    async def tell_dead(self, letter: int, order_id: str, code: str) -> None:
        """For whoever watches: the letter itself is in Postgres."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._redis.xadd(
                ORDERS_DEAD_STREAM, {"letter": letter, "order": order_id, "code": code}
            )

    async def _grouped(self, ask: Callable[[], Awaitable[Any]], blocks_s: float = 0.0) -> Any:
        """Makes the group where the server has forgotten it, and asks again."""
        limit_s = blocks_s + CALL_TIMEOUT_S
        try:
            async with asyncio.timeout(limit_s):
                return await ask()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        async with asyncio.timeout(limit_s):
            await self.prepare()
            return await ask()

    async def _exists(self, entry_id: str) -> bool:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return bool(await self._redis.xrange(ORDERS_STREAM, entry_id, entry_id))

    async def _deliveries(
        self, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]], times: Mapping[str, int]
    ) -> list[Delivery]:
        """An entry that cannot be read is acknowledged away: the order that it may mean is not
        done, and told again."""
        found, strange = [], []
        for raw_id, fields in entries:
            entry_id = raw_id.decode()
            try:
                order_id = str(UUID(fields[b"order"].decode()))
                version = int(fields[b"version"])
            except (KeyError, ValueError):
                strange.append(entry_id)
            else:
                found.append(Delivery(entry_id, order_id, version, times.get(entry_id, 0) + 1))
        if strange:
            await self.acknowledge(strange)
        return found


def _flat(rows: Sequence[Any]) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
    """Without entries that were deleted while they were handed out."""
    return [(row[0], row[1]) for row in rows if row and row[0] is not None and row[1] is not None]
