"""Whether the nodes of the configured chains answer, asked when somebody wants to know."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from api.health import Advice, report
from runtime.clock import iso_ms, mono_ns, wall_us
from runtime.dialer import Dialer, bounded_body
from runtime.settings import comma_urls

TIMEOUT_S: Final = 1.5
MAX_BODY_BYTES: Final = 64 * 1024
NODES_BOUND: Final = 8
"""Of one chain; more are not asked."""
KEPT_NS: Final = 5_000_000_000
"""However often it is asked for, nodes are asked this seldom."""

ADVICE: Final = Advice(
    "contract wallets of these chains cannot sign in, GMX tells no events and no gas price;"
    " prices go on",
    "check PERP_RPC_URLS_<chain> and the provider; another node can be added to the list",
)
NONE: Final = Advice(
    "contract wallets cannot sign in, GMX tells no events and no gas price; prices need no node",
    "set PERP_RPC_URLS_<chain> if that is wanted",
)


class RpcHealth:
    """``rpc_urls``: chain id -> comma list of URLs. Those of HTTP are asked."""

    def __init__(self, rpc_urls: Mapping[int, str], dialer: Dialer) -> None:
        self._http = dialer.http(TIMEOUT_S)
        self._urls = {
            chain: [url for url in comma_urls(urls) if url.startswith("http")][:NODES_BOUND]
            for chain, urls in sorted(rpc_urls.items())
            if comma_urls(urls)
        }
        self._turn = asyncio.Lock()
        self._said: dict[str, Any] = {}
        self._said_ns = 0
        self._status = ""
        self._since_us = 0

    async def close(self) -> None:
        await self._http.aclose()

    async def report(self) -> dict[str, Any]:
        """At most ``KEPT_NS`` old."""
        async with self._turn:
            if not self._said or mono_ns() - self._said_ns > KEPT_NS:
                self._said = await self._look()
                self._said_ns = mono_ns()
            return self._said

    async def _look(self) -> dict[str, Any]:
        asked = [(chain, url) for chain, urls in self._urls.items() for url in urls]
        nodes = await asyncio.gather(*(self._node(*place) for place in asked))
        chains: dict[str, dict[str, Any]] = {
            str(chain): {
                "nodes": [node for (of, _), node in zip(asked, nodes, strict=True) if of == chain]
            }
            for chain in self._urls
        }
        for row in chains.values():
            row["status"] = _status([node["cause"] is None for node in row["nodes"]])
        if not chains:
            return report("absent", "no node of any chain is configured", None, NONE, chains={})
        states = [row["status"] for row in chains.values()]
        status = states[0] if len(set(states)) == 1 else "degraded"
        if status != self._status:
            self._status, self._since_us = status, wall_us()
        causes = [
            f"chain {chain}: {node['host']}: {node['cause']}"
            for chain, row in chains.items()
            for node in row["nodes"]
            if node["cause"] is not None
        ]
        causes += [f"chain {name}: no http URL" for name, row in chains.items() if not row["nodes"]]
        since = iso_ms(self._since_us)
        return report(status, "; ".join(causes) or None, since, ADVICE, chains=chains)

    async def _node(self, chain_id: int, url: str) -> dict[str, Any]:
        """Says nothing of the URL but its host."""
        began_ns, block_number, cause = mono_ns(), None, None
        try:
            found = await self._ask(url, "eth_chainId")
            if found != chain_id:
                cause = f"it is of chain {found}"
            else:
                block_number = await self._ask(url, "eth_blockNumber")
        except httpx.HTTPStatusError as error:
            cause = f"HTTP {error.response.status_code}"
        except (httpx.HTTPError, TimeoutError) as error:
            cause = type(error).__name__
        except (ValueError, TypeError, LookupError):
            cause = "no answer of a node"
        took_ms = None if cause is not None else (mono_ns() - began_ns) // 1_000_000
        return {
            "host": urlsplit(url).hostname or "",
            "cause": cause,
            "block_number": block_number,
            "answered_in_ms": took_ms,
        }

    async def _ask(self, url: str, method: str) -> int:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": []}
        async with (
            asyncio.timeout(TIMEOUT_S),
            self._http.stream("POST", url, json=request) as response,
        ):
            response.raise_for_status()
            body = await bounded_body(response, MAX_BODY_BYTES)
            return int(orjson.loads(body)["result"], 16)


def _status(good: list[bool]) -> str:
    return "down" if not any(good) else "ok" if all(good) else "degraded"
