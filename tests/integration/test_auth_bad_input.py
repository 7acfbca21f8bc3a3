"""Requests for a sign-in that are not right."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.auth_kit import issue_codes, running
from tests.integration.gateway_kit import Rig
from tests.integration.test_gateway_rest import check_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(embedded_redis_url: str, database_url: str) -> AsyncIterator[Rig]:
    """One for all: what is asked changes nothing."""
    async with running(embedded_redis_url, database_url) as found:
        yield found


@pytest.mark.parametrize(
    ("path", "body", "issues"),
    [
        ("nonce", {}, [("body.address", "MISSING"), ("body.chain_id", "MISSING")]),
        ("nonce", {"address": "0x" + "a" * 40, "chain_id": 1}, [
            ("body.address", "ADDRESS_INVALID")]),
        ("nonce", {"address": "0x0", "chain_id": 1}, [("body.address", "NO_ADDRESS")]),
        ("nonce", {"address": "0x" + "0" * 40, "chain_id": 1}, [("body.address", "NO_ADDRESS")]),
        ("nonce", {"address": "0x" + "1" * 40, "chain_id": 0}, [("body.chain_id", "OUT_OF_RANGE")]),
        (
            "nonce",
            {"address": "0x" + "1" * 40, "chain_id": 2**256},
            [("body.chain_id", "OUT_OF_RANGE")],
        ),
        ("nonce", {"address": 1, "chain_id": True}, [
            ("body.address", "WRONG_TYPE"), ("body.chain_id", "WRONG_TYPE")]),
        ("nonce", {"address": "0x" + "1" * 40, "chain_id": 1, "__proto__": 1}, [
            ("body.__proto__", "UNKNOWN_FIELD")]),
        ("login", {"message": "x", "signature": "0x"}, [("body.message", "MESSAGE_MALFORMED")]),
        ("login", {"message": "x"}, [("body.signature", "MISSING")]),
        ("login", {"message": "\0\u202e", "signature": ""}, [
            ("body.message", "MESSAGE_MALFORMED")]),
        ("login", {"message": "", "signature": "", "cookie": 1}, [("body.cookie", "WRONG_TYPE")]),
        ("refresh", {"refresh_token": None}, [("body.refresh_token", "WRONG_TYPE")]),
        ("logout", {"token": "x"}, [("body.token", "UNKNOWN_FIELD")]),
    ],
)  # fmt: skip
async def test_bodies_with_bad_fields(
    rig: Rig, path: str, body: Any, issues: list[tuple[str, str]]
) -> None:
    answer = await rig.http.post(f"/v1/auth/{path}", json=body)
    check_problem(answer, 422, "INVALID_REQUEST")
    assert issue_codes(answer) == issues


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"null",
        b'"a"',
        b"NaN",
        b'{"address":"a","address":"b"}',
        b'{"chain_id":NaN}',
        b'{"chain_id":1e999}',
        b'{"a":' * 5_000,
        b'{"chain_id":' + b"9" * 10_000 + b"}",
        b'{"address":"\\ud800","chain_id":1}',
    ],
)
async def test_bodies_that_cannot_be_read(rig: Rig, body: bytes) -> None:
    answer = await rig.http.post(
        "/v1/auth/nonce", content=body, headers={"Content-Type": "application/json"}
    )
    check_problem(answer, 422, "INVALID_REQUEST")


async def test_requests_that_are_not_taken(rig: Rig) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    post = partial(rig.http.post, "/v1/auth/nonce")
    check_problem(await post(content=b"{}"), 415, "UNSUPPORTED_MEDIA_TYPE")
    check_problem(await post(data={"address": "x"}), 415, "UNSUPPORTED_MEDIA_TYPE")
    check_problem(await post(content=chunks()), 413, "BODY_TOO_LARGE")
    check_problem(await post(params={"a": "b"}), 422, "INVALID_REQUEST")
    foreign = {"Origin": "https://elsewhere.example"}
    check_problem(await post(json={}, headers=foreign), 403, "ORIGIN_REFUSED")
    check_problem(await rig.http.get("/v1/auth/login"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "TOKEN_MISSING"),
        ([("Authorization", "Bearer")], "TOKEN_MISSING"),
        ([("Authorization", "Basic abc")], "TOKEN_MISSING"),
        ([("Authorization", "Bearer abc")], "TOKEN_INVALID"),
        ([("Authorization", "Bearer a b")], "TOKEN_INVALID"),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], "TOKEN_MISSING"),
        ([("Cookie", "perptape_refresh=abc")], "TOKEN_MISSING"),
    ],
)
async def test_nobody_is_somebody(rig: Rig, headers: list[tuple[str, str]], code: str) -> None:
    answer = await rig.http.get("/v1/auth/session", headers=headers)
    check_problem(answer, 401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["refresh", "logout"])
@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 10_000, "\0", "\u0661" * 43, "\ud800"])
async def test_refresh_tokens_that_nobody_gave(rig: Rig, path: str, token: str) -> None:
    body = json.dumps({"refresh_token": token})
    sent = {"content": body, "headers": {"Content-Type": "application/json"}}
    check_problem(await rig.http.post(f"/v1/auth/{path}", **sent), 401, "REFRESH_TOKEN_INVALID")
