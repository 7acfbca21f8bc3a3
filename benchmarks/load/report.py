"""The page of a run: what was asked, what came, and plots. One file without anything from
outside."""

import dataclasses
import html
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.load import plots
from benchmarks.load.instance import Instance, Watcher, machine
from benchmarks.load.k6 import K6Result
from benchmarks.load.plan import (
    PERCENTILES,
    Figures,
    LoadResult,
    Phase,
    Samples,
    percentiles,
)
from benchmarks.load.plots import Line

STYLE: Final = (Path(__file__).parent / "report.css").read_text("utf-8")
VIOLATIONS: Final = {
    "backwards": "a sequence lower than the one before it in the room",
    "repeated": "the same sequence again, and the feed was not silent",
    "before_answer": "an update before the answer to subscribe",
    "unanswered": "no answer to subscribe for ten seconds",
    "older_snapshots": "after a reconnect older than what was seen before",
}
_CHOSEN: Final = ("gateway", "feed", "redis", "postgres", "sandbox")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """All there is to tell of one run."""

    instance: Instance
    result: LoadResult
    watcher: Watcher
    k6: Sequence[K6Result]
    k6_missing: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
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
            '<section class="plots">' + "".join(_plots(run)) + "</section>",
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
        ("gateway CPU", percent(_role_share(run, "gateway", steady.phase)), ""),
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
        shares = [percent(_role_share(run, role, phase)) for phase in result.phases()]
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


# Plots


def _plots(run: Run) -> list[str]:
    result, timeline = run.result, run.result.timeline
    phases, over = result.phases(), plots.seconds(0.0, result.end_s)
    step = np.diff(timeline.at_s, prepend=timeline.at_s[0] - 1)
    rate = np.diff(timeline.deliveries, prepend=0.0) / np.maximum(step, 1e-9)
    drawn = [
        plots.draw(
            "Sockets that are subscribed",
            over,
            plots.linear(0, float(timeline.up.max())),
            [Line("subscribed", timeline.at_s, timeline.up)],
            phases,
        ),
        plots.draw(
            "Deliveries a second",
            over,
            plots.linear(0, float(rate.max())),
            [Line("deliveries", timeline.at_s, rate)],
            phases,
        ),
    ]
    if len(result.samples.at_s):
        drawn += [
            _over_time("Latency from published, by second", result, over, published=True),
            _over_time("Latency from received, by second", result, over, published=False),
            _distribution(result.samples),
        ]
    if run.instance.pids:
        drawn += [_cpu(run, over), _memory(run, over)]
    gap = Line("gap", timeline.at_s, timeline.gap_ms)
    y = plots.linear(0, float(timeline.gap_ms.max()), " ms")
    return [*drawn, plots.draw("Longest the client did not look", over, y, [gap], phases)]


def _over_time(title: str, result: LoadResult, over: plots.Axis, *, published: bool) -> str:
    seconds = np.arange(0.0, math.ceil(result.end_s))
    table_ms = np.full((len(PERCENTILES), len(seconds)), np.nan)
    samples = result.samples
    values = samples.published_us if published else samples.received_us
    second = samples.at_s.astype(int)
    for number in np.unique(second[second < len(seconds)]):
        table_ms[:, number] = percentiles(values[second == number])
    shown = np.maximum(table_ms, 0.01)
    lines = [
        Line(f"p{value:g}", seconds + 0.5, row)
        for value, row in zip(PERCENTILES, shown, strict=True)
    ]
    y = plots.logarithmic(float(np.nanmin(shown)), float(np.nanmax(shown)), " ms")
    return plots.draw(title, over, y, lines, result.phases())


def _distribution(samples: Samples) -> str:
    """Of all samples, by percentile: the tail is where to look."""
    most = 100 - 100 / max(len(samples.at_s), 10)
    most = min(most, 99.999)
    shares = 100 * (1 - np.logspace(0, math.log10(1 - most / 100), 200))
    lines = []
    for name, values in (
        ("from published", samples.published_us),
        ("from received", samples.received_us),
    ):
        shown = np.maximum(np.percentile(values, shares) / 1000, 0.01)
        lines.append(Line(name, shares, shown))
    low = min(float(line.y.min()) for line in lines)
    high = max(float(line.y.max()) for line in lines)
    y = plots.logarithmic(low, high, " ms")
    return plots.draw("Latency by percentile, the whole hold", plots.nines(most), y, lines)


def _cpu(run: Run, over: plots.Axis) -> str:
    at_s = np.array(run.watcher.at_s)
    lines = []
    for role in _roles(run):
        used = np.array([usage.cpu_s for usage in run.watcher.usage[role]])
        lines.append(Line(role, at_s[1:], _rate(at_s, used)))
    timeline = run.result.timeline
    lines.append(Line("client", timeline.at_s[1:], _rate(timeline.at_s, timeline.cpu_s)))
    most = max(float(np.nanmax(line.y)) for line in lines if len(line.y))
    y = plots.linear(0, most, " %")
    return plots.draw("CPU, % of one core", over, y, lines, run.result.phases())


def _memory(run: Run, over: plots.Axis) -> str:
    at_s = np.array(run.watcher.at_s)
    lines = [
        Line(role, at_s, np.array([usage.resident / 2**20 for usage in run.watcher.usage[role]]))
        for role in _roles(run)
    ]
    y = plots.linear(0, max(float(line.y.max()) for line in lines), " MiB")
    return plots.draw("Resident memory", over, y, lines, run.result.phases())


def _rate(at_s: Figures, so_far: Figures) -> Figures:
    share: Figures = 100 * np.diff(so_far) / np.maximum(np.diff(at_s), 1e-9)
    return share


def _roles(run: Run) -> list[str]:
    return [role for role in _CHOSEN if run.instance.pids.get(role)]


# Words


def _role_share(run: Run, role: str, phase: Phase) -> float:
    return (
        run.watcher.share(role, phase.from_s, phase.to_s)
        if role in run.instance.pids
        else float("nan")
    )


def milliseconds(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.1f} ms"


def percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"


def spread(values_ms: Figures, what: str) -> str:
    if not len(values_ms):
        return ""
    middle, high, most = np.percentile(values_ms, (50, 99, 100))
    return f"p50 {middle:,.0f} ms, p99 {high:,.0f} ms, max {most:,.0f} ms {what}"


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
