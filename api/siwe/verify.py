"""Whether an account has signed a message, and whether the message is for us and for now."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from api.siwe import grammar
from api.siwe.errors import SiweCode, SiweError
from api.siwe.message import SiweMessage, parse_message

EthCall = Callable[[int, str | None, bytes], bytes]
"""(chain id, to, data) -> what the call returns, in the newest block. ``to`` None: ``data`` is the
code of a contract that is made, for this call only. Whatever it raises passes through."""

VALID: Final = bytes.fromhex("1626ba7e")
"""What ``isValidSignature`` of EIP-1271 returns, and our validator with it."""

_VALIDATOR: Final = bytes.fromhex(
    json.loads((Path(__file__).parent / "built.json").read_bytes())["SignatureValidator"][
        "creation_code"
    ].removeprefix("0x")
)
_HEX: Final = re.compile(r"0x(?:[0-9A-Fa-f]{2})*")
_WRAPPED: Final = bytes.fromhex("6492" * 16)
_NOBODY: Final = "0x" + "00" * 20
_ECDSA_BYTES: Final = 65
_V_OFFSET: Final = 27
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Signer(NamedTuple):
    """``address`` with its checksum. A contract is an account of its chain, a key one of all,
    also where it lends itself code (EIP-7702)."""

    address: str
    is_contract: bool


def verify(
    message: SiweMessage | str,
    signature: str | bytes,
    *,
    now: datetime | float | str,
    domain: str | None = None,
    nonce: str | None = None,
    uri: str | None = None,
    chain_id: int | None = None,
    eth_call: EthCall | None = None,
) -> str:
    """The address that signed ``message``, with its checksum.

    ``signature``: bytes or 0x-hex. ``now``: a datetime (UTC where it has no zone), seconds since
    1970, or RFC 3339 text. What is given of the rest must be what the message says. Without
    ``eth_call`` only keys can sign, no contracts.

    Raises SiweError. Source: EIP-4361, EIP-191, EIP-1271, ERC-6492, EIP-7702.
    """
    if isinstance(message, str):
        message = parse_message(message)
    check(message, now=now, domain=domain, nonce=nonce, uri=uri, chain_id=chain_id)
    return signer(message, signature, eth_call).address


def check(
    message: SiweMessage,
    *,
    now: datetime | float | str,
    domain: str | None = None,
    nonce: str | None = None,
    uri: str | None = None,
    chain_id: int | None = None,
) -> None:
    """What ``verify`` asks of a message before it looks at the signature. Raises SiweError."""
    _same("DOMAIN_MISMATCH", message.domain, domain)
    _same("NONCE_MISMATCH", message.nonce, nonce)
    _same("URI_MISMATCH", message.uri, uri)
    _same("CHAIN_ID_MISMATCH", message.chain_id, chain_id)
    moment = _moment(now)
    if message.expiration_time and moment >= grammar.instant(message.expiration_time):
        raise SiweError("EXPIRED", f"the message expired at {message.expiration_time}")
    if message.not_before and moment < grammar.instant(message.not_before):
        raise SiweError("NOT_YET_VALID", f"the message is valid from {message.not_before}")


def signer(message: SiweMessage, signature: str | bytes, eth_call: EthCall | None = None) -> Signer:
    """Who signed ``message``, whatever it says. Raises SiweError ``SIGNATURE_INVALID``."""
    signed = _signature_bytes(signature)
    digest = signed_hash(str(message))
    if _recovered(digest, signed) == message.address:
        return Signer(message.address, is_contract=False)
    if eth_call is not None and _contract_agrees(eth_call, message, digest, signed):
        return Signer(message.address, is_contract=True)
    raise SiweError("SIGNATURE_INVALID", f"the signature is not of {message.address}")


def signed_hash(text: str) -> bytes:
    """What a wallet signs for ``text``: EIP-191, version E (``personal_sign``)."""
    body = text.encode("ascii")
    return bytes(keccak(b"\x19Ethereum Signed Message:\n%d" % len(body) + body))


def _same(code: SiweCode, found: str | int, wanted: str | int | None) -> None:
    if wanted is not None and found != wanted:
        what = code.removesuffix("_MISMATCH").replace("_", " ").lower()
        raise SiweError(code, f"the {what} of the message is another one")


def _moment(now: datetime | float | str) -> datetime:
    if isinstance(now, str):
        return grammar.instant(now)
    if isinstance(now, datetime):
        return now if now.tzinfo else now.replace(tzinfo=UTC)
    return datetime.fromtimestamp(now, UTC)


def _signature_bytes(signature: str | bytes) -> bytes:
    if isinstance(signature, bytes):
        return signature
    if not isinstance(signature, str) or not _HEX.fullmatch(signature):
        raise SiweError("SIGNATURE_INVALID", "the signature is no 0x-hex of whole bytes")
    return bytes.fromhex(signature[2:])


def _recovered(digest: bytes, signature: bytes) -> str | None:
    """The address whose key signed, None where it is no signature of a key. Only the lower of the
    two values that s can have is taken: so nobody can make a second signature of one."""
    if len(signature) != _ECDSA_BYTES:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    v = signature[64] - _V_OFFSET if signature[64] >= _V_OFFSET else signature[64]
    if v not in (0, 1) or s > _HALF_ORDER:
        return None
    try:
        key = Signature(vrs=(v, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return None
    return str(key.to_checksum_address())


def _contract_agrees(
    eth_call: EthCall, message: SiweMessage, digest: bytes, signature: bytes
) -> bool:
    """What the contract of the account says, on the chain that the message names.

    ``SignatureValidator.sol`` asks it, so that neither a revert nor a missing contract is an error
    of the call.
    """
    factory, preparation = _NOBODY, b""
    if signature.endswith(_WRAPPED):
        try:
            factory, preparation, signature = decode(
                ["address", "bytes", "bytes"], signature[: -len(_WRAPPED)]
            )
        except DecodingError:
            return False
    arguments = encode(
        ["address", "bytes32", "address", "bytes", "bytes"],
        [message.address, digest, factory, preparation, signature],
    )
    return bytes(eth_call(message.chain_id, None, _VALIDATOR + arguments))[:4] == VALID
