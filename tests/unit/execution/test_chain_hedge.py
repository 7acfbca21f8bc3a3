"""Several nodes that are asked for the same."""

import asyncio
import gc
from typing import Any

import pytest

from execution.chain import Chain, NodeFailed
from execution.rpc_scores import Score
from tests.servers import LOOPBACK


async def test_a_node_that_fails_beside_the_one_that_answers_is_no_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    asked: list[int] = []
    both = asyncio.Event()

    async def ask(_: Chain, node: int, body: bytes) -> Any:
        asked.append(node)
        if len(asked) == 2:
            both.set()
        await both.wait()
        if node == asked[0]:
            raise NodeFailed("HTTPStatusError")
        return {"result": "0x7"}

    monkeypatch.setattr(Chain, "_ask", ask)
    monkeypatch.setattr(Score, "hedge_after_ms", 0.0)
    chain = Chain(42161, ["http://127.0.0.1:1", "http://127.0.0.1:2"], LOOPBACK)
    try:
        # Which of two that end at once is looked at first is anybody's guess.
        for _ in range(8):
            asked.clear()
            both.clear()
            assert await chain.call("eth_blockNumber", []) == "0x7"
            assert len(asked) == 2
        gc.collect()
        await asyncio.sleep(0)
        assert trouble == []
    finally:
        await chain.close()
