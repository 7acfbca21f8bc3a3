"""A client of the node of a sandbox chain."""

from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 2.0
# Wei a unit of gas, ten times what the chain asks for.
_GAS_PRICE: Final = hex(100_000_000)


class NodeError(Exception):
    """The node is not there, or refuses."""


class Node:
    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    async def call(self, method: str, *params: Any) -> Any:
        """The result. Raises NodeError."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = (await self._client.post("/", json=request)).json()
        except (httpx.HTTPError, ValueError) as error:
            raise NodeError(f"{method}: {type(error).__name__}") from None
        if "error" in answer:
            raise NodeError(f"{method}: {answer['error'].get('message', '')}")
        return answer["result"]

    async def send(self, sender: str, to: str, data: bytes) -> None:
        """A transaction of an account that the node holds the key of; it gets into the next block.
        Raises NodeError, also where it would be reverted."""
        transaction = {
            "from": sender,
            "to": to,
            "data": f"0x{data.hex()}",
            "gasPrice": _GAS_PRICE,
        }
        await self.call("eth_sendTransaction", transaction)

    async def close(self) -> None:
        await self._client.aclose()
