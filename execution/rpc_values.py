"""JSON-RPC of nodes: what is asked, and what it answers in our types. Pure; what a node got wrong
raises ValueError, LookupError or TypeError."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from eth_utils.address import to_checksum_address

from connectors.base.orders import Call, ChainLog, Transaction
from domain.errors import ChainRejected


class Block(NamedTuple):
    number: int
    hash: str
    time_s: int
    base_fee_wei: int


class Receipt(NamedTuple):
    """``succeeded``: False of one that reverted. ``gas_used`` units of gas."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int


class CallResult(NamedTuple):
    """Of a simulated transaction. ``data``: what it returned, or reverted with."""

    ok: bool
    gas_used: int
    data: bytes


def body_of(method: str, params: Sequence[Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def batch_of(calls: Sequence[tuple[str, Sequence[Any]]]) -> bytes:
    """Numbered from 0 in their order."""
    return orjson.dumps(
        [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
    )


def result_of(answer: Mapping[str, Any]) -> Any:
    """Raises ChainRejected."""
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    data = error.get("data")
    raw = bytes_of(data) if isinstance(data, str) and data.startswith("0x") else b""
    raise ChainRejected(str(error.get("code")), str(error.get("message"))[:300], raw)


def quantity(number: int | str) -> str:
    return hex(number) if isinstance(number, int) else number


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def call_of(call: Call) -> dict[str, str]:
    given = {"to": call.to, "data": f"0x{call.data.hex()}"}
    return given if call.sender is None else given | {"from": call.sender}


def block_of(raw: Mapping[str, Any]) -> Block:
    base_fee = raw.get("baseFeePerGas")
    return Block(
        int(raw["number"], 16),
        raw["hash"],
        int(raw["timestamp"], 16),
        0 if base_fee is None else int(base_fee, 16),
    )


def receipt_of(tx_hash: str, raw: Mapping[str, Any]) -> Receipt:
    return Receipt(
        tx_hash,
        int(raw["blockNumber"], 16),
        raw["blockHash"],
        raw["status"] == "0x1",
        int(raw["gasUsed"], 16),
    )


def is_same_receipt(receipt: Receipt, raw: Any) -> bool:
    """Whether another node tells the same of it: not nothing, nor what cannot be read."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        other = receipt_of(receipt.tx_hash, raw)
        return other._replace(gas_used=receipt.gas_used) == receipt
    return False


def transaction_of(chain_id: int, raw: Mapping[str, Any]) -> Transaction:
    return Transaction(
        chain_id,
        to_checksum_address(raw["from"]),
        None if raw["to"] is None else to_checksum_address(raw["to"]),
        int(raw["value"], 16),
        bytes_of(raw["input"]),
        int(raw["nonce"], 16),
        int(raw["gas"], 16),
    )


def log_of(chain_id: int, raw: Mapping[str, Any]) -> ChainLog:
    return ChainLog(
        chain_id,
        to_checksum_address(raw["address"]),
        tuple(bytes_of(topic) for topic in raw["topics"]),
        bytes_of(raw["data"]),
        int(raw["blockNumber"], 16),
        raw["blockHash"],
        raw["transactionHash"],
        int(raw["logIndex"], 16),
    )


def call_result_of(raw: Mapping[str, Any]) -> CallResult:
    data = raw.get("returnData") or "0x"
    error = raw.get("error") or {}
    if isinstance(error.get("data"), str):
        data = error["data"]
    return CallResult(raw["status"] == "0x1", int(raw["gasUsed"], 16), bytes_of(data))
