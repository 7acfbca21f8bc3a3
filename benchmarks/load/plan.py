"""What a load is, and what came of it."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]

PERCENTILES: Final = (50.0, 99.0, 99.9)


class LoadError(Exception):
    """A message for the person at the keyboard."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """``url``: ``http://host:port``. First all sockets connect and subscribe, ``ramp_per_s`` of
    them a second; when all have or ``ready_within_s`` is over the hold begins, from which
    ``seconds``, ``slow_at_s`` and ``storm_at_s`` count.

    Socket ``i`` is in ``rooms_per_socket`` rooms, the next of ``rooms`` in turn. Of every hundred
    sockets ``slow_percent`` stop reading at ``slow_at_s`` for ``slow_for_s``. At ``storm_at_s`` all
    sockets are cut and come back, ``at_once`` handshakes under way at a time. Who is lost otherwise
    or refused tries again after ``reconnect_s``, or never.

    Sockets are looked at every ``poll_ms``, which is part of every latency (0: all the time);
    ``sample_every``: of so many reads one is timed.
    """

    url: str
    sockets: int
    rooms: Sequence[str]
    rooms_per_socket: int = 1
    rate: str | int = "max"
    ramp_per_s: float = 1000.0
    seconds: float = 30.0
    slow_percent: int = 0
    slow_at_s: float = 0.0
    slow_for_s: float = 0.0
    storm_at_s: float | None = None
    reconnect_s: float | None = 1.0
    at_once: int = 256
    ready_within_s: float = 60.0
    poll_ms: float = 2.0
    sample_every: int = 7
    processes: int = 1

    def check(self) -> None:
        """Raises LoadError where the plan contradicts itself."""
        if len(set(self.rooms)) < len(self.rooms):
            raise LoadError("a room is named twice")
        if not 1 <= self.rooms_per_socket <= len(self.rooms):
            raise LoadError(f"{self.rooms_per_socket} rooms a socket of {len(self.rooms)} rooms")
        if min(self.sockets, self.processes, self.sample_every, self.at_once) < 1:
            raise LoadError("sockets, processes, samples and handshakes are at least one")
        if self.sockets < self.processes:
            raise LoadError("there are more processes than sockets")
        if min(self.ramp_per_s, self.seconds) <= 0:
            raise LoadError("the ramp and the seconds are more than nothing")
        slow_until_s = self.slow_at_s + self.slow_for_s if self.slow_percent else 0.0
        if self.storm_at_s is not None and self.storm_at_s < slow_until_s:
            raise LoadError("the storm comes after the slow readers")
        if max(slow_until_s, self.storm_at_s or 0.0) > self.seconds:
            raise LoadError("the slow readers and the storm are within the seconds")

    def rooms_of(self, index: int) -> tuple[str, ...]:
        names, first = self.rooms, index * self.rooms_per_socket
        return tuple(names[(first + step) % len(names)] for step in range(self.rooms_per_socket))

    def is_slow(self, index: int) -> bool:
        """Spread evenly over the sockets."""
        return (index + 1) * self.slow_percent // 100 > index * self.slow_percent // 100


@dataclass(slots=True)
class Counts:
    """``deliveries``: updates of rooms. ``other_events``: such without an envelope. ``connects``:
    tries. ``cut``: by the storm.

    What must be none. ``backwards``: a sequence lower than the socket had seen in that room.
    ``repeated``: the same again, but for the envelopes that say that the feed fell silent and that
    it is back (a slow reader may get the second alone). ``before_answer``: an update of a room the
    socket had no answer for yet. ``unanswered``: a ``subscribe`` without an answer for ten seconds.
    ``older_snapshots``: after a reconnect a snapshot older than what the socket had seen (of
    another gateway it can be).

    By reason, ``lost``: sockets that had subscribed. ``refused``: tries to connect.
    ``rooms_refused``: errors in answers to ``subscribe``.
    """

    deliveries: int = 0
    other_events: int = 0
    received_bytes: int = 0
    reads: int = 0
    pings: int = 0
    connects: int = 0
    cut: int = 0
    backwards: int = 0
    repeated: int = 0
    before_answer: int = 0
    unanswered: int = 0
    older_snapshots: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rooms_refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        for each in dataclasses.fields(Counts):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def violations(self) -> dict[str, int]:
        """Of the order the protocol promises; all should be 0."""
        names = ("backwards", "repeated", "before_answer", "unanswered", "older_snapshots")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Timeline:
    """Aligned arrays, a row a second from the first connect on and one at the end. ``up``: sockets
    that are subscribed. ``deliveries``, ``lost``, ``cpu_s`` (of the client) so far. ``gap_ms``: the
    longest time in that second in which the client did not look at its sockets."""

    at_s: Figures
    up: Figures
    deliveries: Figures
    lost: Figures
    cpu_s: Figures
    gap_ms: Figures


@dataclass(slots=True)
class Samples:
    """Aligned arrays: seconds since the first connect, and µs from ``published_us`` and from
    ``received_us`` of an update to its reading here, on the wall clock."""

    at_s: Figures
    published_us: Figures
    received_us: Figures

    def between(self, from_s: float, to_s: float) -> "Samples":
        chosen = (self.at_s >= from_s) & (self.at_s < to_s)
        return Samples(self.at_s[chosen], self.published_us[chosen], self.received_us[chosen])


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the hold, in seconds since the first connect."""

    name: str
    from_s: float
    to_s: float


