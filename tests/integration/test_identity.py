"""API keys and linked wallets over real Redis and Postgres; and what is never written down."""

import base64
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from api.auth import api_keys
from db import api_keys as stored_keys
from db import wallets as stored_wallets
from runtime.channels import link_key
from tests.dydx_wallet import DydxWallet
from tests.integration.account_kit import ACCOUNT, append, numbers_of, wire
from tests.integration.auth_kit import Wallet, issue_codes, session
from tests.integration.gateway_kit import Rig
from tests.integration.test_gateway_rest import check_problem

MADE = {"name": "x", "scopes": ["read"]}
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@dataclass
class Person:
    """Somebody who is signed in."""

    http: httpx.AsyncClient
    grant: dict[str, Any]

    @classmethod
    async def signed_in(cls, rig: Rig) -> "Person":
        return cls(rig.http, await Wallet(rig.http).grant())

    async def ask(self, method: str, path: str, json: Any = None, token: str = "") -> Any:
        bearer = token or self.grant["access_token"]
        headers = {"Authorization": f"Bearer {bearer}"}
        return await self.http.request(method, path, json=json, headers=headers)

    async def key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        body = {"name": "a bot", "scopes": list(scopes), **more}
        answer = await self.ask("POST", "/v1/api-keys", body)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def keys(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.ask("GET", "/v1/api-keys")).json()["data"]
        return rows


# API keys -----------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_kept_as_a_hash(rig: Rig, table: asyncpg.Connection) -> None:
    person = await Person.signed_in(rig)
    made = await person.key("read", "trade", expires_in_days=7)
    text = made.pop("key")
    assert api_keys._KEY.fullmatch(text)
    assert (made["name"], made["scopes"], made["used_at"]) == ("a bot", ["read", "trade"], None)
    assert made["created_at"] < made["expires_at"]
    assert await person.keys() == [made]
    row = await table.fetchrow("SELECT * FROM api_keys WHERE id = $1", made["id"])
    assert row["sha256"] == api_keys._sha256(text)
    assert text.encode() not in b"".join(str(value).encode() for value in row.values())


async def test_a_key_does_what_its_scopes_say_and_makes_no_others(rig: Rig) -> None:
    person = await Person.signed_in(rig)
    made = await person.key("read")
    answer = await person.ask("GET", "/v1/wallets", token=made["key"])
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    for method, path, body in (
        ("GET", "/v1/api-keys", None),
        ("POST", "/v1/api-keys", {"name": "another", "scopes": ["trade"]}),
        ("DELETE", f"/v1/api-keys/{made['id']}", {}),
        ("POST", "/v1/wallets/dydx/nonce", {"address": DydxWallet(b"\x07" * 32).address}),
        ("GET", "/v1/auth/session", None),
    ):
        refused = await person.ask(method, path, body, token=made["key"])
        check_problem(refused, 403, "SCOPE_MISSING")
    assert (await person.ask("POST", "/v1/auth/logout", {}, made["key"])).status_code == 401
    assert (await person.keys())[0]["used_at"] is not None
    # Who may trade may read.
    trader = await person.key("trade")
    assert (await person.ask("GET", "/v1/wallets", token=trader["key"])).status_code == 200


async def test_a_revoked_key_is_gone_and_so_are_its_sockets(
    rig: Rig, embedded_redis_url: str
) -> None:
    person = await Person.signed_in(rig)
    made, other = await person.key("read"), await person.key("read")
    async with wire(rig.url, made["key"]) as client, wire(rig.url, other["key"]) as stays:
        told = (await client.ask("subscribe", ACCOUNT))["rooms"]["account"]
        assert told["data"]["account_id"] == person.grant["account_id"]
        assert (await stays.ask("subscribe", ACCOUNT))["ok"]
        async with Redis.from_url(embedded_redis_url) as redis:
            await append(redis, person.grant["account_id"], 7)
        assert numbers_of(await client.take(1)) == numbers_of(await stays.take(1)) == [7]
        path = f"/v1/api-keys/{made['id']}"
        assert (await person.ask("DELETE", path, {})).json() == {"data": {"revoked": True}}
        answer = await person.ask("GET", "/v1/wallets", token=made["key"])
        check_problem(answer, 401, "TOKEN_INVALID")
        assert [row["id"] for row in await person.keys()] == [other["id"]]
        check_problem(await person.ask("DELETE", path, {}), 404, "NOT_FOUND")
        assert await client.close_code() == 4001
        assert (await stays.ask("subscribe", ACCOUNT))["ok"]


