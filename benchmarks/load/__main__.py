"""``make load``: a load on a running instance, printed and written as a page.

First sockets by the client of this folder, then k6. The instance is the one whose ``runtime.json``
is in the data folder, or what ``--url`` names; its processes are watched where they run here.
"""

import argparse
import math
import os
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.load import instance as instances
from benchmarks.load import k6, report
from benchmarks.load.client import Moment, run
from benchmarks.load.instance import Instance, Watcher
from benchmarks.load.outcome import (
    Run,
    bytes_a_socket,
    milliseconds,
    percent,
    phase_rows,
    spread,
)
from benchmarks.load.plan import LoadError, LoadPlan, LoadResult

DATA_DIR: Final = Path(os.environ.get("PERP_DATA_DIR") or ".data")
RATES: Final = ("max", "1", "4", "10", "20")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    add = parser.add_argument
    add("--url", help="of a gateway; without it what runtime.json in the data folder names")
    add("--sockets", type=int, default=1000)
    add("--rooms", type=int, default=5, help="rooms a socket, of all price rooms in turn")
    add("--names", help="comma list of rooms to take them from instead")
    add("--rate", choices=RATES, default="max", help="updates a second a room at most")
    add("--seconds", type=float, default=45, help="of the hold, once all are subscribed")
    add("--ramp", type=float, default=500, help="sockets a second")
    add("--slow", type=int, default=10, help="percent of the sockets that stop reading for a time")
    add("--slow-seconds", type=float, help="for how long; a third of the hold")
    add("--storm", type=int, choices=(0, 1), default=1, help="1: cut all sockets once")
    add("--processes", type=int, default=1, help="of the client")
    add("--poll-ms", type=float, default=2.0, help="how often the client looks at its sockets")
    add("--k6-seconds", type=float, default=10, help="of each k6 script; 0: no k6")
    add("--k6-sockets", type=int, default=100)
    add("--k6-rate", type=int, default=100, help="REST requests a second")
    add("--out", type=Path, help="the page; load-report.html in the data folder")
    return parser.parse_args()


def plan_of(options: argparse.Namespace, instance: Instance) -> LoadPlan:
    """The slow readers stop in the middle of the hold, the storm comes when five sixths are
    over."""
    names = options.names.split(",") if options.names else instances.price_rooms(instance.url)
    seconds = options.seconds
    slow_for_s = seconds / 3 if options.slow_seconds is None else options.slow_seconds
    return LoadPlan(
        url=instance.url,
        sockets=options.sockets,
        rooms=tuple(names),
        rooms_per_socket=min(options.rooms, len(names)),
        rate=options.rate if options.rate == "max" else int(options.rate),
        ramp_per_s=options.ramp,
        seconds=seconds,
        slow_percent=options.slow,
        slow_at_s=max(0.0, seconds / 2 - slow_for_s / 2),
        slow_for_s=slow_for_s,
        storm_at_s=seconds * 5 / 6 if options.storm else None,
        poll_ms=options.poll_ms,
        processes=options.processes,
    )


def watched(plan: LoadPlan, instance: Instance) -> tuple[LoadResult, Watcher]:
    watcher = Watcher(instance.pids)

    def watch(moment: Moment, at_s: float) -> None:
        watcher.sample(at_s)
        if moment == "ready":
            print(f"the ramp took {at_s:.1f} s; now {plan.seconds:.0f} s", flush=True)

    return run(plan, watch), watcher


def run_k6(options: argparse.Namespace, url: str) -> tuple[list[k6.K6Result], str | None]:
    """Its results, or why there are none."""
    if not options.k6_seconds:
        return [], "not asked for"
    program = k6.program()
    if program is None:
        return [], "there is no k6 for this machine on the package index; any k6 on PATH is used"
    seconds = options.k6_seconds
    shared = {"URL": url, "SECONDS": f"{seconds:g}"}
    scripts: list[tuple[str, dict[str, Any]]] = [
        ("rest", {"RATE": str(options.k6_rate)}),
        ("sockets", {"SOCKETS": str(options.k6_sockets), "ROOMS": str(options.rooms)}),
    ]
    results = []
    for script, variables in scripts:
        print(f"k6 {script}, {seconds:g} s", flush=True)
        try:
            results.append(k6.run(program, script, seconds, **shared, **variables))
        except LoadError as error:
            return results, str(error)
    return results, None


def say(run_: Run) -> None:
    result, counts, instance = run_.result, run_.result.counts, run_.instance
    print(f"{result.ready:,} of {result.plan.sockets:,} sockets subscribed")
    print(f"connected   {spread(result.connect_ms, 'to the snapshots')}")
    for row in phase_rows(result):
        print(f"\n{row.phase.name}: {row.per_second:,.0f} delivered/s ({row.samples:,} timed)")
        for name, values in (("published", row.published_ms), ("received", row.received_ms)):
            p50, p99, p999 = map(milliseconds, values)
            print(f"  from {name + '_us':13} p50 {p50}  p99 {p99}  p99.9 {p999}")
        shares = [f"{role} {percent(run_.share(role, row.phase))}" for role in instance.pids]
        client = percent(result.cpu_share(row.phase.from_s, row.phase.to_s))
        print("  CPU, of a core: " + "  ".join([*shares, f"client {client}"]))
    print()
    if result.plan.slow_percent:
        print(
            f"slow readers: {len(result.caught_up_ms)} caught up; {spread(result.caught_up_ms, '')}"
        )
    if result.plan.storm_at_s is not None:
        came = (
            "not all came back" if result.storm_s is None else f"all back in {result.storm_s:.2f} s"
        )
        print(
            f"storm: {counts.cut:,} cut, {came}; {spread(result.recovery_ms, 'to the snapshots')}"
        )
    for name, reasons in (
        ("lost", counts.lost),
        ("refused", counts.refused),
        ("rooms refused", counts.rooms_refused),
    ):
        told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
        print(f"{name}: {told or 'none'}")
    print("order: " + ", ".join(f"{name} {number}" for name, number in counts.violations.items()))
    memory = bytes_a_socket(run_)
    if not math.isnan(memory):
        print(f"memory a socket: {memory / 1024:.1f} KiB of the gateways")
    if result.busiest_share > 0.9:
        print("the client was busy all the time and may itself be the limit: use more processes")
    for each in run_.k6:
        passes, fails = each.checks
        verdict = f"BEYOND: {', '.join(each.crossed)}" if each.crossed else "thresholds kept"
        print(f"k6 {each.script}: {passes:,} checks passed, {fails:,} failed; {verdict}")
    if run_.k6_missing is not None:
        print(f"NOT RUN: k6 ({run_.k6_missing})")


def main() -> None:
    options = arguments()
    instance = instances.find(options.url, DATA_DIR)
    plan = plan_of(options, instance)
    allowed = instances.short_of_files(instance, plan.sockets)
    if allowed is not None:
        print(f"a gateway may open only {allowed} files: not all sockets will get in")
    print(
        f"{plan.sockets:,} sockets x {plan.rooms_per_socket} rooms at {instance.url}, "
        f"{plan.ramp_per_s:g} a second",
        flush=True,
    )
    result, watcher = watched(plan, instance)
    done = Run(instance, result, watcher, *run_k6(options, instance.url))
    say(done)
    path = options.out or DATA_DIR / "load-report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    report.write(done, path)
    print(f"\nreport: {path.resolve()}")


if __name__ == "__main__":
    try:
        main()
    except LoadError as error:
        sys.exit(f"load: {error}")
