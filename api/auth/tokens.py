"""Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037). Pure.

The algorithm follows from the key, never from the token: this program writes one header, and reads
no other.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.auth.keys import KeyRing
from domain.errors import InputError

LIFE_S: Final = 600
LEEWAY_S: Final = 30
"""For clocks of several gateways that do not agree."""
AUDIENCE: Final = "perptape"
LENGTH_BOUND: Final = 2_048

_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TYPE: Final = "at+jwt"
_ALGORITHM: Final = "EdDSA"
_TEXTS: Final = ("iss", "aud", "sub", "jti", "sid")
_TIMES: Final = ("iat", "nbf", "exp")


class TokenError(InputError):
    """``TOKEN_INVALID`` or ``TOKEN_EXPIRED``."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. Times are seconds since 1970."""

    account_id: str
    session_id: str
    token_id: str
    issued_at_s: int
    expires_at_s: int


def encode(ring: KeyRing, issuer: str, claims: Claims) -> str:
    header = {"alg": _ALGORITHM, "kid": ring.signing, "typ": _TYPE}
    body = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": claims.account_id,
        "sid": claims.session_id,
        "jti": claims.token_id,
        "iat": claims.issued_at_s,
        "nbf": claims.issued_at_s,
        "exp": claims.expires_at_s,
    }
    signed = f"{_base64(orjson.dumps(header))}.{_base64(orjson.dumps(body))}"
    return f"{signed}.{_base64(ring.sign(signed.encode()))}"


def decode(ring: KeyRing, issuer: str, token: str, now_s: int) -> Claims:
    """The claims of a token that is ours and of now. Raises TokenError."""
    parts = token.split(".") if len(token) <= LENGTH_BOUND else []
    if len(parts) != 3:
        raise _invalid("no token")
    header, body, signature = (_bytes(part) for part in parts)
    said = _object(header)
    name = said.get("kid")
    if not isinstance(name, str) or said != {"alg": _ALGORITHM, "kid": name, "typ": _TYPE}:
        raise _invalid("not a header of ours")
    if not ring.verifies(name, token.rpartition(".")[0].encode(), signature):
        raise _invalid("the signature is not of a key in use")
    claims = _object(body)
    if any(not isinstance(claims.get(field), str) for field in _TEXTS) or any(
        type(claims.get(field)) is not int for field in _TIMES
    ):
        raise _invalid("a claim is missing")
    if claims["iss"] != issuer or claims["aud"] != AUDIENCE:
        raise _invalid("issued by somebody else, or for somebody else")
    if max(claims["nbf"], claims["iat"]) > now_s + LEEWAY_S:
        raise _invalid("not valid yet")
    if now_s >= claims["exp"] + LEEWAY_S:
        raise TokenError("TOKEN_EXPIRED", "the access token has expired")
    return Claims(claims["sub"], claims["sid"], claims["jti"], claims["iat"], claims["exp"])


def _invalid(why: str) -> TokenError:
    return TokenError("TOKEN_INVALID", f"the access token is not valid: {why}")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    """Only the one spelling that ``_base64`` gives."""
    try:
        if _PART.fullmatch(part):
            data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            if _base64(data) == part:
                return data
    except binascii.Error:
        pass
    raise _invalid("not base64url")


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _invalid("no JSON object")
    return found