async def test_keys_of_others_are_nobodys(rig: Rig) -> None:
    owner, other = await Person.signed_in(rig), await Person.signed_in(rig)
    made = await owner.key("read")
    for key_id in (made["id"], NOBODY):
        answer = await other.ask("DELETE", f"/v1/api-keys/{key_id}", {})
        check_problem(answer, 404, "NOT_FOUND")
    check_problem(await other.ask("DELETE", "/v1/api-keys/%00", {}), 404, "NOT_FOUND")
    assert await other.keys() == []
    assert [row["id"] for row in await owner.keys()] == [made["id"]]


async def test_an_expired_key_is_no_key(rig: Rig, table: asyncpg.Connection) -> None:
    person = await Person.signed_in(rig)
    made = await person.key("read", expires_in_days=1)
    await table.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", made["id"])
    answer = await person.ask("GET", "/v1/wallets", token=made["key"])
    check_problem(answer, 401, "TOKEN_INVALID")


@pytest.mark.parametrize(
    "token", ["ppk_", "ppk_" + "A" * 43, "ppk_" + "A" * 42, "ppk_" + "é" * 43, "PPK_" + "A" * 43]
)
async def test_keys_that_nobody_gave(rig: Rig, token: str) -> None:
    headers = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
    answer = await rig.http.get("/v1/wallets", headers=headers)
    check_problem(answer, 401, "TOKEN_INVALID")


async def test_an_account_has_a_bounded_number_of_keys(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, table: asyncpg.Connection
) -> None:
    monkeypatch.setattr(stored_keys, "BOUND", 2)
    person = await Person.signed_in(rig)
    first = await person.key("read", expires_in_days=1)
    await person.key("read")
    body = {"name": "one more", "scopes": ["read"]}
    check_problem(await person.ask("POST", "/v1/api-keys", body), 409, "TOO_MANY_KEYS")
    # One that has expired is in nobody's way.
    await table.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", first["id"])
    await person.key("read")


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"scopes": ["read"]}, "body.name", "MISSING"),
        ({"name": "", "scopes": ["read"]}, "body.name", "BAD_NAME"),
        ({"name": " x", "scopes": ["read"]}, "body.name", "BAD_NAME"),
        ({"name": "a\u202eb", "scopes": ["read"]}, "body.name", "BAD_NAME"),
        ({"name": "a\0b", "scopes": ["read"]}, "body.name", "BAD_NAME"),
        ({"name": "x" * 65, "scopes": ["read"]}, "body.name", "BAD_NAME"),
        ({"name": 1, "scopes": ["read"]}, "body.name", "WRONG_TYPE"),
        ({"name": "x", "scopes": []}, "body.scopes", "BAD_SCOPES"),
        ({"name": "x", "scopes": ["admin"]}, "body.scopes", "BAD_SCOPES"),
        ({"name": "x", "scopes": ["read", "read"]}, "body.scopes", "BAD_SCOPES"),
        ({"name": "x", "scopes": "read"}, "body.scopes", "WRONG_TYPE"),
        (MADE | {"expires_in_days": 0}, "body.expires_in_days", "OUT_OF_RANGE"),
        (MADE | {"expires_in_days": True}, "body.expires_in_days", "WRONG_TYPE"),
        (MADE | {"account_id": NOBODY}, "body.account_id", "UNKNOWN_FIELD"),
    ],
)  # fmt: skip
async def test_keys_that_cannot_be_made(rig: Rig, body: Any, path: str, code: str) -> None:
    person = await Person.signed_in(rig)
    answer = await person.ask("POST", "/v1/api-keys", body)
    check_problem(answer, 422, "INVALID_REQUEST")
    assert issue_codes(answer) == [(path, code)]


