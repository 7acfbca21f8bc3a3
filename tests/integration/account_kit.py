"""Clients of accounts, without wallets: their sessions are put where a sign-in leaves them."""

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.auth import tokens
from api.auth.tokens import Claims
from runtime import events
from runtime.channels import session_key
from runtime.clock import wall_us
from tests.integration.auth_kit import KEYS, PUBLIC_URL

ALICE: Final = str(uuid.UUID(int=1))
BOB: Final = str(uuid.UUID(int=2))
ACCOUNT: Final = {"rooms": ["account"]}


async def signed_in(
    redis: Redis, account_id: str, *, session_id: str | None = None, life_s: int = 600
) -> str:
    """An access token of a session that lives."""
    session = session_id or str(uuid.uuid4())
    fields = {"account_id": account_id, "address": f"0x{account_id[-1] * 40}", "chain_id": "0"}
    await redis.hset(session_key(session), mapping=fields)
    now_s = wall_us() // 1_000_000
    claims = Claims(account_id, session, secrets.token_hex(8), now_s - 60, now_s + life_s)
    return tokens.encode(KEYS, PUBLIC_URL, claims)


async def append(redis: Redis, account_id: str, *numbers: int, pad: int = 0) -> list[int]:
    """Events that carry a number each; their seqs."""
    return [
        await events.append(redis, account_id, {"kind": "alert", "n": number, "pad": "x" * pad})
        for number in numbers
    ]


def resume(last_seq: int) -> dict[str, Any]:
    return {"room": "account", "last_seq": last_seq}


def numbers_of(envelopes: list[dict[str, Any]]) -> list[int]:
    return [envelope["data"]["n"] for envelope in envelopes]


class Wire:
    """A bare client. It knows what it has read."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._waiting: list[tuple[str, dict[str, Any]]] = []

    async def ask(self, event: str, argument: Any) -> dict[str, Any]:
        """The answer; events before it wait to be read."""
        await self._socket.send(f"421{orjson.dumps([event, argument]).decode()}")
        while True:
            packet = await self._read()
            if packet.startswith("431["):
                answer: dict[str, Any] = orjson.loads(packet[3:])[0]
                return answer
            self._keep(packet)

    async def next(self, event: str = "account") -> dict[str, Any]:
        """The next event but heartbeats, which has to be this one."""
        while not self._waiting:
            self._keep(await self._read())
        name, body = self._waiting.pop(0)
        assert name == event, body
        return body

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def close_code(self) -> int | None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._read()
        return self._socket.close_code

    async def _read(self) -> str:
        async with asyncio.timeout(10):
            packet = await self._socket.recv()
            if packet == "2":
                await self._socket.send("3")
        assert isinstance(packet, str)
        return packet

    def _keep(self, packet: str) -> None:
        if packet.startswith("42["):
            name, body = orjson.loads(packet[2:])
            if name != "heartbeat":
                self._waiting.append((name, body))


@contextlib.asynccontextmanager
async def wire(url: str, token: Any = None) -> AsyncIterator[Wire]:
    """Connected, with the token in its handshake."""
    async with opened(url, token) as (socket, answer):
        assert answer.startswith('40{"sid"'), answer
        yield Wire(socket)


@contextlib.asynccontextmanager
async def opened(url: str, token: Any = None) -> AsyncIterator[tuple[ClientConnection, str]]:
    """The socket and what the server said to the handshake."""
    address = url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with connect(address, compression=None, ping_interval=None) as socket:
        await socket.recv()
        auth = "" if token is None else orjson.dumps({"token": token}).decode()
        await socket.send(f"40{auth}")
        answer = await socket.recv()
        assert isinstance(answer, str)
        try:
            yield socket, answer
        finally:
            # As a connection that is lost: nothing that was on the way is read.
            socket.transport.abort()
