"""A chain that is reorganised, a venue with a keeper on it, and nodes that lie by silence. One
random generator decides everything; nothing here shares code with what it tests but the types of
facts."""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final, Literal

from domain.orders import Reason
from domain.outcomes import (
    Cancelled,
    EventPlace,
    Executed,
    Frozen,
    Mined,
    Outcome,
    Resting,
    VenueOutcome,
)

MAX_REORG: Final = 4
WHY: Final = Reason("SLIPPAGE", "the price moved")
Kind = Literal["order", "cancel", "foreign"]


@dataclass(frozen=True)
class Tx:
    """``nonce`` is of the order's own sender: 0 for the order, 1 for its cancellation."""

    hash: str
    order_id: str
    nonce: int
    kind: Kind


@dataclass
class Block:
    number: int
    hash: str
    txs: list[Tx] = field(default_factory=list)
    logs: list[tuple[str, VenueOutcome]] = field(default_factory=list)


@dataclass
class Venue:
    """What became of one request, as the canonical chain has it."""

    resting: bool = False
    ended: bool = False
    frozen: bool = False


class Chain:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._made = 0
        self.blocks = [Block(0, "0xb0")]
        self.mempool: dict[str, Tx] = {}
        self.faults = True

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def canonical(self) -> dict[str, Block]:
        return {block.hash: block for block in self.blocks}

    def used_nonces(self) -> dict[tuple[str, int], Tx]:
        return {(tx.order_id, tx.nonce): tx for block in self.blocks for tx in block.txs}

    def fills(self, order_id: str) -> set[Executed]:
        return {
            log
            for block in self.blocks
            for owner, log in block.logs
            if owner == order_id and isinstance(log, Executed)
        }

    def facts(self, block: Block, hashes: set[str]) -> list[tuple[str, Outcome]]:
        """Of a block: what happened to these transactions and at the venue."""
        mined: list[tuple[str, Outcome]] = [
            (tx.order_id, Mined(EventPlace(1, block.number, block.hash, tx.hash, -1)))
            for tx in block.txs
            if tx.hash in hashes and tx.kind == "order"
        ]
        return mined + list(block.logs)

    # Nodes ----------------------------------------------------------------------------------------

    def broadcast(self, tx: Tx) -> str | None:
        """What a node answers: an error text, or None. What it says and what it does differ."""
        used = self.used_nonces().get((tx.order_id, tx.nonce))
        if used is not None:
            return "already known" if used.hash == tx.hash else "nonce too low"
        luck = self._random.random() if self.faults else 1.0
        if luck < 0.1:
            return "read timeout"
        if luck < 0.15:
            return "insufficient funds for gas * price + value"
        if luck < 0.25:
            # Taken, and dropped before anybody mined it.
            return None
        known = tx.hash in self.mempool
        # A replacement takes the place of what it replaces, where a node has seen that.
        if luck > 0.6:
            rivals = [
                other.hash
                for other in self.mempool.values()
                if (other.order_id, other.nonce) == (tx.order_id, tx.nonce)
            ]
            for rival in rivals:
                del self.mempool[rival]
        self.mempool[tx.hash] = tx
        if known:
            return "already known"
        # It took it, and nobody heard.
        return "read timeout" if luck < 0.35 else None

    # Blocks ---------------------------------------------------------------------------------------

    def step(self) -> None:
        """Sometimes the last blocks are others, always one more."""
        if self.faults and self._random.random() < 0.12:
            depth = min(self._random.randint(1, MAX_REORG), len(self.blocks) - 1)
            gone = self.blocks[len(self.blocks) - depth :]
            del self.blocks[len(self.blocks) - depth :]
            for block in gone:
                for tx in block.txs:
                    if self._random.random() < 0.8:
                        self.mempool[tx.hash] = tx
            for _ in range(depth):
                self._make()
        self._make()

    def _make(self) -> None:
        self._made += 1
        block = Block(self.head.number + 1, f"0xb{self._made}")
        used = self.used_nonces()
        states = self._venue()
        pending = sorted(self.mempool.values(), key=lambda tx: (tx.nonce, tx.hash))
        self._random.shuffle(pending)
        for tx in pending:
            if (tx.order_id, tx.nonce) in used:
                del self.mempool[tx.hash]
            elif self._ready(tx, used) and (not self.faults or self._random.random() < 0.7):
                del self.mempool[tx.hash]
                used[tx.order_id, tx.nonce] = tx
                block.txs.append(tx)
                self._execute(block, tx, states.setdefault(tx.order_id, Venue()))
        for order_id, venue in states.items():
            self._keep(block, order_id, venue)
        self.blocks.append(block)

    def _ready(self, tx: Tx, used: dict[tuple[str, int], Tx]) -> bool:
        return tx.nonce == 0 or (tx.order_id, 0) in used

    def _place(self, block: Block, tx_hash: str) -> EventPlace:
        return EventPlace(1, block.number, block.hash, tx_hash, len(block.logs))

    def _execute(self, block: Block, tx: Tx, venue: Venue) -> None:
        place = self._place(block, tx.hash)
        if tx.kind == "order":
            venue.resting = True
            fact = Resting(place, "0xme", tx.order_id, "market", reduces=False)
            block.logs.append((tx.order_id, fact))
        elif tx.kind == "cancel" and venue.resting and not venue.ended:
            venue.ended = True
            dropped = Cancelled(place, "0xme", tx.order_id, WHY, by_user=True)
            block.logs.append((tx.order_id, dropped))

    def _keep(self, block: Block, order_id: str, venue: Venue) -> None:
        """The keeper: a fill of some or of all, a refusal, or nothing yet."""
        if not venue.resting or venue.ended or venue.frozen or self._random.random() < 0.7:
            return
        place = self._place(block, f"0xk{self._made}-{order_id}")
        luck = self._random.random()
        if luck < 0.2:
            venue.frozen = True
            fact: VenueOutcome = Frozen(place, "0xme", order_id, WHY, needs_update=True)
        elif luck < 0.35:
            venue.ended = True
            fact = Cancelled(place, "0xme", order_id, WHY, by_user=False)
        else:
            venue.ended = luck > 0.6
            price = Decimal(self._random.randint(90, 110))
            fact = Executed(place, "0xme", order_id, price, Decimal(1), completes=venue.ended)
        block.logs.append((order_id, fact))

    def _venue(self) -> dict[str, Venue]:
        states: dict[str, Venue] = {}
        for block in self.blocks:
            for order_id, log in block.logs:
                venue = states.setdefault(order_id, Venue())
                if isinstance(log, Resting):
                    venue.resting = True
                elif isinstance(log, Frozen):
                    venue.frozen = True
                elif isinstance(log, Cancelled) or (isinstance(log, Executed) and log.completes):
                    venue.ended = True
        return states
