"""Candles that are still forming, of every market's consolidated mid and period. Pure."""

from collections.abc import Mapping

from domain.candles import MINUTE_US, PERIODS, Candle, bucket, extended, joined
from domain.ids import MarketId


class Forming:
    """``add`` ticks in the order of time, take ``due`` at the end of a second."""

    def __init__(self) -> None:
        self._candles: dict[MarketId, dict[str, Candle]] = {}
        self._changed: dict[MarketId, None] = {}
        self._told_us = 0

    def add(self, market: MarketId, at_us: int, price_e18: int) -> None:
        candles = self._candles.setdefault(market, {})
        for period, width_us in PERIODS.items():
            t_us = at_us - at_us % width_us
            candle = candles.get(period)
            if candle is not None and candle.t_us > t_us:
                continue  # The clock went back; what is stored is right, this room goes on later.
            if candle is not None and candle.t_us < t_us:
                candle = None
            candles[period] = extended(candle, t_us, price_e18)
        self._changed[market] = None

    def seed(self, market: MarketId, period: str, stored: Candle) -> None:
        """What an earlier process had seen of a candle, from ticks before the first one here."""
        candles = self._candles.setdefault(market, {})
        candle = candles.get(period)
        if candle is None or candle.t_us < stored.t_us:
            candles[period] = stored
        elif candle.t_us == stored.t_us:
            candles[period] = joined(stored, candle)
        else:
            return
        self._changed[market] = None

    def say_again(self) -> None:
        """Readers know nothing any more."""
        self._changed.update(dict.fromkeys(self._candles))

    def due(self, now_us: int) -> list[MarketId]:
        """Markets with something new to say: changed, or with a candle that has closed since."""
        before_us, self._told_us = self._told_us, now_us
        changed, self._changed = self._changed, {}
        if bucket(now_us, MINUTE_US) != bucket(before_us, MINUTE_US):
            for market, candles in self._candles.items():
                ends = (candle.t_us + PERIODS[period] for period, candle in candles.items())
                if any(before_us < end <= now_us for end in ends):
                    changed[market] = None
        return list(changed)

    def shown(self, market: MarketId) -> Mapping[str, Candle]:
        """The newest candle of every period."""
        return self._candles.get(market, {})
