"""A trader that has nothing but the REST interface, a key and a node: signs in, asks for routes,
places, signs what is to be signed and follows its orders, through a running sandbox."""

import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final, NamedTuple

import httpx
from eth_account import Account

from runtime.clock import mono_ns
from tests.integration.auth_kit import Wallet
from tests.integration.execution_kit import Desk, until, wallet_fields

TIMEOUT_S: Final = 30.0
PATIENCE_NS: Final = 80_000_000_000
"""More than three times as long as the server holds an answer back."""


class Place(NamedTuple):
    """Where a market is traded."""

    venue: str
    chain_id: int
    pool: str


class RestTrader:
    """Has the desk's wallet. ``asked`` bodies go to one pool, so that what is found is its own."""

    def __init__(self, desk: Desk, http: httpx.AsyncClient) -> None:
        self._desk = desk
        self._http = http
        self._sent: set[tuple[str, str, int]] = set()

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method in ("POST", "DELETE") else {}
        return await self._http.request(method, path, json=body, headers=headers, **more)

    async def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self.ask(method, path, body, **more)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def left_out(self, place: Place, body: Mapping[str, Any], code: str) -> None:
        """There is no route through the pool, for this reason; prices may be gone for a moment."""
        asked = {**body, "venues": [place.venue], "chain_ids": [place.chain_id]}
        last: list[Any] = []

        async def read() -> bool | None:
            answer = await self.ask("POST", "/v1/routes", asked)
            last[:] = [answer.text]
            rows = answer.json()["data"]["excluded"] if answer.is_success else []
            codes = {row["code"] for row in rows if row["pool"] == place.pool}
            return True if code in codes else None

        async def show() -> Any:
            return last

        await until(read, f"{place} to be left out: {code}", show)

    async def order(self, place: Place, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """An order of a guarded quote of the route through the pool."""
        asked = {**body, "venues": [place.venue], "chain_ids": [place.chain_id]}
        last: list[Any] = []

        async def read() -> dict[str, Any] | None:
            answer = await self.ask("POST", "/v1/routes", asked)
            last[:] = [answer.text]
            rows = answer.json()["data"]["routes"] if answer.is_success else []
            found = [row["route_id"] for row in rows if row["pool"] == place.pool]
            if not found:
                return None
            quote = await self.ask("POST", "/v1/guarded-quotes", {**asked, "route_id": found[0]})
            last.append(quote.text)
            data: dict[str, Any] = quote.json().get("data")
            return data if quote.is_success else None

        async def show() -> Any:
            return last

        quote = await until(read, f"a quote through {place}", show)
        made: dict[str, Any] = await self.done(
            "POST", "/v1/orders", {"quote_id": quote["quote_id"]} | more
        )
        return made

    async def follow(
        self, order: dict[str, Any], *wanted: str, bare: bool = False, but: Collection[str] = ()
    ) -> dict[str, Any]:
        """Signs each step as it can be signed, but those named, until the order is as wanted. Its
        history has no hole. ``bare``: the wallet sends by itself and tells the hash."""
        path, deadline_ns = f"/v1/orders/{order['id']}", mono_ns() + PATIENCE_NS
        while order["state"] not in wanted:
            assert not order["terminal"], order
            assert mono_ns() < deadline_ns, order
            for step in order["steps"]:
                if step["status"] == "ready" and step["id"] not in but:
                    await self._submit(order, step, bare=bare)
            order = await self.done("GET", path, params={"wait_version": order["version"] + 1})
        assert [event["seq"] for event in order["events"]] == list(range(1, order["version"] + 1))
        return order

    async def ready(self, order: dict[str, Any], step_id: str) -> dict[str, Any]:
        """The order, all steps before this one done and this one to be signed."""
        path, deadline_ns = f"/v1/orders/{order['id']}", mono_ns() + PATIENCE_NS
        while True:
            ready = [step for step in order["steps"] if step["status"] == "ready"]
            if any(step["id"] == step_id for step in ready):
                return order
            assert not order["terminal"], order
            assert mono_ns() < deadline_ns, order
            for step in ready:
                await self._submit(order, step, bare=False)
            order = await self.done("GET", path, params={"wait_version": order["version"] + 1})

    async def _submit(self, order: dict[str, Any], step: dict[str, Any], *, bare: bool) -> None:
        name = order["id"], step["id"], step["version"]
        if name in self._sent:
            return
        self._sent.add(name)
        signed = Account.sign_transaction(
            wallet_fields(step["tx"]), self._desk.wallet["private_key"]
        )
        raw = f"0x{bytes(signed.raw_transaction).hex()}"
        body = {"step_id": step["id"], "step_version": step["version"]}
        if bare:
            chain_id = int(step["tx"]["chain_id"])
            tx_hash = await self._desk.rpc(chain_id, "eth_sendRawTransaction", raw)
            body |= {"tx_hash": tx_hash}
        else:
            body |= {"raw_transaction": raw}
        await self.done("POST", f"/v1/orders/{order['id']}/submission", body)


@asynccontextmanager
async def signed_in_trader(url: str, desk: Desk) -> AsyncIterator[RestTrader]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=TIMEOUT_S) as http:
        wallet = Wallet(http, Account.from_key(desk.wallet["private_key"]))
        grant = await wallet.grant()
        http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        yield RestTrader(desk, http)


def times(price: Decimal, factor: str) -> str:
    """A price that far away, as text."""
    return str((price * Decimal(factor)).quantize(Decimal(1)))
