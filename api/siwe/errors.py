"""Why a sign-in message is refused."""

from typing import Literal, get_args

from domain.errors import InputError

SiweCode = Literal[
    "MESSAGE_MALFORMED",
    "SCHEME_INVALID",
    "DOMAIN_INVALID",
    "ADDRESS_INVALID",
    "STATEMENT_INVALID",
    "URI_INVALID",
    "VERSION_INVALID",
    "CHAIN_ID_INVALID",
    "NONCE_INVALID",
    "TIME_INVALID",
    "REQUEST_ID_INVALID",
    "RESOURCE_INVALID",
    "DOMAIN_MISMATCH",
    "NONCE_MISMATCH",
    "URI_MISMATCH",
    "CHAIN_ID_MISMATCH",
    "EXPIRED",
    "NOT_YET_VALID",
    "SIGNATURE_INVALID",
]
CODES: tuple[SiweCode, ...] = get_args(SiweCode)


class SiweError(InputError):
    """``code`` is one of ``CODES``."""

    def __init__(self, code: SiweCode, message: str) -> None:
        super().__init__(code, message)
