"""Calls of the EventEmitter of GMX, with the keys and types of release v2.2c. Pure.

Source: gmx-synthetics ``contracts/event/EventEmitter.sol``.
"""

from collections.abc import Mapping
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

_GROUPS: Final = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
_DATA: Final = "(" + ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in _GROUPS) + ")"
_TOPICS: Final = {1: ",bytes32", 2: ",bytes32,bytes32"}
_PROVIDER: Final = "0x38b8db61b724b51e42a88cb8ec564cd685a0f53b"

Values = Mapping[str, Mapping[str, Any]]
"""By type, then by key; keys of arrays end in ``[]``."""


def padded(address: str) -> bytes:
    """An address as a topic."""
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def position_key(account: str, market: str, collateral: str, is_long: bool) -> bytes:
    return keccak(
        encode(["address", "address", "address", "bool"], [account, market, collateral, is_long])
    )


def oracle_price(token: str, prices: tuple[int, int], timestamp_s: int) -> bytes:
    """Least and greatest price of a token that an execution used."""
    least, greatest = prices
    return call(
        "OraclePriceUpdate",
        {
            "address": {"token": token, "provider": _PROVIDER},
            "uint256": {"minPrice": least, "maxPrice": greatest, "timestamp": timestamp_s},
        },
        padded(token),
    )


def call(name: str, values: Values, *topics: bytes) -> bytes:
    """A call of ``emitEventLog1`` or ``emitEventLog2``."""
    groups = []
    for kind in _GROUPS:
        found = values.get(kind, {})
        items = [(key, value) for key, value in found.items() if not key.endswith("[]")]
        arrays = [(key[:-2], value) for key, value in found.items() if key.endswith("[]")]
        groups.append((items, arrays))
    types = f"string{_TOPICS[len(topics)]},{_DATA}"
    selector = keccak(text=f"emitEventLog{len(topics)}({types})")[:4]
    kinds = ["string", *["bytes32"] * len(topics), _DATA]
    return selector + encode(kinds, [name, *topics, tuple(groups)])
