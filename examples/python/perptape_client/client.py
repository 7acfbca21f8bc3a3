"""REST by httpx, rooms by the official Socket.IO client."""

import asyncio
from collections.abc import AsyncIterator
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
        self._http = httpx.AsyncClient(base_url=self._url, timeout=10)
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

    # Requests

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._send(method, path, body)
        if answer.status_code == 401 and self._grant is not None:
            # The access token lives for ten minutes, the other one for a day.
            token = {"refresh_token": self._grant.refresh_token}
            renewed = await self._send("POST", "/v1/auth/refresh", token)
            self._granted(self._data(renewed))
            answer = await self._send(method, path, body)
        return self._data(answer)

    async def _send(self, method: str, path: str, body: Any) -> httpx.Response:
        headers = {}
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
