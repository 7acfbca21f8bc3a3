"""REST by httpx, rooms by the official Socket.IO client."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import socketio
from eth_account import Account
from eth_account.messages import encode_defunct

from perptape_client.models import Grant, Problem, Quote

EVENTS = ("price", "prices", "ladder", "trades", "candles", "funding", "venues", "account")
WAITING = 1_000
"""Updates that are kept for a reader; the oldest go first, as the newest is what counts."""


class Client:
    """``async with Client(url) as client``. Everything that asks raises Problem, or httpx.HTTPError
    when there is no answer at all."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.AsyncClient(base_url=self._url, timeout=30)
        self._grant: Grant | None = None

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    # Who we are

    async def login(self, private_key: str, chain_id: int = 42161) -> Grant:
        """Sign-In with Ethereum; the key stays here."""
        wallet = Account.from_key(private_key)
        asked = {"address": wallet.address, "chain_id": chain_id}
        challenge = await self._ask("POST", "/v1/auth/nonce", asked)
        signed = wallet.sign_message(encode_defunct(text=challenge["message"]))
        proof = {"message": challenge["message"], "signature": "0x" + bytes(signed.signature).hex()}
        return self._granted(await self._ask("POST", "/v1/auth/login", proof))

    async def session(self) -> dict[str, Any]:
        """Who is signed in, as the server sees it."""
        found: dict[str, Any] = await self._ask("GET", "/v1/auth/session")
        return found

    def _granted(self, data: dict[str, Any]) -> Grant:
        names = ("account_id", "address", "access_token", "refresh_token")
        self._grant = Grant(*(data[name] for name in names))
        return self._grant

    # Prices

    async def quote(self, market: str) -> Quote:
        """Problem ``QUOTE_STALE`` where there is none now."""
        return Quote.of(await self._ask("GET", f"/v1/quotes/{market}"))

    @asynccontextmanager
    async def stream(
        self, *rooms: str, rate: str | int = "max"
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Envelopes of rooms, first what stands and then every change; again what stands after a
        lost connection. Private rooms need a login before."""
        waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        connection = socketio.AsyncClient()

        def put(envelope: dict[str, Any]) -> None:
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(envelope)

        async def subscribe() -> None:
            answer = await connection.call("subscribe", {"rooms": list(rooms), "rate": rate})
            for envelope in answer["rooms"].values():
                put(envelope)
            for error in answer.get("errors", ()):
                put({"room": error["room"], "error": error["code"], "data": None})

        for event in EVENTS:
            connection.on(event, put)
        connection.on("connect", subscribe)
        token = None if self._grant is None else {"token": self._grant.access_token}
        await connection.connect(self._url, auth=token, transports=["websocket"])
        try:
            yield _forever(waiting)
        finally:
            await connection.disconnect()
            await connection.wait()

    # Orders. Answers are as docs/protocol.md has them, numbers as decimal texts.

    async def routes(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Where an order is best traded."""
        found: dict[str, Any] = await self._ask("POST", "/v1/routes", wanted)
        return found

    async def guarded_quote(self, wanted: Mapping[str, Any], route_id: str) -> dict[str, Any]:
        """One of the routes with its price guard, for ten seconds."""
        body = {**wanted, "route_id": route_id}
        found: dict[str, Any] = await self._ask("POST", "/v1/guarded-quotes", body)
        return found

    async def place(self, quote_id: str, **more: Any) -> dict[str, Any]:
        """The order. The quote's id is the key: sent again after no answer it is still one."""
        body = {"quote_id": quote_id, **more}
        found: dict[str, Any] = await self._ask("POST", "/v1/orders", body, f"order-{quote_id}")
        return found

    async def order(self, order_id: str, version: int | None = None) -> dict[str, Any]:
        """With ``version``: as soon as the order has it, after 20 s at the latest."""
        query = "" if version is None else f"?wait_version={version}"
        found: dict[str, Any] = await self._ask("GET", f"/v1/orders/{order_id}{query}")
        return found

    async def submit(
        self, order_id: str, step: Mapping[str, Any], signed: Mapping[str, str]
    ) -> dict[str, Any]:
        """``signed``: ``raw_transaction``, or ``tx_hash`` of what a wallet has sent itself."""
        body = {"step_id": step["id"], "step_version": step["version"], **signed}
        path = f"/v1/orders/{order_id}/submission"
        found: dict[str, Any] = await self._ask("POST", path, body)
        return found

    async def flatten(self, market: str, venue: str, key: str) -> dict[str, Any]:
        """Closes what the account holds of a market at a venue: ``orders`` and ``skipped``."""
        body = {"market": market, "venue": venue, "slippage_bps": "100"}
        found: dict[str, Any] = await self._ask("POST", "/v1/orders/flatten", body, key)
        return found

    # Requests

    async def _ask(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        answer = await self._send(method, path, body, key)
        if answer.status_code == 401 and self._grant is not None:
            # The access token lives for ten minutes, the other one for a day.
            token = {"refresh_token": self._grant.refresh_token}
            renewed = await self._send("POST", "/v1/auth/refresh", token)
            self._granted(self._data(renewed))
            answer = await self._send(method, path, body, key)
        return self._data(answer)

    async def _send(
        self, method: str, path: str, body: Any, key: str | None = None
    ) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        if self._grant is not None:
            headers["Authorization"] = f"Bearer {self._grant.access_token}"
        return await self._http.request(method, path, json=body, headers=headers)

    @staticmethod
    def _data(answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()["data"]
        said = answer.json()
        raise Problem(answer.status_code, said["code"], said["detail"], retryable=said["retryable"])


async def _forever(waiting: asyncio.Queue[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    while True:
        yield await waiting.get()
