"""A chain of its own kind: calldata, answers and logs made with web3 and eth_abi over the diamond's
whole ABI, by nothing of what is tested."""

import json
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic
from hexbytes import HexBytes
from web3 import Web3

from connectors.base.orders import ChainLog
from tests.unit.connectors.gains.world import RECORDED

ABI: Final[list[dict[str, Any]]] = json.loads(
    (RECORDED / "abi" / "GNSMultiCollatDiamond.json").read_bytes()
)
DIAMOND: Final = "0xFF162c694eAA571f685030649814282eA457f169"
CONTRACT: Final = Web3().eth.contract(address=Web3.to_checksum_address(DIAMOND), abi=ABI)
BY_NAME: Final = {(entry["type"], entry.get("name", "")): entry for entry in ABI}
TRADER: Final = "0x1111111111111111111111111111111111111111"
KEEPER: Final = "0x2222222222222222222222222222222222222222"


def calldata(function: str, *arguments: Any) -> bytes:
    return bytes.fromhex(CONTRACT.encode_abi(function, args=list(arguments))[2:])


def _plain(parameter: dict[str, Any], value: Any) -> Any:
    """A struct given as a dictionary, as a tuple; what is not given is nothing."""
    if parameter["type"] == "tuple[]":
        return [_tuple(parameter, item) for item in value or []]
    if parameter["type"] == "tuple":
        return _tuple(parameter, value or {})
    if value is None:
        return {"bool": False, "address": "0x" + "0" * 40}.get(parameter["type"], 0)
    return value


def _tuple(parameter: dict[str, Any], value: dict[str, Any]) -> tuple[Any, ...]:
    parts = parameter["components"]
    assert set(value) <= {item["name"] for item in parts}, value
    return tuple(_plain(item, value.get(item["name"])) for item in parts)


def answer(function: str, value: Any) -> bytes:
    """What a view returns."""
    (output,) = BY_NAME["function", function]["outputs"]
    return encode([collapse_if_tuple(output)], [_plain(output, value)])


def units(amount: int) -> bytes:
    return encode(["uint256"], [amount])


def log(
    event: str, *, at: int = 1, tx: str = "0x" + "a" * 64, chain_id: int = 42161, **values: Any
) -> ChainLog:
    """A log of the diamond."""
    entry = BY_NAME["event", event]
    assert set(values) <= {item["name"] for item in entry["inputs"]}, values
    topics, plain = [bytes(event_abi_to_log_topic(entry))], []  # type: ignore[arg-type]
    for item in entry["inputs"]:
        value = _plain(item, values.get(item["name"]))
        if item["indexed"]:
            topics.append(encode([item["type"]], [value]))
        else:
            plain.append((collapse_if_tuple(item), value))
    return ChainLog(
        chain_id=chain_id,
        address=DIAMOND,
        topics=tuple(topics),
        data=encode([kind for kind, _ in plain], [value for _, value in plain]),
        block_number=300_000_000,
        block_hash="0x" + "b" * 64,
        tx_hash=tx,
        log_index=at,
    )


def read_by_web3(event: str, found: ChainLog) -> dict[str, Any]:
    """The values of a log as web3 reads them."""
    raw = {
        "address": found.address,
        "topics": [HexBytes(topic) for topic in found.topics],
        "data": HexBytes(found.data),
        "blockNumber": found.block_number,
        "blockHash": HexBytes(found.block_hash),
        "transactionHash": HexBytes(found.tx_hash),
        "transactionIndex": 0,
        "logIndex": found.log_index,
    }
    values: dict[str, Any] = dict(CONTRACT.events[event]().process_log(raw)["args"])
    return values