# Wallets ------------------------------------------------------------------------------------------


def proof(wallet: DydxWallet, challenge: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {
        "nonce": challenge["nonce"],
        "address": wallet.address,
        "public_key": base64.b64encode(wallet.public_key).decode(),
        "signature": base64.b64encode(wallet.sign(challenge["message"])).decode(),
    } | other


async def challenged(person: Person, wallet: DydxWallet) -> dict[str, Any]:
    answer = await person.ask("POST", "/v1/wallets/dydx/nonce", {"address": wallet.address})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def new_wallet() -> DydxWallet:
    return DydxWallet(secrets.token_bytes(32))


async def test_a_wallet_is_linked_and_unlinked(rig: Rig) -> None:
    person, wallet = await Person.signed_in(rig), new_wallet()
    challenge = await challenged(person, wallet)
    assert set(challenge) == {"nonce", "address", "message", "sign_doc", "expires_at"}
    for part in (wallet.address, person.grant["address"], challenge["nonce"], "desk.example"):
        assert part in challenge["message"]
    answer = await person.ask("POST", "/v1/wallets/dydx", proof(wallet, challenge))
    assert answer.status_code == 201, answer.text
    row = answer.json()["data"]
    assert (row["venue"], row["address"]) == ("dydx", wallet.address)
    assert (await person.ask("GET", "/v1/wallets")).json()["data"] == [row]
    # Twice is as good as once.
    again = proof(wallet, await challenged(person, wallet))
    assert (await person.ask("POST", "/v1/wallets/dydx", again)).status_code == 201
    assert (await person.ask("GET", "/v1/wallets")).json()["data"] == [row]
    path = f"/v1/wallets/dydx/{wallet.address}"
    other = await Person.signed_in(rig)
    check_problem(await other.ask("DELETE", path, {}), 404, "NOT_FOUND")
    assert (await person.ask("DELETE", path, {})).json() == {"data": {"unlinked": True}}
    check_problem(await person.ask("DELETE", path, {}), 404, "NOT_FOUND")
    assert (await person.ask("GET", "/v1/wallets")).json()["data"] == []


async def refused(person: Person, body: dict[str, Any], path: str, code: str) -> None:
    answer = await person.ask("POST", "/v1/wallets/dydx", body)
    check_problem(answer, 422, "LINK_REFUSED")
    assert issue_codes(answer) == [(f"body.{path}", code)]


async def test_proofs_that_are_not_good(rig: Rig, embedded_redis_url: str) -> None:
    person, other = await Person.signed_in(rig), await Person.signed_in(rig)
    wallet, stranger = new_wallet(), new_wallet()
    # A failed one uses the nonce up.
    challenge = await challenged(person, wallet)
    bad = proof(wallet, challenge, signature=base64.b64encode(stranger.sign("x")).decode())
    await refused(person, bad, "signature", "BAD_SIGNATURE")
    await refused(person, proof(wallet, challenge), "nonce", "NONCE_UNKNOWN")
    # Somebody else's nonce.
    await refused(other, proof(wallet, await challenged(person, wallet)), "nonce", "NONCE_UNKNOWN")
    challenge = await challenged(person, wallet)
    await refused(person, proof(stranger, challenge), "address", "ADDRESS_MISMATCH")
    challenge = await challenged(person, wallet)
    key = base64.b64encode(stranger.public_key).decode()
    await refused(
        person, proof(wallet, challenge, public_key=key), "public_key", "ADDRESS_MISMATCH"
    )
    async with Redis.from_url(embedded_redis_url) as redis:
        challenge = await challenged(person, wallet)
        assert 290 <= await redis.ttl(link_key(challenge["nonce"])) <= 300
        await redis.delete(link_key(challenge["nonce"]))
        await refused(person, proof(wallet, challenge), "nonce", "NONCE_UNKNOWN")
    assert (await person.ask("GET", "/v1/wallets")).json()["data"] == []


async def test_addresses_and_bytes_that_are_none(rig: Rig) -> None:
    person, wallet = await Person.signed_in(rig), new_wallet()
    typo = wallet.address[:-1] + ("q" if wallet.address[-1] != "q" else "p")
    for address in (typo, "dydx1", "cosmos" + wallet.address[4:], "", wallet.address.upper()):
        answer = await person.ask("POST", "/v1/wallets/dydx/nonce", {"address": address})
        assert issue_codes(answer) == [("body.address", "NO_ADDRESS")]
    challenge = await challenged(person, wallet)
    for name in ("public_key", "signature"):
        for text in ("", "AA==", "not base64", "A" * 1000):
            answer = await person.ask(
                "POST", "/v1/wallets/dydx", proof(wallet, challenge, **{name: text})
            )
            assert issue_codes(answer) == [(f"body.{name}", "BAD_BASE64")]


async def test_an_account_has_a_bounded_number_of_wallets(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_wallets, "BOUND", 1)
    person, first, second = await Person.signed_in(rig), new_wallet(), new_wallet()
    for _ in range(2):
        body = proof(first, await challenged(person, first))
        assert (await person.ask("POST", "/v1/wallets/dydx", body)).status_code == 201
    body = proof(second, await challenged(person, second))
    check_problem(await person.ask("POST", "/v1/wallets/dydx", body), 409, "TOO_MANY_WALLETS")


# What is never written down -----------------------------------------------------------------------


async def test_nothing_secret_is_logged(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever works or is refused. For what crashes see the tests of logs."""
    person, wallet = await Person.signed_in(rig), new_wallet()
    made = await person.key("read", "trade")
    challenge = await challenged(person, wallet)
    body = proof(wallet, challenge)
    assert (await person.ask("POST", "/v1/wallets/dydx", body)).status_code == 201
    refreshed = await rig.http.post(
        "/v1/auth/refresh", json={"refresh_token": person.grant["refresh_token"]}
    )
    grant = refreshed.json()["data"]
    reused = {"refresh_token": person.grant["refresh_token"]}
    await rig.http.post("/v1/auth/refresh", json=reused, headers={"User-Agent": "thief"})
    await session(rig.http, grant["access_token"])
    signature = Wallet(rig.http).sign("x")
    await rig.http.post("/v1/auth/login", json={"message": "no", "signature": signature})
    logged = "".join(capfd.readouterr())
    # It was the log that we looked at.
    assert "api_key_created" in logged
    for secret in (
        made["key"],
        person.grant["access_token"],
        person.grant["refresh_token"],
        grant["access_token"],
        grant["refresh_token"],
        body["signature"],
        signature,
        challenge["nonce"],
        "A" * 43,  # the seed that tokens are signed with
    ):
        assert secret not in logged


async def test_every_key_has_limits_of_its_own(rig: Rig, embedded_redis_url: str) -> None:
    person = await Person.signed_in(rig)
    made = [await person.key("read") for _ in range(2)]
    for key in made:
        # By its address until it is known, by itself from then on.
        for _ in range(2):
            answer = await person.ask("GET", "/v1/wallets", token=key["key"])
            assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"].startswith('"account"')
    async with Redis.from_url(embedded_redis_url) as redis:
        counted = [name async for name in redis.scan_iter(match="rate:account:key:*")]
    assert sorted(counted) == sorted(f"rate:account:key:{key['id']}".encode() for key in made)
