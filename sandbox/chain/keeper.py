"""The keeper of one chain of the sandbox: makes the blocks that no transaction asks for, looks what
is new at each venue's contract and tells it what becomes of orders."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eth_utils.crypto import keccak

from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from sandbox.chain.desk import Desk, Instructions, Now
from sandbox.chain.node import Node, NodeError, view
from sandbox.chain.places import BASE_FEE_WEI, BLOCK_S, QUIET_BLOCK_S

_TURN_S: Final = 0.2
_RETRY_S: Final = 1.0
_PAGE: Final = 50
# After a transaction: as long as the slowest chain takes to make one final.
_BUSY_NS: Final = 150_000_000_000
_CHANGES: Final = keccak(text="changes()")[:4]

_log = get_logger(__name__)


@dataclass(slots=True)
class Chain:
    """``mines``: False while the chain stands still, for transactions too. Blocks that nobody waits
    for come more slowly, since the node keeps something of every one."""

    chain_id: int
    node: Node
    desks: Sequence[Desk[Any]] = ()
    mines: bool = True
    _read: dict[str, str] = field(default_factory=dict)
    _next_block_ns: int = 0
    _busy_until_ns: int = field(default_factory=lambda: mono_ns() + _BUSY_NS)

    def wake(self) -> None:
        """Somebody has sent a transaction, or an order has changed: blocks come as they do on the
        chain it stands for."""
        now_ns = mono_ns()
        self._busy_until_ns = now_ns + _BUSY_NS
        self._next_block_ns = min(self._next_block_ns, now_ns + self._pause_ns(now_ns))

    async def run(self, instructions: Instructions, stop: asyncio.Event) -> None:
        """Until ``stop``. A node that is away is waited for."""
        answers = True
        try:
            while not stop.is_set():
                await asyncio.sleep(_TURN_S if answers else _RETRY_S)
                try:
                    await self.turn(instructions)
                    answers = True
                except NodeError as error:
                    if answers:
                        _log.warning(
                            "sandbox_chain_away", chain_id=self.chain_id, reason=str(error)
                        )
                    answers = False
                    self._read.clear()
                    for desk in self.desks:
                        desk.forget()
        finally:
            await self.node.close()

    async def hold(self, *, held: bool) -> None:
        """Stops the chain, or lets it go on. Raises NodeError."""
        await self.node.call("evm_setAutomine", not held)
        self.mines = not held
        if not held:
            await self.node.call("evm_mine")

    async def turn(self, instructions: Instructions) -> None:
        """Raises NodeError."""
        if self.mines and mono_ns() >= self._next_block_ns:
            await self._mine()
        block, *found = await self.node.batch(
            ("eth_blockNumber", ()),
            *(view(desk.address, _CHANGES) for desk in self.desks),
        )
        for desk, changes in zip(self.desks, found, strict=True):
            if self._read.get(desk.address) != changes:
                self.wake()
                await self._load(desk)
                self._read[desk.address] = changes
            now = Now(mono_ns(), wall_us() // 1_000_000, int(block, 16))
            for call in desk.turn(now, instructions):
                await self._tell(desk, call)

    async def _mine(self) -> None:
        now_ns = mono_ns()
        self._next_block_ns = now_ns + self._pause_ns(now_ns)
        base_fee = hex(BASE_FEE_WEI[self.chain_id])
        # Left alone the fee falls with empty blocks.
        await self.node.batch(
            ("anvil_setNextBlockBaseFeePerGas", (base_fee,)),
            ("evm_mine", ()),
            ("anvil_setNextBlockBaseFeePerGas", (base_fee,)),
        )

    def _pause_ns(self, now_ns: int) -> int:
        busy = now_ns < self._busy_until_ns
        return (BLOCK_S[self.chain_id] if busy else QUIET_BLOCK_S) * 1_000_000_000

    async def _load(self, desk: Desk[Any]) -> None:
        entries: list[Any] = []
        start, read = 0, _PAGE
        while read == _PAGE:
            (answer,) = await self.node.batch(
                view(desk.address, desk.page_call(start, start + _PAGE))
            )
            page, read = desk.read_page(bytes.fromhex(answer[2:]))
            entries += page
            start += read
        desk.load(entries)

    async def _tell(self, desk: Desk[Any], call: bytes) -> None:
        """What the contract refuses is no longer true there: it is read anew."""
        try:
            await self.node.send(desk.address, call)
        except NodeError as error:
            _log.warning("sandbox_settlement_refused", chain_id=self.chain_id, reason=str(error))
            self._read.pop(desk.address, None)
