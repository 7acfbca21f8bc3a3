"""Plots as inline SVG: lines over time or over percentiles, with a legend and shaded phases.
Colours are the page's, by class, so that one drawing serves light and dark."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.load.plan import Figures, Phase

WIDTH: Final = 520
HEIGHT: Final = 230
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 26, 32
POINTS_BOUND: Final = 600
"""Of a line; more cannot be seen."""


@dataclass(frozen=True, slots=True)
class Line:
    """``x`` and ``y`` aligned; gaps where ``y`` is not a number."""

    name: str
    x: Figures
    y: Figures


@dataclass(frozen=True, slots=True)
class Axis:
    """``place``: a value to 0..1. ``ticks``: value and what is written there."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


def linear(low: float, high: float, unit: str = "") -> Axis:
    """From ``low`` to a round value not below ``high``."""
    span = max(high - low, 1.0)
    step = _round_step(span / 4)
    count = math.ceil(span / step - 1e-9)
    top = low + step * count
    ticks = [(low + step * i, f"{short(low + step * i)}{unit}") for i in range(count + 1)]
    return Axis(lambda value: (value - low) / (top - low), ticks)


def seconds(low: float, high: float) -> Axis:
    """Time, exactly from ``low`` to ``high``."""
    step = _round_step(max(high - low, 1e-9) / 6)
    first = math.ceil(low / step)
    values = [step * i for i in range(first, int(high / step + 1e-9) + 1)]
    return Axis(
        lambda value: (value - low) / (high - low), [(value, f"{value:g} s") for value in values]
    )


def latency(low_ms: float, high_ms: float) -> Axis:
    """Logarithmic, whole decades around both, which are above 0."""
    bottom, top = math.floor(math.log10(low_ms)), math.ceil(math.log10(high_ms) - 1e-9)
    top = max(top, bottom + 1)
    powers = range(bottom, top + 1)
    ticks = [(10.0**p, f"{10.0**p:g} ms" if p < 3 else f"{10 ** (p - 3)} s") for p in powers]
    return Axis(lambda value: (math.log10(value) - bottom) / (top - bottom), ticks)


def nines(most: float) -> Axis:
    """Percentiles from 0 on, each further nine as wide as the one before; up to ``most``."""
    named = [0.0, 90.0, 99.0, 99.9, 99.99]
    top = -math.log10(1 - most / 100)
    ticks = [(value, f"{value:g} %") for value in named if -math.log10(1 - value / 100) <= top]
    return Axis(lambda value: -math.log10(1 - value / 100) / top, ticks)


def draw(title: str, x: Axis, y: Axis, lines: Sequence[Line], phases: Sequence[Phase] = ()) -> str:
    """A figure with its caption and legend."""
    parts = [_phases(x, phases), _grid(x, y)]
    parts += [_path(x, y, line, number) for number, line in enumerate(lines)]
    legend = "".join(
        f'<li><i class="c{number}"></i>{html.escape(line.name)}</li>'
        for number, line in enumerate(lines)
        if len(lines) > 1
    )
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        + "".join(parts)
        + "</svg></figure>"
    )


def _across(x: Axis, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * x.place(value)


def _down(y: Axis, value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - y.place(value))


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for value, text in y.ticks:
        at = _down(y, value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{html.escape(text)}</text>'
        )
    for value, text in x.ticks:
        at = _across(x, value)
        anchor = "end" if at > WIDTH - 2 * RIGHT else "middle"
        parts.append(
            f'<text x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{html.escape(text)}</text>'
        )
    return "".join(parts)


def _phases(x: Axis, phases: Sequence[Phase]) -> str:
    """Every other phase is shaded, and each has its name above."""
    parts = []
    for number, phase in enumerate(phases):
        left, right = _across(x, phase.from_s), _across(x, phase.to_s)
        shade = f"phase{number % 2}"
        parts.append(
            f'<rect class="{shade}" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{html.escape(phase.name)}</title></rect>'
        )
        parts.append(
            f'<text class="phase" x="{left + 2:.1f}" y="{TOP - 8}">{html.escape(phase.name)}</text>'
        )
    return "".join(parts)


def _path(x: Axis, y: Axis, line: Line, number: int) -> str:
    every = max(1, len(line.x) // POINTS_BOUND)
    commands, pen_down = [], False
    for at, value in zip(line.x[::every], line.y[::every], strict=True):
        if not np.isfinite(value):
            pen_down = False
            continue
        down = min(max(_down(y, float(value)), TOP), HEIGHT - BOTTOM)
        commands.append(f"{'L' if pen_down else 'M'}{_across(x, float(at)):.1f} {down:.1f}")
        pen_down = True
    return f'<path class="line c{number}" d="{"".join(commands)}"/>'


def _round_step(rough: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, not below ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough * 0.999)


def short(value: float) -> str:
    """``1.2M``, ``300k``, ``0.1``."""
    for bound, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= bound:
            return f"{value / bound:g}{letter}"
    return f"{value:g}"
