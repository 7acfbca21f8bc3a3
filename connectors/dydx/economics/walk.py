"""What a size takes from one side of a book, exactly. Pure.

Levels are ``(price_ticks, size_steps)``, best first, of the uncrossed view (``Book.levels``). A
snapshot has 100 levels a side and deeper ones are learned as they change, so behind the hundredth
there may be more than is known: a walk there costs at most what it says. Behind the last known
level nothing is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Fill:
    """What the levels gave.

    Units: ``steps`` of the market's step, ``notional`` of tick x step. ``excess``: what was paid or
    lost against the first level, in the same unit. ``worst_ticks``: the last level touched, None
    when there was none. ``exhausted``: the levels ended first, and what the rest costs is unknown.
    """

    steps: Fraction
    notional: Fraction
    excess: Fraction
    worst_ticks: int | None
    exhausted: bool

    @property
    def average_ticks(self) -> Fraction | None:
        return self.notional / self.steps if self.steps else None


def walk_size(levels: Iterable[tuple[int, int]], size_steps: int) -> Fill:
    """Takes ``size_steps`` from the levels. Raises InputError ``BAD_SIZE`` unless positive."""
    if size_steps <= 0:
        raise InputError("BAD_SIZE", "a size must be positive")
    left = size_steps
    notional = excess = 0
    first: int | None = None
    worst: int | None = None
    for ticks, steps in levels:
        first = ticks if first is None else first
        taken = min(steps, left)
        notional += ticks * taken
        excess += abs(ticks - first) * taken
        worst = ticks
        left -= taken
        if not left:
            break
    return Fill(Fraction(size_steps - left), Fraction(notional), Fraction(excess), worst, left > 0)


def walk_notional(levels: Iterable[tuple[int, int]], notional: Fraction | int) -> Fill:
    """Takes levels worth ``notional`` (tick x step); of the last one a part of a step may be taken.

    Raises InputError ``BAD_SIZE`` unless positive.
    """
    if notional <= 0:
        raise InputError("BAD_SIZE", "a size must be positive")
    left = Fraction(notional)
    whole_steps = whole_excess = 0
    part = part_excess = Fraction(0)
    first: int | None = None
    worst: int | None = None
    for ticks, steps in levels:
        first = ticks if first is None else first
        value = ticks * steps
        worst = ticks
        if value >= left:
            part = left / ticks
            part_excess = part * abs(ticks - first)
            left = Fraction(0)
            break
        whole_steps += steps
        whole_excess += steps * abs(ticks - first)
        left -= value
    return Fill(whole_steps + part, notional - left, whole_excess + part_excess, worst, left > 0)
