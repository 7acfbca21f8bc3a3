"""What waits to be sent: the newest envelope of each state room, trades in order. Pure."""

from collections import deque
from typing import Final

from runtime.channels import room_kind
from runtime.wire import Envelope

TRADES_BOUND: Final = 4_096
"""Trades are best effort: beyond this the oldest go, counted."""


class Outbox:
    """State rooms hold one envelope at most, so that a slow Redis costs freshness, never memory."""

    def __init__(self) -> None:
        self._newest: dict[str, Envelope] = {}
        self._trades: deque[Envelope] = deque()
        self.dropped_trades = 0
        self.conflated = 0
        self.high_water = 0

    def __len__(self) -> int:
        return len(self._newest) + len(self._trades)

    def put(self, envelope: Envelope) -> None:
        if room_kind(envelope.room) == "trades":
            if len(self._trades) >= TRADES_BOUND:
                self._trades.popleft()
                self.dropped_trades += 1
            self._trades.append(envelope)
        else:
            # Taking the old one out first keeps the order of publication.
            if self._newest.pop(envelope.room, None) is not None:
                self.conflated += 1
            self._newest[envelope.room] = envelope
        self.high_water = max(self.high_water, len(self))

    def take(self) -> list[Envelope]:
        taken = [*self._newest.values(), *self._trades]
        self._newest.clear()
        self._trades.clear()
        return taken
