"""Records: a feed of its own that publishes nowhere, and a new one for every file.

A file is whole in itself: it begins with the market lists and new connections. So the next feed
starts while the last one still records, and no moment is missing between two files.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aggregator.ladders import Ladder
from aggregator.recording.facts import facts
from aggregator.recording.folder import Folder
from aggregator.recording.taps import (
    Journal,
    RecordedConnector,
    RecordedConsolidator,
    RecordedDepths,
)
from aggregator.recording.writer import RecordingWriter
from aggregator.service import Feed
from connectors import registry
from domain.ids import MarketId
from domain.quote import BestQuote, Cause
from runtime.clock import mono_ns
from runtime.logs import get_logger
from runtime.settings import Settings
from runtime.tasks import end_all, sleep_or_stop

FILES: Final = 4
"""The cap holds about as many files; two may be open at once."""
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_FILE_NS: Final = 3600 * 1_000_000_000
MIN_FILE_NS: Final = 10 * 1_000_000_000
OVERLAP_S: Final = 20.0
"""How long connections take until every market has its price, and some more."""
LOOK_S: Final = 0.25
LADDER_MS: Final = 5_000
"""A ladder takes as long as hundreds of frames: twice a second would be most of a replay."""

_log = get_logger(__name__)


class Nowhere:
    """An outlet for what nobody reads. See ``aggregator.service.Outlet``."""

    def publish_quote(self, best: BestQuote) -> None: ...

    def publish_room(
        self, room: str, cause: Cause, received_us: int, data: Mapping[str, Any] | Sequence[Any]
    ) -> bytes:
        return b""

    def publish_state(self, key: str, body: bytes) -> None: ...

    def publish_ladder(self, ladder: Ladder) -> None: ...

    def repeat_ladder(self, market: MarketId) -> None: ...

    def publish_funding(
        self, share: int, changed: Mapping[str, Any], whole: Mapping[str, Any]
    ) -> None: ...

    def push(self) -> None: ...

    def is_waiting(self, room: str) -> bool:
        return False

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None: ...


class Take:
    """One file and the feed that fills it. Made on the event loop; end it with ``end``."""

    def __init__(self, settings: Settings, folder: Folder) -> None:
        """Raises SettingsError, or OSError when there can be no file."""
        made = registry.build(settings)
        self.writer = RecordingWriter(folder)
        journal = Journal(self.writer.put, facts(settings))
        connectors = [RecordedConnector(connector, journal) for connector in made]
        core = RecordedConsolidator(connectors, journal)
        depths = RecordedDepths(core, connectors, journal)
        feed = Feed(
            connectors, core, depths, lambda _: Nowhere(), settings.market_filter,
            ladder_ms=LADDER_MS,
        )  # fmt: skip
        self._max_bytes = min(MAX_FILE_BYTES, folder.max_bytes // FILES)
        self._started_ns = mono_ns()
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(feed.run(self._stop), name="recorded-feed")
        _log.info("recording_started", file=self.writer.path.name)

    @property
    def is_due(self) -> bool:
        """Whether the next file should begin."""
        age_ns = mono_ns() - self._started_ns
        full = self.writer.size >= self._max_bytes or self.writer.spoilt is not None
        return age_ns >= MAX_FILE_NS or (full and age_ns >= MIN_FILE_NS)

    async def end(self) -> None:
        self._stop.set()
        try:
            await asyncio.wait({self.task})
        finally:
            await end_all([self.task])
            await asyncio.to_thread(self.writer.close)
        spoilt = self.writer.spoilt
        tell = _log.info if spoilt is None else _log.warning
        tell("recording_ended", file=self.writer.path.name, size=self.writer.size, spoilt=spoilt)


async def record(settings: Settings, folder: Folder, stop: asyncio.Event) -> None:
    """Until ``stop``. Raises what ends a feed, and OSError when there can be no file."""
    takes = [Take(settings, folder)]
    try:
        while not await sleep_or_stop(stop, LOOK_S):
            newest = takes[-1]
            if newest.task.done():
                newest.task.result()
                return
            if newest.is_due:
                takes.append(Take(settings, folder))
                await sleep_or_stop(stop, OVERLAP_S)
                await takes.pop(0).end()
    finally:
        for take in takes:
            await take.end()
