"""What the benchmarks share: free ports, child processes, percentiles, CPU shares, and the
comparison of a feed with the bare decoding of its frames."""

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import orjson
import psutil

from perptape.layout import SANDBOX_PORTS, sandbox_listens, sandbox_venues

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 9


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def child(
    arguments: Sequence[str], env: Mapping[str, str], log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process of its own group, ended with it; its output goes to ``log``."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def sandbox(rate: float) -> Iterator[Mapping[str, str]]:
    """The venue replicas; yields the settings that lead to them once dYdX's answers."""
    metrics, *free = (free_port() for _ in range(1 + len(SANDBOX_PORTS)))
    ports = dict(zip(SANDBOX_PORTS, free, strict=True))
    variables = {"PERP_METRICS_PORT": str(metrics), "PERP_SANDBOX_RATE": str(rate)}
    with child([sys.executable, "-m", "perptape", "sandbox"], variables | sandbox_listens(ports)):
        for venue in ("dydx", "gmx", "gains"):
            wait_for_port(ports[venue])
        yield sandbox_venues(ports)


@contextlib.contextmanager
def program(**env: str) -> Iterator[Path]:
    """``perptape run`` in a fresh data folder; yields the folder once ``ready`` was printed."""
    with tempfile.TemporaryDirectory(prefix="perptape-bench-") as folder:
        variables = {
            "PERP_DATA_DIR": folder,
            "PERP_HTTP_PORT": str(free_port()),
            "PERP_METRICS_PORT": str(free_port()),
            **env,
        }
        log = Path(folder) / "run.log"
        with child([sys.executable, "-m", "perptape", "run"], variables, log):
            deadline = time.monotonic() + 60
            while b"ready http" not in log.read_bytes():
                if time.monotonic() > deadline:
                    raise SystemExit(f"not ready within 60 s:\n{log.read_text()}")
                time.sleep(0.05)
            yield Path(folder)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


async def wait_until_served(port: int) -> None:
    """``wait_for_port`` for what the same event loop serves."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of an ordered sequence."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(values: Sequence[float], unit: str = "ms") -> str:
    ordered = sorted(values)
    figures = {
        "p50": percentile(ordered, 0.5),
        "p99": percentile(ordered, 0.99),
        "p99.9": percentile(ordered, 0.999),
        "max": ordered[-1],
    }
    return "  ".join(f"{name} {value:.2f} {unit}" for name, value in figures.items())


class CpuShares:
    """CPU seconds of some processes and of the whole machine between two moments. ``pids``: of one
    process, or of several that are each counted with the children they have."""

    def __init__(self, pids: Mapping[str, int | Sequence[int]]) -> None:
        self._processes = {
            name: [psutil.Process(pid) for pid in ([found] if isinstance(found, int) else found)]
            for name, found in pids.items()
        }
        self._families = {name for name, found in pids.items() if not isinstance(found, int)}
        self._before = self._read()
        self._total = self._machine()
        self._at = time.monotonic()

    def _read(self) -> dict[str, float]:
        return {
            name: sum(_cpu_s(process, family=name in self._families) for process in processes)
            for name, processes in self._processes.items()
        }

    @staticmethod
    def _machine() -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)

    def spent(self) -> dict[str, float]:
        """CPU seconds since the start, with ``else`` for everything not named."""
        after = self._read()
        found = {name: after[name] - self._before[name] for name in after}
        return found | {"else": self._machine() - self._total - sum(found.values())}

    def report(self) -> str:
        """Shares of one core since the start."""
        elapsed = time.monotonic() - self._at
        return "  ".join(f"{name} {spent / elapsed:.0%}" for name, spent in self.spent().items())


def _cpu_s(process: psutil.Process, *, family: bool) -> float:
    """``family``: with its children, those that have ended and those that live."""
    times = process.cpu_times()
    if not family:
        return float(times.user + times.system)
    found = float(sum(times[:4]))
    for child_process in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += sum(child_process.cpu_times()[:2])
    return found


class FeedUnderTest(Protocol):
    """A session and a consolidator. ``prepare`` is called before every ``run`` and not timed;
    ``verify`` at the end raises SystemExit when what is shown is not what the frames say."""

    def prepare(self) -> None: ...
    def run(self, frames: Sequence[bytes]) -> None: ...
    def verify(self) -> None: ...


def run_loads(frames: Sequence[bytes]) -> None:
    for frame in frames:
        orjson.loads(frame)


def seconds(work: Callable[[Sequence[bytes]], None], frames: Sequence[bytes]) -> float:
    """CPU time of this process."""
    started = time.process_time()
    work(frames)
    return time.process_time() - started


def compare(
    name: str,
    make: Callable[[], FeedUnderTest],
    frames: Sequence[bytes],
    budget: float,
    chunk: int,
) -> None:
    """Medians over the rounds. Within a round the two take turns every ``chunk`` frames: the speed
    of a shared machine changes by half within a second, and both have to see the same of it."""
    chunks = [frames[i : i + chunk] for i in range(0, len(frames), chunk)]
    rounds = []
    for _ in range(ROUNDS):
        feed, ours, reference = make(), 0.0, 0.0
        for part in chunks:
            feed.prepare()
            reference += seconds(run_loads, part)
            ours += seconds(feed.run, part)
        feed.verify()
        rounds.append((ours / reference, ours))
    ratios = sorted(ratio for ratio, _ in rounds)
    ratio = statistics.median(ratios)
    per_second = len(frames) / statistics.median(ours for _, ours in rounds)
    verdict = "within" if ratio <= budget else "OVER"
    print(
        f"{name}: {per_second:,.0f} frames/s through parse, state and touch; "
        f"{ratio:.2f} x orjson.loads ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"{verdict} the budget of {budget:.0f} x"
    )
