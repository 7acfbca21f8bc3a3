"""Questions to the chains of the wallets. Blocking: for worker threads."""

import random
from collections.abc import Mapping
from typing import Any, Final

import httpx

from api.problems import Unavailable
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.settings import comma_urls

TIMEOUT_S: Final = 1.5
"""Of one request; a question is two."""
URLS_BOUND: Final = 2
_FAILURES: Final = 2
_REST_NS: Final = 2_000_000_000


class Chains:
    """``rpc_urls``: chain id -> comma list of URLs; those of HTTP are asked in their order."""

    def __init__(self, rpc_urls: Mapping[int, str]) -> None:
        self._urls = {
            chain_id: [url for url in comma_urls(urls) if url.startswith("http")][:URLS_BOUND]
            for chain_id, urls in rpc_urls.items()
        }
        self._breakers = {
            url: Breaker(_FAILURES, _REST_NS) for urls in self._urls.values() for url in urls
        }

    def knows(self, chain_id: int) -> bool:
        return bool(self._urls.get(chain_id))

    def eth_call(self, chain_id: int, to: str | None, data: bytes) -> bytes:
        """What the call returns in the newest block, of the first node that is of this chain and
        answers. Raises Unavailable ``CHAIN_UNAVAILABLE``."""
        call = {"data": f"0x{data.hex()}"} | ({} if to is None else {"to": to})
        for url in self._urls[chain_id]:
            breaker = self._breakers[url]
            if not breaker.allows(mono_ns()):
                continue
            try:
                found = _answer(url, chain_id, call)
            except httpx.HTTPError as error:
                breaker.failed(mono_ns(), type(error).__name__, random.uniform(0.5, 1.0))
                continue
            breaker.succeeded()
            if found is not None:
                return found
        raise Unavailable("CHAIN_UNAVAILABLE", f"no node of chain {chain_id} answers")


def _answer(url: str, chain_id: int, call: Mapping[str, str]) -> bytes | None:
    """None of a node of another chain, or that says no such thing. Raises httpx.HTTPError."""
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            if int(_ask(client, url, "eth_chainId"), 16) != chain_id:
                return None
            answer = _ask(client, url, "eth_call", call, "latest")
            return bytes.fromhex(answer.removeprefix("0x"))
        except (ValueError, TypeError, AttributeError, LookupError):
            return None


def _ask(client: httpx.Client, url: str, method: str, *params: Any) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    result: str = client.post(url, json=request).json()["result"]
    return result
