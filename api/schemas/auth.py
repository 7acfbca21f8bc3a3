"""Sign-in."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from api.schemas.base import Instant, Opaque, OpaqueIfAny, Read, Said, Told, matching, refused

CHAIN_ID_BOUND: Final = 1 << 53


def _chain_id(value: Any) -> int:
    if type(value) is not int:
        raise refused("WRONG_TYPE", "expected a JSON integer")
    if not 0 < value < CHAIN_ID_BOUND:
        raise refused("OUT_OF_RANGE", "expected 1 to 2^53 - 1")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise refused("WRONG_TYPE", "expected a JSON boolean")
    return value


EvmAddress = Annotated[
    str,
    matching(
        "0x(?!0{40})[0-9A-Fa-f]{40}", "NO_ADDRESS", "expected 0x and 40 hex digits, not all 0"
    ),
]
ChainId = Annotated[
    int,
    Read(_chain_id, {"type": "integer", "minimum": 1, "maximum": CHAIN_ID_BOUND - 1}),
]


class NonceBody(Said):
    address: EvmAddress = Field(description="with its checksum (EIP-55)")
    chain_id: ChainId


class LoginBody(Said):
    message: Opaque = Field(description="EIP-4361")
    signature: Opaque = Field(description="0x-hex")
    cookie: Annotated[bool, Read(_boolean, {"type": "boolean"})] = Field(
        default=False, description="the refresh token as a cookie"
    )


class RefreshBody(Said):
    refresh_token: OpaqueIfAny = Field(default=None, description="without it: the cookie")


class Challenge(Told):
    nonce: str
    domain: str
    uri: str
    chain_id: int
    expires_at: Instant
    message: str = Field(description="to be signed")


class Grant(Told):
    access_token: str
    token_type: Literal["Bearer"]
    expires_at: Instant
    refresh_token: str | None = Field(description="null when it went into a cookie")
    account_id: str
    address: str


class Ended(Told):
    ended: Literal[True]


class Session(Told):
    account_id: str
    address: str
    chain_id: int | None
    session_id: str
    expires_at: Instant
