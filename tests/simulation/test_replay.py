"""The same frames at the same times give the same bytes: here, in a process that hashes strings
otherwise, and from a log of the events alone."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aggregator.consolidate import Consolidator
from domain.quote import BestQuote
from tests.simulation.feed import MAX_AGE_NS, VENUE, Simulation, encoded

SEED, SECONDS = 7, 45
ROOT = Path(__file__).parents[2]


def digest(seed: int) -> str:
    simulation = Simulation(seed)
    simulation.run(SECONDS, fault_every_s=2)
    return simulation.digest.hexdigest()


def test_a_seed_gives_the_same_bytes_however_strings_are_hashed() -> None:
    found = digest(SEED)
    assert found != digest(SEED + 1)
    program = f"from tests.simulation.test_replay import digest; print(digest({SEED}))"
    for hash_seed in ("1", "2"):
        again = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert again.stdout.strip() == found


class Log(Consolidator):
    """A consolidator that writes down what it is called with."""

    def __init__(self) -> None:
        super().__init__({VENUE: MAX_AGE_NS})
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def attach(self, *args: Any) -> None:
        self.calls.append(("attach", args))
        super().attach(*args)

    def apply(self, *args: Any) -> None:
        self.calls.append(("apply", args))
        super().apply(*args)

    def advance(self, wall_us: int, mono_ns: int) -> None:
        self.calls.append(("advance", (wall_us, mono_ns)))
        super().advance(wall_us, mono_ns)

    def flush(self, mono_ns: int) -> list[BestQuote]:
        self.calls.append(("flush", (mono_ns,)))
        return super().flush(mono_ns)


def test_a_log_of_events_gives_the_same_bytes() -> None:
    log = Log()
    simulation = Simulation(SEED, log)
    simulation.run(SECONDS, fault_every_s=2)
    replayed = hashlib.sha256()
    core, seq = Consolidator({VENUE: MAX_AGE_NS}), 0
    for name, args in log.calls:
        said: Sequence[BestQuote] | None = getattr(core, name)(*args)
        for best in said or ():
            seq += 1
            replayed.update(encoded(best, seq))
    assert seq > 500
    assert replayed.hexdigest() == simulation.digest.hexdigest()
