"""Whether anybody executes orders, as the group of workers that reads their stream shows it."""

import asyncio
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from api.auth.postgres import transaction
from api.health import Advice, report
from api.problems import Unavailable
from db import order_views
from db.pool import Database
from runtime.channels import ORDERS_DEAD_STREAM, ORDERS_GROUP, ORDERS_STREAM
from runtime.clock import iso_ms, wall_us
from runtime.redis import CALL_TIMEOUT_S

SILENT_MS: Final = 15_000
"""A worker that has not looked for orders for so long is gone, or hangs."""

ABSENT: Final = Advice(
    "no orders are taken; prices, ladders and history are not concerned",
    "start the role, if orders are wanted",
)
AWAY: Final = Advice(
    "what was accepted waits in Postgres and goes on when a worker is back; prices go on",
    "look at the log of the executor; the supervisor starts it again",
)
DISPUTED: Final = Advice(
    "orders whose transactions were sent stay as they are until the nodes of their chain agree",
    "find the node that lies, by a block explorer, and take it out of PERP_RPC_URLS_<chain>",
)


class ExecutorHealth:
    def __init__(self, redis: Redis, database: Database) -> None:
        self._redis = redis
        self._database = database

    async def report(self) -> dict[str, Any]:
        """Raises Unavailable ``REDIS_UNAVAILABLE``: then nobody can tell."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                dead = await self._redis.xlen(ORDERS_DEAD_STREAM)
                workers = await self._redis.xinfo_consumers(ORDERS_STREAM, ORDERS_GROUP)
        except ResponseError:
            # Neither the stream nor the group is made by anybody else.
            none = {"workers": 0, "pending": 0, "dead_letters": 0}
            return report("absent", "no executor has run here", None, ABSENT, **none, held={})
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "Redis cannot say who executes") from error
        held = await self._held()
        idle_ms = sorted(int(worker["idle"]) for worker in workers)
        found = {
            "workers": sum(idle <= SILENT_MS for idle in idle_ms),
            "pending": sum(int(worker["pending"]) for worker in workers),
            "dead_letters": dead,
            "held": held,
        }
        if found["workers"] and held and (disputed := held.get("RECEIPT_DISPUTED")):
            cause = f"nodes do not tell the same of the transactions of {disputed} orders"
            return report("degraded", cause, None, DISPUTED, **found)
        if found["workers"]:
            return report("ok", None, None, AWAY, **found)
        since = iso_ms(wall_us() - idle_ms[0] * 1000) if idle_ms else None
        cause = f"no worker has looked for orders for {SILENT_MS // 1000} s"
        return report("down", cause, since, AWAY, **found)

    async def _held(self) -> dict[str, int] | None:
        """Orders by what they wait for; None while Postgres cannot tell."""
        try:
            async with transaction(self._database) as connection:
                return await order_views.held(connection)
        except Unavailable:
            return None
