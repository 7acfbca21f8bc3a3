"""A client of the node of a sandbox chain."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson

from sandbox.chain.http1 import Client
from sandbox.chain.places import BASE_FEE_WEI, KEEPER

_TIMEOUT_S: Final = 5.0
_FORWARD_S: Final = 30.0
# A sender may pay this many times what the chain asks for, and pays what it asks for.
_FEE_CAP: Final = 10

# ValueError also of what is no JSON.
_FAILED: Final = (OSError, EOFError, ValueError)

Call = tuple[str, Sequence[Any]]


class NodeError(Exception):
    """The node is not there, or refuses."""


class Node:
    def __init__(self, url: str, chain_id: int) -> None:
        self.url = url
        self._client = Client(url)
        # The node gives out nonces, and the same one to two at once.
        self._sending = asyncio.Lock()
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
        try:
            answers = orjson.loads(await self._client.post(orjson.dumps(requests), _TIMEOUT_S))
        except _FAILED as error:
            raise NodeError(f"{calls[0][0]}: {type(error).__name__}") from None
        results = {}
        for answer in answers:
            if "error" in answer:
                method = calls[answer["id"]][0]
                raise NodeError(f"{method}: {answer['error'].get('message', '')}")
            results[answer["id"]] = answer["result"]
        return [results[i] for i in range(len(calls))]

    async def forward(self, request: dict[str, Any]) -> dict[str, Any]:
        """The node's own answer to a request of somebody else. Raises NodeError."""
        try:
            answer = orjson.loads(await self._client.post(orjson.dumps(request), _FORWARD_S))
        except _FAILED as error:
            raise NodeError(f"{request.get('method')}: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise NodeError(f"{request.get('method')}: no answer")
        return answer

    async def exchange(self, body: bytes) -> bytes:
        """The node's own answer to a body of somebody else, as it is. Raises NodeError."""
        try:
            return await self._client.post(body, _FORWARD_S)
        except _FAILED as error:
            raise NodeError(type(error).__name__) from None

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
        async with self._sending:
            sent: str = await self.call("eth_sendTransaction", transaction)
        return sent

    async def close(self) -> None:
        await self._client.close()


def view(to: str, data: bytes) -> Call:
    """A call that asks a contract."""
    return "eth_call", ({"to": to, "data": f"0x{data.hex()}"}, "latest")
