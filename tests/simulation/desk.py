"""The desk over ``world``: what is committed survives a crash, everything else does not. It makes
the calls that the executor makes, in its order: stored, sent, answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

from domain.order_facts import placed
from domain.orders import TERMINAL, Reason
from domain.outcomes import Executed
from execution.lifecycle import (
    BookFill,
    Effect,
    Event,
    Order,
    Seen,
    Step,
    TakeBackFill,
    Tell,
    Undone,
    apply,
)
from execution.send_state import (
    Inclusion,
    SendState,
    advice,
    answered,
    classify,
    excluded,
    head_advanced,
    included,
    sending,
)
from tests.simulation.world import Chain, Tx

DEPTH: Final = 6
RESEND_MS: Final = 4_000
GIVE_UP_MS: Final = 20_000
POISON_DELIVERIES: Final = 5
WHY: Final = Reason("NONCE_USED", "somebody else used the nonce")


class Crash(Exception):
    """kill -9."""


@dataclass
class Kept:
    """The rows of an order."""

    order: Order
    sends: SendState = field(default_factory=lambda: SendState(0))
    cancels: SendState = field(default_factory=lambda: SendState(1))
    fills: list[Executed] = field(default_factory=list)
    told: list[Tell] = field(default_factory=list)
    deliveries: int = 0
    poisoned: bool = False


class Desk:
    def __init__(self, random: Random, chain: Chain, orders: int) -> None:
        self._random = random
        self._chain = chain
        self.rows = {f"o{n}": Kept(Order(f"o{n}", Decimal(3))) for n in range(orders)}
        self.now_ms = 0
        self._seen_head = 0
        self.faults = True

    def may_crash(self) -> None:
        if self.faults and self._random.random() < 0.04:
            raise Crash

    def commit(self, row: Kept, *events: Event, change: Callable[[], None] | None = None) -> None:
        """One transaction: all of it, or a crash before it."""
        self.may_crash()
        order, done = row.order, list[Effect]()
        for event in events:
            order, effects = apply(order, event)
            done += effects
        row.order = order
        for effect in done:
            if isinstance(effect, BookFill):
                row.fills.append(effect.fill)
            elif isinstance(effect, TakeBackFill):
                row.fills.remove(effect.fill)
            elif isinstance(effect, Tell):
                row.told.append(effect)
        if change is not None:
            change()
        self.may_crash()

    # The watcher ----------------------------------------------------------------------------------

    def watch(self) -> None:
        """What is no more is taken back, what is new is told, also when it was told before."""
        blocks = self._chain.blocks
        # A node may be behind.
        lag = self._random.randint(0, 2) if self.faults else 0
        blocks = blocks[: max(1, len(blocks) - lag)]
        known = {block.hash for block in self._chain.blocks}
        for row in self.rows.values():
            for fact in placed(row.order.facts):
                if fact.place.block_hash not in known:
                    self.commit(row, Undone(fact.place))
            self._follow(row)
        hashes = {h for row in self.rows.values() for h in row.sends.hashes}
        for block in blocks[-(DEPTH + 4) :]:
            for order_id, fact in self._chain.facts(block, hashes):
                row = self.rows[order_id]
                if fact not in row.order.facts or self._random.random() < 0.05:
                    self.commit(row, Seen(fact))
        if blocks[-1].number > self._seen_head:
            self._seen_head = blocks[-1].number
            for row in self.rows.values():
                row.sends = head_advanced(row.sends)
                row.cancels = head_advanced(row.cancels)

    def _follow(self, row: Kept) -> None:
        """Receipts of every hash that was ever published."""
        places = {
            tx.hash: Inclusion(block.number, block.hash)
            for block in self._chain.blocks
            for tx in block.txs
        }
        for name in ("sends", "cancels"):
            state: SendState = getattr(row, name)
            for tx_hash in state.hashes:
                if tx_hash in places:
                    state = included(state, tx_hash, places[tx_hash])
                elif tx_hash in state.mined:
                    state = excluded(state, tx_hash)
            setattr(row, name, state)

    # The worker -----------------------------------------------------------------------------------

    def work(self, order_id: str) -> None:
        row = self.rows[order_id]
        if row.poisoned and row.order.state == "accepted":
            row.deliveries += 1
            if row.deliveries >= POISON_DELIVERIES:
                self.commit(row, Step("failed", Reason("POISON", "cannot be read")))
            return
        state = row.order.state
        if state == "accepted":
            self.commit(row, Step("prepared"))
        elif state == "prepared":
            tx = Tx(f"0x{order_id}-0", order_id, 0, "order")
            # Stored before anybody can have it, with the state that says so.
            self.commit(row, Step("submitted"), change=lambda: self._store(row, "sends", tx.hash))
            self._send(row, "sends", tx)
        elif state in ("submitted", "unknown"):
            self._press(row)
        elif state in ("working", "partially_filled") and row.order.cancel_sent:
            self._press_cancel(row)
        self._finish(row)

    def _store(self, row: Kept, name: str, tx_hash: str) -> None:
        setattr(row, name, sending(getattr(row, name), tx_hash, self.now_ms))

    def _send(self, row: Kept, name: str, tx: Tx) -> None:
        self.may_crash()
        text = self._chain.broadcast(tx)
        self.may_crash()
        error = None if text is None else classify(text)
        setattr(row, name, answered(getattr(row, name), tx.hash, error))

    def _press(self, row: Kept) -> None:
        said = advice(row.sends, self.now_ms, RESEND_MS, GIVE_UP_MS)
        if said == "stop_nonce_used" and self._is_foreign(row):
            self.commit(row, Step("rejected", WHY))
        elif said == "stop_nonce_used" and row.order.state == "submitted":
            self.commit(row, Step("lost", WHY))
        elif said != "wait":
            # Also what every node refused is tried again here, until it is found in a block.
            number = len(row.sends.hashes)
            again = number > 3 or self._random.random() < 0.5
            tx_hash = (
                self._random.choice(row.sends.hashes) if again else f"0x{row.order.id}-{number}"
            )
            tx = Tx(tx_hash, row.order.id, 0, "order")
            self._store(row, "sends", tx.hash)
            self.may_crash()
            self._send(row, "sends", tx)

    def _is_foreign(self, row: Kept) -> bool:
        """Somebody else's transaction has the nonce, in a block that will stay."""
        deep = self._chain.blocks[:-DEPTH]
        nonces = {(tx.order_id, tx.nonce): tx for block in deep for tx in block.txs}
        used = nonces.get((row.order.id, 0))
        return used is not None and used.kind == "foreign"

    def _press_cancel(self, row: Kept) -> None:
        tx = Tx(f"0x{row.order.id}-c", row.order.id, 1, "cancel")
        said = advice(row.cancels, self.now_ms, RESEND_MS, GIVE_UP_MS)
        if not row.cancels.hashes or said not in ("wait", "stop_nonce_used"):
            self._store(row, "cancels", tx.hash)
            self._send(row, "cancels", tx)

    def _finish(self, row: Kept) -> None:
        order = row.order
        if order.final or order.state not in TERMINAL:
            return
        if order.state == "dead" and self.faults:
            # Its deadline has not passed: it may be replayed.
            return
        deep = {block.hash for block in self._chain.blocks[:-DEPTH]}
        facts = all(fact.place.block_hash in deep for fact in order.facts)
        if facts and (order.facts or not row.sends.hashes or self._is_foreign(row)):
            self.commit(row, Step("finalised"))

    def replay_dead(self) -> None:
        for row in self.rows.values():
            if row.order.state == "dead" and not row.order.final:
                row.poisoned = False
                self.commit(row, Step("replayed"))

    def ask_to_cancel(self, row: Kept) -> None:
        if row.order.state not in TERMINAL and not row.order.final:
            self.commit(row, Step("cancel_requested"))
