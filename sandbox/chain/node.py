"""A client of the node of a sandbox chain."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import orjson

from sandbox.chain.link import Link
from sandbox.chain.places import BASE_FEE_WEI, KEEPER

_TIMEOUT_S: Final = 5.0
_FORWARD_S: Final = 30.0
# A sender may pay this many times what the chain asks for, and pays what it asks for.
_FEE_CAP: Final = 10

Call = tuple[str, Sequence[Any]]
_Asked = TypeVar("_Asked", dict[str, Any], list[Any])


class NodeError(Exception):
    """The node is not there, or refuses."""


class Node:
    def __init__(self, url: str, chain_id: int) -> None:
        self.url = url
        self._link = Link(url)
        self._fee_cap = hex(BASE_FEE_WEI[chain_id] * _FEE_CAP)

    async def call(self, method: str, *params: Any) -> Any:
        """The result. Raises NodeError."""
        (result,) = await self.batch((method, params))
        return result

    async def batch(self, *calls: Call) -> list[Any]:
        """The results in the order of the calls, which are answered in one go. Raises NodeError."""
        requests = [
            {"jsonrpc": "2.0", "id": i, "method": method, "params": list(params)}
            for i, (method, params) in enumerate(calls)
        ]
        answers = await self._post(calls[0][0], requests, _TIMEOUT_S)
        results = {}
        for answer in answers:
            if "error" in answer:
                method = calls[answer["id"]][0]
                raise NodeError(f"{method}: {answer['error'].get('message', '')}")
            results[answer["id"]] = answer["result"]
        return [results[i] for i in range(len(calls))]

    async def forward(self, request: _Asked) -> _Asked:
        """The node's own answer to a request of somebody else, or to a batch of them. Raises
        NodeError."""
        name = "batch" if isinstance(request, list) else str(request.get("method"))
        answer = await self._post(name, request, _FORWARD_S)
        if not isinstance(answer, type(request)):
            raise NodeError(f"{name}: no answer")
        return answer

    async def send(self, to: str, data: bytes) -> str:
        """The hash of a transaction of the keeper's account, of which the node holds the key.
        Raises NodeError, also where it would be reverted."""
        transaction = {
            "from": KEEPER,
            "to": to,
            "data": f"0x{data.hex()}",
            "maxFeePerGas": self._fee_cap,
            "maxPriorityFeePerGas": "0x0",
        }
        sent: str = await self.call("eth_sendTransaction", transaction)
        return sent

    async def close(self) -> None:
        self._link.close()

    async def _post(self, name: str, body: Any, limit_s: float) -> Any:
        try:
            return orjson.loads(await self._link.post(orjson.dumps(body), limit_s))
        except (OSError, EOFError, ValueError) as error:
            raise NodeError(f"{name}: {type(error).__name__}") from None


def view(to: str, data: bytes) -> Call:
    """A call that asks a contract."""
    return "eth_call", ({"to": to, "data": f"0x{data.hex()}"}, "latest")
