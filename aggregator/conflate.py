"""What waits to be sent: the newest item of each state room, stream items in order. Pure."""

from collections import deque
from typing import Final, Generic, TypeVar

STREAM_BOUND: Final = 4_096
"""Streams (trades) are best effort: beyond this the oldest items go, counted."""

T = TypeVar("T")


class Outbox(Generic[T]):
    """State rooms hold one item at most, so that a slow reader costs freshness, never memory."""

    def __init__(self) -> None:
        self._newest: dict[str, T] = {}
        self._stream: deque[T] = deque()
        self.dropped = 0
        self.conflated = 0
        self.high_water = 0

    def __len__(self) -> int:
        return len(self._newest) + len(self._stream)

    def __contains__(self, room: str) -> bool:
        return room in self._newest

    def put_newest(self, room: str, item: T) -> None:
        """Replaces what waits of the room."""
        # Taking the old one out first keeps the order of publication.
        if self._newest.pop(room, None) is not None:
            self.conflated += 1
        self._newest[room] = item
        self.high_water = max(self.high_water, len(self))

    def put_stream(self, item: T) -> None:
        if len(self._stream) >= STREAM_BOUND:
            self._stream.popleft()
            self.dropped += 1
        self._stream.append(item)
        self.high_water = max(self.high_water, len(self))

    def take(self) -> list[T]:
        """Everything that waits, state first."""
        taken = [*self._newest.values(), *self._stream]
        self._newest.clear()
        self._stream.clear()
        return taken
