"""Candles: what a price did within a span of time, and no more than the ticks say.

Prices are integers of 1e-18 quote units, times integer microseconds of the wall clock, so that all
of it is exact. A bucket without ticks has no candle.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US

PERIODS: Final[Mapping[str, int]] = {
    "1s": SECOND_US,
    "1m": MINUTE_US,
    "5m": 5 * MINUTE_US,
    "15m": 15 * MINUTE_US,
    "1h": 60 * MINUTE_US,
    "4h": 240 * MINUTE_US,
    "1d": 1440 * MINUTE_US,
}
"""Width of every candle by its name. Each divides the next, and the day in UTC."""

BEST: Final = "best"
"""Stands for a venue: the consolidated mid."""


class Tick(NamedTuple):
    """A price at a time; of one series no two have the same time."""

    at_us: int
    price_e18: int


class Candle(NamedTuple):
    """``t_us``: where its bucket begins."""

    t_us: int
    open_e18: int
    high_e18: int
    low_e18: int
    close_e18: int
    ticks: int


def bucket(at_us: int, width_us: int) -> int:
    """Where the bucket of a time begins."""
    return at_us - at_us % width_us


def fold(ticks: Iterable[Tick], width_us: int) -> list[Candle]:
    """Candles of the ticks of one series, by time.

    The order of the ticks does not matter and the same one twice counts once; of two prices at one
    time, which no recorder writes, the lower counts.
    """
    once: dict[int, int] = {}
    for at_us, price in ticks:
        once[at_us] = min(price, once.get(at_us, price))
    found: dict[int, Candle] = {}
    for at_us in sorted(once):
        t_us = bucket(at_us, width_us)
        found[t_us] = extended(found.get(t_us), t_us, once[at_us])
    return list(found.values())


def extended(candle: Candle | None, t_us: int, price_e18: int) -> Candle:
    """The candle with one later tick of its bucket, which begins at ``t_us``."""
    if candle is None:
        return Candle(t_us, price_e18, price_e18, price_e18, price_e18, 1)
    _, open_e18, high, low, _, ticks = candle
    if price_e18 > high:
        high = price_e18
    elif price_e18 < low:
        low = price_e18
    # Half the time of calling the class: every tick makes one for each period.
    return tuple.__new__(Candle, (t_us, open_e18, high, low, price_e18, ticks + 1))


def joined(earlier: Candle, later: Candle) -> Candle:
    """Two parts of one bucket without a tick in common."""
    return Candle(
        earlier.t_us,
        earlier.open_e18,
        max(earlier.high_e18, later.high_e18),
        min(earlier.low_e18, later.low_e18),
        later.close_e18,
        earlier.ticks + later.ticks,
    )


def widened(candles: Iterable[Candle], width_us: int) -> list[Candle]:
    """Coarser candles from finer ones of different times, in any order."""
    found: dict[int, Candle] = {}
    for candle in sorted(candles):
        t_us = bucket(candle.t_us, width_us)
        part = candle._replace(t_us=t_us)
        found[t_us] = joined(found[t_us], part) if t_us in found else part
    return list(found.values())
