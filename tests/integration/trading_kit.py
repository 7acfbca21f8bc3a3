"""Somebody who is signed in and trades, for tests of orders through the gateway."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import asyncpg
import httpx

from db import guarded_quotes, order_steps
from db.guarded_quotes import GuardedQuote, QuotedLeg
from db.instants import instant
from db.order_steps import NewStep
from domain.orders import OrderIntent, OrderLeg
from execution.lifecycle import Step
from execution.store import record
from runtime.clock import wall_us
from runtime.sealing import Seal
from tests.integration.auth_kit import Wallet
from tests.integration.gateway_kit import Rig
from tests.integration.orders_kit import INTENT, LEG

PATH = "/v1/orders"
SEAL = Seal(b"\x05" * 32)
CLOSE = replace(INTENT, intent="close", side="SELL", notional_usd=None, leverage=None)
DYDX = replace(LEG, venue="dydx", chain_id="dydx-mainnet-1")
SECOND = timedelta(seconds=1)


@dataclass
class Trader:
    """Signed in, with a quote of its own whenever one is wanted."""

    http: httpx.AsyncClient
    database_url: str
    wallet: Wallet
    account_id: str
    headers: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        found = await asyncpg.connect(self.database_url)
        try:
            yield found
        finally:
            await found.close()

    async def quote(
        self, intent: OrderIntent = INTENT, *legs: OrderLeg, ago: timedelta = 0 * SECOND
    ) -> str:
        now = instant(wall_us()) - ago
        given = tuple(QuotedLeg(leg, {}) for leg in legs or (LEG,))
        quote = GuardedQuote(
            str(uuid.uuid4()), self.account_id, now, now + 10 * SECOND, intent, given, []
        )
        async with self.connection() as connection:
            await guarded_quotes.add(connection, quote, now - timedelta(hours=1))
        return quote.id

    async def ask(
        self, method: str, path: str, body: Any = None, key: str | None = ""
    ) -> httpx.Response:
        """With a key of its own where none is named; None: without one."""
        wanted = str(uuid.uuid4()) if key == "" else key
        headers = self.headers | ({} if wanted is None else {"Idempotency-Key": wanted})
        return await self.http.request(method, path, json=body, headers=headers)

    async def post(self, quote_id: str, key: str | None = "", **more: Any) -> httpx.Response:
        return await self.ask("POST", PATH, {"quote_id": quote_id} | more, key)

    async def order(self, intent: OrderIntent = INTENT, **more: Any) -> dict[str, Any]:
        answer = await self.post(await self.quote(intent), **more)
        assert answer.status_code == 202, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def read(self, order_id: str, **query: Any) -> dict[str, Any]:
        answer = await self.http.get(f"{PATH}/{order_id}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def count(self, table: str, order_id: str) -> int:
        async with self.connection() as connection:
            sql = f"SELECT count(*) FROM {table} WHERE order_id = $1"
            return int(await connection.fetchval(sql, order_id))


async def trader(rig: Rig, database_url: str) -> Trader:
    wallet = Wallet(rig.http)
    grant = await wallet.grant()
    headers = {"Authorization": f"Bearer {grant['access_token']}"}
    return Trader(rig.http, database_url, wallet, grant["account_id"], headers)


TX = {
    "chain_id": "42161", "to": "0x7C68C7866A64FA2160F78EEaE12217FFbf871fa8", "value": "5",
    "data": "0x" + "ab" * 40, "nonce": "7", "gas": "300000", "type": "0x2",
    "max_fee_per_gas": "1000", "max_priority_fee_per_gas": "10",
}  # fmt: skip


async def prepare(me: Trader, order_id: str, *steps: NewStep) -> None:
    """As the executor does."""
    now = instant(wall_us())
    payload = TX | {"from": me.wallet.key.address}
    given = steps or (NewStep("order", "ready", now + 60 * SECOND, payload),)
    async with me.connection() as connection, connection.transaction():
        await order_steps.replace(connection, order_id, given)
        await record(connection, order_id, [Step("prepared")], now)


def sign(me: Trader, **other: Any) -> str:
    fields = {
        "chainId": 42161, "to": TX["to"], "value": 5, "data": TX["data"], "nonce": 7,
        "gas": 310_000, "type": 2, "maxFeePerGas": 2_000, "maxPriorityFeePerGas": 10,
    } | other  # fmt: skip
    return "0x" + bytes(me.wallet.key.sign_transaction(fields).raw_transaction).hex()


async def submit(me: Trader, order_id: str, raw: str | None, **more: Any) -> httpx.Response:
    body: dict[str, Any] = {"step_id": "order", "step_version": 1} | more
    if raw is not None:
        body["raw_transaction"] = raw
    return await me.ask("POST", f"{PATH}/{order_id}/submission", body, None)
