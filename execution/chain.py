"""The nodes of one chain, over JSON-RPC. One node that fails, hangs or lies is not the chain."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import orjson

from connectors.base.orders import Call, ChainLog, Transaction
from domain.errors import ChainRejected, ChainTransient
from execution.rpc_scores import STICKY_NS, Score, turn
from execution.rpc_values import (
    Block,
    CallResult,
    Receipt,
    batch_of,
    block_of,
    body_of,
    bytes_of,
    call_of,
    call_result_of,
    is_same_receipt,
    log_of,
    quantity,
    receipt_of,
    result_of,
    transaction_of,
)
from execution.send_state import SendError, classify
from runtime.clock import mono_ns
from runtime.dialer import Dialer, bounded_body
from runtime.logs import get_logger

CALL_LIMIT_S: Final = 3.0
NODE_LIMIT_S: Final = 2.0
CONNECT_LIMIT_S: Final = 1.0
MAX_BODY_BYTES: Final = 32 * 1024 * 1024
_REVERTED: Final = 3
_log = get_logger(__name__)


class NodeFailed(Exception):
    """No answer, or one that cannot be used."""


class Chain:
    """``urls``: those of HTTP are asked. Methods raise ChainTransient when no node answers, and
    ChainRejected for what a node refuses; messages do not show URLs, which may hold keys."""

    def __init__(self, chain_id: int, urls: Sequence[str], dialer: Dialer) -> None:
        self.chain_id = chain_id
        self._urls = [url for url in urls if url.startswith(("http://", "https://"))]
        self._scores = [Score() for _ in self._urls]
        self._known: set[int] = set()
        self._sticky: int | None = None
        self._sticky_until_ns = 0
        self._client = dialer.http(httpx.Timeout(NODE_LIMIT_S, connect=CONNECT_LIMIT_S))

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def needed(self) -> int:
        """So many nodes have to say the same before something is final."""
        return min(2, len(self._urls))

    # What is asked -----------------------------------------------------------------------------

    async def head(self) -> Block:
        block = await self.block("latest")
        assert block is not None
        return block

    async def outset(self, sender: str) -> tuple[Block, int, int]:
        """What a plan begins with, in one question: the newest block, the tip in wei, and the
        sender's next nonce."""
        rows = await self.batch(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_maxPriorityFeePerGas", []),
                ("eth_getTransactionCount", [sender, "pending"]),
            ]
        )
        block, tip, nonce = rows
        if not isinstance(block, dict) or not isinstance(nonce, str):
            raise ChainTransient(
                "NO_STATE", f"the node of chain {self.chain_id} has no newest block"
            )
        # Not every chain has tips.
        return block_of(block), int(tip, 16) if isinstance(tip, str) else 0, int(nonce, 16)

    async def block(self, number: int | str) -> Block | None:
        raw = await self.call("eth_getBlockByNumber", [quantity(number), False])
        return None if raw is None else block_of(raw)

    async def blocks(self, numbers: Sequence[int]) -> dict[int, str]:
        """Hashes of those that there are."""
        rows = await self.batch(
            [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        )
        found = [block_of(row) for row in rows if isinstance(row, dict)]
        return {block.number: block.hash for block in found}

    async def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt]:
        """Of those that are in a block."""
        rows = await self.batch([("eth_getTransactionReceipt", [name]) for name in hashes])
        return {
            name: receipt_of(name, row)
            for name, row in zip(hashes, rows, strict=True)
            if isinstance(row, dict) and row.get("blockHash")
        }

    async def transaction(self, tx_hash: str) -> Transaction | None:
        """None when every node that answers says that there is none."""
        call = ("eth_getTransactionByHash", [tx_hash])
        raw = await self.call(*call)
        if raw is None:
            raw = next((found for (found,) in await self._told([call]) if found is not None), None)
        return None if raw is None else transaction_of(self.chain_id, raw)

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes], place: int
    ) -> list[ChainLog]:
        """``topics``: any of these as topic number ``place``."""
        wanted: list[Any] = [None] * place + [[f"0x{topic.hex()}" for topic in topics]]
        given = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(addresses),
                 "topics": wanted}  # fmt: skip
        block, rows = await self.batch(
            [("eth_getBlockByNumber", [hex(last), False]), ("eth_getLogs", [given])]
        )
        # A node that is behind has no logs of blocks that it does not know.
        if not isinstance(block, dict) or not isinstance(rows, list):
            raise ChainTransient("BEHIND", f"the node has no logs up to block {last}")
        return [log_of(self.chain_id, row) for row in rows if not row.get("removed")]

    async def calls(
        self, calls: Sequence[Call], block: int, sender: str
    ) -> tuple[int, tuple[bytes | None, ...]]:
        """Balance of ``sender`` in wei and an answer each, all of one block; None: reverted."""
        at = hex(block)
        asked: list[tuple[str, list[Any]]] = [("eth_getBalance", [sender, at])]
        asked += [("eth_call", [call_of(call), at]) for call in calls]
        balance, *answers = await self.batch(asked)
        if isinstance(balance, ChainRejected):
            raise ChainTransient("NO_STATE", f"the node has no block {block}")
        return int(balance, 16), tuple(
            None if isinstance(answer, ChainRejected) else bytes_of(answer) for answer in answers
        )

    async def revert_data(self, sender: str, call: Mapping[str, str], block: int) -> bytes:
        """What a call reverts with on the state of a block; empty where it does not."""
        try:
            await self.call("eth_call", [{"from": sender, **call}, hex(block)])
        except ChainRejected as error:
            return error.data
        return b""

    async def simulate(
        self, sender: str, calls: Sequence[Mapping[str, str]], block: int
    ) -> list[CallResult] | None:
        """Transactions one after the other, as if they were mined on that block; None where the
        node does not do that, for which each kind of node has an error of its own."""
        given = {"blockStateCalls": [{"calls": [{"from": sender, **call} for call in calls]}]}
        try:
            [found] = await self.call("eth_simulateV1", [given, hex(block)])
        except ChainRejected:
            return None
        return [call_result_of(row) for row in found["calls"]]

    async def estimate(self, sender: str, call: Mapping[str, str], block: int) -> CallResult:
        """Of one transaction alone."""
        given = {"from": sender, **call}
        try:
            gas = int(await self.call("eth_estimateGas", [given, hex(block)]), 16)
        except ChainRejected as error:
            if error.code != str(_REVERTED) and not error.data:
                raise
            return CallResult(False, 0, error.data)
        return CallResult(True, gas, b"")

    async def broadcast(self, raw: bytes) -> list[SendError | None]:
        """To all nodes at once; what each said, None: taken. Never raises: what a node that hangs
        did with it nobody knows."""
        body = body_of("eth_sendRawTransaction", [f"0x{raw.hex()}"])
        said = await asyncio.gather(*(self._offer(node, body) for node in self._candidates()))
        return said or ["unclear"]

    # What one node alone may not decide ---------------------------------------------------------

    async def agreed(self, blocks: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those of the numbers and hashes that as many nodes as are needed have on their chain."""
        if not blocks:
            return set()
        told = await self._told(
            [("eth_getBlockByNumber", [hex(number), False]) for number, _ in blocks]
        )
        same = Counter(
            asked
            for rows in told
            for asked, block in zip(blocks, rows, strict=True)
            if block is not None and block.get("hash") == asked[1]
        )
        return {asked for asked, count in same.items() if count >= max(1, self.needed)}

    async def disputed(self, receipts: Mapping[str, Receipt]) -> set[str]:
        """Hashes of those of which a node that has their blocks says something else."""
        if not receipts:
            return set()
        asked: list[tuple[str, list[Any]]] = [("eth_blockNumber", [])]
        asked += [("eth_getTransactionReceipt", [name]) for name in receipts]
        found = set()
        for head, *rows in await self._told(asked):
            for (name, receipt), row in zip(receipts.items(), rows, strict=True):
                if int(head, 16) < receipt.block_number:
                    continue
                if not is_same_receipt(receipt, row):
                    found.add(name)
        return found

    async def absent(self, hashes: Sequence[str]) -> bool:
        """Whether as many nodes as are needed say that none of these is in a block."""
        told = await self._told([("eth_getTransactionReceipt", [name]) for name in hashes])
        return len(told) >= max(1, self.needed) and not any(any(rows) for rows in told)

    async def least_nonce(self, sender: str, block: int) -> int:
        """The least that nodes say for the state of a block; 0 while fewer than are needed do."""
        told = await self._told([("eth_getTransactionCount", [sender, hex(block)])])
        enough = len(told) >= max(1, self.needed)
        return min(int(nonce, 16) for (nonce,) in told) if enough else 0

    async def _told(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
        """Results of a batch by node: of those that answer all of it. Who rests is not waited for
        where there are others."""
        body, now_ns = batch_of(calls), mono_ns()
        nodes = self._candidates()
        awake = [node for node in nodes if self._scores[node].rests_until_ns <= now_ns]
        asked = (self._ask(node, body) for node in awake or nodes)
        found = []
        for rows in await asyncio.gather(*asked, return_exceptions=True):
            with contextlib.suppress(ChainRejected, LookupError, TypeError, ValueError):
                ordered = sorted(rows, key=lambda row: int(row["id"]))  # type: ignore[arg-type]
                if len(ordered) == len(calls):
                    found.append([result_of(row) for row in ordered])
        return found

    async def probe(self) -> None:
        """Learns the heads of all nodes, and whether each is still of this chain."""
        body = batch_of([("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])])

        async def look(node: int) -> None:
            rows = sorted(await self._ask(node, body), key=lambda row: int(row["id"]))
            chain_id, block = (result_of(row) for row in rows)
            if int(chain_id, 16) != self.chain_id:
                self._is_of_another_chain(node, int(chain_id, 16))
                return
            head = block_of(block)
            self._scores[node].head, self._scores[node].head_time_s = head.number, head.time_s

        asked = (look(node) for node in range(len(self._urls)))
        await asyncio.gather(*asked, return_exceptions=True)

    # How it is asked ---------------------------------------------------------------------------

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        answer = await self._first(body_of(method, params))
        if not isinstance(answer, dict):
            raise ChainTransient("GARBAGE", f"no answer to {method}")
        return result_of(answer)

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Results in their order; ChainRejected in the place of one that was refused."""
        if not calls:
            return []
        body = batch_of(calls)
        answer = await self._first(body)
        if not isinstance(answer, list) or len(answer) != len(calls):
            raise ChainTransient("GARBAGE", "no answers to a batch")
        found: list[Any] = []
        for row in sorted(answer, key=lambda row: int(row["id"])):
            try:
                found.append(result_of(row))
            except ChainRejected as error:
                found.append(error)
        return found

    def _candidates(self) -> list[int]:
        now_ns = mono_ns()
        sticky = self._sticky if now_ns < self._sticky_until_ns else None
        return turn(self._scores, now_ns, sticky)

    async def _first(self, body: bytes) -> Any:
        """The first answer: the next node is asked as well when one fails, or takes longer than
        nearly always."""
        waiting: set[asyncio.Task[Any]] = set()
        candidates = self._candidates()
        cause = "no node is configured, or all are of another chain"
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                while candidates or waiting:
                    hedge_s = None
                    if candidates:
                        node = candidates.pop(0)
                        task = asyncio.create_task(self._ask(node, body))
                        task.add_done_callback(_heard)
                        waiting.add(task)
                        hedge_s = self._scores[node].hedge_after_ms / 1000 if candidates else None
                    done, waiting = await asyncio.wait(
                        waiting, timeout=hedge_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        if (error := task.exception()) is None:
                            return task.result()
                        if not isinstance(error, NodeFailed):
                            raise error
                        cause = str(error)
        except TimeoutError:
            cause = "no node answers in time"
        finally:
            for task in waiting:
                task.cancel()
        raise ChainTransient("NO_NODE", f"chain {self.chain_id}: {cause}")

    async def _offer(self, node: int, body: bytes) -> SendError | None:
        try:
            answer = await self._ask(node, body)
        except NodeFailed:
            return "unclear"
        error = answer.get("error") if isinstance(answer, dict) else {}
        if error is None:
            self._sticky, self._sticky_until_ns = node, mono_ns() + STICKY_NS
            return None
        return classify(str(error.get("message", "")))

    async def _ask(self, node: int, body: bytes) -> Any:
        """Raises NodeFailed."""
        score = self._scores[node]
        try:
            if node not in self._known:
                await self._check_chain(node)
            started_ns = mono_ns()
            answer = await self._post(node, body)
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError) as error:
            score.failed(mono_ns())
            raise NodeFailed(f"{type(error).__name__}") from None
        score.succeeded((mono_ns() - started_ns) / 1e6)
        return answer

    async def _check_chain(self, node: int) -> None:
        answer = await self._post(node, body_of("eth_chainId", []))
        found = int(answer["result"], 16)
        if found != self.chain_id:
            self._is_of_another_chain(node, found)
            raise NodeFailed(f"a node is of chain {found}")
        self._scores[node].wrong_chain = False
        self._known.add(node)

    def _is_of_another_chain(self, node: int, found: int) -> None:
        self._known.discard(node)
        self._scores[node].is_of_another_chain(mono_ns())
        _log.error("rpc_wrong_chain", chain_id=self.chain_id, node=node, found=found)

    async def _post(self, node: int, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        async with (
            asyncio.timeout(NODE_LIMIT_S),
            self._client.stream(
                "POST", self._urls[node], content=body, headers=headers
            ) as response,
        ):
            response.raise_for_status()
            return orjson.loads(await bounded_body(response, MAX_BODY_BYTES))


def _heard(task: "asyncio.Task[Any]") -> None:
    """Another node was quicker: nobody asks any more why this one failed."""
    if not task.cancelled():
        task.exception()
