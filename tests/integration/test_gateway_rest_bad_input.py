"""What should not be sent to REST, line by line: a documented 4xx, and nothing happened."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from api.problems import SPECS
from api.table import ENDPOINTS
from tests.integration.auth_kit import CHAIN, Wallet, running
from tests.integration.gateway_kit import Rig
from tests.integration.test_gateway_rest import PROBLEM_FIELDS

OWNER = "0x52908400098527886E0F7030069857D2E4169EE7"
TRUTH = ("accounts", "sessions", "refresh_tokens")
DOCUMENTED = {(item.method, item.path): item.codes for item in ENDPOINTS}


@pytest.fixture
async def rig(embedded_redis_url: str, database_url: str) -> AsyncIterator[Rig]:
    async with running(embedded_redis_url, database_url) as running_rig:
        yield running_rig
        redis = Redis.from_url(embedded_redis_url)
        connection = await asyncpg.connect(database_url)
        try:
            for pattern in ("nonce:*", "session:*", "events:*"):
                assert await redis.keys(pattern) == []
            for table in TRUTH:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        finally:
            await redis.aclose()
            await connection.close()


def codes_of(answer: httpx.Response) -> tuple[str, list[str]]:
    """The code and those of the issues of a problem in the documented form."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == PROBLEM_FIELDS
    assert 400 <= answer.status_code < 500
    assert SPECS[problem["code"]].status == problem["status"] == answer.status_code
    return problem["code"], [issue["code"] for issue in problem["issues"]]


async def refused(
    rig: Rig, method: str, path: str, template: str, cases: list[tuple[Any, str]]
) -> None:
    """``cases``: what is sent, keywords of the client, and the code, of an issue if there are."""
    wrong = []
    for sent, wanted in cases:
        code, issues = codes_of(await rig.http.request(method, path, **sent))
        assert code in DOCUMENTED[(method, template)]
        if wanted not in (issues or [code]):
            wrong.append((sent, wanted, code, issues))
    assert wrong == []


def raw_json(text: str | bytes, **headers: str) -> dict[str, Any]:
    return {"content": text, "headers": {"Content-Type": "application/json"} | headers}


def field(name: str, text: str, **other: Any) -> dict[str, Any]:
    """A body in which ``text`` stands, as JSON, for a field."""
    return raw_json(json.dumps(other)[:-1] + (", " if other else "") + f'"{name}": {text}}}')


async def test_bodies(rig: Rig) -> None:
    whole = f'{{"address":"{OWNER}","chain_id":{CHAIN}}}'

    async def chunks() -> AsyncIterator[bytes]:
        yield whole.encode()

    deep = "[" * 2_000 + "]" * 2_000
    bad_json = [
        "{", "}", "x", "\ufeff" + whole, whole + whole, whole + "\0", "NaN", "Infinity",
        f'{{"address":"{OWNER}","chain_id":1,"chain_id":1}}', whole[:-1] + ',"__proto__":NaN}',
        '{"chain_id":1e999}', '{"chain_id":1.0}', '{"chain_id":-Infinity}', f'{{"a":{deep}',
    ]  # fmt: skip
    await refused(
        rig, "POST", "/v1/auth/nonce", "/v1/auth/nonce",
        [
            (raw_json(""), "MISSING"),
            (raw_json("{}"), "MISSING"),
            (raw_json("["), "BAD_JSON"),
            (raw_json("[]"), "WRONG_TYPE"),
            (raw_json("1"), "WRONG_TYPE"),
            (raw_json("null"), "WRONG_TYPE"),
            (raw_json(deep), "WRONG_TYPE"),
            *((raw_json(text.encode()), "BAD_JSON") for text in bad_json),
            (raw_json(whole.encode("utf-16")), "BAD_JSON"),
            (raw_json(b'{"address":"\xc3\x28"}'), "BAD_JSON"),
            (raw_json(" " * 70_000), "BODY_TOO_LARGE"),
            (raw_json(chunks()), "LENGTH_REQUIRED"),  # type: ignore[arg-type]
            ({"content": whole}, "UNSUPPORTED_MEDIA_TYPE"),
            (raw_json(whole, **{"Content-Type": "text/json"}), "UNSUPPORTED_MEDIA_TYPE"),
            (raw_json(whole, **{"Content-Type": "application/json5"}), "UNSUPPORTED_MEDIA_TYPE"),
            (raw_json(whole, **{"Content-Encoding": "gzip"}), "UNSUPPORTED_MEDIA_TYPE"),
            (raw_json(whole, **{"Content-Encoding": "br"}), "UNSUPPORTED_MEDIA_TYPE"),
            (raw_json(whole, Origin="https://elsewhere.example"), "ORIGIN_REFUSED"),
            (raw_json(whole, Origin="null"), "ORIGIN_REFUSED"),
        ],
    )  # fmt: skip


