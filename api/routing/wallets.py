"""What a wallet has on its chains, asked in one batch a chain and not waited for long."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from api.routing.needs import Grant, Held
from api.routing.nodes import WAIT_S, Nodes, batch, eth_call, results_of
from connectors.base import erc20
from domain.errors import InputError
from domain.fee_caps import FEE_CAPS_WEI
from runtime.clock import mono_ns
from runtime.dialer import Dialer

KEPT_NS: Final = 2_000_000_000
KEPT_COUNT: Final = 1_000
BASE_FEE_TIMES: Final = 2

_Key = tuple[int, str, tuple[Grant, ...]]


class WalletReader:
    """``rpc_urls``: of ``Nodes``, which others may ask too."""

    def __init__(self, rpc_urls: Mapping[int, str], dialer: Dialer, wait_s: float = WAIT_S) -> None:
        self.nodes = Nodes(rpc_urls, dialer, wait_s)
        self._kept: OrderedDict[_Key, tuple[int, Held]] = OrderedDict()

    async def close(self) -> None:
        await self.nodes.close()

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
        held = await self.nodes.first(
            chain_id, requests(owner, grants), lambda answer: held_of(answer, chain_id, grants)
        )
        if held is not None:
            self._kept[key] = now_ns, held
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT_COUNT:
                self._kept.popitem(last=False)
        return held


def requests(owner: str, grants: Sequence[Grant]) -> bytes:
    """One batch; ``held_of`` reads the answer."""
    asked: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_maxPriorityFeePerGas", []),
        ("eth_getBalance", [owner, "latest"]),
    ]
    for grant in grants:
        asked.append(eth_call(erc20.balance_call(grant.token, owner)))
        asked.append(eth_call(erc20.allowance_call(grant.token, owner, grant.spender)))
    return batch(asked)


def held_of(answer: Any, chain_id: int, grants: Sequence[Grant]) -> Held:
    """A token that cannot be read is left out. Raises ValueError, TypeError, LookupError or
    AttributeError for what is no answer of this chain."""
    results = results_of(answer, chain_id)
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


def _units(result: Any) -> int | None:
    try:
        return erc20.amount(bytes.fromhex(result.removeprefix("0x")))
    except (InputError, ValueError, AttributeError):
        return None
