"""From quotes to history: sampled, streamed as forming candles, recorded."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import asyncpg

from aggregator.candles import Forming
from aggregator.recorder import Chunk, Recorder
from aggregator.sampling import SAMPLE_US, Sampler, Slot
from db.candles import parts_before
from domain.candles import BEST, PERIODS, SECOND_US, bucket, widened
from domain.ids import MarketId
from domain.quote import BestQuote
from domain.units import format_e18
from runtime.clock import iso_ms, wall_us
from runtime.settings import Settings
from runtime.wire import candle_data

AT_ONCE: Final = 16
"""Markets worked on before frames that wait have their turn."""

SayCandles = Callable[[MarketId, Mapping[str, Any]], None]
Loop = Callable[[], Coroutine[Any, Any, None]]


class History:
    """``offer`` every quote. ``publish`` says the newest candles of a market, by period. Without a
    database candles are only streamed, from what this process saw."""

    def __init__(self, settings: Settings, publish: SayCandles) -> None:
        self._publish = publish
        self._sampler = Sampler()
        self._forming = Forming()
        self._said_us = 0
        self._seen: set[MarketId] = set()
        self._unseeded: dict[int, list[MarketId]] = {}
        self._recorder: Recorder | None = None
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
            self._recorder = Recorder(url, settings.history_kept_days, self._seed)

    @property
    def loops(self) -> Mapping[str, Loop]:
        """To be run for ever."""
        loops: dict[str, Loop] = {"candles": self._sample}
        if self._recorder is not None:
            loops["history"] = self._recorder.run
        return loops

    def offer(self, best: BestQuote, now_us: int) -> None:
        self._sampler.offer(best, now_us)

    def say_again(self) -> None:
        self._forming.say_again()

    async def close(self) -> None:
        """After the loops were cancelled."""
        # The last slot is not over, but nothing more will come of it.
        for slot in self._sampler.close(wall_us() + SAMPLE_US):
            await self._take(slot)
        if self._recorder is not None:
            await self._recorder.close()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep((SAMPLE_US - wall_us() % SAMPLE_US) / 1e6 + 0.002)
            for slot in self._sampler.close(wall_us()):
                await self._take(slot)
                end_us = bucket(slot.at_us + SAMPLE_US, SECOND_US)
                if end_us != self._said_us:
                    self._said_us = end_us
                    await self._say(end_us)

    async def _take(self, slot: Slot) -> None:
        at = iso_ms(slot.at_us)
        lines: list[str] = []
        for number, (market, mids) in enumerate(self._sampler.samples(slot), 1):
            for venue, mid in mids.items():
                lines.append(f"{at}\t{market}\t{venue}\t{format_e18(mid)}\n")
            if BEST in mids:
                if market not in self._seen:
                    self._seen.add(market)
                    self._unseeded.setdefault(slot.at_us, []).append(market)
                self._forming.add(market, slot.at_us, mids[BEST])
            if number % AT_ONCE == 0:
                self._put(slot.at_us, lines)
                lines = []
                await asyncio.sleep(0)
        self._put(slot.at_us, lines)

    def _put(self, at_us: int, lines: list[str]) -> None:
        if lines and self._recorder is not None:
            self._recorder.put(Chunk(at_us, len(lines), "".join(lines).encode()))

    async def _say(self, now_us: int) -> None:
        for number, market in enumerate(self._forming.due(now_us), 1):
            candles = self._forming.shown(market)
            shown = {
                period: candle_data(candle, PERIODS[period], now_us)
                for period, candle in candles.items()
            }
            self._publish(market, shown)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _seed(self, connection: asyncpg.Connection) -> None:
        """The part of the forming candles that was seen before this process."""
        for first_us, markets in list(self._unseeded.items()):
            parts = await parts_before(connection, markets, BEST, first_us)
            if parts is None:
                return
            # Only now: a lost connection has it asked again.
            del self._unseeded[first_us]
            for market, candles in parts.items():
                for period, width_us in PERIODS.items():
                    start_us = bucket(first_us, width_us)
                    within = [candle for candle in candles if candle.t_us >= start_us]
                    for candle in widened(within, width_us):
                        self._forming.seed(MarketId(market), period, candle)
