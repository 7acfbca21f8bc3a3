"""Whether the event loop turns: how late it wakes a timer, and whether it stood still."""

import asyncio
from collections.abc import Callable
from typing import Final

from runtime.clock import mono_ns
from runtime.logs import get_logger

STEP_S: Final = 0.1
BLOCKED_S: Final = 1.0
"""A loop that wakes a timer this late was blocked: whatever it says of others is out of date."""
REMEMBERED_NS: Final = 5_000_000_000

_log = get_logger(__name__)


class LoopWatch:
    """``on_lag`` gets the seconds that each turn was late."""

    def __init__(self, on_lag: Callable[[float], None] = lambda lag_s: None) -> None:
        self._on_lag = on_lag
        self._turned_ns = mono_ns()
        self._blocked_ns: int | None = None
        self._blocked_s = 0.0

    async def run(self) -> None:
        """For ever."""
        self._turned_ns = mono_ns()
        while True:
            await asyncio.sleep(STEP_S)
            lag_s = self.lag_s
            self._turned_ns = mono_ns()
            self._on_lag(lag_s)
            if lag_s > BLOCKED_S:
                self._blocked_ns, self._blocked_s = self._turned_ns, lag_s
                _log.warning("loop_blocked", seconds=round(lag_s, 3))

    @property
    def lag_s(self) -> float:
        """How late it is by now. From any thread."""
        return max(0.0, (mono_ns() - self._turned_ns) / 1e9 - STEP_S)

    @property
    def trouble(self) -> str | None:
        """Why the loop cannot be relied on: it stood still a moment ago."""
        if self.lag_s > BLOCKED_S:
            # Whoever asks was let in before the watch itself had its turn.
            return f"the event loop stood still for {self.lag_s:.1f} s"
        if self._blocked_ns is not None and mono_ns() - self._blocked_ns < REMEMBERED_NS:
            return f"the event loop stood still for {self._blocked_s:.1f} s"
        return None
