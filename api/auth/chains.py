"""Questions to the chains of the wallets. Blocking: for worker threads."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from api.problems import Unavailable
from runtime.settings import comma_urls

TIMEOUT_S: Final = 1.5
"""Of one request; a question is two."""
URLS_BOUND: Final = 2


class Chains:
    """``rpc_urls``: chain id -> comma list of URLs; those of HTTP are asked in their order."""

    def __init__(self, rpc_urls: Mapping[int, str]) -> None:
        self._urls = {
            chain_id: [url for url in comma_urls(urls) if url.startswith("http")][:URLS_BOUND]
            for chain_id, urls in rpc_urls.items()
        }

    def knows(self, chain_id: int) -> bool:
        return bool(self._urls.get(chain_id))

    def eth_call(self, chain_id: int, to: str | None, data: bytes) -> bytes:
        """What the call returns in the newest block, of the first node that is of this chain and
        answers. Raises Unavailable ``CHAIN_UNAVAILABLE``."""
        call = {"data": f"0x{data.hex()}"} | ({} if to is None else {"to": to})
        for url in self._urls[chain_id]:
            try:
                with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
                    if int(_ask(client, url, "eth_chainId"), 16) == chain_id:
                        answer = _ask(client, url, "eth_call", call, "latest")
                        return bytes.fromhex(answer.removeprefix("0x"))
            except (httpx.HTTPError, ValueError, TypeError, AttributeError, LookupError):
                continue
        raise Unavailable("CHAIN_UNAVAILABLE", f"no node of chain {chain_id} answers")


def _ask(client: httpx.Client, url: str, method: str, *params: Any) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    result: str = client.post(url, json=request).json()["result"]
    return result
