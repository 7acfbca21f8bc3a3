"""API keys and wallets of an account."""

import base64
import re
import uuid
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from api.schemas.base import Instant, Read, Said, Told, anchored, matching, refused, text

NAME: Final = r"[!-~]([ -~]{0,62}[!-~])?"
DAYS_BOUND: Final = 3650


def _scopes(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(type(item) is str for item in value):
        raise refused("WRONG_TYPE", "expected a JSON list of strings")
    if not value or set(value) - {"read", "trade"} or len(set(value)) != len(value):
        raise refused("BAD_SCOPES", "one or both of read, trade")
    return tuple(value)


def _days(value: Any) -> timedelta | None:
    if value is None:
        return None
    if type(value) is not int:
        raise refused("WRONG_TYPE", "expected a JSON integer")
    if not 0 < value <= DAYS_BOUND:
        raise refused("OUT_OF_RANGE", f"expected 1 to {DAYS_BOUND}")
    return timedelta(days=value)


def _base64_of(size: int) -> Read:
    """Of exactly so many bytes."""
    whole, rest = divmod(size * 8, 6)
    pattern = f"[A-Za-z0-9+/]{{{whole + (rest > 0)}}}" + "=" * (-size % 3)
    compiled = re.compile(pattern, re.ASCII)

    def read(value: Any) -> bytes:
        if not compiled.fullmatch(text(value)):
            raise refused("BAD_BASE64", f"expected {size} bytes in base64")
        return base64.b64decode(value)

    return Read(read, {"type": "string", "pattern": anchored(pattern)})


def _id(value: Any) -> str:
    try:
        return str(uuid.UUID(text(value)))
    except ValueError:
        raise refused("BAD_ID", "not an id") from None


DydxAddress = Annotated[
    str,
    matching("dydx1[02-9ac-hj-np-z]{38}", "NO_ADDRESS", "expected dydx1 and 38 characters"),
]
Scope = Literal["read", "trade"]


class KeyId(Said):
    id: Annotated[str, Read(_id, {"type": "string", "format": "uuid"})]


class KeyBody(Said):
    name: Annotated[
        str,
        matching(NAME, "BAD_NAME", "1 to 64 printable ASCII characters, no space around them"),
    ]
    scopes: Annotated[
        tuple[str, ...],
        Read(
            _scopes,
            {
                "type": "array",
                "items": {"type": "string", "enum": ["read", "trade"]},
                "minItems": 1,
                "uniqueItems": True,
            },
        ),
    ] = Field(description="who may trade may read")
    expires_in_days: Annotated[
        timedelta | None,
        Read(_days, {"type": ["integer", "null"], "minimum": 1, "maximum": DAYS_BOUND}),
    ] = Field(default=None, description="null: never")


class Key(Told):
    id: str
    name: str
    scopes: list[Scope]
    created_at: Instant
    expires_at: Instant | None
    used_at: Instant | None = Field(description="to the minute; null: never")


class NewKey(Key):
    key: str = Field(description="ppk_..; it is shown this once", examples=["ppk_AAAA"])


class Revoked(Told):
    revoked: Literal[True]


class LinkNonceBody(Said):
    address: DydxAddress


class LinkBody(Said):
    nonce: Annotated[str, matching("[0-9a-f]{32}", "BAD_NONCE", "32 hex digits")]
    address: DydxAddress
    public_key: Annotated[bytes, _base64_of(33)] = Field(description="secp256k1, compressed")
    signature: Annotated[bytes, _base64_of(64)] = Field(
        description="r and s over the SHA-256 of sign_doc, s in the lower half"
    )


class WalletAddress(Said):
    address: DydxAddress


class LinkChallenge(Told):
    nonce: str
    address: str
    message: str = Field(description="what signArbitrary of a wallet is given")
    sign_doc: str = Field(description="base64 of what is signed (ADR-36)")
    expires_at: Instant


class Wallet(Told):
    venue: Literal["dydx"]
    address: str
    public_key: str = Field(description="base64")
    linked_at: Instant


class Unlinked(Told):
    unlinked: Literal[True]
