"""What changes orders, and how what became of it is read, for tests through a running sandbox."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
from eth_account import Account

from db import order_amendments, order_steps, orders, tx_attempts
from db.order_amendments import AmendmentRow
from db.orders import NewOrder
from domain.amendments import Amendment
from tests.integration.auth_kit import Wallet
from tests.integration.execution_kit import USDC, Desk, until


async def resting(desk: Desk, where: tuple[str, int, str], times: str, **more: Any) -> NewOrder:
    """A limit order away from the price."""
    limit = (await desk.price("ETH-USD") * Decimal(times)).quantize(Decimal(1))
    leg = await desk.leg(*where, guard_price=limit, expected_price=limit)
    new = await desk.accept(leg, type="limit", limit_price=limit, life_s=120, **more)
    await desk.submit(new, "approve")
    await desk.submit(new, "order")
    row = await desk.state(new, "working", "filled")
    assert row.state == "working"
    return new


async def ask(desk: Desk, new: NewOrder, change: Amendment) -> None:
    async with desk.connection.transaction():
        asked = order_amendments.ask(
            desk.connection, new.account_id, new.id, change, datetime.now(UTC)
        )
        assert await asked is not None


async def changes(desk: Desk, new: NewOrder, *statuses: str) -> list[AmendmentRow]:
    async def read() -> list[AmendmentRow] | None:
        found = (await order_amendments.of_orders(desk.connection, [new.id]))[new.id]
        return found if [change.status for change in found] == list(statuses) else None

    async def show() -> Any:
        return await order_amendments.of_orders(desk.connection, [new.id])

    found: list[AmendmentRow] = await until(read, f"changes to be {statuses}", show)
    return found


async def with_ref(desk: Desk, new: NewOrder, name: str) -> Any:
    async def read() -> Any:
        found = (await desk.read(new)).venue_refs
        return found if name in found else None

    return await until(read, f"the venue's {name}")


async def told(desk: Desk, new: NewOrder) -> list[str]:
    return [event.type for event in await orders.history(desk.connection, new.id)]


async def balance(desk: Desk, chain_id: int) -> int:
    token = desk.content["sandbox"]["tokens"][str(chain_id)][USDC]
    data = "0x70a08231" + desk.owner[2:].lower().zfill(64)
    return int(await desk.rpc(chain_id, "eth_call", {"to": token, "data": data}, "latest"), 16)


async def attempts_are(desk: Desk, new: NewOrder, *statuses: str) -> None:
    async def read() -> Any:
        found = await tx_attempts.of_order(desk.connection, new.id)
        return True if sorted(item.status for item in found) == sorted(statuses) else None

    async def show() -> Any:
        return await tx_attempts.of_order(desk.connection, new.id)

    await until(read, f"attempts to be {statuses}", show)


async def steps_of(desk: Desk, new: NewOrder) -> list[order_steps.StepRow]:
    return await order_steps.current(desk.connection, new.id)


class Rest:
    """The program's REST for whoever has a desk's wallet."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        headers = self._headers | {"Idempotency-Key": str(uuid.uuid4())}
        answer = await self._http.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()["data"]

    async def place(self, body: Any, **more: Any) -> dict[str, Any]:
        """The order of a guarded quote."""
        quote = await self.post("/v1/guarded-quotes", body, 201)
        found: dict[str, Any] = await self.post(
            "/v1/orders", {"quote_id": quote["quote_id"]} | more, 202
        )
        return found


@asynccontextmanager
async def signed_in(url: str, desk: Desk) -> AsyncIterator[Rest]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        key = Account.from_key(desk.wallet["private_key"])
        grant = await Wallet(http, key).grant()
        yield Rest(http, grant["access_token"])


async def ordered(desk: Desk, order_id: str) -> NewOrder:
    """An order that was accepted over REST."""
    row = await orders.read(desk.connection, order_id)
    assert row is not None
    return row.new
