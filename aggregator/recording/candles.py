"""The ``candles`` rooms of a replay: from what it says itself, on the recording's clock. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from aggregator.candles import Forming
from aggregator.sampling import SAMPLE_US, Sampler
from domain.candles import BEST, PERIODS, SECOND_US, bucket
from domain.ids import MarketId
from domain.quote import BestQuote
from runtime.wire import candle_data


class ReplayedCandles:
    """``offer`` every quote, and take ``due`` whenever time passes."""

    def __init__(self) -> None:
        self._sampler = Sampler()
        self._forming = Forming()
        self._said_us = 0

    def offer(self, best: BestQuote, now_us: int) -> None:
        self._sampler.offer(best, now_us)

    def due(self, now_us: int) -> Iterator[MarketId]:
        """The markets whose candles the feed says now, once a second; take ``shown`` of each at
        once."""
        for slot in self._sampler.close(now_us):
            for market, mids in self._sampler.samples(slot):
                if BEST in mids:
                    self._forming.add(market, slot.at_us, mids[BEST])
            end_us = bucket(slot.at_us + SAMPLE_US, SECOND_US)
            if end_us != self._said_us:
                self._said_us = end_us
                yield from self._forming.due(end_us)

    def shown(self, market: MarketId) -> Mapping[str, Any]:
        """Its newest candles by period."""
        return {
            period: candle_data(candle, PERIODS[period], self._said_us)
            for period, candle in self._forming.shown(market).items()
        }
