"""What one token's price was: candles and the day's figures, as plain USD numbers, bounded."""

import math
from collections import deque
from itertools import islice
from typing import Any, Final

from sandbox.past import Past

PERIODS: Final = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "4h": 14_400,
    "1d": 86_400,
}
_CANDLES_KEPT: Final = 500

# start in seconds, open, high, low, close
_Candle = list[float]


class Tape:
    """``day_open`` is where the price stood a day before the start; ``market`` names the past."""

    def __init__(self, market: str, day_open: float) -> None:
        self._market = market
        self._past: Past | None = None
        self._candles: dict[str, deque[_Candle]] = {
            period: deque(maxlen=_CANDLES_KEPT) for period in PERIODS
        }
        self.open = self.high = self.low = self.close = _shown(day_open)

    def add(self, price: float, now_s: int) -> None:
        price = _shown(price)
        self.close = price
        if self._past is None:
            self._past = Past(self._market, price, now_s)
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        for period, seconds in PERIODS.items():
            kept = self._candles[period]
            start_s = now_s - now_s % seconds
            if not kept or kept[-1][0] < start_s:
                kept.append([start_s, price, price, price, price])
                continue
            candle = kept[-1]
            candle[2] = max(candle[2], price)
            candle[3] = min(candle[3], price)
            candle[4] = price

    def newest(self, period: str, limit: int) -> list[_Candle]:
        found = list(islice(reversed(self._candles[period]), limit))
        if self._past is not None and len(found) < limit:
            for start_s, *prices in self._past.newest(
                PERIODS[period], limit - len(found), 0, math.inf
            ):
                found.append([start_s, *map(_shown, prices)])
        return found

    def day(self) -> dict[str, Any]:
        return {"open": self.open, "high": self.high, "low": self.low, "close": self.close}


def _shown(price: float) -> float:
    return float(f"{price:.9g}")
