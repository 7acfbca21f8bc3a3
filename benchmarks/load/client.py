"""Runs a load: processes of sockets, told together when to begin, to hold and to end."""

import contextlib
import gc
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Literal

import numpy as np

from benchmarks.load.link import Server
from benchmarks.load.plan import (
    Counts,
    Figures,
    LoadError,
    LoadPlan,
    LoadResult,
    Samples,
    Timeline,
)
from benchmarks.load.swarm import SECOND_NS, Swarm

__all__ = ["LoadError", "LoadPlan", "LoadResult", "Moment", "Watch", "run"]

Moment = Literal["start", "tick", "ready", "end"]
Watch = Callable[[Moment, float], None]
"""Called in the process that runs the load with the seconds since the first connect: before it,
about every second, when the hold begins and when it has ended, all sockets still open."""

STEP_S: Final = 30.0
"""A process of the load may take this long for its start and for handing over what it found."""
OTHER_FILES: Final = 64


@dataclass(slots=True)
class Share:
    """What one process found."""

    ready: int
    counts: Counts
    newest: dict[str, tuple[int, int]]
    rows: list[tuple[float, int, int, int, float, float]]
    arrays: dict[str, Figures]
    storm_ended_ns: int
    storm_pending: bool


def run(plan: LoadPlan, watch: Watch = lambda moment, at_s: None) -> LoadResult:
    """Takes the ramp and the hold of the plan. Raises LoadError when it cannot be run at all;
    sockets that are refused or lost are counted."""
    plan.check()
    Server(plan.url)
    allow_files(plan.sockets // plan.processes + OTHER_FILES)
    with contextlib.ExitStack() as stack:
        pipes = [stack.enter_context(_process(plan, number)) for number in range(plan.processes)]
        _answers(pipes, time.monotonic() + STEP_S)
        watch("start", 0.0)
        start_ns = time.monotonic_ns()
        _tell(pipes, start_ns)

        def tick() -> None:
            watch("tick", (time.monotonic_ns() - start_ns) / SECOND_NS)

        ramp_s = plan.sockets / plan.ramp_per_s + plan.ready_within_s
        _answers(pipes, time.monotonic() + ramp_s + STEP_S, tick)
        watch("ready", (time.monotonic_ns() - start_ns) / SECOND_NS)
        hold_ns = time.monotonic_ns()
        _tell(pipes, hold_ns)
        shares: list[Share] = _answers(pipes, time.monotonic() + plan.seconds + STEP_S, tick)
        watch("end", (time.monotonic_ns() - start_ns) / SECOND_NS)
        _tell(pipes, None)
        _answers(pipes, time.monotonic() + STEP_S)
    return _merged(plan, shares, start_ns, hold_ns)


def allow_files(count: int) -> None:
    """Raises LoadError when this process may not open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    # Root may go beyond the hard limit.
    for limits in ((count, max(hard, count)), (min(count, hard), hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed < count:
        raise LoadError(
            f"a process of the load needs {count} open files and may have {allowed}: "
            "raise the limit (ulimit -Hn) or use more processes"
        )


@contextlib.contextmanager
def _process(plan: LoadPlan, number: int) -> Iterator[Connection]:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(plan, number, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()


def _tell(pipes: Sequence[Connection], what: int | None) -> None:
    for pipe in pipes:
        pipe.send(what)


def _answers(
    pipes: Sequence[Connection], until: float, tick: Callable[[], None] = lambda: None
) -> list[Any]:
    """One of each pipe, in order. ``tick`` is called every second. Raises LoadError."""
    answers: dict[Connection, Any] = {}
    next_tick = time.monotonic() + 1
    while len(answers) < len(pipes):
        missing = [pipe for pipe in pipes if pipe not in answers]
        for ready in wait(missing, max(0.0, next_tick - time.monotonic())):
            assert isinstance(ready, Connection)
            try:
                answers[ready] = ready.recv()
            except (EOFError, OSError):
                raise LoadError("a process of the load died") from None
        if time.monotonic() >= next_tick:
            next_tick += 1
            tick()
        if time.monotonic() > until:
            raise LoadError("a process of the load does not answer")
    return [answers[pipe] for pipe in pipes]


# In a process of its own


def serve(plan: LoadPlan, number: int, pipe: Connection) -> None:
    """Runs one process's share; the pipe says what is due and takes what was found."""
    server = Server(plan.url)
    indices = range(number, plan.sockets, plan.processes)
    # A collection would stop all sockets at once, and nothing here is made of cycles.
    gc.disable()
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        pipe.send(None)
        start_ns: int = pipe.recv()
        swarm = Swarm(plan, server, indices, plan.ramp_per_s / plan.processes, start_ns)
        ready_by_ns = start_ns + int(
            (plan.sockets / plan.ramp_per_s + plan.ready_within_s) * SECOND_NS
        )
        _turns(swarm, plan, lambda now_ns: swarm.all_up or now_ns >= ready_by_ns)
        ready = swarm.up
        pipe.send(None)
        _turns(swarm, plan, _Heard(pipe))
        _hold(swarm, plan, pipe.recv())
        pipe.send(_share(swarm, ready))
        _turns(swarm, plan, _Heard(pipe))
        swarm.close()
        pipe.recv()
        pipe.send(None)


class _Heard:
    """Whether the pipe has something, asked now and then."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._ask_ns = 0

    def __call__(self, now_ns: int) -> bool:
        if now_ns < self._ask_ns:
            return False
        self._ask_ns = now_ns + 10_000_000
        return self._pipe.poll()


def _hold(swarm: Swarm, plan: LoadPlan, hold_ns: int) -> None:
    swarm.note(time.monotonic_ns())

    def until(at_s: float) -> None:
        end_ns = hold_ns + int(at_s * SECOND_NS)
        _turns(swarm, plan, lambda now_ns: now_ns >= end_ns)

    if plan.slow_percent:
        until(plan.slow_at_s)
        swarm.stop_slow()
        until(plan.slow_at_s + plan.slow_for_s)
        swarm.resume_slow()
    if plan.storm_at_s is not None:
        until(plan.storm_at_s)
        swarm.cut_all(time.monotonic_ns())
    until(plan.seconds)
    swarm.note(time.monotonic_ns())


def _turns(swarm: Swarm, plan: LoadPlan, over: Callable[[int], bool]) -> None:
    interval_ns = int(plan.poll_ms * 1_000_000)
    due_ns = now_ns = time.monotonic_ns()
    while not over(now_ns):
        swarm.turn(now_ns)
        due_ns = max(due_ns + interval_ns, now_ns)
        remaining_ns = due_ns - time.monotonic_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns / SECOND_NS)
        now_ns = time.monotonic_ns()


def _share(swarm: Swarm, ready: int) -> Share:
    names = (
        "sampled_at_s", "published_us", "received_us",
        "connect_ms", "recovery_ms", "caught_up_ms",
    )  # fmt: skip
    return Share(
        ready=ready,
        counts=swarm.counts,
        newest=swarm.newest(),
        rows=swarm.rows,
        arrays={name: np.array(getattr(swarm, name), dtype=np.float64) for name in names},
        storm_ended_ns=swarm.storm_ended_ns,
        storm_pending=swarm.storm_pending,
    )


# Together


def _merged(plan: LoadPlan, shares: list[Share], start_ns: int, hold_ns: int) -> LoadResult:
    counts, newest = Counts(), dict[str, tuple[int, int]]()
    for share in shares:
        counts.add(share.counts)
        for room, (low, high) in share.newest.items():
            lowest, highest = newest.get(room, (low, high))
            newest[room] = min(low, lowest), max(high, highest)
    arrays = {
        name: np.concatenate([share.arrays[name] for share in shares]) for name in shares[0].arrays
    }
    ready_s = (hold_ns - start_ns) / SECOND_NS
    timeline, busiest_share = _timeline(shares, ready_s, ready_s + plan.seconds)
    storm_s = None
    if plan.storm_at_s is not None and not any(share.storm_pending for share in shares):
        ended_ns = max(share.storm_ended_ns for share in shares)
        storm_s = (ended_ns - hold_ns) / SECOND_NS - plan.storm_at_s
    return LoadResult(
        plan=plan,
        ready_s=ready_s,
        ready=sum(share.ready for share in shares),
        counts=counts,
        newest=newest,
        timeline=timeline,
        samples=Samples(arrays["sampled_at_s"], arrays["published_us"], arrays["received_us"]),
        connect_ms=arrays["connect_ms"],
        recovery_ms=arrays["recovery_ms"],
        caught_up_ms=arrays["caught_up_ms"],
        storm_s=storm_s,
        busiest_share=busiest_share,
    )


def _timeline(shares: list[Share], ready_s: float, end_s: float) -> tuple[Timeline, float]:
    """And the largest share of a core that one process used in the hold. Processes write their rows
    at their own times, so all are read at the same."""
    at_s = np.append(np.arange(0.0, end_s - 0.5), end_s)
    tables = [np.array(share.rows, dtype=np.float64).T for share in shares]
    up, deliveries, lost, cpu_s = (
        np.sum([np.interp(at_s, table[0], table[column]) for table in tables], axis=0)
        for column in (1, 2, 3, 4)
    )
    gap_ms = np.max([np.interp(at_s, table[0], table[5]) for table in tables], axis=0)
    used = [np.diff(np.interp((ready_s, end_s), table[0], table[4]))[0] for table in tables]
    timeline = Timeline(at_s, up, deliveries, lost, cpu_s, gap_ms)
    return timeline, float(max(used) / (end_s - ready_s))