@dataclass(slots=True)
class LoadResult:
    """``ready_s``: when the hold began, in seconds since the first connect; ``ready``: sockets that
    were subscribed then. ``newest``: of each room the lowest and the highest sequence a socket had
    at the end. ``connect_ms``: from the first try of a socket to its snapshots; ``recovery_ms``:
    from its loss to its snapshots. ``caught_up_ms``: from when a slow reader reads again to an
    update made since. ``storm_s``: from the cut until all were back, None without a storm or when
    not all came. ``busiest_share``: of a core, by the client's process that used most in the
    hold."""

    plan: LoadPlan
    ready_s: float
    ready: int
    counts: Counts
    newest: dict[str, tuple[int, int]]
    timeline: Timeline
    samples: Samples
    connect_ms: Figures
    recovery_ms: Figures
    caught_up_ms: Figures
    storm_s: float | None
    busiest_share: float

    @property
    def end_s(self) -> float:
        return self.ready_s + self.plan.seconds

    def per_second(self, from_s: float, to_s: float) -> float:
        """Deliveries."""
        return self._grown(self.timeline.deliveries, from_s, to_s)

    def cpu_share(self, from_s: float, to_s: float) -> float:
        """Of one core, all processes of the client together."""
        return self._grown(self.timeline.cpu_s, from_s, to_s)

    def _grown(self, so_far: Figures, from_s: float, to_s: float) -> float:
        before, after = np.interp((from_s, to_s), self.timeline.at_s, so_far)
        return float((after - before) / (to_s - from_s))

    def phases(self) -> list[Phase]:
        """The hold by what happens to its sockets; in the storm all latencies are of sockets that
        are back."""
        plan, named = self.plan, [("steady", 0.0)]
        if plan.slow_percent:
            named.append(("slow readers", plan.slow_at_s))
            named.append(("read again", plan.slow_at_s + plan.slow_for_s))
        if plan.storm_at_s is not None:
            named.append(("storm", plan.storm_at_s))
        ends = [at_s for _, at_s in named[1:]] + [plan.seconds]
        return [
            Phase(name, self.ready_s + from_s, self.ready_s + to_s)
            for (name, from_s), to_s in zip(named, ends, strict=True)
            if to_s > from_s
        ]


def percentiles(values_us: Figures) -> list[float]:
    """p50, p99 and p99.9 in ms; not a number where nothing was sampled."""
    if not len(values_us):
        return [float("nan")] * len(PERCENTILES)
    return [float(value) for value in np.percentile(values_us, PERCENTILES) / 1000]
