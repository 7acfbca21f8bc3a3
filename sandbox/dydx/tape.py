"""What has traded in one market: the newest trades and the candles made of them, both bounded."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from domain.units import Grid, format_decimal, parse_decimal
from runtime.clock import iso_ms
from sandbox.past import Past

RESOLUTIONS: Final = {
    "1MIN": 60,
    "5MINS": 300,
    "15MINS": 900,
    "30MINS": 1800,
    "1HOUR": 3600,
    "4HOURS": 14_400,
    "1DAY": 86_400,
}
_TRADES_KEPT: Final = 500
_CANDLES_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Trade:
    id: str
    side: str
    steps: int
    ticks: int
    price: str
    size: str
    type: str
    created_at: str
    height: int

    def update(self) -> dict[str, Any]:
        """As in a frame: without the height."""
        return {
            "id": self.id,
            "side": self.side,
            "size": self.size,
            "price": self.price,
            "type": self.type,
            "createdAt": self.created_at,
        }

    def snapshot(self) -> dict[str, Any]:
        return self.update() | {"createdAtHeight": str(self.height)}


@dataclass(slots=True)
class Candle:
    """Prices in ticks, mids in half ticks, volumes in steps and in tick x step, all exact."""

    start_s: int
    open: int
    high: int
    low: int
    close: int
    open_interest: str
    mid_open: int
    mid_close: int
    steps: int = 0
    usd: int = 0
    trades: int = 0

    def add(self, trade: Trade) -> None:
        if not self.trades:
            self.open = self.high = self.low = trade.ticks
        self.high = max(self.high, trade.ticks)
        self.low = min(self.low, trade.ticks)
        self.close = trade.ticks
        self.steps += trade.steps
        self.usd += trade.ticks * trade.steps
        self.trades += 1


@dataclass(slots=True)
class Tape:
    ticker: str
    price_grid: Grid
    size_grid: Grid
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=_TRADES_KEPT))
    candles: dict[str, deque[Candle]] = field(
        default_factory=lambda: {name: deque(maxlen=_CANDLES_KEPT) for name in RESOLUTIONS}
    )
    past: Past | None = None

    def roll(self, now_s: int, mid_half_ticks: int, open_interest: str) -> None:
        """Opens the candles whose time has come; one without trades keeps the last close."""
        if self.past is None:
            mid = mid_half_ticks / 2 * float(self.price_grid.increment)
            self.past = Past(self.ticker, mid, now_s)
        for name, seconds in RESOLUTIONS.items():
            start_s = now_s - now_s % seconds
            kept = self.candles[name]
            last = kept[-1] if kept else None
            if last is not None:
                last.mid_close = mid_half_ticks
                if last.start_s >= start_s:
                    continue
            close = mid_half_ticks // 2 if last is None else last.close
            mids = mid_half_ticks, mid_half_ticks
            kept.append(Candle(start_s, close, close, close, close, open_interest, *mids))

    def add(self, trade: Trade) -> None:
        self.trades.append(trade)
        for kept in self.candles.values():
            kept[-1].add(trade)

    def newest_trades(self, limit: int) -> list[dict[str, Any]]:
        return [trade.snapshot() for trade in islice(reversed(self.trades), limit)]

    def newest_candles(
        self, resolution: str, limit: int, from_s: float, to_s: float
    ) -> list[dict[str, Any]]:
        """Newest first, those that start in [from_s, to_s)."""
        inside = [c for c in reversed(self.candles[resolution]) if from_s <= c.start_s < to_s]
        inside = inside[:limit] + self._past(resolution, limit - len(inside), from_s, to_s)
        return [self._shape(candle, resolution) | self._mids(candle) for candle in inside]

    def _past(self, resolution: str, limit: int, from_s: float, to_s: float) -> list[Candle]:
        if self.past is None or limit <= 0:
            return []
        tick = float(self.price_grid.increment)
        found = []
        for start_s, *prices in self.past.newest(RESOLUTIONS[resolution], limit, from_s, to_s):
            first, high, low, last = (max(1, round(price / tick)) for price in prices)
            mids = first * 2, last * 2
            found.append(Candle(start_s, first, high, low, last, "0", *mids, 1, last, 1))
        return found

    def candle_updates(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(resolution, candle) of every running candle, as a frame shows it."""
        for resolution, kept in self.candles.items():
            yield resolution, self._shape(kept[-1], resolution)

    def usd(self, ticks_times_steps: int) -> str:
        """Exact notional of a count of tick x step units."""
        tick, tick_decimals = parse_decimal(self.price_grid.increment)
        step, step_decimals = parse_decimal(self.size_grid.increment)
        return format_decimal(ticks_times_steps * tick * step, tick_decimals + step_decimals)

    def _shape(self, candle: Candle, resolution: str) -> dict[str, Any]:
        price = self.price_grid.format
        return {
            "startedAt": iso_ms(candle.start_s * 1_000_000),
            "ticker": self.ticker,
            "resolution": resolution,
            "low": price(candle.low),
            "high": price(candle.high),
            "open": price(candle.open),
            "close": price(candle.close),
            "baseTokenVolume": self.size_grid.format(candle.steps),
            "usdVolume": self.usd(candle.usd),
            "trades": candle.trades,
            "startingOpenInterest": candle.open_interest,
        }

    def _mids(self, candle: Candle) -> dict[str, Any]:
        tick, decimals = parse_decimal(self.price_grid.increment)
        return {
            "orderbookMidPriceOpen": format_decimal(candle.mid_open * tick * 5, decimals + 1),
            "orderbookMidPriceClose": format_decimal(candle.mid_close * tick * 5, decimals + 1),
        }
