"""A sign-in message of EIP-4361, from text and back."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from eth_utils.address import to_checksum_address

from api.siwe import grammar
from api.siwe.errors import SiweCode, SiweError

_LAYOUT: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+\-.]*)://)?"
    r"(?P<domain>[^ \n]*) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>[^\n]*)\n"
    r"\n"
    r"(?:(?P<statement>[^\n]*)\n)?"
    r"\n"
    r"URI: (?P<uri>[^\n]*)\n"
    r"Version: (?P<version>[^\n]*)\n"
    r"Chain ID: (?P<chain_id>[^\n]*)\n"
    r"Nonce: (?P<nonce>[^\n]*)\n"
    r"Issued At: (?P<issued_at>[^\n]*)"
    r"(?:\nExpiration Time: (?P<expiration_time>[^\n]*))?"
    r"(?:\nNot Before: (?P<not_before>[^\n]*))?"
    r"(?:\nRequest ID: (?P<request_id>[^\n]*))?"
    r"(?:\nResources:(?P<resources>(?:\n- [^\n]*)*))?"
)
_ADDRESS: Final = re.compile(r"0x[0-9A-Fa-f]{40}")
_NONCE: Final = re.compile(r"[A-Za-z0-9]{8,}")
# Without zeros in front: the text is signed and must come back from the number.
_CHAIN_ID: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_CHAIN_ID_BOUND: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class SiweMessage:
    """Fields as the message has them. Times are RFC 3339 text. None: the message does not have the
    field, which is not the same as an empty one.

    Raises SiweError for a field that the standard does not allow.
    """

    domain: str
    address: str
    uri: str
    version: str
    chain_id: int
    nonce: str
    issued_at: str
    scheme: str | None = None
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: Sequence[str] | None = None

    def __post_init__(self) -> None:
        _check("SCHEME_INVALID", grammar.is_scheme, self.scheme)
        _check("DOMAIN_INVALID", grammar.is_domain, self.domain)
        _check("ADDRESS_INVALID", _is_address, self.address)
        _check("STATEMENT_INVALID", grammar.is_statement, self.statement)
        _check("URI_INVALID", grammar.is_uri, self.uri)
        _check("VERSION_INVALID", _is_version, self.version)
        _check("NONCE_INVALID", _is_nonce, self.nonce)
        _check("REQUEST_ID_INVALID", grammar.is_request_id, self.request_id)
        if not 0 <= self.chain_id < _CHAIN_ID_BOUND:
            raise SiweError("CHAIN_ID_INVALID", "the chain id is out of range")
        for time in (self.issued_at, self.expiration_time, self.not_before):
            _check("TIME_INVALID", _is_time, time)
        for resource in self.resources or ():
            _check("RESOURCE_INVALID", grammar.is_uri, resource)

    def __str__(self) -> str:
        """The text that is signed; ``parse_message`` gives the same message again."""
        origin = self.domain if self.scheme is None else f"{self.scheme}://{self.domain}"
        lines = [f"{origin} wants you to sign in with your Ethereum account:", self.address, ""]
        if self.statement is not None:
            lines.append(self.statement)
        lines += [
            "",
            f"URI: {self.uri}",
            f"Version: {self.version}",
            f"Chain ID: {self.chain_id}",
            f"Nonce: {self.nonce}",
            f"Issued At: {self.issued_at}",
        ]
        if self.expiration_time is not None:
            lines.append(f"Expiration Time: {self.expiration_time}")
        if self.not_before is not None:
            lines.append(f"Not Before: {self.not_before}")
        if self.request_id is not None:
            lines.append(f"Request ID: {self.request_id}")
        if self.resources is not None:
            lines += ["Resources:", *(f"- {resource}" for resource in self.resources)]
        return "\n".join(lines)


def parse_message(text: str) -> SiweMessage:
    """The message that ``text`` is.

    Raises SiweError ``MESSAGE_MALFORMED`` where lines are missing, out of order or too many, else
    the code of the first field that is wrong. Source: EIP-4361, which takes RFC 3986 and 3339 in.
    """
    found = _LAYOUT.fullmatch(text)
    if found is None:
        raise SiweError("MESSAGE_MALFORMED", "the text does not have the lines of EIP-4361")
    fields = found.groupdict()
    chain_id = fields.pop("chain_id")
    if not _CHAIN_ID.fullmatch(chain_id):
        raise SiweError("CHAIN_ID_INVALID", "the chain id is no number in minimal form")
    resources = fields.pop("resources")
    return SiweMessage(
        **fields,
        chain_id=int(chain_id),
        resources=None if resources is None else resources.split("\n- ")[1:],
    )


def _check(code: SiweCode, rule: Callable[[str], bool], value: str | None) -> None:
    if value is not None and not rule(value):
        what = code.removesuffix("_INVALID").replace("_", " ").lower()
        raise SiweError(code, f"the {what} is not valid")


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and to_checksum_address(text) == text


def _is_version(text: str) -> bool:
    return text == "1"


def _is_nonce(text: str) -> bool:
    return _NONCE.fullmatch(text) is not None


def _is_time(text: str) -> bool:
    try:
        grammar.instant(text)
    except ValueError:
        return False
    return True
