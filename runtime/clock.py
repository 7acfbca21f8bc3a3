"""The only place that reads a clock. Ages and deadlines use the monotonic clock, so that a step
of the wall clock neither ages nor rejuvenates a price; the wall clock only stamps what is said."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def wall_us() -> int:
    """Wall clock, integer microseconds since 1970."""
    return time.time_ns() // 1000


def mono_ns() -> int:
    """Monotonic clock, integer nanoseconds since an arbitrary start."""
    return time.monotonic_ns()


# Candles of all markets begin at the same few times.
@lru_cache(maxsize=256)
def iso_ms(us: int) -> str:
    """Microseconds since 1970 as ISO-8601 UTC with milliseconds, ``2026-01-02T03:04:05.678Z``."""
    moment = datetime.fromtimestamp(us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000 // 1000:03d}Z"
