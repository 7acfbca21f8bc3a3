"""Signed transactions: read, and held against what was to be signed. Without I/O; slow to
import and to run: for worker threads."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import rlp
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from api.problems import Invalid, Issue
from connectors.base.orders import Step, Transaction, differing_field
from domain.errors import InputError
from domain.fee_caps import FEE_CAPS_WEI

GAS_TIMES: Final = 2
"""More gas than that times what a step says is a mistake."""
_HEX: Final = re.compile("0x([0-9A-Fa-f]{2})+")
_TYPE: Final = 2
_FIELDS: Final = 12
_LEGACY: Final = 0xC0
_WORD: Final = 32
_ADDRESS: Final = 20
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_PATH: Final = "body.raw_transaction"


@dataclass(frozen=True, slots=True)
class Signed:
    """``tx_hash``: in lower case. Fees in wei, per gas."""

    transaction: Transaction
    tx_hash: str
    max_fee_wei: int
    tip_wei: int


class Mismatch(InputError):
    """422. What was signed is not what was to be signed."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("TRANSACTION_MISMATCH", "; ".join(issue.message for issue in issues))
        self.issues = issues


def decode(text: str) -> Signed:
    """A transaction of type 2 (EIP-1559), 0x-hex, and who signed it.

    Raises Invalid for what is no transaction, Mismatch for one of another type, and InputError
    ``SIGNATURE_INVALID``. Source: EIP-2718, EIP-1559, EIP-2.
    """
    if not _HEX.fullmatch(text):
        raise _unreadable("expected 0x and whole bytes in hex: the step is of an EVM chain")
    raw = bytes.fromhex(text[2:])
    if raw[0] != _TYPE:
        if raw[0] < _LEGACY and raw[0] > 4:
            raise _unreadable("no signed transaction")
        raise Mismatch([_issue("type", "expected a transaction of type 0x2")])
    try:
        fields = rlp.decode(raw[1:])
    except (rlp.exceptions.RLPException, RecursionError, TypeError, ValueError):
        raise _unreadable("no RLP of a transaction") from None
    return _signed(raw, _checked(fields))


def differences(signed: Signed, payload: Mapping[str, Any], order: Step) -> None:
    """``payload``: the ``tx`` of a step, numbers as decimal strings; ``order``: the same as a
    connector knows it. Raises InputError ``SIGNATURE_INVALID`` and Mismatch."""
    found = signed.transaction
    if found.sender.lower() != str(payload["from"]).lower():
        raise InputError("SIGNATURE_INVALID", f"signed by {found.sender}")
    issues = list(_differences(signed, payload, order))
    if issues:
        raise Mismatch(issues)


def step_of(step_id: Any, payload: Mapping[str, Any]) -> Step:
    """The step of a ``tx`` as it is shown."""
    return Step(
        step_id,
        str(payload["to"]),
        int(payload["value"]),
        bytes.fromhex(str(payload["data"]).removeprefix("0x")),
        int(payload["gas"]),
    )


def _differences(signed: Signed, payload: Mapping[str, Any], order: Step) -> Iterator[Issue]:
    found = signed.transaction
    for name, value in (("chain_id", found.chain_id), ("nonce", found.nonce)):
        if value != int(payload[name]):
            yield _issue(name, f"{name} is {value}, not {payload[name]}")
    field = differing_field(order, found)
    if field is not None:
        yield _issue(field, f"{field} is not that of the step")
    if found.gas > GAS_TIMES * order.gas:
        yield _issue("gas", f"gas is more than {GAS_TIMES} times {order.gas}")
    cap = max(FEE_CAPS_WEI.get(found.chain_id, 0), int(payload["max_fee_per_gas"]))
    if signed.max_fee_wei > cap:
        yield _issue("max_fee_per_gas", f"max_fee_per_gas is above {cap}")
    if signed.tip_wei > signed.max_fee_wei:
        yield _issue("max_priority_fee_per_gas", "a tip above the whole fee")


def _checked(fields: Any) -> list[Any]:
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise _unreadable(f"not the {_FIELDS} fields of a signed transaction")
    if fields[8]:
        raise Mismatch([_issue("access_list", "the step has no access list")])
    plain = [field for place, field in enumerate(fields) if place != 8]
    if not all(isinstance(field, bytes) for field in plain):
        raise _unreadable("a field is a list")
    if len(fields[5]) not in (0, _ADDRESS):
        raise _unreadable("to is no address")
    return fields


def _signed(raw: bytes, fields: list[Any]) -> Signed:
    chain_id, nonce, tip, max_fee, gas = map(_number, fields[:5])
    parity, r, s = map(_number, fields[9:])
    digest = keccak(b"\x02" + rlp.encode(fields[:9]))
    transaction = Transaction(
        chain_id,
        _sender(digest, parity, r, s),
        "0x" + fields[5].hex() if fields[5] else None,
        _number(fields[6]),
        bytes(fields[7]),
        nonce,
        gas,
    )
    return Signed(transaction, "0x" + keccak(raw).hex(), max_fee, tip)


def _sender(digest: bytes, parity: int, r: int, s: int) -> str:
    if parity not in (0, 1) or s > _HALF_ORDER:
        raise InputError("SIGNATURE_INVALID", "no signature that a chain takes")
    try:
        key = Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        raise InputError("SIGNATURE_INVALID", "no signature of any key") from None
    return str(key.to_checksum_address())


def _number(field: bytes) -> int:
    if len(field) > _WORD or field[:1] == b"\0":
        raise _unreadable("a number is not written as RLP has it")
    return int.from_bytes(field, "big")


def _unreadable(message: str) -> Invalid:
    return Invalid([Issue(_PATH, "BAD_TRANSACTION", message)])


def _issue(field: str, message: str) -> Issue:
    return Issue(f"{_PATH}.{field}", "MISMATCH", message)
