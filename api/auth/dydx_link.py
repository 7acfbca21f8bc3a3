"""The proof that somebody has the key of a dYdX account: a signed text, as wallets of Cosmos chains
sign them (ADR-36). Pure, and blocking for some milliseconds: for worker threads."""

import base64
import contextlib
import hashlib
import json
from typing import Final

from Crypto.Hash import RIPEMD160
from eth_keys.datatypes import NonRecoverableSignature, PublicKey
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from domain import bech32
from domain.errors import InputError

PREFIX: Final = "dydx"
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_FIELD: Final = 2**256 - 2**32 - 977
_KEY_BYTES: Final = 33
_SIGNATURE_BYTES: Final = 64


class LinkRefused(InputError):
    """``path``: which part of the proof is not good."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(code, message)
        self.path = path


def sign_doc(address: str, text: str) -> bytes:
    """What is signed, byte for byte: the amino JSON of one ``sign/MsgSignData``, its names sorted.

    Source: Cosmos SDK ADR-036; ``makeADR36AminoSignDoc`` and ``serializeSignDoc`` of Keplr.
    """
    value = {"data": base64.b64encode(text.encode()).decode(), "signer": address}
    document = {
        "account_number": "0",
        "chain_id": "",
        "fee": {"amount": [], "gas": "0"},
        "memo": "",
        "msgs": [{"type": "sign/MsgSignData", "value": value}],
        "sequence": "0",
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def address_of(public_key: bytes) -> str:
    """Of a compressed secp256k1 key: bech32 of RIPEMD-160 of SHA-256."""
    hashed = RIPEMD160.new(hashlib.sha256(public_key).digest()).digest()
    return bech32.encode(PREFIX, hashed)


def verify(address: str, text: str, public_key: bytes, signature: bytes) -> None:
    """``signature``: r and s, 32 bytes each, s in the lower half, over the SHA-256 of the document.

    Raises LinkRefused.
    """
    key = _key(public_key)
    if address_of(public_key) != address:
        raise LinkRefused("public_key", "ADDRESS_MISMATCH", "the key is of another address")
    if len(signature) != _SIGNATURE_BYTES:
        raise LinkRefused("signature", "BAD_SIGNATURE", "expected 64 bytes")
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    if not 0 < r < _ORDER or not 0 < s <= _ORDER // 2:
        raise LinkRefused("signature", "BAD_SIGNATURE", "r or s is out of its range")
    digest = hashlib.sha256(sign_doc(address, text)).digest()
    try:
        good = NonRecoverableSignature(rs=(r, s)).verify_msg_hash(digest, key)
    except (BadSignature, ValidationError):
        good = False
    if not good:
        raise LinkRefused("signature", "BAD_SIGNATURE", "not of this text, or not of this key")


def _key(public_key: bytes) -> PublicKey:
    if len(public_key) == _KEY_BYTES and public_key[0] in (2, 3):
        # libsecp256k1 refuses an x that no point has.
        with contextlib.suppress(ValueError):
            key = PublicKey.from_compressed_bytes(public_key)
            raw = key.to_bytes()
            x, y = (int.from_bytes(part, "big") for part in (raw[:32], raw[32:]))
            # The Python that stands in for it makes a point of any x.
            if x < _FIELD and (y * y - x**3 - 7) % _FIELD == 0:
                return key
    raise LinkRefused("public_key", "BAD_KEY", "no compressed secp256k1 key")