async def test_values_in_bodies(rig: Rig) -> None:
    def chain(text: str) -> dict[str, Any]:
        return field("chain_id", text, address=OWNER)

    def address(text: str) -> dict[str, Any]:
        return field("address", json.dumps(text), chain_id=CHAIN)

    await refused(
        rig, "POST", "/v1/auth/nonce", "/v1/auth/nonce",
        [
            *((chain(text), "WRONG_TYPE") for text in ("true", '"1"', "null", "[1]", "{}")),
            *((chain(text), "OUT_OF_RANGE") for text in ("0", "-1", str(2**256), str(2**53))),
            (chain("1_000"), "BAD_JSON"),
            (chain("01"), "BAD_JSON"),
            (chain("\u0661"), "BAD_JSON"),
            *((field("address", text, chain_id=CHAIN), "WRONG_TYPE") for text in ("1", "null")),
            (address(OWNER.lower()), "ADDRESS_INVALID"),
            (address(OWNER[:-1]), "NO_ADDRESS"),
            (address(OWNER + "0"), "NO_ADDRESS"),
            (address(OWNER + "\n"), "NO_ADDRESS"),
            (address(OWNER + "\0"), "NO_ADDRESS"),
            (address("\u202e" + OWNER), "NO_ADDRESS"),
            (address(OWNER.replace("0", "\u0660")), "NO_ADDRESS"),
            (address("\ud800"), "NO_ADDRESS"),
            (address("dydx1" + "q" * 38), "NO_ADDRESS"),
            *(
                (field(name, "1", address=OWNER, chain_id=CHAIN), "UNKNOWN_FIELD")
                for name in ("__proto__", "constructor", "ADDRESS", "", "a" * 5_000, "\\u0000")
            ),
        ],
    )  # fmt: skip


async def test_values_of_a_sign_in(rig: Rig) -> None:
    for signature in ("", "0x", "0x1", "0x" + "g" * 130, "\ud800", "0x" + "00" * 65):
        text = (await Wallet(rig.http).challenge())["message"]
        body = field("signature", json.dumps(signature), message=text)
        found = codes_of(await rig.http.post("/v1/auth/login", **body))
        assert found == ("LOGIN_REFUSED", ["SIGNATURE_INVALID"]), signature
    await refused(
        rig, "POST", "/v1/auth/login", "/v1/auth/login",
        [
            (field("signature", '"0x"', message=text), "NONCE_UNKNOWN"),
            (field("cookie", "1", message=text, signature="0x"), "WRONG_TYPE"),
            *(
                (field("message", json.dumps(given), signature="0x"), "MESSAGE_MALFORMED")
                for given in ("", "\0", text.replace("\n", "\r\n"), "\u202e", "\ud800")
            ),
        ],
    )  # fmt: skip


