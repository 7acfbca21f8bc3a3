"""From quotes to history: sampled, streamed as forming candles, recorded; and what venues tell of
the time before."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import asyncpg

from aggregator.candles import Forming
from aggregator.loader import Loader
from aggregator.recorder import Chunk, Recorder
from aggregator.sampling import SAMPLE_US, Sample, Sampler, Slot
from aggregator.standing import Standing, spreads
from connectors import registry
from db.candles import parts_before
from db.history import TICKS
from domain.candles import BEST, MINUTE_US, PERIODS, SECOND_US, bucket, widened
from domain.events import Funding
from domain.ids import MarketId, VenueId
from domain.quote import BestQuote
from domain.units import format_e18
from runtime.clock import iso_ms, wall_us
from runtime.settings import Settings
from runtime.wire import candle_data

OTHERS_WRITE_US: Final = 2 * MINUTE_US
"""Ticks of another feed are in the database after this time."""
AT_ONCE: Final = 16
"""Markets worked on before frames that wait have their turn."""

SayCandles = Callable[[MarketId, Mapping[str, Any]], None]
Loop = Callable[[], Coroutine[Any, Any, None]]


class History:
    """``offer`` every quote and ``offer_funding`` what venues say of funding. ``publish`` says the
    newest candles of a market, by period. Without a database candles are only streamed, from what
    this process saw."""

    def __init__(self, settings: Settings, publish: SayCandles) -> None:
        self._publish = publish
        self._sampler = Sampler()
        self._standing = Standing()
        self._forming = Forming()
        self._said_us = 0
        self._seen: set[MarketId] = set()
        self._unseeded: dict[int, list[MarketId]] = {}
        self._recorder: Recorder | None = None
        self._loader: Loader | None = None
        if settings.database_url is not None:
            url, kept_days = settings.database_url.get_secret_value(), settings.history_kept_days
            self._recorder = Recorder(url, kept_days, self._on_turn)
            if venues := registry.histories(settings):
                self._loader = Loader(venues, kept_days)

    @property
    def loops(self) -> Mapping[str, Loop]:
        """To be run for ever."""
        loops: dict[str, Loop] = {"candles": self._sample}
        if self._recorder is not None:
            loops["history"] = self._recorder.run
        if self._loader is not None:
            loops["venue-history"] = self._loader.run
        return loops

    def offer(self, best: BestQuote, now_us: int) -> None:
        self._sampler.offer(best, now_us)

    def offer_funding(self, venue: VenueId, event: Funding) -> None:
        self._standing.offer(venue, event)

    def say_again(self) -> None:
        self._forming.say_again()

    async def close(self) -> None:
        """After the loops were cancelled."""
        # The last slot is not over, but nothing more will come of it.
        for slot in self._sampler.close(wall_us() + SAMPLE_US):
            await self._take(slot)
        if self._recorder is not None:
            await self._recorder.close()
        if self._loader is not None:
            await self._loader.close()

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
        for number, sample in enumerate(self._sampler.samples(slot), 1):
            for venue, mid in sample.mids.items():
                lines.append(f"{at}\t{sample.market}\t{venue}\t{format_e18(mid)}\n")
            self._note(slot.at_us, sample)
            if number % AT_ONCE == 0:
                self._put(slot.at_us, lines)
                lines = []
                await asyncio.sleep(0)
        self._put(slot.at_us, lines)
        await self._take_standing(slot.at_us)

    def _note(self, at_us: int, sample: Sample) -> None:
        market, mids = sample
        if BEST in mids:
            if market not in self._seen:
                self._seen.add(market)
                self._unseeded.setdefault(at_us, []).append(market)
            self._forming.add(market, at_us, mids[BEST])
        if self._loader is not None:
            for venue, mid in mids.items():
                self._loader.want(market, venue, mid)

    async def _take_standing(self, at_us: int) -> None:
        due = self._standing.due(at_us)
        if self._recorder is None or due == (None, None):
            return
        for number, best in enumerate(self._sampler.standing, 1):
            if due.spreads_us is not None:
                self._put_rows(due.spreads_us, "spread_samples", spreads(best))
            if due.funding_us is not None:
                self._put_rows(due.funding_us, "funding_samples", self._standing.funding(best))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _put_rows(self, at_us: int, table: str, rows: Iterable[tuple[str, ...]]) -> None:
        at = iso_ms(at_us)
        self._put(at_us, ["\t".join((at, *row)) + "\n" for row in rows], table)

    def _put(self, at_us: int, lines: list[str], table: str = TICKS) -> None:
        if lines and self._recorder is not None:
            self._recorder.put(Chunk(at_us, len(lines), "".join(lines).encode(), table))

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

    async def _on_turn(self, connection: asyncpg.Connection, writing: bool) -> None:
        await self._seed(connection, writing)
        if writing and self._loader is not None:
            await self._loader.exchange(connection)

    async def _seed(self, connection: asyncpg.Connection, writing: bool) -> None:
        """The part of the forming candles that was seen before this process."""
        for first_us, markets in list(self._unseeded.items()):
            # Somebody else's last ticks may not be there yet.
            if not writing and wall_us() < first_us + OTHERS_WRITE_US:
                return
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
