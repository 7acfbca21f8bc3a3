"""Logs of the EventEmitter -> flat values by key. Pure.

Every event of GMX is one of three Solidity events with the same data: sender, name, and seven
groups of (key, value) pairs by type. New keys are appended in any release, so values are found by
key, never by place. Source: gmx-synthetics ``contracts/event/EventUtils.sol``, release v2.2c.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from connectors.gmx import constants as c
from connectors.gmx.messages import WireLog
from domain.errors import InputError

Value: TypeAlias = str | int | bool | tuple[str | int | bool, ...]
"""Addresses in lower case; bytes and bytes32 as 0x and hexadecimal digits."""

_GROUPS: Final = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
_DATA: Final = ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in _GROUPS)
_TYPES: Final = ("address", "string", f"({_DATA})")

_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,15}")
_WORD: Final = re.compile(r"0x[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Log:
    """Where a log stands in the chain, and its contents; texts in lower case."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    block: int
    block_hash: str
    transaction: str
    index: int
    removed: bool


@dataclass(frozen=True, slots=True)
class GmxEvent:
    """``values``: by key; the key of an array ends in ``[]``."""

    name: str
    sender: str
    values: Mapping[str, Value]


def log(raw: WireLog) -> Log:
    """A log of a node. Raises InputError, KeyError or TypeError."""
    removed, topics = raw.get("removed", False), raw["topics"]
    if not isinstance(removed, bool) or not isinstance(topics, list) or not 0 < len(topics) <= 4:
        raise InputError("BAD_LOG", "no log of a contract")
    return Log(
        address=raw["address"].lower(),
        topics=tuple([_word(topic) for topic in topics]),
        data=_bytes(raw["data"]),
        block=number(raw["blockNumber"]),
        block_hash=_word(raw["blockHash"]),
        transaction=_word(raw["transactionHash"]),
        index=number(raw["logIndex"]),
        removed=removed,
    )


def number(text: object) -> int:
    """A quantity of JSON-RPC, ``0x1a``. Raises InputError ``BAD_NUMBER``."""
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise InputError("BAD_NUMBER", f"not a quantity: {text!r:.60}")
    return int(text, 16)


def _word(text: object) -> str:
    if not isinstance(text, str) or _WORD.fullmatch(text) is None:
        raise InputError("BAD_LOG", f"not 32 bytes: {text!r:.80}")
    return text.lower()


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or text[:2] != "0x":
        raise InputError("BAD_LOG", f"not bytes: {text!r:.60}")
    try:
        return binascii.unhexlify(text[2:])
    except ValueError as error:
        raise InputError("BAD_LOG", f"not bytes: {error}") from None


def decode(found: Log) -> GmxEvent:
    """Any event of the EventEmitter. Raises InputError ``BAD_EVENT``."""
    if len(found.data) > c.MAX_EVENT_BYTES:
        raise InputError("BAD_EVENT", f"{len(found.data)} bytes of data")
    try:
        sender, name, groups = abi_decode(_TYPES, found.data)
    except (DecodingError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError("BAD_EVENT", f"{error!r:.200}") from None
    values: dict[str, Value] = {}
    for items, arrays in groups:
        for key, value in items:
            _put(values, key, _value(value))
        for key, elements in arrays:
            _put(values, f"{key}[]", tuple([_value(element) for element in elements]))
    return GmxEvent(name, sender, values)


def _put(values: dict[str, Value], key: str, value: Value) -> None:
    if not key:
        return  # a place that the contracts made room for and left empty
    if key in values:
        raise InputError("BAD_EVENT", f"two values of {key:.60}")
    values[key] = value


def _value(value: Any) -> Any:
    return f"0x{value.hex()}" if isinstance(value, bytes) else value
