"""All there is to tell of one run, in figures and in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.load.instance import Instance, Watcher
from benchmarks.load.k6 import K6Result
from benchmarks.load.plan import Figures, LoadResult, Phase, percentiles


@dataclass(frozen=True, slots=True)
class Run:
    """All there is to tell of one run."""

    instance: Instance
    result: LoadResult
    watcher: Watcher
    k6: Sequence[K6Result]
    k6_missing: str | None = None

    def share(self, role: str, phase: Phase) -> float:
        """CPU of a role in shares of one core; not a number where its processes are not known."""
        known = role in self.instance.pids
        return self.watcher.share(role, phase.from_s, phase.to_s) if known else float("nan")


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """Of one phase: deliveries a second, and p50, p99 and p99.9 in ms."""

    phase: Phase
    per_second: float
    published_ms: Sequence[float]
    received_ms: Sequence[float]
    samples: int


def phase_rows(result: LoadResult) -> list[PhaseRow]:
    rows = []
    for phase in result.phases():
        samples = result.samples.between(phase.from_s, phase.to_s)
        rows.append(
            PhaseRow(
                phase,
                result.per_second(phase.from_s, phase.to_s),
                percentiles(samples.published_us),
                percentiles(samples.received_us),
                len(samples.at_s),
            )
        )
    return rows


def bytes_a_socket(run: Run) -> float:
    """What all gateways grew by from before the first connect to the first phase, a socket; not a
    number where their processes are not known. Memory an earlier run left behind makes it too
    small."""
    result = run.result
    if not run.instance.gateways or not result.ready:
        return float("nan")
    first = result.phases()[0]
    before = run.watcher.usage["gateway"][0].resident
    return (run.watcher.resident("gateway", first.from_s, first.to_s) - before) / result.ready


def milliseconds(value: float) -> str:
    """With a decimal where it tells something."""
    return "-" if math.isnan(value) else f"{value:,.{1 if abs(value) < 100 else 0}f} ms"


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"


def spread(values_ms: Figures, what: str) -> str:
    if not len(values_ms):
        return ""
    middle, high, most = np.percentile(values_ms, (50, 99, 100))
    return f"p50 {middle:,.0f} ms, p99 {high:,.0f} ms, max {most:,.0f} ms {what}"
