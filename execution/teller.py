"""The history of orders into the streams of their accounts: in order, without holes, once.

What was written before a crash and not marked is found in the stream again and not written twice.
"""

from typing import Any, Final

import orjson
from redis.asyncio import Redis

from db import order_telling
from db.instants import instant, microseconds
from db.order_telling import Untold
from db.pool import Database
from runtime import events
from runtime.channels import EVENTS_KEPT
from runtime.clock import iso_ms, wall_us
from runtime.failpoints import reach

BATCH: Final = 50


class Teller:
    """``tell`` raises what Redis and Postgres raise; nothing is marked then."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis
        self._known: dict[str, set[tuple[str, int, str]]] = {}

    async def tell(self) -> int:
        """How many rows of the history were told."""
        try:
            return await self._tell()
        except BaseException:
            # Whether the last one was written is not known.
            self._known.clear()
            raise

    async def _tell(self) -> int:
        async with self._database.acquire() as connection, connection.transaction():
            if not await order_telling.alone(connection):
                self._known.clear()
                return 0
            rows = await order_telling.untold(connection, BATCH)
            for row in rows:
                await self._append(row)
            if rows:
                reach("P12")
                await order_telling.told(connection, rows, instant(wall_us()))
        if len(self._known) > EVENTS_KEPT:
            self._known.clear()
        return len(rows)

    async def _append(self, row: Untold) -> None:
        known = await self._told_before(row.account_id)
        for data in _messages(row):
            name = (row.order_id, row.seq, str(data["kind"]))
            if name not in known:
                await events.append(
                    self._redis, row.account_id, data, received_us=microseconds(row.at)
                )
                known.add(name)

    async def _told_before(self, account_id: str) -> set[tuple[str, int, str]]:
        if account_id not in self._known:
            page = await events.read_after(self._redis, account_id, 0, EVENTS_KEPT)
            found = (orjson.loads(event.body)["data"] for event in page.events)
            self._known[account_id] = {
                (data["order_id"], data["version"], data["kind"])
                for data in found
                if data.get("kind") in ("order", "fill")
            }
        return self._known[account_id]


def _messages(row: Untold) -> list[dict[str, Any]]:
    common = {
        "order_id": row.order_id,
        "version": row.seq,
        "client_order_id": row.client_order_id,
        "market": row.market,
        "venue": row.venue,
        "side": row.side,
        "at": iso_ms(microseconds(row.at)),
    }
    told = [
        {
            "kind": "order",
            **common,
            "type": row.type,
            "from": row.from_state,
            "state": row.to_state,
            "final": row.type == "finalised",
            "size_base": _plain(row.size_base),
        }
    ]
    if row.fill_price is not None:
        told.append(
            {
                "kind": "fill",
                **common,
                "price": _plain(row.fill_price),
                "size_base": _plain(row.fill_size_base),
                "fee_usd": _plain(row.fill_fee_usd),
                "tx_hash": row.fill_tx_hash,
            }
        )
    return told


def _plain(value: Any) -> str | None:
    """In minimal form: ``97013``, not ``97013.00``."""
    if value is None:
        return None
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
