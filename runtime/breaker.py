"""A circuit breaker: who has just failed some times in a row is not asked for a moment. Pure: time
and jitter are arguments."""

from typing import Final

TRIAL_NS: Final = 10_000_000_000
"""A trial whose outcome nobody told is forgotten after this long."""


class Breaker:
    """Closed until ``failures`` calls in a row have failed, or one with silence; then open for
    ``rest_ns``. After that one call at a time is let through, and the first one that succeeds
    closes it.

    Every call that ``allows`` let through is followed by one of ``succeeded``, ``failed`` and
    ``abandoned``.
    """

    __slots__ = ("_failures", "_in_a_row", "_rest_ns", "_rests_until_ns", "_trial_ns", "cause")

    def __init__(self, failures: int, rest_ns: int) -> None:
        self._failures = failures
        self._rest_ns = rest_ns
        self._in_a_row = 0
        self._rests_until_ns: int | None = None
        self._trial_ns: int | None = None
        self.cause = ""

    @property
    def is_open(self) -> bool:
        """Also while a trial is under way. ``cause`` is that of the last failure."""
        return self._rests_until_ns is not None

    def allows(self, now_ns: int) -> bool:
        """Whether to make a call now."""
        if self._rests_until_ns is None:
            return True
        if now_ns < self._rests_until_ns:
            return False
        if self._trial_ns is not None and now_ns - self._trial_ns < TRIAL_NS:
            return False
        self._trial_ns = now_ns
        return True

    def succeeded(self) -> None:
        self._in_a_row = 0
        self._rests_until_ns = self._trial_ns = None

    def failed(self, now_ns: int, cause: str, jitter: float = 1.0, *, silent: bool = False) -> None:
        """``jitter``: share of the rest that is kept, so that many do not come back at once.
        ``silent``: the whole time a call may take has gone by."""
        self._in_a_row = self._failures if silent else self._in_a_row + 1
        self.cause = cause
        self._trial_ns = None
        if self._in_a_row >= self._failures:
            self._rests_until_ns = now_ns + int(self._rest_ns * jitter)

    def abandoned(self) -> None:
        """Nobody waited for the outcome: it says nothing, and the next call may be the trial."""
        self._trial_ns = None
