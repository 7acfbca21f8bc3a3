"""What a wallet has on its chains, asked in one batch a chain and not waited for long."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from api.routing.needs import Grant, Held
from connectors.base import erc20
from connectors.base.orders import Call
from domain.errors import InputError
from domain.fee_caps import FEE_CAPS_WEI
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.dialer import Dialer, bounded_body
from runtime.settings import comma_urls

WAIT_S: Final = 0.15
"""So much later is a route at most, whatever the nodes do."""
TIMEOUT_S: Final = 1.0
KEPT_NS: Final = 2_000_000_000
KEPT_COUNT: Final = 1_000
URLS_BOUND: Final = 2
MAX_BYTES: Final = 256 * 1024
BASE_FEE_TIMES: Final = 2
_FAILURES: Final = 3
_REST_NS: Final = 2_000_000_000

_Key = tuple[int, str, tuple[Grant, ...]]


class WalletReader:
    """``rpc_urls``: chain id -> comma list of URLs; those of HTTP are asked, at once."""

    def __init__(self, rpc_urls: Mapping[int, str], dialer: Dialer, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._urls = {
            chain_id: [url for url in comma_urls(urls) if url.startswith("http")][:URLS_BOUND]
            for chain_id, urls in rpc_urls.items()
        }
        self._breakers = {
            url: Breaker(_FAILURES, _REST_NS) for urls in self._urls.values() for url in urls
        }
        self._kept: OrderedDict[_Key, tuple[int, Held]] = OrderedDict()
        self._client = dialer.http(TIMEOUT_S)

    async def close(self) -> None:
        await self._client.aclose()

    async def read(self, owner: str, wanted: Mapping[int, Iterable[Grant]]) -> Mapping[int, Held]:
        """By chain. Chains whose nodes did not answer in time are left out."""

        async def one(chain_id: int, grants: tuple[Grant, ...]) -> tuple[int, Held | None]:
            return chain_id, await self._read(chain_id, owner, grants)

        asked = [one(chain_id, tuple(sorted(set(each)))) for chain_id, each in wanted.items()]
        found = await asyncio.gather(*asked)
        return {chain_id: held for chain_id, held in found if held is not None}

    async def _read(self, chain_id: int, owner: str, grants: tuple[Grant, ...]) -> Held | None:
        key, now_ns = (chain_id, owner, grants), mono_ns()
        kept = self._kept.get(key)
        if kept is not None and now_ns - kept[0] < KEPT_NS:
            return kept[1]
        held = await self._first(chain_id, owner, grants)
        if held is not None:
            self._kept[key] = now_ns, held
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT_COUNT:
                self._kept.popitem(last=False)
        return held

    async def _first(self, chain_id: int, owner: str, grants: tuple[Grant, ...]) -> Held | None:
        """Of the first node that answers and is of this chain."""
        urls = [
            url for url in self._urls.get(chain_id, ()) if self._breakers[url].allows(mono_ns())
        ]
        asked = [asyncio.create_task(self._ask(url, chain_id, owner, grants)) for url in urls]
        try:
            async with asyncio.timeout(self._wait_s):
                for next_one in asyncio.as_completed(asked):
                    held = await next_one
                    if held is not None:
                        return held
        except TimeoutError:
            pass
        finally:
            for task in asked:
                task.cancel()
        return None

    async def _ask(
        self, url: str, chain_id: int, owner: str, grants: tuple[Grant, ...]
    ) -> Held | None:
        breaker = self._breakers[url]
        try:
            held = held_of(await self._post(url, requests(owner, grants)), chain_id, grants)
        except asyncio.CancelledError:
            breaker.abandoned()
            raise
        except (httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError) as error:
            breaker.failed(mono_ns(), type(error).__name__, random.uniform(0.5, 1.0))
            return None
        breaker.succeeded()
        return held

    async def _post(self, url: str, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            response.raise_for_status()
            return orjson.loads(await bounded_body(response, MAX_BYTES))


def requests(owner: str, grants: Sequence[Grant]) -> bytes:
    """One batch; ``held_of`` reads the answer."""
    asked: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_maxPriorityFeePerGas", []),
        ("eth_getBalance", [owner, "latest"]),
    ]
    for grant in grants:
        asked.append(_call(erc20.balance_call(grant.token, owner)))
        asked.append(_call(erc20.allowance_call(grant.token, owner, grant.spender)))
    rows = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(asked)
    ]
    return orjson.dumps(rows)


def held_of(answer: Any, chain_id: int, grants: Sequence[Grant]) -> Held:
    """A token that cannot be read is left out. Raises ValueError, TypeError, LookupError or
    AttributeError for what is no answer of this chain."""
    results = {row["id"]: row.get("result") for row in answer}
    if int(results[0], 16) != chain_id:
        raise ValueError("a node of another chain")
    base_fee = int(results[1]["baseFeePerGas"], 16)
    # Not every chain has tips.
    tip = 0 if results[2] is None else int(results[2], 16)
    offered = BASE_FEE_TIMES * base_fee + tip
    balances: dict[str, int] = {}
    allowances: dict[Grant, int] = {}
    for number, grant in enumerate(grants):
        balance, allowed = (_units(results.get(4 + 2 * number + each)) for each in (0, 1))
        if balance is not None:
            balances[grant.token] = balance
        if allowed is not None:
            allowances[grant] = allowed
    fee_wei = min(offered, FEE_CAPS_WEI.get(chain_id, offered))
    return Held(int(results[3], 16), fee_wei, balances, allowances)


def _call(call: Call) -> tuple[str, list[Any]]:
    return "eth_call", [{"to": call.to, "data": f"0x{call.data.hex()}"}, "latest"]


def _units(result: Any) -> int | None:
    try:
        return erc20.amount(bytes.fromhex(result.removeprefix("0x")))
    except (InputError, ValueError, AttributeError):
        return None
