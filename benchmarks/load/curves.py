"""The plots of a run."""

import math
from typing import Final

import numpy as np

from benchmarks.load import plots
from benchmarks.load.outcome import Run
from benchmarks.load.plan import PERCENTILES, LoadResult, Samples, percentiles
from benchmarks.load.plots import Line

_CHOSEN: Final = ("gateway", "feed", "redis", "postgres", "sandbox")


def drawn(run: Run) -> list[str]:
    """Figures, in their order."""
    result, timeline = run.result, run.result.timeline
    phases, over = result.phases(), plots.seconds(0.0, result.end_s)
    step = np.diff(timeline.at_s, prepend=timeline.at_s[0] - 1)
    rate = np.diff(timeline.deliveries, prepend=0.0) / np.maximum(step, 1e-9)
    figures = [
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
    if len(result.samples.between(result.ready_s, result.end_s).at_s):
        figures += [
            _over_time("Latency from published, by second", result, over, published=True),
            _over_time("Latency from received, by second", result, over, published=False),
            _distribution(result.samples.between(result.ready_s, result.end_s)),
        ]
    if run.instance.pids:
        figures += [_cpu(run, over), _memory(run, over)]
    gap = Line("gap", timeline.at_s, timeline.gap_ms)
    y = plots.linear(0, float(timeline.gap_ms.max()), " ms")
    return [*figures, plots.draw("Longest the client did not look", over, y, [gap], phases)]


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
    y = plots.latency(float(np.nanmin(shown)), float(np.nanmax(shown)))
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
    y = plots.latency(low, high)
    return plots.draw("Latency by percentile, the whole hold", plots.nines(most), y, lines)


def _cpu(run: Run, over: plots.Axis) -> str:
    """Second by second: samples at moments of their own are too close to others for a share."""
    timeline, watcher = run.result.timeline, run.watcher
    used = {
        role: np.interp(timeline.at_s, watcher.at_s, [each.cpu_s for each in watcher.usage[role]])
        for role in _roles(run)
    }
    used["client"] = timeline.cpu_s
    lines = [
        Line(name, timeline.at_s[1:], 100 * np.diff(so_far) / np.diff(timeline.at_s))
        for name, so_far in used.items()
    ]
    y = plots.linear(0, max(float(line.y.max()) for line in lines), " %")
    return plots.draw("CPU, % of one core", over, y, lines, run.result.phases())


def _memory(run: Run, over: plots.Axis) -> str:
    at_s = np.array(run.watcher.at_s)
    lines = [
        Line(role, at_s, np.array([usage.resident / 2**20 for usage in run.watcher.usage[role]]))
        for role in _roles(run)
    ]
    y = plots.linear(0, max(float(line.y.max()) for line in lines), " MiB")
    return plots.draw("Resident memory", over, y, lines, run.result.phases())


def _roles(run: Run) -> list[str]:
    return [role for role in _CHOSEN if run.instance.pids.get(role)]
