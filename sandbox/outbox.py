"""The frames on their way to one client, and what the faults of the wire do to them."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

from sandbox.faults import ActiveFaults, Kind

FAULT_KINDS: Final[tuple[Kind, ...]] = ("garble", "gap", "duplicate", "slow")

_SLOW_US: Final = 1_500_000
_GAP_SHARE: Final = 0.3


class Outbox:
    """First in, first out. ``slow`` delays every frame alike, so the order stays. ``garble`` spoils
    a frame in the way of the venue. ``bytes``: of what waits."""

    def __init__(self, rng: Random, garble: Callable[[bytes, Random], bytes]) -> None:
        self._rng = rng
        self._garble = garble
        self._frames: deque[tuple[int, bytes]] = deque()
        self.bytes = 0

    def put(
        self,
        frame: bytes,
        market: str | None,
        faults: ActiveFaults,
        now_us: int,
        *,
        can_be_lost: bool,
        can_be_doubled: bool,
    ) -> None:
        """Queues one frame. ``market``: None where it tells of the whole venue."""
        due_us = now_us
        copies = 1
        if faults:
            if can_be_lost and faults.hits("gap", market) and self._rng.random() < _GAP_SHARE:
                return
            if can_be_doubled and faults.hits("duplicate", market):
                copies = 2
            if faults.hits("garble", market):
                frame = self._garble(frame, self._rng)
            if faults.whole("slow"):
                due_us += _SLOW_US
        for _ in range(copies):
            self._frames.append((due_us, frame))
            self.bytes += len(frame)

    def take(self, now_us: int) -> list[bytes]:
        """Frames that are due, in order."""
        frames = self._frames
        taken: list[bytes] = []
        while frames and frames[0][0] <= now_us:
            frame = frames.popleft()[1]
            self.bytes -= len(frame)
            taken.append(frame)
        return taken
