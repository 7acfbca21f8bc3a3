"""Orders for tests of Postgres and Redis, on a database with the schema."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg

from db import accounts, idempotency, orders
from db.migrate import migrate
from db.orders import Answer, NewOrder, Request
from db.pool import Database
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from domain.outcomes import EventPlace, Executed, Mined, Resting
from tests.integration.history_kit import database

NOW: Final = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
FAR: Final = datetime(2999, 1, 1, tzinfo=UTC)
ADDRESS: Final = "0x52908400098527886E0F7030069857D2E4169EE7"
INTENT: Final = OrderIntent(
    MarketId("BTC-USD"), "BUY", "open", "market", notional_usd=Decimal(1000), leverage=Decimal(5)
)
LEG: Final = OrderLeg(
    VenueId("gmx"), 42161, "0x47", "USDC", Decimal("200.5"), Decimal("0.0103"), Decimal(1000),
    Decimal("97000.5"), Decimal("97485.5025"),
)  # fmt: skip
ANSWER: Final = Answer(202, b'{"data":{}}', "/v1/orders/1")
POOL_CLAIM = {"venue": "gmx", "chain_id": 42161, "market": "BTC-USD", "pool": LEG.pool}


def place(block: int, log: int, branch: str = "a") -> EventPlace:
    return EventPlace(42161, block, f"0x{branch}{block}", f"0xt{uuid.uuid4().hex}", log)


def mined() -> Mined:
    return Mined(place(5, -1))


def resting() -> Resting:
    return Resting(place(5, 3), ADDRESS, "key", "market", reduces=False)


def executed() -> Executed:
    return Executed(
        place(7, 4), ADDRESS, "key", Decimal("97001.25"), Decimal("0.0103"), completes=True
    )


@asynccontextmanager
async def schema(dsn: str) -> AsyncIterator[str]:
    async with database(dsn) as url:
        connection = await asyncpg.connect(url)
        await migrate(connection)
        await connection.close()
        yield url


async def account(connection: asyncpg.Connection, chain_id: int = 0) -> str:
    return (await accounts.ensure(connection, ADDRESS, chain_id, NOW)).id


def order(account_id: str, **fields: Any) -> NewOrder:
    given: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "account_id": account_id,
        "client_order_id": None,
        "group_id": str(uuid.uuid4()),
        "quote_id": None,
        "tag": uuid.uuid4().bytes * 2,
        "intent": INTENT,
        "leg": LEG,
        "owner": ADDRESS,
        "signing": "wallet",
        "approval": "exact",
        "allow_reroute": False,
        "deadline": FAR,
    }
    return NewOrder(**(given | fields))


async def accepted(connection: asyncpg.Connection, **fields: Any) -> NewOrder:
    """A new order under a key of its own."""
    new = order(await account(connection), **fields)
    assert await accept(connection, new, Request(new.id, b"\x01" * 32)) == ANSWER
    return new


async def accept(
    connection: asyncpg.Connection, new: NewOrder, request: Request, answer: Answer = ANSWER
) -> Answer:
    """As the gateway does: the answer that the key has from now on."""
    async with connection.transaction():
        known = await idempotency.begin(connection, new.account_id, request)
        if known is not None:
            return known
        await orders.add(connection, new, NOW)
        await idempotency.keep(connection, new.account_id, request, answer, NOW)
        return answer


@asynccontextmanager
async def pool_of(url: str) -> AsyncIterator[Database]:
    pool = Database(url)
    try:
        yield pool
    finally:
        await pool.close()


SHORT: Final = timedelta(milliseconds=1)
LONG: Final = timedelta(seconds=60)
