"""Acceptance: sixty minutes of faults and sixty minutes of a quiet market, three venues with ten
markets each, on the virtual clock. Cut into six parts of ten minutes, each with its own seed, so
that they can run at the same time. ``observer.py`` holds what is checked at every publish."""

from collections import Counter

import pytest

from tests.simulation.fair import SYMBOLS
from tests.simulation.loop import S
from tests.simulation.three import ALL, BACK_NS, Simulation

SEEDS = range(1, 7)
PART_S = 600
START_S = 3
LIMIT_S = 300
"""Ten minutes take ten seconds of a free core, and more than a minute of a busy one."""
OUTLIER_BACK_S = BACK_NS // S + 11
"""Until a venue is back, and then agrees with the others for ten seconds."""


def started(seed: int) -> Simulation:
    print(f"seed {seed}")
    simulation = Simulation(seed)
    simulation.run(START_S)
    assert simulation.live == ALL
    return simulation


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("seed", SEEDS)
def test_faults_never_publish_what_cannot_be_relied_on(seed: int) -> None:
    simulation = started(seed)
    simulation.run(PART_S, fault_every_s=3)
    observer, counts = simulation.observer, simulation.core.counts
    print(simulation.felt, Counter(simulation.failures), counts)
    # The faults were felt, or nothing was tested.
    kinds = {(venue.name, kind) for venue in simulation.venues for kind in venue.kinds}
    assert set(simulation.felt) >= kinds
    assert observer.checks > 40 * PART_S
    assert len(simulation.failures) > 20
    assert counts.quarantines > 10
    assert min(observer.outliers, observer.disagreed) > 20
    # With the last fault over, all come back.
    simulation.run(BACK_NS / S)
    assert {quote.reason for quote in observer.absent.values()} <= {"OUTLIER"}
    simulation.run(OUTLIER_BACK_S)
    assert simulation.live == ALL


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_quiet_market_excludes_nobody(seed: int) -> None:
    """That anybody is absent without a fault, even for one publish, fails at once."""
    simulation = started(100 + seed)
    simulation.observer.blame.clear()
    simulation.run(PART_S)
    observer, counts = simulation.observer, simulation.core.counts
    assert not observer.absent
    assert not observer.deviated_ns
    assert not observer.suspected
    assert simulation.failures == []
    assert (counts.quarantines, counts.snapshots_asked, counts.unknown_markets) == (0, 0, 0)
    assert observer.disagreed == 0
    # Venues that cross each other by some bps are part of a quiet market.
    assert observer.checks > 40 * PART_S
    assert 0.05 < observer.crossed / observer.checks < 0.8
    assert len(observer.said) == len(SYMBOLS)
