"""What prices were before the replicas began: made up, the same at every venue, and the same price
at a time whatever the width of the candles. Pure."""

import math
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

_DAY_S: Final = 86_400
_YEAR_S: Final = 365 * _DAY_S
_BACK_S: Final = 400 * _DAY_S
_ANNUAL_VOL: Final = 0.6
_WAVES_S: Final = (90, 400, 1_800, 7_200, 32_400, 172_800, 1_036_800, 5_184_000)
_POINTS: Final = 6
_MIX: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

# start in seconds, open, high, low, close
Bar = tuple[int, float, float, float, float]


class Past:
    """Of one market, whose price was ``price`` at ``now_s``."""

    def __init__(self, market: str, price: float, now_s: int) -> None:
        self._name = zlib.crc32(market.encode())
        self._now_s = now_s
        self._log = math.log(price) - float(self._level(np.array([now_s], dtype=np.int64))[0])

    def newest(self, width_s: int, limit: int, from_s: float, before_s: float) -> Iterator[Bar]:
        """Newest first, those that begin in [from, before) and end before the market began."""
        end_s = self._now_s - self._now_s % width_s
        if before_s < end_s:
            end_s = math.ceil(before_s / width_s) * width_s
        first_s = max(from_s, self._now_s - _BACK_S, end_s - limit * width_s)
        starts = np.arange(end_s - width_s, first_s - 1, -width_s, dtype=np.int64)
        steps = np.linspace(0, width_s, _POINTS).astype(np.int64)
        prices = np.exp(self._level(starts[:, None] + steps) + self._log)
        columns = (prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1])
        rows: Iterator[Bar] = zip(
            starts.tolist(), *(column.tolist() for column in columns), strict=True
        )
        return rows

    def _level(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """Waves of many lengths, each as high as a random walk would go in its length."""
        level = np.zeros(times.shape)
        for wave_s in _WAVES_S:
            place, within = np.divmod(times, wave_s)
            share = within / wave_s
            share = share * share * (3 - 2 * share)
            low, high = self._noise(place, wave_s), self._noise(place + 1, wave_s)
            level += (low + (high - low) * share) * _ANNUAL_VOL * math.sqrt(wave_s / _YEAR_S)
        return level

    def _noise(self, place: NDArray[np.int64], wave_s: int) -> NDArray[np.float64]:
        """From -1 to 1, by the hash of splitmix64."""
        mixed = place.astype(np.uint64) * np.uint64(_MIX[0])
        mixed ^= np.uint64(self._name * 1_000_003 + wave_s)
        for shift, factor in ((30, _MIX[1]), (27, _MIX[2])):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        return mixed.astype(np.float64) / 2.0**63 - 1
