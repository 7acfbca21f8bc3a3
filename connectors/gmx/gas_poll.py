"""A poll of the node without the network: what an order costs whatever its size. Pure.

One batch of JSON-RPC: what GMX has set for the gas of orders, and the price of gas now.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from connectors.gmx import constants as c
from connectors.gmx.depth import OrderGas
from connectors.gmx.economics.gas import gas_config, minimum_fee_wei, minimum_gas
from connectors.gmx.polls import Blame, PollSession
from connectors.gmx.state import GmxState
from domain.errors import InputError

_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_GAS_PRICE: Final = "eth_gasPrice"
_CHAIN_ID: Final = "eth_chainId"


class GasSession(PollSession):
    """The costs of an order into the state. What it asks for is the body of a request."""

    def __init__(
        self, state: GmxState, chain_id: int, data_store: str, blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(_request(data_store), c.GAS_EVERY_NS, blame, mono_ns)
        self._state = state
        self._chain_id = chain_id

    def _read(self, body: Any, wall_us: int, mono_ns: int) -> None:
        found = _results(body)
        if found[_CHAIN_ID] != self._chain_id:
            raise InputError("WRONG_CHAIN", f"chain {found[_CHAIN_ID]}")
        config, price_wei = gas_config(found), found[_GAS_PRICE]
        # A DataStore that is another one has nothing under these keys.
        if not config.increase_gas or not price_wei:
            raise InputError("BAD_VALUE", "orders do not come for nothing")
        fee_wei = minimum_fee_wei(minimum_gas(config, "increase"), price_wei)
        gas = OrderGas(fee_wei, c.CREATE_ORDER_GAS * price_wei, c.NATIVE_TOKENS[self._chain_id])
        self._state.book.learn_gas(gas, mono_ns)


def _request(data_store: str) -> str:
    calls: list[tuple[str, str, list[object]]] = [(_CHAIN_ID, _CHAIN_ID, [])]
    calls.append((_GAS_PRICE, _GAS_PRICE, []))
    for name, key in c.GAS_KEYS.items():
        call = {"to": data_store, "data": c.GET_UINT + key[2:]}
        calls.append((name, "eth_call", [call, "latest"]))
    return orjson.dumps(
        [
            {"jsonrpc": "2.0", "id": name, "method": method, "params": params}
            for name, method, params in calls
        ]
    ).decode()


def _results(body: Any) -> Mapping[str, int]:
    """Numbers by what was asked for, in whatever order they come."""

    def items() -> Iterator[tuple[str, int]]:
        for answer in body:
            text = answer["result"]
            if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
                raise InputError("BAD_NUMBER", f"no number: {text!r:.80}")
            yield answer["id"], int(text, 16)

    if not isinstance(body, list):
        raise TypeError("no batch")
    return dict(items())
