"""Sign-in, tokens and sessions over real Redis, Postgres and a real chain."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from eth_utils.address import to_checksum_address
from redis.asyncio import Redis

from api.auth.service import Auth
from api.siwe import parse_message
from db.pool import Database
from perptape.embedded_anvil import EmbeddedAnvil
from perptape.embedded_redis import EmbeddedRedis
from sandbox.chain.node import Node
from tests import servers
from tests.integration.account_kit import ACCOUNT, opened, wire
from tests.integration.auth_kit import (
    CHAIN,
    PUBLIC_URL,
    Wallet,
    config,
    issue_codes,
    refresh,
    running,
    session,
)
from tests.integration.gateway_kit import NO_DATABASE, Rig, eventually, running_gateway
from tests.integration.test_gateway_rest import check_problem

HOST = PUBLIC_URL.removeprefix("https://")


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_a_wallet_signs_in(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    challenge = await wallet.challenge()
    assert set(challenge) == {"nonce", "domain", "uri", "chain_id", "expires_at", "message"}
    message = parse_message(challenge["message"])
    assert (message.domain, message.uri, message.chain_id) == (HOST, PUBLIC_URL, CHAIN)
    assert (message.nonce, message.address) == (challenge["nonce"], wallet.key.address)
    assert message.expiration_time == challenge["expires_at"]
    answer = await wallet.login(challenge["message"])
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    grant = answer.json()["data"]
    assert set(grant) == {
        "access_token",
        "token_type",
        "expires_at",
        "refresh_token",
        "account_id",
        "address",
    }
    assert (grant["token_type"], grant["address"]) == ("Bearer", wallet.key.address)
    told = (await session(rig.http, grant["access_token"])).json()["data"]
    assert told["account_id"] == grant["account_id"]
    assert (told["address"], told["chain_id"]) == (wallet.key.address, None)
    assert told["expires_at"] == grant["expires_at"]


async def test_a_key_is_one_account_everywhere(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    first = await wallet.grant()
    elsewhere = await wallet.login((await wallet.challenge(chain_id=137))["message"])
    assert elsewhere.json()["data"]["account_id"] == first["account_id"]
    assert (await Wallet(rig.http).grant())["account_id"] != first["account_id"]


async def test_a_nonce_is_used_once(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    text = (await wallet.challenge())["message"]
    answers = await asyncio.gather(*(wallet.login(text) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    check_problem(await wallet.login(text), 401, "NONCE_UNKNOWN")


async def test_a_nonce_is_used_up_by_a_login_that_fails(rig: Rig) -> None:
    wallet, stranger = Wallet(rig.http), Wallet(rig.http)
    text = (await wallet.challenge())["message"]
    answer = await stranger.login(text)
    check_problem(answer, 401, "LOGIN_REFUSED")
    assert issue_codes(answer) == [("body.signature", "SIGNATURE_INVALID")]
    assert answer.headers["www-authenticate"] == "Bearer"
    check_problem(await wallet.login(text), 401, "NONCE_UNKNOWN")


async def test_a_nonce_lives_five_minutes(rig: Rig, embedded_redis_url: str) -> None:
    nonce = (await Wallet(rig.http).challenge())["nonce"]
    async with Redis.from_url(embedded_redis_url) as redis:
        assert 290 < await redis.ttl(f"nonce:{nonce}") <= 300


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (f"{HOST} wants", "elsewhere.example wants", "DOMAIN_MISMATCH"),
        (f"URI: {PUBLIC_URL}", "URI: https://elsewhere.example", "URI_MISMATCH"),
        (f"Chain ID: {CHAIN}", "Chain ID: 137", "CHAIN_ID_MISMATCH"),
        (r"Expiration Time: 2\d{3}", "Expiration Time: 2001", "EXPIRED"),
    ],
)
async def test_a_nonce_is_bound(rig: Rig, old: str, new: str, code: str) -> None:
    wallet = Wallet(rig.http)
    text, changes = re.subn(old, new, (await wallet.challenge())["message"])
    assert changes == 1
    answer = await wallet.login(text)
    check_problem(answer, 401, "LOGIN_REFUSED")
    assert issue_codes(answer) == [("body.message", code)]


async def test_a_nonce_is_of_one_address(rig: Rig) -> None:
    wallet, stranger = Wallet(rig.http), Wallet(rig.http)
    text = (await wallet.challenge())["message"].replace(wallet.key.address, stranger.key.address)
    assert issue_codes(await stranger.login(text)) == [("body.message", "ADDRESS_MISMATCH")]


async def test_a_message_of_the_clients_own(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    text = (await wallet.challenge())["message"]
    own = re.sub(r"\n\n.*\n\n", "\n\nHello\n\n", re.sub(r"\nExpiration.*", "", text))
    assert (await wallet.login(own)).status_code == 200


async def test_refresh_tokens_rotate(rig: Rig, table: asyncpg.Connection) -> None:
    first = await Wallet(rig.http).grant()
    second = (await refresh(rig.http, first["refresh_token"])).json()["data"]
    assert second["account_id"] == first["account_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await session(rig.http, second["access_token"])).status_code == 200
    third = await refresh(rig.http, second["refresh_token"])
    assert third.status_code == 200
    kept = str(await table.fetch("SELECT * FROM refresh_tokens"))
    assert first["refresh_token"] not in kept
    assert first["access_token"] not in kept


async def test_a_lost_answer_is_given_again(rig: Rig) -> None:
    token = (await Wallet(rig.http).grant())["refresh_token"]
    answers = await asyncio.gather(*(refresh(rig.http, token) for _ in range(5)))
    grants = [answer.json()["data"] for answer in answers]
    (following,) = {grant["refresh_token"] for grant in grants}
    assert (await refresh(rig.http, following)).status_code == 200


async def reused(rig: Rig, first: dict[str, Any], again: httpx.Response, newest: str) -> None:
    """The session is over for both who have tokens of it."""
    check_problem(again, 401, "REFRESH_TOKEN_REUSED")
    check_problem(await session(rig.http, first["access_token"]), 401, "SESSION_ENDED")
    check_problem(await refresh(rig.http, newest), 401, "SESSION_ENDED")
    check_problem(await refresh(rig.http, first["refresh_token"]), 401, "SESSION_ENDED")


async def test_reuse_after_the_grace_ends_the_session(rig: Rig, table: asyncpg.Connection) -> None:
    first = await Wallet(rig.http).grant()
    assert (await session(rig.http, first["access_token"])).status_code == 200
    second = (await refresh(rig.http, first["refresh_token"])).json()["data"]
    await table.execute("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")
    again = await refresh(rig.http, first["refresh_token"])
    await reused(rig, first, again, second["refresh_token"])


async def test_reuse_of_what_was_gone_on_from_ends_the_session(rig: Rig) -> None:
    first = await Wallet(rig.http).grant()
    second = (await refresh(rig.http, first["refresh_token"])).json()["data"]
    third = (await refresh(rig.http, second["refresh_token"])).json()["data"]
    again = await refresh(rig.http, first["refresh_token"])
    await reused(rig, first, again, third["refresh_token"])


async def test_reuse_by_another_client_ends_the_session(rig: Rig) -> None:
    first = await Wallet(rig.http).grant()
    second = (await refresh(rig.http, first["refresh_token"])).json()["data"]
    again = await refresh(rig.http, first["refresh_token"], **{"User-Agent": "another"})
    await reused(rig, first, again, second["refresh_token"])


async def test_a_session_that_is_not_used_ends(rig: Rig, table: asyncpg.Connection) -> None:
    token = (await Wallet(rig.http).grant())["refresh_token"]
    assert (await refresh(rig.http, token)).status_code == 200
    await table.execute("UPDATE sessions SET expires_at = now()")
    check_problem(await refresh(rig.http, token), 401, "SESSION_ENDED")
    await table.execute("UPDATE sessions SET expires_at = now() - interval '8 days'")
    await Wallet(rig.http).grant()
    check_problem(await refresh(rig.http, token), 401, "REFRESH_TOKEN_INVALID")


@pytest.mark.parametrize("by", ["access_token", "refresh_token"])
async def test_logout(rig: Rig, by: str) -> None:
    grant = await Wallet(rig.http).grant()
    assert (await session(rig.http, grant["access_token"])).status_code == 200
    bearer = {"Authorization": f"Bearer {grant['access_token']}"}
    for _ in range(2):
        if by == "access_token":
            answer = await rig.http.post("/v1/auth/logout", headers=bearer)
        else:
            body = {"refresh_token": grant["refresh_token"]}
            answer = await rig.http.post("/v1/auth/logout", json=body)
        assert answer.json() == {"data": {"ended": True}}
        check_problem(await session(rig.http, grant["access_token"]), 401, "SESSION_ENDED")
    check_problem(await refresh(rig.http, grant["refresh_token"]), 401, "SESSION_ENDED")
    check_problem(await rig.http.post("/v1/auth/logout"), 401, "TOKEN_MISSING")


async def test_the_page_keeps_its_token_in_a_cookie(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    answer = await wallet.login(cookie=True)
    assert answer.json()["data"]["refresh_token"] is None
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(
        r"perptape_refresh=[A-Za-z0-9_-]{43}; HttpOnly; Max-Age=86400; Path=/v1/auth; "
        r"SameSite=strict; Secure",
        cookie,
    )
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    held = {"Cookie": cookie.partition(";")[0]}
    again = await rig.http.post("/v1/auth/refresh", headers=held)
    assert again.json()["data"]["refresh_token"] is None
    held = {"Cookie": again.headers["set-cookie"].partition(";")[0]}
    ended = await rig.http.post("/v1/auth/logout", headers=held)
    assert ended.headers["set-cookie"].startswith('perptape_refresh=""; ')
    token = again.json()["data"]["access_token"]
    check_problem(await session(rig.http, token), 401, "SESSION_ENDED")


async def test_sessions_in_redis_are_only_a_copy(rig: Rig, embedded_redis_url: str) -> None:
    grant = await Wallet(rig.http).grant()
    async with Redis.from_url(embedded_redis_url) as redis:
        (key,) = await redis.keys("session:*")
        assert await redis.hget(key, "address") == grant["address"].encode()
        await redis.expire(key, 1_000)
        assert (await session(rig.http, grant["access_token"])).status_code == 200
        assert await redis.ttl(key) > 86_000
        await redis.flushall()
    assert (await refresh(rig.http, grant["refresh_token"])).status_code == 200


async def test_another_gateway_finds_the_session_and_its_end(
    rig: Rig, embedded_redis_url: str, database_url: str
) -> None:
    grant = await Wallet(rig.http).grant()
    async with Redis.from_url(embedded_redis_url) as redis:
        await redis.flushall()

        async def seen_by_another() -> str:
            database = Database(database_url)
            other = Auth(redis, database, config())
            try:
                return (await other.identify(grant["access_token"])).account.id
            finally:
                await other.close()
                await database.close()

        assert await seen_by_another() == grant["account_id"]
        await rig.http.post("/v1/auth/logout", json={"refresh_token": grant["refresh_token"]})
        with pytest.raises(Exception, match="ended"):
            await seen_by_another()
        await redis.flushall()
        with pytest.raises(Exception, match="ended"):
            await seen_by_another()


@pytest.fixture
def mortal_redis() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with servers.open_folder() as folder:
        server = servers.prepared(EmbeddedRedis, folder)
        with servers.started(server, folder) as process:
            yield server.url, process


async def test_without_redis_nobody_signs_in_and_who_is_in_stays(
    mortal_redis: tuple[str, "subprocess.Popen[bytes]"], database_url: str
) -> None:
    redis_url, process = mortal_redis
    async with running(redis_url, database_url) as rig:
        wallet = Wallet(rig.http)
        grant = await wallet.grant()
        text = (await wallet.challenge())["message"]
        process.kill()
        process.wait()
        asked = {"address": wallet.key.address, "chain_id": CHAIN}
        answer = await rig.http.post("/v1/auth/nonce", json=asked)
        check_problem(answer, 503, "REDIS_UNAVAILABLE")
        check_problem(await wallet.login(text), 503, "REDIS_UNAVAILABLE")
        assert (await session(rig.http, grant["access_token"])).status_code == 200
        body = {"refresh_token": grant["refresh_token"]}
        ended = await rig.http.post("/v1/auth/logout", json=body)
        check_problem(ended, 503, "REDIS_UNAVAILABLE")


async def test_without_postgres(embedded_redis_url: str) -> None:
    async with running(embedded_redis_url, NO_DATABASE) as rig:
        check_problem(await Wallet(rig.http).login(), 503, "DATABASE_UNAVAILABLE")
        check_problem(await refresh(rig.http, "A" * 43), 503, "DATABASE_UNAVAILABLE")


@pytest.fixture
def node_url() -> Iterator[str]:
    with servers.running(partial(EmbeddedAnvil, CHAIN)) as url:
        yield url


async def test_a_contract_is_an_account_of_its_chain(
    embedded_redis_url: str, database_url: str, node_url: str
) -> None:
    wallets = json.loads((Path(__file__).parents[1] / "data/siwe/built.json").read_bytes())
    node = Node(node_url, CHAIN)
    (sender, *_) = await node.call("eth_accounts")
    made = {
        "from": sender,
        "data": wallets["YesWallet"]["creation_code"],
        "maxFeePerGas": hex(10**10),
        "maxPriorityFeePerGas": "0x0",
    }
    hash_ = await node.call("eth_sendTransaction", made)
    receipt = await eventually(
        lambda: node.call("eth_getTransactionReceipt", hash_), lambda found: found is not None
    )
    await node.close()
    address = to_checksum_address(receipt["contractAddress"])
    dead, ws = "http://127.0.0.1:1", node_url.replace("http", "ws")
    urls = {CHAIN: f"{dead},{ws},{node_url}", 137: node_url, 1: ws}
    async with running(embedded_redis_url, database_url, urls) as rig:
        wallet = Wallet(rig.http)
        text = (await wallet.challenge(address=address))["message"]
        grant = (await wallet.login(text)).json()["data"]
        told = (await session(rig.http, grant["access_token"])).json()["data"]
        assert (told["address"], told["chain_id"]) == (address, CHAIN)
        # The node of 137 says that it is of another chain; there is none of 1.
        text = (await wallet.challenge(address=address, chain_id=137))["message"]
        check_problem(await wallet.login(text), 503, "CHAIN_UNAVAILABLE")
        text = (await wallet.challenge(address=address, chain_id=1))["message"]
        check_problem(await wallet.login(text), 401, "LOGIN_REFUSED")


async def test_a_server_without_keys(embedded_redis_url: str) -> None:
    async with running_gateway(embedded_redis_url) as rig:
        asked = {"address": "0x" + "1" * 40, "chain_id": 1}
        check_problem(await rig.http.post("/v1/auth/nonce", json=asked), 503, "AUTH_OFF")
        check_problem(await session(rig.http, "x"), 503, "AUTH_OFF")


async def test_logout_closes_the_sockets_of_the_session(rig: Rig) -> None:
    wallet = Wallet(rig.http)
    grant, other = await wallet.grant(), await wallet.grant()
    async with (
        wire(rig.url, grant["access_token"]) as client,
        wire(rig.url, other["access_token"]) as stays,
    ):
        told = (await client.ask("subscribe", ACCOUNT))["rooms"]["account"]
        assert told["data"]["account_id"] == grant["account_id"]
        headers = {"Authorization": f"Bearer {grant['access_token']}"}
        assert (await rig.http.post("/v1/auth/logout", headers=headers)).status_code == 200
        assert await client.close_code() == 4001
        assert (await stays.ask("subscribe", ACCOUNT))["ok"]
    async with opened(rig.url, grant["access_token"]) as (_, answer):
        assert orjson.loads(answer[2:])["data"] == {"code": "SESSION_ENDED"}
