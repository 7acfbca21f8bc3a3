"""Questions to the chains of the wallets."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import orjson

from api.problems import Unavailable
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.dialer import Dialer, bounded_body
from runtime.settings import comma_urls

TIMEOUT_S: Final = 1.5
"""Of one request; a question is two."""
URLS_BOUND: Final = 2
MAX_BODY_BYTES: Final = 256 * 1024
_LIMIT_S: Final = 2.0 * TIMEOUT_S * URLS_BOUND + 1.0
_FAILURES: Final = 2
_REST_NS: Final = 2_000_000_000


class Chains:
    """``rpc_urls``: chain id -> comma list of URLs; those of HTTP are asked in their order."""

    def __init__(self, rpc_urls: Mapping[int, str], dialer: Dialer) -> None:
        self._urls = {
            chain_id: [url for url in comma_urls(urls) if url.startswith("http")][:URLS_BOUND]
            for chain_id, urls in rpc_urls.items()
        }
        self._breakers = {
            url: Breaker(_FAILURES, _REST_NS) for urls in self._urls.values() for url in urls
        }
        self._http = dialer.http(TIMEOUT_S)

    async def close(self) -> None:
        await self._http.aclose()

    def blocking(self, chain_id: int) -> Callable[[int, str | None, bytes], bytes] | None:
        """``eth_call`` for a worker thread, made on the event loop. None without nodes."""
        if not self._urls.get(chain_id):
            return None
        loop = asyncio.get_running_loop()

        def eth_call(of: int, to: str | None, data: bytes) -> bytes:
            asked = asyncio.run_coroutine_threadsafe(self.eth_call(of, to, data), loop)
            return asked.result(_LIMIT_S)

        return eth_call

    async def eth_call(self, chain_id: int, to: str | None, data: bytes) -> bytes:
        """What the call returns in the newest block, of the first node that is of this chain and
        answers. Raises Unavailable ``CHAIN_UNAVAILABLE``."""
        call = {"data": f"0x{data.hex()}"} | ({} if to is None else {"to": to})
        for url in self._urls[chain_id]:
            breaker = self._breakers[url]
            if not breaker.allows(mono_ns()):
                continue
            try:
                found = await self._answer(url, chain_id, call)
            except (httpx.HTTPError, TimeoutError) as error:
                breaker.failed(mono_ns(), type(error).__name__, random.uniform(0.5, 1.0))
                continue
            except asyncio.CancelledError:
                breaker.abandoned()
                raise
            breaker.succeeded()
            if found is not None:
                return found
        raise Unavailable("CHAIN_UNAVAILABLE", f"no node of chain {chain_id} answers")

    async def _answer(self, url: str, chain_id: int, call: Mapping[str, str]) -> bytes | None:
        """None of a node of another chain, or that says no such thing. Raises httpx.HTTPError and
        TimeoutError."""
        try:
            if int(await self._ask(url, "eth_chainId"), 16) != chain_id:
                return None
            answer = await self._ask(url, "eth_call", call, "latest")
            return bytes.fromhex(answer.removeprefix("0x"))
        except (ValueError, TypeError, AttributeError, LookupError):
            return None

    async def _ask(self, url: str, method: str, *params: Any) -> str:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with (
            asyncio.timeout(TIMEOUT_S),
            self._http.stream("POST", url, json=request) as response,
        ):
            result: str = orjson.loads(await bounded_body(response, MAX_BODY_BYTES))["result"]
            return result
