"""Two connections, twenty markets, ten minutes a seed. ``tests/simulation/feed.py`` holds what must
be true at every step."""

from collections import Counter

import pytest

from tests.simulation.feed import SYMBOLS, Simulation

MINUTES = 10
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_of_faults(seed: int) -> None:
    print(f"seed {seed}")
    simulation = Simulation(seed)
    simulation.run(2)
    assert len(simulation.live()) == len(SYMBOLS)
    simulation.run(MINUTES * 60, fault_every_s=4)
    print(Counter(simulation.failures), simulation.excluded, simulation.core.counts)
    # The faults were felt, or nothing was tested.
    assert simulation.excluded > 1_000
    assert len(simulation.failures) > 5
    assert simulation.core.counts.quarantines > 5
    simulation.run(3)
    missing = set(SYMBOLS) - set(simulation.live())
    # Agreement with the oracle price has to last ten seconds.
    assert {simulation.said[name].quotes[0].reason for name in missing} <= {"OUTLIER"}
    simulation.run(11)
    assert len(simulation.live()) == len(SYMBOLS)


def test_ten_quiet_minutes_exclude_nobody() -> None:
    simulation = Simulation(5)
    simulation.run(2)
    assert len(simulation.live()) == len(SYMBOLS)
    simulation.excluded = 0
    simulation.run(MINUTES * 60)
    assert simulation.excluded == 0
    assert simulation.failures == []
    assert simulation.core.counts.quarantines == 0
    assert simulation.core.counts.snapshots_asked == 0
