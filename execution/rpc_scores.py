"""Which node of a chain to ask, by what it did so far. Pure: time is an argument."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

SEEN: Final = 64
REST_NS: Final = 2_000_000_000
WRONG_CHAIN_REST_NS: Final = 60_000_000_000
LAG_S: Final = 30
"""A head that is older than the newest one by more than this is not believed."""
HEDGE_MIN_MS: Final = 100.0
HEDGE_MAX_MS: Final = 800.0
"""Another node is asked within a second, however slow the first one usually is."""
STICKY_NS: Final = 5_000_000_000
_P95: Final = 0.95


@dataclass(slots=True)
class Score:
    """Of one node. ``latencies_ms``: of its last answers. ``head``, ``head_time_s``: its newest
    block. ``rests_until_ns``: not asked before, but as the last resort."""

    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN))
    failures: int = 0
    rests_until_ns: int = 0
    head: int = -1
    head_time_s: int = 0
    wrong_chain: bool = False

    def succeeded(self, took_ms: float) -> None:
        self.latencies_ms.append(took_ms)
        self.failures = 0
        self.rests_until_ns = 0

    def failed(self, now_ns: int) -> None:
        """Rests twice as long each time, at most 16 times."""
        self.rests_until_ns = now_ns + REST_NS * (1 << min(self.failures, 4))
        self.failures += 1

    def is_of_another_chain(self, now_ns: int) -> None:
        self.wrong_chain = True
        self.rests_until_ns = now_ns + WRONG_CHAIN_REST_NS

    @property
    def p95_ms(self) -> float:
        """Of its answers; a guess until there were some."""
        if not self.latencies_ms:
            return HEDGE_MAX_MS
        ordered = sorted(self.latencies_ms)
        return ordered[int(_P95 * (len(ordered) - 1))]

    @property
    def hedge_after_ms(self) -> float:
        """So long it is waited for before another one is asked as well."""
        return min(max(self.p95_ms, HEDGE_MIN_MS), HEDGE_MAX_MS)


def turn(scores: Sequence[Score], now_ns: int, sticky: int | None = None) -> list[int]:
    """Numbers of the nodes, the best one first. ``sticky``: who took the last transaction and knows
    of it already.

    Nodes of another chain are left out. Those that rest, and those whose head is old, come last:
    they are better than nothing.
    """
    newest_s = max((score.head_time_s for score in scores), default=0)

    def rank(number: int) -> tuple[bool, bool, float]:
        score = scores[number]
        poor = score.rests_until_ns > now_ns or is_late(score, newest_s)
        return poor, number != sticky, score.p95_ms

    usable = (
        number
        for number, score in enumerate(scores)
        if not (score.wrong_chain and score.rests_until_ns > now_ns)
    )
    return sorted(usable, key=rank)


def is_late(score: Score, newest_s: int) -> bool:
    """Whether its head is too old. Of a node that never told one nothing is known."""
    return score.head >= 0 and newest_s - score.head_time_s > LAG_S
