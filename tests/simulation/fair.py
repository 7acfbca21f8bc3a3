"""What the markets are worth: one process, so that the venues of a market agree within some bps."""

from collections import deque
from random import Random

MARKETS = 10
SYMBOLS = [f"M{number}-USD" for number in range(MARKETS)]
MEMORY = 16
BPS_A_SECOND = 1e-4 * (12 / 25) ** 0.5
"""Width of even steps, 25 in a second, that add up to one bps of deviation."""
COMMON = 0.5 * BPS_A_SECOND


class Fair:
    """Prices in USD that move with a common factor and each on its own, by half a bps to one bps in
    a second: a quiet market, in which a venue that lags by a second is a few bps away.

    ``basis`` of a venue wanders between its bounds; ``past``: the newest prices last.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.now = {symbol: rng.uniform(1_000, 2_500) for symbol in SYMBOLS}
        self.past: deque[dict[str, float]] = deque([dict(self.now)], maxlen=MEMORY)
        self.width = {symbol: rng.uniform(0.3, 0.6) * BPS_A_SECOND for symbol in SYMBOLS}

    def step(self) -> None:
        """One of 25 in a second."""
        # Even steps of the same variance: three times as fast as normal ones, and the same walk.
        random = self.rng.random
        common, now = (random() - 0.5) * COMMON, self.now
        for symbol, width in self.width.items():
            now[symbol] *= 1.0 + common + (random() - 0.5) * width
        self.past.append(now.copy())

    def ago(self, steps: int) -> dict[str, float]:
        """What a venue sees that takes so long to see it."""
        return self.past[max(0, len(self.past) - 1 - steps)]


class Basis:
    """By how much a venue's prices differ: some bps that wander, within ``bound_bps``."""

    def __init__(self, rng: Random, bound_bps: float) -> None:
        self.rng = rng
        self.bound = bound_bps
        self.bps = {symbol: rng.uniform(-bound_bps, bound_bps) for symbol in SYMBOLS}

    def walk(self, symbol: str) -> float:
        """The factor now, after a small move."""
        bps = self.bps[symbol] + self.rng.uniform(-0.1, 0.1)
        self.bps[symbol] = max(-self.bound, min(self.bound, bps))
        return 1.0 + self.bps[symbol] * 1e-4
