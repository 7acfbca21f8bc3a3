"""Tells a sandbox chain what becomes of orders: first the order, a little later its execution, each
in a transaction of its own."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from runtime.clock import mono_ns
from runtime.logs import get_logger
from sandbox.chain.node import Node, NodeError
from sandbox.chain.places import ARBITRUM, CONTRACTS
from sandbox.gmx import events
from sandbox.gmx.traders import Order

_TURN_S: Final = 0.1
_RETRY_S: Final = 1.0
# Until the keeper has the prices for an order.
_KEEPER_DELAY_NS: Final = 1_200_000_000

_log = get_logger(__name__)


async def tell(url: str, orders: deque[Order], stop: asyncio.Event) -> None:
    """Until ``stop``. What cannot be told because the node is away is dropped."""
    contracts = CONTRACTS[ARBITRUM]
    waiting: deque[tuple[int, Order]] = deque()
    node = Node(url, ARBITRUM)
    answers = True
    try:
        while not stop.is_set():
            await asyncio.sleep(_TURN_S if answers else _RETRY_S)
            try:
                for said in _due(orders, waiting):
                    data = events.say(contracts["EVENT_EMITTER"], said)
                    await node.send(contracts["ORDER_HANDLER"], data)
                    answers = True
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
