"""Silence of a peer, told apart from our own absence."""

from runtime.clock import mono_ns


class AttendedClock:
    """Monotonic time that stands still while this process does.

    Who looks at it at least every ``tick_s`` sees it move with real time. After a stall of the
    event loop, or of the whole process, it has moved by two ticks at most: what waits unread in
    the sockets gets its chance before a deadline measured here has passed.
    """

    __slots__ = ("_limit_ns", "_now_ns", "_seen_ns")

    def __init__(self, tick_s: float) -> None:
        self._limit_ns = int(tick_s * 2e9)
        self._seen_ns = mono_ns()
        self._now_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds attended since the start."""
        seen_ns = mono_ns()
        self._now_ns += min(seen_ns - self._seen_ns, self._limit_ns)
        self._seen_ns = seen_ns
        return self._now_ns
