"""What a client in several rooms is sent is gathered, so that one call of the kernel carries it.

The first frame after quiet leaves at the end of the turn it came in, with all others of that turn.
It opens a window: what comes within it leaves together at its end, which begins the next one.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from api.realtime.delivery import Recipient

WINDOW_S: Final = 0.010
WRITES_PER_STEP: Final = 128


class GatheringWindows:
    """``wake`` is called when ``work`` has something to do."""

    def __init__(self, window_s: float, wake: Callable[[], None]) -> None:
        self._window_s = window_s
        self._wake = wake
        self._fresh: list[Recipient] = []
        self._ended: list[Recipient] = []

    @property
    def is_due(self) -> bool:
        return bool(self._fresh or self._ended)

    def opened(self, recipient: Recipient) -> None:
        recipient.in_window = True
        self._fresh.append(recipient)
        if len(self._fresh) == 1:
            self._wake()

    def work(self) -> Iterator[None]:
        """Writes what is due, a step at a time."""
        fresh, self._fresh = self._fresh, []
        ended, self._ended = self._ended, []
        for recipients in (fresh, ended):
            open_again: list[Recipient] = []
            for start in range(0, len(recipients), WRITES_PER_STEP):
                if start:
                    yield
                for recipient in recipients[start : start + WRITES_PER_STEP]:
                    if recipient.uncork():
                        open_again.append(recipient)
                    else:
                        recipient.in_window = False
            if open_again:
                asyncio.get_running_loop().call_later(self._window_s, self._end, open_again)

    def _end(self, recipients: list[Recipient]) -> None:
        self._ended += recipients
        self._wake()