async def test_queries(rig: Rig) -> None:
    await refused(
        rig, "GET", "/v1/ladders/BTC-USD", "/v1/ladders/{market}",
        [
            *(
                ({"params": {"sizes": text}}, "BAD_SIZE")
                for text in (
                    "", ",", "1_000", "\u0661000", " 1000", "1000 ", "+1000", "-0", "1E+999999",
                    "1e3", "NaN", "Infinity", "0x10", "01000", ".5", "5.", "1.1234567", "1\0",
                    "\u202e1", "1000,", "1,,2", "1" * 19,
                )
            ),
            ({"params": {"sizes": "0"}}, "OUT_OF_RANGE"),
            ({"params": {"sizes": "0.999999"}}, "OUT_OF_RANGE"),
            ({"params": {"sizes": "100000001"}}, "OUT_OF_RANGE"),
            ({"params": {"sizes": ",".join("1" * 11)}}, "TOO_MANY"),
            ({"params": [("sizes", "1"), ("sizes", "2")]}, "REPEATED_PARAMETER"),
            ({"params": {"Sizes": "1"}}, "UNKNOWN_PARAMETER"),
            ({"params": {"__proto__": "1"}}, "UNKNOWN_PARAMETER"),
            ({"params": {"\0": "1"}}, "UNKNOWN_PARAMETER"),
        ],
    )  # fmt: skip
    await refused(
        rig, "GET", "/v1/funding", "/v1/funding",
        [
            *(
                ({"params": {"hours": text}}, "OUT_OF_RANGE")
                for text in ("0", "-1", "8760.1", "1e2", "1_0", "\u0661", " 1", "024", "1.1234")
            ),
            ({"params": {"side": "LONG"}}, "UNKNOWN_SIDE"),
            ({"params": {"sort": "__proto__"}}, "UNKNOWN_SORT"),
            *(({"params": {"limit": text}}, "OUT_OF_RANGE") for text in ("-1", "1000000000", "")),
            ({"params": {"market": "__proto__"}}, "UNKNOWN_MARKET"),
            ({"params": {"market": "BTC-USD\0"}}, "UNKNOWN_MARKET"),
        ],
    )  # fmt: skip
    times = (
        "9999-12-31T23:59:59Z", "-0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0", "now",
        "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z",
        "2026-01-01T00:00Z\0", "2027-02-29T00:00Z",
    )  # fmt: skip
    await refused(
        rig, "GET", "/v1/candles/BTC-USD", "/v1/candles/{market}",
        [
            *(({"params": {"from": text}}, "BAD_TIME") for text in times),
            *(
                ({"params": {"cursor": text}}, "BAD_CURSOR")
                for text in (
                    "", "a", "LTE", "MS41", "3", "2d31", "33" * 18, "3A", "%00", "a" * 202
                )
            ),
            ({"params": {"venue": "nope"}}, "UNKNOWN_VENUE"),
            ({"params": {"interval": "2m"}}, "UNKNOWN_INTERVAL"),
        ],
    )  # fmt: skip


async def test_paths(rig: Rig) -> None:
    for name in ("%00", "BTC-USD%00", "..%2f..%2fetc", "%2e%2e", "__proto__", "%E2%80%AEBTC-USD"):
        code, _ = codes_of(await rig.http.get(f"/v1/quotes/{name}"))
        assert code in ("UNKNOWN_MARKET", "NOT_FOUND")


async def test_somebody_elses_word_for_an_address_is_not_taken(rig: Rig) -> None:
    """Nobody in front of this gateway is believed: all of it counts for who is connected."""
    left = []
    for number in range(4):
        told = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=192.0.2.{number}"}
        answer = await rig.http.get("/v1/venues", headers=told | {"X-Real-IP": f"192.0.2.{number}"})
        left.append(int(answer.headers["ratelimit"].split(";")[1].removeprefix("r=")))
    assert left == sorted(left, reverse=True)
    redis = Redis.from_url(rig.redis_url)
    assert await redis.keys("rate:*") == [b"rate:anonymous:127.0.0.1"]
    await redis.aclose()
