"""Keeps one venue running: its market list, a driver for every source, new and changed markets."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aggregator.consolidate import Consolidator
from connectors.base.driver import Sink, SourceDriver
from connectors.base.protocol import Source, VenueConnector
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, SourceId, VenueId
from domain.market import Market
from runtime.clock import mono_ns, wall_us
from runtime.logs import get_logger
from runtime.tasks import Backoff, supervise

REFRESH_S: Final = 30.0
FIRST_RETRY_S: Final = 0.25
QUICK_RETRY_S: Final = 2.0
QUICK_RETRIES: Final = 30
SLOW_RETRY_S: Final = 10.0
TELL_AFTER_NS: Final = 3_000_000_000

_log = get_logger(__name__)


class VenueRunner:
    """``run`` for ever. ``trouble``: why the market list cannot be had now, None when it can;
    ``listed``: whether it ever could."""

    def __init__(
        self,
        connector: VenueConnector,
        consolidator: Consolidator,
        sink: Sink,
        market_filter: frozenset[str] | None,
    ) -> None:
        self.venue: VenueId = connector.venue
        self.trouble: str | None = None
        self.listed = False
        self._trouble_since_ns = 0
        self._told: str | None = None
        self._connector = connector
        self._consolidator = consolidator
        self._sink = sink
        self._filter = market_filter
        self._known: dict[MarketId, Market] = {}
        self._drivers: dict[SourceId, tuple[SourceDriver, asyncio.Task[None]]] = {}

    def resync(self, source_id: SourceId, market: MarketId) -> None:
        """Asks the source for a fresh book, if it is one of this venue."""
        if source_id in self._drivers:
            self._drivers[source_id][0].resync(market)

    async def run(self) -> None:
        quick, slow = Backoff(FIRST_RETRY_S, QUICK_RETRY_S), Backoff(FIRST_RETRY_S, SLOW_RETRY_S)
        try:
            while True:
                try:
                    listed = await self._connector.load_markets()
                except (VenueUnavailable, VenueProtocolError) as error:
                    self._note(f"{error.code}: {error.message}")
                    delay_s = (quick if quick.failures < QUICK_RETRIES else slow).next_s()
                    await asyncio.sleep(max(delay_s, getattr(error, "retry_after_s", None) or 0.0))
                    continue
                self._note(None)
                quick.reset()
                slow.reset()
                self._reconcile(listed)
                self.listed = True
                await asyncio.sleep(REFRESH_S)
        finally:
            self._stop_all()

    async def close(self) -> None:
        await self._connector.close()

    def _note(self, trouble: str | None) -> None:
        """Logs trouble that lasts: when everything starts at once the venue may come later."""
        now_ns = mono_ns()
        if trouble is None:
            if self._told is not None:
                _log.info("markets_available", venue=self.venue)
            self._told = None
        else:
            if self.trouble is None:
                self._trouble_since_ns = now_ns
            lasts = now_ns - self._trouble_since_ns >= TELL_AFTER_NS
            if lasts and trouble != self._told:
                _log.warning("markets_unavailable", venue=self.venue, reason=trouble)
                self._told = trouble
        self.trouble = trouble

    def _reconcile(self, listed: Sequence[Market]) -> None:
        """Starts sources for what is new, all of them anew where scales changed, forgets the rest.

        A market that merely changed its status keeps its source: the stream says so earlier.
        """
        wanted = {m.market: m for m in listed if self._filter is None or m.market in self._filter}
        for name in [name for name in self._known if name not in wanted]:
            del self._known[name]
            self._consolidator.unlist(self.venue, name, wall_us())
            _log.info("market_unlisted", venue=self.venue, market=name)
        for name, market in self._known.items():
            if not market.same_scales(wanted[name]) or market.symbol != wanted[name].symbol:
                _log.warning("market_rescaled", venue=self.venue, market=name)
                # One source can carry states or audits of the markets of others, in old scales.
                self._stop_all()
                break
        fresh = {n: m for n, m in wanted.items() if n not in self._known}
        for name, market in self._known.items():
            if (wanted[name].pools, wanted[name].max_leverage) != (
                market.pools,
                market.max_leverage,
            ):
                self._consolidator.relist(self.venue, wanted[name])
        self._known = wanted
        if fresh:
            self._start(self._connector.sources(list(fresh.values())))
            _log.info("markets_listed", venue=self.venue, new=len(fresh), all=len(wanted))

    def _stop_all(self) -> None:
        for source_id, (_, task) in self._drivers.items():
            task.cancel()
            self._consolidator.detach(source_id, wall_us())
        self._drivers.clear()
        self._known = {}

    def _start(self, sources: Sequence[Source]) -> None:
        for source in sources:
            driver = SourceDriver(source, self._sink)
            self._consolidator.attach(source.source_id, self.venue, source.markets)
            task = asyncio.create_task(
                supervise(source.source_id, driver.run), name=source.source_id
            )
            self._drivers[source.source_id] = (driver, task)
