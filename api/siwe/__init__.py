"""Sign-In with Ethereum (EIP-4361): messages, and who signed them. Pure: the caller gives the time
and, for contract wallets, the way to ask a chain."""

from api.siwe.errors import CODES, SiweCode, SiweError
from api.siwe.message import SiweMessage, parse_message
from api.siwe.verify import EthCall, Signer, check, signed_hash, signer, verify

__all__ = [
    "CODES",
    "EthCall",
    "Signer",
    "SiweCode",
    "SiweError",
    "SiweMessage",
    "check",
    "parse_message",
    "signed_hash",
    "signer",
    "verify",
]
