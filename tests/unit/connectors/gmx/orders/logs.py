"""Logs of the EventEmitter made of values by key, by an encoder of the tests' own."""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.base.orders import ChainLog
from connectors.gmx.addresses import contracts

EMITTER = contracts(42161, "v2.2c", {})["EVENT_EMITTER"]
KINDS = {
    1: "137a44067c8961cd7e1d876f4754a5a3a75989b4552f1843fc69c3b372def160",
    2: "468a25a7ba624ceea6e540ad6f49171b52495b648417ae91bca21676d8a24dc5",
}
TYPES = ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
_DATA = ",".join(f"((string,{kind})[],(string,{kind}[])[])" for kind in TYPES)

SIGNED = ("collateralDeltaAmount", "priceImpactUsd", "pendingPriceImpactUsd", "basePnlUsd")


def chain_log(name: str, values: Mapping[str, Any], index: int = 0, **changes: Any) -> ChainLog:
    """Numbers as integers or decimal strings; the key of an array ends in ``[]``."""
    groups: dict[str, tuple[list[Any], list[Any]]] = {kind: ([], []) for kind in TYPES}
    for key, value in values.items():
        if key.endswith("[]"):
            groups["address"][1].append((key[:-2], value))
        else:
            kind, plain = _typed(key, value)
            groups[kind][0].append((key, plain))
    data = encode(
        ["address", "string", f"({_DATA})"], ["0x" + "9" * 40, name, tuple(groups.values())]
    )
    topics = (bytes.fromhex(KINDS[2]), keccak(text=name), b"\1" * 32, b"\2" * 32)
    where: dict[str, Any] = {
        "chain_id": 42161,
        "address": EMITTER,
        "topics": topics,
        "data": data,
        "block_number": 500_000_000,
        "block_hash": "0x" + "b" * 64,
        "tx_hash": "0x" + "c" * 64,
        "log_index": index,
    }
    return ChainLog(**where | changes)


def _typed(key: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, str) and value.startswith("0x"):
        if key == "reasonBytes":
            return "bytes", bytes.fromhex(value[2:])
        size = (len(value) - 2) // 2
        return ("address", value) if size == 20 else ("bytes32", bytes.fromhex(value[2:]))
    if key in ("reason", "step"):
        return "string", value
    number = int(value)
    return ("int256" if number < 0 or key in SIGNED else "uint256"), number
