"""How often the keeper of a sandbox chain makes a block."""

import asyncio
from typing import Any

import pytest

from sandbox.chain import keeper
from sandbox.chain.desk import Instructions
from sandbox.chain.keeper import Chain
from sandbox.chain.node import Call, Node
from sandbox.chain.places import ARBITRUM

S = 1_000_000_000


class Blocks(Node):
    """A node that counts."""

    def __init__(self) -> None:
        self.made = 0

    async def batch(self, *calls: Call) -> list[Any]:
        self.made += sum(method == "evm_mine" for method, _ in calls)
        return [hex(self.made) for _ in calls]


def test_blocks_come_more_slowly_while_nobody_waits_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_ns = 1_000 * S
    monkeypatch.setattr(keeper, "mono_ns", lambda: now_ns)
    node = Blocks()
    chain = Chain(ARBITRUM, node)

    async def made_in(seconds: int) -> int:
        nonlocal now_ns
        before = node.made
        for _ in range(seconds * 5):
            await chain.turn(Instructions())
            now_ns += S // 5
        return node.made - before

    async def all_of_it() -> list[int]:
        counts = [await made_in(150), await made_in(40)]
        chain.wake()
        return [*counts, await made_in(150), await made_in(40)]

    assert asyncio.run(all_of_it()) == [150, 10, 150, 10]
