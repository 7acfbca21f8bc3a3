"""Access tokens and the keys they are signed with."""

import base64
import hmac
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.auth.keys import KeyRing, key_file, new_key, parse_keys
from api.auth.tokens import LEEWAY_S, Claims, TokenError, decode, encode
from domain.errors import InputError

OLD = "old:" + "A" * 43
NEW = "new:" + "B" * 42 + "A"
RING = parse_keys(OLD)
ISSUER = "https://desk.example"
CLAIMS = Claims("account", "session", "token", 1_000, 1_600)
TOKEN = encode(RING, ISSUER, CLAIMS)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header_and_body(token: str = TOKEN) -> tuple[dict[str, Any], dict[str, Any]]:
    header, body, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(body)


def signed(header: Any, body: Any, ring: KeyRing = RING) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}"
    return f"{text}.{b64(ring.sign(text.encode()))}"


def refused(token: str, now_s: int = 1_100) -> str:
    with pytest.raises(TokenError) as found:
        decode(RING, ISSUER, token, now_s)
    return found.value.code


def test_there_and_back() -> None:
    assert decode(RING, ISSUER, TOKEN, 1_100) == CLAIMS
    header, body = header_and_body()
    assert header == {"alg": "EdDSA", "kid": "old", "typ": "at+jwt"}
    assert set(body) == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"}
    assert signed(header, body).split(".")[2]
    assert decode(RING, ISSUER, signed(header, body), 1_100) == CLAIMS


def test_it_has_its_time() -> None:
    assert decode(RING, ISSUER, TOKEN, CLAIMS.issued_at_s - LEEWAY_S)
    assert refused(TOKEN, CLAIMS.issued_at_s - LEEWAY_S - 1) == "TOKEN_INVALID"
    assert decode(RING, ISSUER, TOKEN, CLAIMS.expires_at_s + LEEWAY_S - 1)
    assert refused(TOKEN, CLAIMS.expires_at_s + LEEWAY_S) == "TOKEN_EXPIRED"


def test_keys_rotate() -> None:
    both = parse_keys(f"{NEW},{OLD}")
    assert decode(both, ISSUER, TOKEN, 1_100) == CLAIMS
    fresh = encode(both, ISSUER, CLAIMS)
    assert header_and_body(fresh)[0]["kid"] == "new"
    assert decode(parse_keys(NEW), ISSUER, fresh, 1_100) == CLAIMS
    assert refused(fresh) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": "eddsa"},
        {"alg": None},
        {"kid": "new"},
        {"kid": "../old"},
        {"kid": ["old"]},
        {"kid": None},
        {"crit": ["exp"]},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A"}},
        {"jku": "https://elsewhere.example/keys"},
        {"typ": "JWT"},
        {"b64": False},
    ],
)
def test_no_other_header_is_read(change: dict[str, Any]) -> None:
    header, body = header_and_body()
    assert refused(signed(header | change, body)) == "TOKEN_INVALID"


def test_the_algorithm_is_not_of_the_token() -> None:
    header, body = header_and_body()
    text = f"{b64(json.dumps(header | {'alg': 'none'}).encode())}.{b64(json.dumps(body).encode())}"
    assert refused(f"{text}.") == "TOKEN_INVALID"
    public = RING.derive(b"")
    mac = hmac.digest(public, text.encode(), "sha256")
    assert refused(f"{text}.{b64(mac)}") == "TOKEN_INVALID"


@pytest.mark.parametrize("field", ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"])
def test_every_claim_is_needed(field: str) -> None:
    header, body = header_and_body()
    assert refused(signed(header, {k: v for k, v in body.items() if k != field})) == "TOKEN_INVALID"
    for other in (None, True, 1.5, [], {}, "1" if isinstance(body[field], int) else 1):
        assert refused(signed(header, body | {field: other})) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://elsewhere.example"}, {"aud": "other"}, {"nbf": 2_000}, {"iat": 2_000}],
)
def test_claims_of_somebody_else(change: dict[str, Any]) -> None:
    header, body = header_and_body()
    assert refused(signed(header, body | change)) == "TOKEN_INVALID"


def test_every_byte_is_signed() -> None:
    for place in range(0, len(TOKEN), 7):
        other = "A" if TOKEN[place] != "A" else "B"
        assert refused(TOKEN[:place] + other + TOKEN[place + 1 :]) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        TOKEN + ".",
        TOKEN + "=",
        TOKEN + "A",
        TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
        TOKEN.replace(".", ". "),
        "a" * 10_000,
        "\ud800.\u0661.x",
        f"{b64(b'[' * 1_000)}.{b64(b'{}')}.{b64(b'x')}",
        f"{b64(b'[]')}.{b64(b'{}')}.{b64(b'x')}",
        f"{b64(bytes([255]))}.{b64(b'{}')}.{b64(b'x')}",
    ],
)
def test_no_token(token: str) -> None:
    assert refused(token) == "TOKEN_INVALID"


def test_a_signature_of_rfc_8032() -> None:
    # Section 7.1, test 2.
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    ring = KeyRing("k", {"k": seed})
    assert ring.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ring.verifies("k", b"\x72", ring.sign(b"\x72"))
    assert not ring.verifies("k", b"\x73", ring.sign(b"\x72"))


@pytest.mark.parametrize(
    "text",
    ["", "x", "a:", f"a:{'A' * 42}", f"a:{'A' * 44}", f"a b:{'A' * 43}", f"{OLD},", f"{OLD},{OLD}"],
)
def test_keys_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InputError) as found:
        parse_keys(text)
    assert found.value.code == "BAD_KEYS"
    assert "AAAA" not in found.value.message


def test_nobody_sees_a_seed() -> None:
    assert "AAAA" not in repr(RING)
    assert "\\x00" not in repr(RING)


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "auth-keys"
    with ThreadPoolExecutor(8) as pool:
        (first,) = set(pool.map(key_file, [path] * 8))
    assert parse_keys(first).signing == first.partition(":")[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["auth-keys"]
    assert new_key() != new_key()
