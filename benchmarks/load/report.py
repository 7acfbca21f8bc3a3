"""The page of a run: what was asked, what came, and plots. One file without anything from
outside."""

import dataclasses
import html
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.load import curves
from benchmarks.load.instance import machine
from benchmarks.load.outcome import (
    Run,
    bytes_a_socket,
    milliseconds,
    percent,
    phase_rows,
    spread,
)
from benchmarks.load.plan import PERCENTILES, LoadResult

STYLE: Final = (Path(__file__).parent / "report.css").read_text("utf-8")
VIOLATIONS: Final = {
    "backwards": "a sequence lower than the one before it in the room",
    "repeated": "the same sequence again, and the feed was not silent",
    "before_answer": "an update before the answer to subscribe",
    "unanswered": "no answer to subscribe for ten seconds",
    "older_snapshots": "after a reconnect older than what was seen before",
}


def write(run: Run, path: Path) -> None:
    """Replaces the page in one step."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_text(page(run), "utf-8")
    unfinished.replace(path)


def page(run: Run) -> str:
    body = "".join(
        (
            _header(run),
            _tiles(run),
            _phase_table(run.result),
            '<section class="plots">' + "".join(curves.drawn(run)) + "</section>",
            _events(run.result),
            _processes(run),
            _k6(run),
            _plan(run),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Load report</title>'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _header(run: Run) -> str:
    plan = run.result.plan
    rooms = "room" if plan.rooms_per_socket == 1 else "rooms"
    return (
        f"<header><h1>{plan.sockets:,} sockets &times; {plan.rooms_per_socket} {rooms}</h1>"
        f"<p>{html.escape(run.instance.url)}, {plan.seconds:.0f} s, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC<br>{html.escape(machine())}</p></header>"
    )


# Figures


def _tiles(run: Run) -> str:
    result = run.result
    steady, asked = phase_rows(result)[0], result.plan.sockets
    lost = result.counts.lost.total()
    violations = sum(result.counts.violations.values())
    memory = bytes_a_socket(run)
    tiles = [
        ("delivered a second", f"{steady.per_second:,.0f}", ""),
        ("p99 from published", milliseconds(steady.published_ms[1]), ""),
        ("p99 from received", milliseconds(steady.received_ms[1]), ""),
        ("subscribed", f"{result.ready:,} of {asked:,}", _bad(result.ready < asked)),
        ("lost", f"{lost:,}", _bad(lost > 0)),
        ("out of order", f"{violations:,}", _bad(violations > 0)),
        ("memory a socket", "-" if math.isnan(memory) else f"{memory / 1024:.1f} KiB", ""),
        ("gateway CPU", percent(run.share("gateway", steady.phase)), ""),
    ]  # fmt: skip
    return (
        '<section class="tiles">'
        + "".join(
            f'<div class="{kind}"><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>'
            for name, value, kind in tiles
        )
        + "</section>"
    )


def _bad(is_bad: bool) -> str:
    return "bad" if is_bad else "good"


def _phase_table(result: LoadResult) -> str:
    rows = [
        [
            row.phase.name,
            f"{row.phase.to_s - row.phase.from_s:.0f} s",
            f"{row.per_second:,.0f}",
            *map(milliseconds, row.published_ms),
            *map(milliseconds, row.received_ms),
            f"{row.samples:,}",
        ]
        for row in phase_rows(result)
    ]
    names = [f"p{value:g}" for value in PERCENTILES]
    head = (
        '<tr><th colspan="2"></th><th>delivered</th><th colspan="3">from published</th>'
        '<th colspan="3">from received</th><th></th></tr>'
    )
    heads = ["", "", "a second", *names, *names, "samples"]
    return table("Phases", heads, rows, above=head) + (
        "<p class=note>From published: the feed made the envelope. From received: the venue's "
        "frame arrived. Both to the reading of the client, which looks every "
        f"{result.plan.poll_ms:g} ms and so adds up to as much. Slow readers are in no latency.</p>"
    )


def _events(result: LoadResult) -> str:
    counts, plan = result.counts, result.plan
    rows = [
        ["connects tried", f"{counts.connects:,}", spread(result.connect_ms, "to the snapshots")],
        *([f"refused: {name}", f"{number:,}", ""] for name, number in counts.refused.items()),
        *([f"lost: {name}", f"{number:,}", ""] for name, number in counts.lost.items()),
        *([f"room refused: {name}", f"{n:,}", ""] for name, n in counts.rooms_refused.items()),
        *(
            [name.replace("_", " "), f"{n:,}", VIOLATIONS[name]]
            for name, n in counts.violations.items()
        ),
    ]
    if plan.slow_percent:
        caught_up = spread(result.caught_up_ms, "to an update made since")
        rows.append(["slow readers that caught up", f"{len(result.caught_up_ms):,}", caught_up])
    if plan.storm_at_s is not None:
        back = (
            "not all came back" if result.storm_s is None else f"all back in {result.storm_s:.2f} s"
        )
        rows.append(["cut in the storm", f"{counts.cut:,}", back])
    if len(result.recovery_ms):
        back = spread(result.recovery_ms, "to the snapshots")
        rows.append(["came back", f"{len(result.recovery_ms):,}", back])
    return table("Connections and order", ["", "", ""], rows, notes=True)


def _processes(run: Run) -> str:
    result, rows = run.result, []
    for role, pids in run.instance.pids.items():
        shares = [percent(run.share(role, phase)) for phase in result.phases()]
        most = run.watcher.resident(role, 0.0, result.end_s)
        rows.append([role, f"{len(pids)}", *shares, f"{most / 2**20:,.0f} MiB"])
    shares = [percent(result.cpu_share(phase.from_s, phase.to_s)) for phase in result.phases()]
    rows.append(["client", f"{result.plan.processes}", *shares, ""])
    busy, stolen = run.watcher.machine_share
    heads = ["", "processes", *(phase.name for phase in result.phases()), "most memory"]
    return table("CPU, shares of one core", heads, rows) + (
        f"<p class=note>The whole machine {percent(busy)}; taken from it by its host (st) "
        f"{percent(stolen)}. The busiest process of the client {percent(result.busiest_share)}; "
        f"the longest it did not look at its sockets {result.timeline.gap_ms.max():.0f} ms.</p>"
    )


def _k6(run: Run) -> str:
    parts = []
    for result in run.k6:
        rows = [
            [name, ", ".join(f"{key} {value:,.4g}" for key, value in figures.items())]
            for name, figures in result.rows
        ]
        crossed = ", ".join(result.crossed)
        verdict = f"beyond their thresholds: {crossed}" if crossed else "all thresholds kept"
        passes, fails = result.checks
        title = f"k6 {result.script}: {passes:,} checks passed, {fails:,} failed; {verdict}"
        parts.append(table(title, ["", ""], rows, notes=True))
    if run.k6_missing is not None:
        parts.append(f"<section><h2>k6</h2><p>Not run: {html.escape(run.k6_missing)}</p></section>")
    return "".join(parts)


def _plan(run: Run) -> str:
    rows = []
    for each in dataclasses.fields(run.result.plan):
        value = getattr(run.result.plan, each.name)
        if each.name == "rooms":
            value = f"{len(value)}: {', '.join(value[:5])}{' ..' if len(value) > 5 else ''}"
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        rows.append([each.name.replace("_", " "), shown])
    return table("Plan", ["", ""], rows, notes=True)


def table(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    above: str = "",
    notes: bool = False,
) -> str:
    """``notes``: the last column is text."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    head = f"<thead>{above}<tr>{head}</tr></thead>" if any(heads) else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    kind = ' class="notes"' if notes else ""
    return (
        f"<section><h2>{html.escape(title)}</h2>"
        f'<div class="scroll"><table{kind}>{head}<tbody>{body}</tbody></table></div></section>'
    )
