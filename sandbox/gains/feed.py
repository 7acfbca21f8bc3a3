"""What the pricing host knows and says, as a function of time: batches of the pairs whose price
changed, keep-alives, the day's chart and candles. No task, no socket, no clock.

A pair that is closed, or whose price stood still, is not sent: silence of a pair is normal."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from sandbox.faults import ActiveFaults, Kind
from sandbox.gains.catalogue import Pair
from sandbox.gains.hours import MarketHours
from sandbox.gains.numbers import js_number, js_value
from sandbox.past import Past
from sandbox.prices import PriceProcess

FAULT_KINDS: Final[tuple[Kind, ...]] = ("freeze", "spike", "delist")

_GRID_US: Final = 25_000
# Batches are this many grid steps apart: 50 to 500 ms.
_GAPS: Final = (2, 3, 4, 6, 8, 12, 20)
_SPIKE: Final = 1.2
_GAP_SHARE: Final = 0.3
# Futures over spot of volatile pairs: reverts within minutes.
_BASIS_SD: Final = 4e-4
_BASIS_REVERTS_S: Final = 600.0
_CANDLES_KEPT: Final = 1_440
_PAST_CANDLES: Final = 5_000
_DAY_US: Final = 86_400_000_000
_MINUTE_MS: Final = 60_000
_SPOILED: Final = ("null", "true", '"97000.5"', "-1.5", "0", "NaN", "1e999", "[]", "{}", "1e-400")


class Batch(NamedTuple):
    """One message in both forms of the wire; ``v3`` is empty when only an index changed."""

    v3: bytes
    v4: bytes


@dataclass(slots=True)
class Candle:
    start_ms: int
    open: float
    high: float
    low: float
    close: float

    def add(self, price: float) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price


class Quote:
    """One quoted pair: what was last said about it and its candles."""

    __slots__ = (
        "basis",
        "candles",
        "day",
        "index",
        "is_listed",
        "mark",
        "market",
        "pair",
        "past",
        "process_index",
        "scale",
        "sent",
    )

    def __init__(self, pair: Pair, market: str, process_index: int, basis: float) -> None:
        self.pair = pair
        self.market = market
        self.process_index = process_index
        self.basis = basis
        self.scale = 1.0
        self.is_listed = True
        self.mark = 0.0
        self.index = 0.0
        # As written on the wire: mark, index.
        self.sent = ("", "")
        self.day: Candle | None = None
        self.candles: deque[Candle] = deque(maxlen=_CANDLES_KEPT)
        self.past: Past | None = None

    def shown_mark(self) -> str:
        return js_number(self.mark * self.scale)

    def shown_index(self) -> str:
        return js_number(self.index * self.scale)

    def print(self, spot: float, now_us: int) -> None:
        """Takes a new price, rounded as it is written."""
        self.index = float(js_number(spot))
        self.mark = float(js_number(spot * (1 + self.basis)))
        now_ms = now_us // 1000
        if self.past is None:
            self.past = Past(self.market, self.mark, now_ms // 1000)
        day_ms = now_us // _DAY_US * (_DAY_US // 1000)
        if self.day is None or self.day.start_ms != day_ms:
            self.day = _candle(day_ms, self.mark)
        self.day.add(self.mark)
        minute_ms = now_ms // _MINUTE_MS * _MINUTE_MS
        if not self.candles or self.candles[-1].start_ms != minute_ms:
            self.candles.append(_candle(minute_ms, self.mark))
        self.candles[-1].add(self.mark)


class PriceFeed:
    def __init__(
        self,
        pairs: Sequence[Pair],
        prices: PriceProcess,
        *,
        seed: int,
        rate: float,
        now_us: int,
    ) -> None:
        self._prices = prices
        self._rng = Random(f"{seed}:gains:prices")
        self._rate = rate
        self._count = len(pairs)
        self.hours = MarketHours()
        self.quotes: dict[int, Quote] = {}
        prices.advance(now_us)
        for pair in pairs:
            if pair.market is not None:
                volatile = pair.market_type == "volatile"
                basis = self._rng.gauss(0, _BASIS_SD) if volatile else 0.0
                quote = Quote(pair, pair.market, prices.index(pair.market), basis)
                quote.print(prices.values[quote.process_index], now_us)
                self.quotes[pair.index] = quote
        self._now_us = now_us
        self._batch_us = now_us
        self._next_batch_us = now_us
        self._jumps = prices.jumps
        self._disturbed = False

    def step(self, now_us: int, faults: ActiveFaults) -> Batch | None:
        """The batch that is due now, if there is one and a price of it changed."""
        self._prices.advance(now_us)
        self._now_us = now_us
        urgent = self._jumps != self._prices.jumps
        self._jumps = self._prices.jumps
        if faults or self._disturbed:
            self._disturbed = bool(faults)
            urgent |= self._turn_faults(faults)
        if now_us < self._next_batch_us and not urgent:
            return None
        gap = max(1, round(self._rng.choice(_GAPS) / self._rate))
        self._next_batch_us = (now_us // _GRID_US + gap) * _GRID_US
        self._drift((now_us - self._batch_us) / 1e6)
        self._batch_us = now_us
        return self._batch(faults, everyone=urgent)

    def keep_alive(self, now_us: int) -> Batch:
        now_ms = now_us // 1000
        return Batch(b"[%d]" % now_ms, b'{"t":%d}' % now_ms)

    def mark(self, pair_index: int) -> float | None:
        """The price at which a trade can be made now, in quote currency."""
        quote = self.quotes.get(pair_index)
        if quote is None or not quote.is_listed:
            return None
        return quote.mark if self.hours.is_open(quote.pair.asset_class, self._now_us) else None

    def charts(self) -> bytes:
        """Position = pairIndex; null where there is no price. The truth: no fault spoils it."""
        columns: dict[str, list[float | None]] = {
            name: [None] * self._count
            for name in ("opens", "highs", "lows", "closes", "indexPrices")
        }
        for i, quote in self.quotes.items():
            day = quote.day
            if day is not None and quote.is_listed:
                row = (day.open, day.high, day.low, quote.mark, quote.index)
                for column, price in zip(columns.values(), row, strict=True):
                    column[i] = price
        parts = [f'"time":{self._now_us // 1000}']
        for name, column in columns.items():
            listed = ",".join("null" if price is None else js_number(price) for price in column)
            parts.append(f'"{name}":[{listed}]')
        return ("{" + ",".join(parts) + "}").encode()

    def candles(self, pair_index: int, from_ms: int, to_ms: int, minutes: int) -> bytes:
        """Candles that start within the times, oldest first, from the minutes kept."""
        quote = self.quotes.get(pair_index)
        table = [] if quote is None else _past(quote, from_ms, to_ms, minutes)
        for candle in () if quote is None else quote.candles:
            start_ms = candle.start_ms // (minutes * _MINUTE_MS) * (minutes * _MINUTE_MS)
            if not from_ms <= start_ms <= to_ms:
                continue
            if table and table[-1].start_ms == start_ms:
                table[-1].add(candle.high)
                table[-1].add(candle.low)
                table[-1].add(candle.close)
            else:
                merged = Candle(start_ms, candle.open, candle.high, candle.low, candle.close)
                table.append(merged)
        return orjson.dumps({"table": [_shape(candle) for candle in table]})

    def _turn_faults(self, faults: ActiveFaults) -> bool:
        """Starts and ends what faults do to prices; True when a price jumped by it."""
        jumped = False
        for quote in self.quotes.values():
            scale = _SPIKE if faults.hits("spike", quote.market) else 1.0
            is_listed = not faults.hits("delist", quote.market)
            jumped |= scale != quote.scale or is_listed != quote.is_listed
            quote.scale, quote.is_listed = scale, is_listed
        return jumped

    def _drift(self, seconds: float) -> None:
        kept = math.exp(-seconds / _BASIS_REVERTS_S)
        noise = _BASIS_SD * math.sqrt(1 - kept**2)
        for quote in self.quotes.values():
            if quote.pair.market_type == "volatile":
                quote.basis = quote.basis * kept + self._rng.gauss(0, noise)

    def _batch(self, faults: ActiveFaults, *, everyone: bool) -> Batch | None:
        is_open = self.hours.open_classes(self._now_us)
        marks: list[tuple[int, str]] = []
        indices: list[tuple[int, str]] = []
        for i, quote in self.quotes.items():
            chosen = self._rng.random() < quote.pair.share * self._rate or everyone
            if not (chosen and quote.is_listed and is_open.get(quote.pair.asset_class, True)):
                continue
            if faults.hits("freeze", quote.market):
                continue
            quote.print(self._prices.values[quote.process_index], self._now_us)
            sent, mark, index = quote.sent, quote.shown_mark(), quote.shown_index()
            quote.sent = mark, index
            # Of the whole venue these act on frames, in the outbox.
            if _alone(faults, "gap", quote.market) and self._rng.random() < _GAP_SHARE:
                continue
            if _alone(faults, "garble", quote.market):
                mark = index = self._rng.choice(_SPOILED)
            copies = 2 if _alone(faults, "duplicate", quote.market) else 1
            if mark != sent[0]:
                marks += [(i, mark)] * copies
            if index != sent[1]:
                indices += [(i, index)] * copies
        if not marks and not indices:
            return None
        self._rng.shuffle(marks)
        return self._encode(marks, indices)

    def _encode(self, marks: list[tuple[int, str]], indices: list[tuple[int, str]]) -> Batch:
        flat = _flat(marks)
        parts = [f'"m":{flat}'] if marks else []
        if indices:
            parts.append(f'"i":{_flat(indices)}')
        parts.append(f'"t":{self._now_us // 1000}')
        v4 = "{" + ",".join(parts) + "}"
        return Batch(flat.encode() if marks else b"", v4.encode())


def _alone(faults: ActiveFaults, kind: Kind, market: str) -> bool:
    """True when the fault was asked for this market, not for the whole venue."""
    return not faults.whole(kind) and faults.hits(kind, market)


def _flat(entries: Iterable[tuple[int, str]]) -> str:
    return "[" + ",".join(f"{i},{price}" for i, price in entries) + "]"


def _past(quote: Quote, from_ms: int, to_ms: int, minutes: int) -> list[Candle]:
    """Candles of the time before the replica began, oldest first."""
    if quote.past is None:
        return []
    bars = quote.past.newest(minutes * 60, _PAST_CANDLES, from_ms / 1000, to_ms / 1000 + 1)
    found = [
        Candle(start_s * 1000, *(float(js_number(price)) for price in prices))
        for start_s, *prices in bars
    ]
    return found[::-1]


def _candle(start_ms: int, price: float) -> Candle:
    return Candle(start_ms, price, price, price, price)


def _shape(candle: Candle) -> dict[str, Any]:
    return {
        "open": js_value(candle.open),
        "high": js_value(candle.high),
        "low": js_value(candle.low),
        "close": js_value(candle.close),
        "time": candle.start_ms,
    }
