"""The instance under load: where it is, what rooms it has, what its processes use."""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
import psutil

from benchmarks.load.plan import LoadError

ANSWER_WITHIN_S: Final = 5.0
SERVERS_OWN_FILES: Final = 256
"""What a gateway has open beside the sockets of clients, amply."""


@dataclass(frozen=True, slots=True)
class Instance:
    """``pids``: by role, empty where its processes are not on this machine or not ours to see."""

    url: str
    pids: Mapping[str, Sequence[int]]

    @property
    def gateways(self) -> Sequence[int]:
        return self.pids.get("gateway", ())


def find(url: str | None, data_dir: Path) -> Instance:
    """What runs at ``url``; without one what ``runtime.json`` in ``data_dir`` names. Raises
    LoadError."""
    try:
        runtime: dict[str, Any] = orjson.loads((data_dir / "runtime.json").read_bytes())
    except FileNotFoundError:
        runtime = {}
    except (OSError, orjson.JSONDecodeError) as error:
        raise LoadError(f"{data_dir}/runtime.json cannot be read: {error}") from None
    if url is None and not runtime:
        raise LoadError(
            f"nothing runs here: there is no runtime.json in {data_dir}. Start an instance in "
            "another terminal with PERP_RATE_LIMIT_FACTOR=1000 make run, or name one with URL="
        )
    found = (url or str(runtime["http_url"])).rstrip("/")
    try:
        httpx.get(f"{found}/health/live", timeout=ANSWER_WITHIN_S)
    except httpx.HTTPError as error:
        raise LoadError(f"nothing answers at {found}: {error}") from None
    ours = found == runtime.get("http_url")
    return Instance(found, runtime["pids"] if ours else {})


def price_rooms(url: str) -> list[str]:
    """``price:<market>`` of every open market. Raises LoadError where there is none."""
    rooms: list[str] = []
    try:
        with httpx.Client(base_url=url, timeout=ANSWER_WITHIN_S) as http:
            for row in _rows(http, "/v1/markets"):
                if row["open"]:
                    rooms.append(f"price:{row['market']}")
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise LoadError(f"{url}/v1/markets does not list markets: {error}") from None
    if not rooms:
        raise LoadError(f"{url} knows no open market yet: try again when its venues are live")
    return rooms


def _rows(http: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = http.get(path, params={"limit": "1000", **more}).raise_for_status().json()
        yield from answer["data"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return


def short_of_files(instance: Instance, sockets: int) -> int | None:
    """How many files a gateway may open where that is too few for its part of ``sockets``."""
    needed = sockets // max(1, len(instance.gateways)) + SERVERS_OWN_FILES
    for pid in instance.gateways:
        try:
            allowed = psutil.Process(pid).rlimit(resource.RLIMIT_NOFILE)[0]
        except psutil.Error:
            continue
        if allowed < needed:
            return int(allowed)
    return None


@dataclass(slots=True)
class Usage:
    """Of one role at one moment: CPU seconds so far and resident bytes, all its processes
    together."""

    cpu_s: float
    resident: int


@dataclass(slots=True)
class Watcher:
    """Samples the processes of the instance. ``at_s`` and the lists in ``usage`` are aligned; a
    role is named after ``runtime.json``, with the processes its processes had when the watcher was
    made."""

    pids: Mapping[str, Sequence[int]]
    at_s: list[float] = field(default_factory=list)
    usage: dict[str, list[Usage]] = field(default_factory=lambda: defaultdict(list))
    _processes: dict[str, list[psutil.Process]] = field(default_factory=dict)
    _machine: list[tuple[float, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._processes = processes_of(self.pids)

    def sample(self, at_s: float) -> None:
        self.at_s.append(at_s)
        for role, processes in self._processes.items():
            self.usage[role].append(_usage(processes))
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        self._machine.append((time.monotonic(), busy, times.steal))

    def share(self, role: str, from_s: float, to_s: float) -> float:
        """Of one core; not a number where there are no two samples between."""
        chosen = self._between(from_s, to_s)
        if len(chosen) < 2:
            return float("nan")
        first, last = chosen[0], chosen[-1]
        used = self.usage[role][last].cpu_s - self.usage[role][first].cpu_s
        return used / (self.at_s[last] - self.at_s[first])

    def resident(self, role: str, from_s: float, to_s: float) -> int:
        """The most of any sample between; 0 without one."""
        return max((self.usage[role][i].resident for i in self._between(from_s, to_s)), default=0)

    def _between(self, from_s: float, to_s: float) -> list[int]:
        # What is sampled for a moment comes a little after it.
        return [i for i, at_s in enumerate(self.at_s) if from_s <= at_s <= to_s + 0.5]

    @property
    def machine_share(self) -> tuple[float, float]:
        """All processes of the machine, and what its host took from it (st), in shares of one
        core."""
        (began, busy, stolen), (ended, busy_after, stolen_after) = (
            self._machine[0],
            self._machine[-1],
        )
        elapsed = max(ended - began, 1e-9)
        return (busy_after - busy) / elapsed, (stolen_after - stolen) / elapsed


def processes_of(pids: Mapping[str, Sequence[int]]) -> dict[str, list[psutil.Process]]:
    """By role its processes and their children. A process is of the nearest role above it: all are
    children of the supervisor, which is a role too."""
    families = [(role, _family(pid)) for role, own in pids.items() for pid in own]
    families.sort(key=lambda item: -len(item[1]))
    role_of = {process: role for role, family in families for process in family}
    found: dict[str, list[psutil.Process]] = {role: [] for role in pids}
    for process, role in role_of.items():
        found[role].append(process)
    return found


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _usage(processes: Sequence[psutil.Process]) -> Usage:
    total = Usage(0.0, 0)
    for process in processes:
        try:
            with process.oneshot():
                times = process.cpu_times()
                total.cpu_s += times.user + times.system
                total.resident += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def machine() -> str:
    """Processor, cores and memory of this machine."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, {memory:.0f} GiB"
