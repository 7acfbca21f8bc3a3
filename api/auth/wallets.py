"""Sign-in messages of wallets. Blocking, and slow to import: for worker threads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.auth.nonces import Binding
from api.problems import Invalid, Issue
from api.siwe import EthCall, SiweError, SiweMessage, check, parse_message, signer
from db.accounts import EVERY_CHAIN
from domain.errors import InputError

STATEMENT: Final = "Sign in to perptape. This costs nothing and moves no funds."


class LoginRefused(InputError):
    """401. The message or its signature is not good enough to sign in."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__("LOGIN_REFUSED", message)
        self.issues = [Issue(path, code, message)]


@dataclass(frozen=True, slots=True)
class Owner:
    """``chain_id``: of the contract, or ``EVERY_CHAIN``."""

    address: str
    chain_id: int


def message_text(binding: Binding, nonce: str, issued_at: str, expiration_time: str) -> str:
    """The text to sign. Raises Invalid for an address without its checksum."""
    try:
        return str(
            SiweMessage(
                domain=binding.domain,
                address=binding.address,
                statement=STATEMENT,
                uri=binding.uri,
                version="1",
                chain_id=binding.chain_id,
                nonce=nonce,
                issued_at=issued_at,
                expiration_time=expiration_time,
            )
        )
    except SiweError as error:
        raise Invalid([Issue("body.address", error.code, error.message)]) from None


def parse(text: str) -> SiweMessage:
    """Raises Invalid."""
    try:
        return parse_message(text)
    except SiweError as error:
        raise Invalid([Issue("body.message", error.code, error.message)]) from None


def owner(
    message: SiweMessage,
    signature: str,
    binding: Binding,
    now: datetime,
    eth_call: EthCall | None,
) -> Owner:
    """Who signed. Raises LoginRefused, and Unavailable ``CHAIN_UNAVAILABLE``."""
    try:
        check(
            message,
            now=now,
            domain=binding.domain,
            uri=binding.uri,
            chain_id=binding.chain_id,
        )
    except SiweError as error:
        raise LoginRefused("body.message", error.code, error.message) from None
    if message.address != binding.address:
        raise LoginRefused("body.message", "ADDRESS_MISMATCH", "the nonce is of another address")
    try:
        found = signer(message, signature, eth_call)
    except SiweError as error:
        raise LoginRefused("body.signature", error.code, error.message) from None
    return Owner(found.address, message.chain_id if found.is_contract else EVERY_CHAIN)
