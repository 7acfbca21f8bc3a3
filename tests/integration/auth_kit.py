"""A gateway whose wallets can sign in, over real servers."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from api.auth.keys import parse_keys
from api.auth.service import Config
from db.migrate import FOLDER, migrate
from tests.integration.gateway_kit import Rig, running_gateway
from tests.servers import LOOPBACK

PUBLIC_URL = "https://desk.example:8443"
CHAIN = 42161
KEYS = parse_keys("test:" + "A" * 43)


@contextmanager
def migrated(dsn: str, folder: Path) -> Iterator[str]:
    """A new database with the tables of accounts alone, as the only migrations."""
    name = f"auth_{uuid.uuid4().hex}"
    folder.mkdir()
    tables = ("create_accounts", "create_api_keys_and_wallets")
    for number, table in enumerate(tables, 1):
        (source,) = FOLDER.glob(f"*_{table}.sql")
        shutil.copy(source, folder / f"{number:04d}_{table}.sql")

    async def create() -> str:
        server = await asyncpg.connect(dsn)
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        url = f"{dsn.rpartition('/')[0]}/{name}"
        connection = await asyncpg.connect(url)
        assert len(await migrate(connection, folder)) == len(tables)
        await connection.close()
        return url

    yield asyncio.run(create())


def config(**other: Any) -> Config:
    return Config(
        **{"keys": KEYS, "public_url": PUBLIC_URL, "rpc_urls": {}, "dialer": LOOPBACK} | other
    )


@asynccontextmanager
async def running(
    redis_url: str, database_url: str, rpc_urls: Mapping[int, str] | None = None, **other: Any
) -> AsyncIterator[Rig]:
    settings = config(rpc_urls=rpc_urls or {})
    async with running_gateway(redis_url, database_url=database_url, auth=settings, **other) as rig:
        rig.http.headers["User-Agent"] = "tests"
        yield rig


@dataclass
class Wallet:
    """Signs in with a key of its own."""

    http: httpx.AsyncClient
    key: LocalAccount = field(default_factory=Account.create)

    async def challenge(self, **other: Any) -> dict[str, Any]:
        asked = {"address": self.key.address, "chain_id": CHAIN} | other
        answer = await self.http.post("/v1/auth/nonce", json=asked)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def sign(self, text: str) -> str:
        return "0x" + bytes(self.key.sign_message(encode_defunct(text=text)).signature).hex()

    async def login(self, text: str | None = None, **other: Any) -> httpx.Response:
        message = text or (await self.challenge())["message"]
        body = {"message": message, "signature": self.sign(message)} | other
        return await self.http.post("/v1/auth/login", json=body)

    async def grant(self) -> dict[str, Any]:
        answer = await self.login()
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


async def session(http: httpx.AsyncClient, access_token: str) -> httpx.Response:
    return await http.get("/v1/auth/session", headers={"Authorization": f"Bearer {access_token}"})


async def refresh(http: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    return await http.post("/v1/auth/refresh", json={"refresh_token": token}, headers=headers)


def issue_codes(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(issue["path"], issue["code"]) for issue in answer.json()["issues"]]
