"""Whom venues serve, remembered for a minute."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from api.auth.sessions import Memory
from connectors.base.screens import Barred, Screen
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.ids import VenueId
from runtime.clock import mono_ns
from runtime.logs import get_logger
from runtime.tasks import end_all

KEPT_S: Final = 60.0
WAIT_S: Final = 1.0
"""Nobody waits longer for a venue's word. It is looked for again the next time: who is barred
without our knowing is told so by the venue itself."""

_Asked = tuple[VenueId, str | None]
_log = get_logger(__name__)


class Screens:
    """Requests for the same that come together share one question."""

    def __init__(self, screens: Mapping[VenueId, Screen]) -> None:
        self._screens = screens
        self._said: Memory[_Asked, tuple[Barred | None]] = Memory("screens", KEPT_S)
        self._asking: dict[_Asked, asyncio.Task[Barred | None]] = {}

    async def barred(
        self, venues: Collection[str], addresses: Mapping[str, str]
    ) -> dict[VenueId, Barred]:
        """Of these venues, those that serve nobody from here, or not this account. ``addresses``:
        of the account, by venue."""
        asked = [venue for venue in self._screens if venue in venues]
        said = await asyncio.gather(*(self._of((name, addresses.get(name))) for name in asked))
        return {venue: why for venue, why in zip(asked, said, strict=True) if why is not None}

    async def close(self) -> None:
        await end_all(list(self._asking.values()))
        for screen in self._screens.values():
            await screen.close()

    async def _of(self, asked: _Asked) -> Barred | None:
        known = self._said.get(asked, mono_ns())
        if known is not None:
            return known[0]
        task = self._asking.get(asked)
        if task is None:
            task = self._asking[asked] = asyncio.create_task(self._ask(asked))
            task.add_done_callback(lambda done: self._asking.pop(asked))
        # Who leaves does not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, asked: _Asked) -> Barred | None:
        venue, address = asked
        try:
            async with asyncio.timeout(WAIT_S):
                said = await self._screens[venue].barred(address)
        except (TimeoutError, VenueUnavailable, VenueProtocolError) as error:
            _log.warning("screen_unknown", venue=venue, cause=str(error)[:200])
            return None
        self._said.put(asked, (said,), mono_ns())
        return said
