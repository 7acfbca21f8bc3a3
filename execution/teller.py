"""The history of orders into the streams of their accounts: in order, without holes, once.

What was written before a crash and not marked is found in the stream again and not written twice.
Who stood still meanwhile writes behind what it knows, or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Known:
    """What the stream of an account has up to ``newest``, its last ``seq``."""

    newest: int
    told: set[tuple[str, int, str]]


class Teller:
    """``tell`` raises what Redis and Postgres raise, and ConnectionError when another one tells as
    well; nothing is marked then."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis
        self._known: dict[str, _Known] = {}

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
                return 0
            rows = await order_telling.untold(connection, BATCH)
            await self._look(sorted({row.account_id for row in rows}))
            for row in rows:
                await self._append(row)
            if rows:
                reach("P12")
                await order_telling.told(connection, rows, instant(wall_us()))
        if len(self._known) > EVENTS_KEPT:
            self._known.clear()
        return len(rows)

    async def _append(self, row: Untold) -> None:
        known = self._known[row.account_id]
        for data in _messages(row):
            name = (row.order_id, row.seq, str(data["kind"]))
            if name in known.told:
                continue
            at_us = microseconds(row.at)
            seq = await events.append(
                self._redis, row.account_id, data, received_us=at_us, after=known.newest
            )
            if not seq:
                raise ConnectionError("another one tells the account")
            known.newest = seq
            known.told.add(name)

    async def _look(self, account_ids: Sequence[str]) -> None:
        """Reads the streams that another one has written to since: it may have died before it
        marked what it told."""
        if not account_ids:
            return
        newest = await events.read_newest(self._redis, account_ids)
        for account_id, seq in zip(account_ids, newest, strict=True):
            known = self._known.get(account_id)
            if known is None or known.newest != seq:
                page = await events.read_after(self._redis, account_id, 0, EVENTS_KEPT)
                self._known[account_id] = _Known(page.newest, _told_by(page))


def _told_by(page: events.Page) -> set[tuple[str, int, str]]:
    found = (orjson.loads(event.body)["data"] for event in page.events)
    return {
        (data["order_id"], data["version"], data["kind"])
        for data in found
        if data.get("kind") in ("order", "fill")
    }


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
