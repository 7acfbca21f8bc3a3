"""What is wrong with an endpoint of a chain: which faults hold, and what its answers become. Pure:
time and randomness are arguments."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from eth_utils.crypto import keccak

Kind: TypeAlias = Literal[
    "refuse",
    "hang",
    "slow",
    "reorder",
    "wrong_chain",
    "stale_head",
    "fake_receipt",
    "null_transaction",
    "inflated_gas",
    "forget",
    "mute",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SEND: Final = "eth_sendRawTransaction"

_OTHER_CHAIN: Final = 1
STALE_BLOCKS: Final = 40
_INFLATION: Final = 100
_FEES: Final = ("eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_estimateGas")
# The parameter that names a block.
_BLOCK_AT: Final = {
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_getBalance": 1,
    "eth_getTransactionCount": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getStorageAt": 2,
}


@dataclass(frozen=True, slots=True)
class ChainFault:
    """``endpoint`` None: all of the chain."""

    chain_id: int
    endpoint: str | None
    kind: Kind
    until_ns: int


class ChainFaults:
    """At most one of a kind, chain and endpoint; a repeated one replaces the end."""

    def __init__(self) -> None:
        self._faults: dict[tuple[int, str | None, Kind], ChainFault] = {}

    def add(self, fault: ChainFault) -> None:
        self._faults[fault.chain_id, fault.endpoint, fault.kind] = fault

    def running(self, now_ns: int) -> list[ChainFault]:
        """Faults that still hold; those past their end are forgotten here."""
        self._faults = {k: fault for k, fault in self._faults.items() if fault.until_ns > now_ns}
        return list(self._faults.values())

    def kinds(self, chain_id: int, endpoint: str, now_ns: int) -> frozenset[Kind]:
        if not self._faults:
            return frozenset()
        return frozenset(
            fault.kind
            for fault in self.running(now_ns)
            if fault.chain_id == chain_id and fault.endpoint in (None, endpoint)
        )

    def clear(self) -> int:
        """Ends every fault now; how many there were."""
        count = len(self._faults)
        self._faults.clear()
        return count


def asked(kinds: Iterable[Kind], request: dict[str, Any], head: int) -> dict[str, Any]:
    """The request as the node gets it. ``head``: its height."""
    method, params = request.get("method"), request.get("params")
    place = _BLOCK_AT.get(str(method))
    if "stale_head" not in kinds or place is None or not isinstance(params, list):
        return request
    if len(params) > place and params[place] in ("latest", "pending"):
        params = [*params[:place], hex(max(0, head - STALE_BLOCKS)), *params[place + 1 :]]
    return request | {"params": params}


def answered(kinds: Iterable[Kind], request: dict[str, Any], answer: dict[str, Any]) -> Any:
    """The answer as the client gets it."""
    method = request.get("method")
    if "result" not in answer:
        return answer
    result = answer["result"]
    if "wrong_chain" in kinds and method in ("eth_chainId", "net_version"):
        result = hex(_OTHER_CHAIN) if method == "eth_chainId" else str(_OTHER_CHAIN)
    if "stale_head" in kinds and method == "eth_blockNumber":
        result = hex(max(0, int(result, 16) - STALE_BLOCKS))
    if "inflated_gas" in kinds:
        result = _inflated(str(method), result)
    if "fake_receipt" in kinds and method == "eth_getTransactionReceipt":
        result = _faked(request, result)
    if "null_transaction" in kinds and method in (
        "eth_getTransactionReceipt",
        "eth_getTransactionByHash",
    ):
        result = None
    return answer | {"result": result}


def hash_of(raw: str) -> str:
    """Of a signed transaction, in hex. Raises ValueError for what is none."""
    return "0x" + keccak(bytes.fromhex(raw.removeprefix("0x"))).hex()


def _inflated(method: str, result: Any) -> Any:
    if method in _FEES:
        return hex(int(result, 16) * _INFLATION)
    if method == "eth_feeHistory":
        more = [hex(int(fee, 16) * _INFLATION) for fee in result["baseFeePerGas"]]
        return result | {"baseFeePerGas": more}
    if method == "eth_getBlockByNumber" and result and "baseFeePerGas" in result:
        return result | {"baseFeePerGas": hex(int(result["baseFeePerGas"], 16) * _INFLATION)}
    return result


def _faked(request: dict[str, Any], result: Any) -> Any:
    """A transaction that was not mined was, one that was had the other outcome."""
    if result is not None:
        return result | {"status": "0x0" if result["status"] == "0x1" else "0x1"}
    found = str(request["params"][0])
    return {
        "transactionHash": found,
        "transactionIndex": "0x0",
        "blockHash": "0x" + keccak(text=found).hex(),
        "blockNumber": "0x1",
        "from": "0x" + "0" * 40,
        "to": "0x" + "0" * 40,
        "cumulativeGasUsed": "0x5208",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x1",
        "contractAddress": None,
        "logs": [],
        "logsBloom": "0x" + "0" * 512,
        "status": "0x1",
        "type": "0x2",
    }
