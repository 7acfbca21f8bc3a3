"""Tells a sandbox chain what becomes of orders: first the order, a little later its execution, each
in a transaction of its own."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from runtime.clock import mono_ns
from runtime.logs import get_logger
from sandbox.chain.genesis import ARBITRUM, CONTRACTS
from sandbox.chain.node import Node, NodeError
from sandbox.gmx import events
from sandbox.gmx.traders import Order

_TURN_S: Final = 0.1
_RETRY_S: Final = 1.0
# Until the keeper has the prices for an order.
_KEEPER_DELAY_NS: Final = 1_200_000_000
# Wei a unit of gas: the least that Arbitrum asks for. Left alone the fee falls with empty blocks.
_BASE_FEE: Final = hex(10_000_000)
_GAS_PRICE_NS: Final = 500_000_000
# The last of the accounts that every node of this kind has the keys of.
_KEEPER: Final = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"

_log = get_logger(__name__)


async def tell(url: str, orders: deque[Order], stop: asyncio.Event) -> None:
    """Until ``stop``. What cannot be told because the node is away is dropped."""
    contracts = CONTRACTS[ARBITRUM]
    waiting: deque[tuple[int, Order]] = deque()
    node = Node(url)
    answers, price_ns = True, 0
    try:
        while not stop.is_set():
            await asyncio.sleep(_TURN_S if answers else _RETRY_S)
            try:
                if mono_ns() >= price_ns:
                    price_ns = mono_ns() + _GAS_PRICE_NS
                    await node.call("anvil_setNextBlockBaseFeePerGas", _BASE_FEE)
                    answers = True
                for said in _due(orders, waiting):
                    data = events.say(contracts["EventEmitter"], said)
                    await node.send(_KEEPER, contracts["OrderHandler"], data)
            except NodeError as error:
                if answers:
                    _log.warning("sandbox_chain_away", reason=str(error))
                answers = False
    finally:
        await node.close()


def _due(orders: deque[Order], waiting: deque[tuple[int, Order]]) -> list[list[bytes]]:
    now_ns = mono_ns()
    due: list[tuple[Callable[[Order], list[bytes]], Order]] = []
    while waiting and waiting[0][0] <= now_ns:
        due.append((events.settled, waiting.popleft()[1]))
    while orders:
        order = orders.popleft()
        due.append((events.created, order))
        waiting.append((now_ns + _KEEPER_DELAY_NS, order))
    return [make(order) for make, order in due]
