"""First safety under faults, then the faults stop and every order settles. A seed that fails is in
the name of the test and gives the same run again."""

from random import Random
from typing import Final

import pytest

from domain.orders import TERMINAL, TRANSITIONS
from domain.outcomes import Resting
from tests.simulation.desk import Crash, Desk
from tests.simulation.world import Chain, Tx

SEEDS: Final = 200
TURNS: Final = 45
SETTLE_TURNS: Final = 200
STEP_MS: Final = 1_000


class Run:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.chain = Chain(self.random)
        self.desk = Desk(self.random, self.chain, self.random.randint(1, 4))
        self.crashes = 0

        for order_id, row in self.desk.rows.items():
            luck = self.random.random()
            row.poisoned = luck < 0.1
            if luck > 0.9:
                # Somebody else has the key and uses the nonce.
                tx = Tx(f"0xf-{order_id}", order_id, 0, "foreign")
                self.chain.mempool[tx.hash] = tx

    def turn(self) -> None:
        self.desk.now_ms += STEP_MS
        self.chain.step()
        acts = [self.desk.watch]
        for order_id in self.desk.rows:
            acts.append(lambda order_id=order_id: self.desk.work(order_id))
        self.random.shuffle(acts)
        try:
            for act in acts:
                act()
                self.check()
            if self.desk.faults and self.random.random() < 0.05:
                self.desk.ask_to_cancel(self.random.choice(list(self.desk.rows.values())))
        except Crash:
            # What was in memory is gone; the next turn begins from what was committed.
            self.crashes += 1
        self.check()

    def check(self) -> None:
        for order_id, row in self.desk.rows.items():
            order = row.order
            # I1: one state, and every way into it stands in the table.
            assert order.state in TRANSITIONS
            assert [tell.after for tell in row.told][-1:] in ([], [order.state])
            # I2: at most one effect at the venue.
            effects = [
                log
                for block in self.chain.blocks
                for owner, log in block.logs
                if owner == order_id and isinstance(log, Resting)
            ]
            assert len(effects) <= 1
            # I3: the ledger is the sum of what is known to be filled.
            assert sorted(row.fills, key=repr) == sorted(order.fills, key=repr)
            # I5: the history has no hole.
            assert len(row.told) == order.version - 1
        # I7: nothing is lost.
        states = [row.order.state for row in self.desk.rows.values()]
        done = sum(state in TERMINAL and state != "dead" for state in states)
        live = sum(state not in TERMINAL for state in states)
        assert done + live + states.count("dead") == len(self.desk.rows)

    def settle(self) -> None:
        """No more faults, and their owners want to be done."""
        self.desk.faults = self.chain.faults = False
        self.desk.replay_dead()
        for _ in range(SETTLE_TURNS):
            for row in self.desk.rows.values():
                self.desk.ask_to_cancel(row)
            self.turn()
            if all(row.order.final for row in self.desk.rows.values()):
                return
        waiting = {key: row.order.state for key, row in self.desk.rows.items()}
        raise AssertionError(f"did not settle: {waiting}")

    def check_the_end(self) -> None:
        """What the desk believes is what the chain has."""
        for order_id, row in self.desk.rows.items():
            assert row.order.state in TERMINAL
            assert set(row.fills) == self.chain.fills(order_id)

    def story(self) -> list[object]:
        return [(row.order, tuple(row.told), row.sends.hashes) for row in self.desk.rows.values()]


def run(seed: int) -> Run:
    world = Run(seed)
    for _ in range(TURNS):
        world.turn()
    world.settle()
    world.check_the_end()
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
def test_orders_are_safe_under_faults_and_settle_after_them(seed: int) -> None:
    run(seed)


def test_a_seed_gives_the_same_run_again() -> None:
    assert run(7).story() == run(7).story()


def test_the_runs_see_what_they_are_for() -> None:
    """Crashes, reorganisations that take something back, dead letters, several hashes, all ends."""
    worlds = [run(seed) for seed in range(40)]
    rows = [row for world in worlds for row in world.desk.rows.values()]
    events = {tell.event for row in rows for tell in row.told}
    assert events >= {
        "prepared", "submitted", "mined", "resting", "executed", "cancelled", "frozen", "undone",
        "failed", "replayed", "cancel_requested", "finalised", "rejected",
    }  # fmt: skip
    assert {row.order.state for row in rows} >= {"filled", "cancelled", "rejected"}
    assert sum(world.crashes for world in worlds) > 40
    assert any(len(row.sends.hashes) > 1 for row in rows)
