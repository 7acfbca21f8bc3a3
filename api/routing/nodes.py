"""The nodes of chains for whoever wants an answer now: all are asked at once, and none is waited
for long."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import httpx
import orjson

from connectors.base.orders import Call
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.dialer import Dialer, bounded_body
from runtime.settings import comma_urls

WAIT_S: Final = 0.15
"""So much later is a route at most, whatever the nodes do."""
TIMEOUT_S: Final = 1.0
URLS_BOUND: Final = 2
CONNECTIONS: Final = 16
"""The pool looks at each that rests twice a request."""
MAX_BYTES: Final = 256 * 1024
_FAILURES: Final = 3
_REST_NS: Final = 2_000_000_000
_UNUSABLE: Final = (httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError)

T = TypeVar("T")


class Nodes:
    """``rpc_urls``: chain id -> comma list of URLs; those of HTTP are asked."""

    def __init__(self, rpc_urls: Mapping[int, str], dialer: Dialer, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._urls = {
            chain_id: [url for url in comma_urls(urls) if url.startswith("http")][:URLS_BOUND]
            for chain_id, urls in rpc_urls.items()
        }
        self._breakers = {
            url: Breaker(_FAILURES, _REST_NS) for urls in self._urls.values() for url in urls
        }
        self._client = dialer.http(TIMEOUT_S, connections=CONNECTIONS)

    async def close(self) -> None:
        await self._client.aclose()

    async def first(
        self,
        chain_id: int,
        body: bytes,
        read: Callable[[Any], T],
        wait_s: float | None = None,
    ) -> T | None:
        """Of the first node whose answer ``read`` takes; what it raises is no answer. None where
        there is none in time."""
        urls = [
            url for url in self._urls.get(chain_id, ()) if self._breakers[url].allows(mono_ns())
        ]
        asked = [asyncio.create_task(self._ask(url, body, read)) for url in urls]
        try:
            async with asyncio.timeout(self._wait_s if wait_s is None else wait_s):
                for next_one in asyncio.as_completed(asked):
                    found = await next_one
                    if found is not None:
                        return found
        except TimeoutError:
            pass
        finally:
            for task in asked:
                task.cancel()
        return None

    async def _ask(self, url: str, body: bytes, read: Callable[[Any], T]) -> T | None:
        breaker = self._breakers[url]
        try:
            found = read(await self._post(url, body))
        except asyncio.CancelledError:
            breaker.abandoned()
            raise
        except _UNUSABLE as error:
            breaker.failed(mono_ns(), type(error).__name__, random.uniform(0.5, 1.0))
            return None
        breaker.succeeded()
        return found

    async def _post(self, url: str, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            response.raise_for_status()
            return orjson.loads(await bounded_body(response, MAX_BYTES))


def batch(asked: list[tuple[str, list[Any]]]) -> bytes:
    """Methods with their parameters; ids are their places."""
    rows = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(asked)
    ]
    return orjson.dumps(rows)


def results_of(answer: Any, chain_id: int) -> dict[int, Any]:
    """By place, where the first thing asked was ``eth_chainId``; None of what the node could not
    do. Raises ValueError, TypeError, LookupError or AttributeError for no answer of this chain."""
    results = {row["id"]: row.get("result") for row in answer}
    if int(results[0], 16) != chain_id:
        raise ValueError("a node of another chain")
    return results


def eth_call(call: Call) -> tuple[str, list[Any]]:
    return "eth_call", [{"to": call.to, "data": f"0x{call.data.hex()}"}, "latest"]
