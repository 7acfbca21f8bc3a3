"""Order books that follow a price, in integer ticks and steps.

Every change is one level of one side, as the indexer publishes it. The touch follows the price by
removing stale levels and quoting new ones; the rest of the book fidgets."""

import math
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeAlias

Side: TypeAlias = Literal["bids", "asks"]
# Side, price in ticks, new total size in steps; 0 removes the level.
Change: TypeAlias = tuple[Side, int, int]

LEVELS: Final = 100
# Span of a full side, from the touch to the last level (recorded ETH-USD: 4 %).
_SPAN: Final = 0.04
# More stale levels than this mean that the price jumped: the book is built anew.
_SWEEP: Final = 12
# A hit level is sometimes removed late, as when another validator still held the order. Until then
# subscribers see a crossed book as soon as the price moves on.
_LATE_SHARE: Final = 0.03
_LATE_US: Final = (200_000, 1_500_000)

_SIZE_SPREAD: Final = tuple(Random(i).lognormvariate(0, 0.9) for i in range(256))


@dataclass(frozen=True, slots=True)
class Shape:
    """How one market's book looks, free of the price."""

    half_spread: float  # fraction of the price
    level_units: float  # size of a level in steps, times the price in ticks
    late: bool  # whether removals may come late


class Ladder:
    """One side. Keys are ticks times +1 (bids) or -1 (asks): ascending, the best one last."""

    __slots__ = ("keys", "name", "sign", "sizes")

    def __init__(self, name: Side) -> None:
        self.name: Side = name
        self.sign = 1 if name == "bids" else -1
        self.keys: list[int] = []
        self.sizes: dict[int, int] = {}

    def put(self, key: int, size: int) -> Change:
        if key not in self.sizes:
            insort(self.keys, key)
        self.sizes[key] = size
        return self.name, key * self.sign, size

    def drop(self, key: int) -> Change:
        del self.keys[bisect_left(self.keys, key)]
        del self.sizes[key]
        return self.name, key * self.sign, 0

    def levels(self) -> list[tuple[int, int]]:
        """(ticks, steps), the best one first."""
        return [(key * self.sign, self.sizes[key]) for key in reversed(self.keys)]


class Book:
    """A book that never crosses itself; what subscribers see may cross while a removal is late."""

    def __init__(self, shape: Shape, rng: Random) -> None:
        self._shape = shape
        self._rng = rng
        self._bids = Ladder("bids")
        self._asks = Ladder("asks")
        self._late: list[tuple[int, Side, int]] = []

    def side(self, name: Side) -> list[tuple[int, int]]:
        """The true levels, the best one first."""
        return (self._bids if name == "bids" else self._asks).levels()

    def best(self, name: Side) -> int | None:
        ladder = self._bids if name == "bids" else self._asks
        return ladder.keys[-1] * ladder.sign if ladder.keys else None

    def evolve(self, mid: float, now_us: int) -> list[Change]:
        """One event of the book around ``mid`` (in ticks); mostly one change, sometimes none."""
        changes = self._overdue(now_us) if self._late else []
        half = self._half(mid)
        pair = (self._bids, self._asks) if self._rng.random() < 0.5 else (self._asks, self._bids)
        for ladder in pair:
            limit = math.floor(ladder.sign * mid - half) + half
            stale = len(ladder.keys) - bisect_right(ladder.keys, limit)
            if stale > _SWEEP or not ladder.keys:
                return changes + self.rebuild(mid)
            if stale:
                return changes + self._retreat(ladder, now_us)
        for ladder, other in (pair, pair[::-1]):
            target = math.floor(ladder.sign * mid - half)
            if ladder.keys[-1] < target - half and target + other.keys[-1] < 0:
                return changes + self._join(ladder, target, mid)
        return changes + self._fidget(pair[0], mid)

    def rebuild(self, mid: float) -> list[Change]:
        """A new book around a price that jumped, as the changes that lead to it."""
        seen = {(side, ticks): size for side, ticks, size in self.clear()}
        for ladder in (self._bids, self._asks):
            target = math.floor(ladder.sign * mid - self._half(mid))
            for depth in range(min(LEVELS, int(mid) // 2)):
                key = target - self._distance(depth, mid)
                if key * ladder.sign < 1:
                    break
                side, ticks, size = ladder.put(key, self._size(mid, depth))
                seen[side, ticks] = size
        return [(side, ticks, size) for (side, ticks), size in seen.items()]

    def clear(self) -> list[Change]:
        """Removes every level."""
        changes = [
            ladder.drop(key) for ladder in (self._bids, self._asks) for key in tuple(ladder.keys)
        ]
        changes += [(side, ticks, 0) for _, side, ticks in self._late]
        self._late.clear()
        return changes

    def holds(self, name: Side, ticks: int) -> bool:
        ladder = self._bids if name == "bids" else self._asks
        return ticks * ladder.sign in ladder.sizes

    def _overdue(self, now_us: int) -> list[Change]:
        due = [entry for entry in self._late if entry[0] <= now_us]
        self._late = [entry for entry in self._late if entry[0] > now_us]
        # A level that was quoted again meanwhile is real: nothing to remove.
        return [(side, ticks, 0) for _, side, ticks in due if not self.holds(side, ticks)]

    def _retreat(self, ladder: Ladder, now_us: int) -> list[Change]:
        change = ladder.drop(ladder.keys[-1])
        if self._shape.late and self._rng.random() < _LATE_SHARE:
            self._late.append((now_us + self._rng.randint(*_LATE_US), ladder.name, change[1]))
            return []
        return [change]

    def _join(self, ladder: Ladder, key: int, mid: float) -> list[Change]:
        if key * ladder.sign < 1:
            return []
        changes = [ladder.put(key, self._size(mid, 0))]
        if len(ladder.keys) > LEVELS:
            changes.append(ladder.drop(ladder.keys[self._rng.randrange(LEVELS)]))
        return changes

    def _fidget(self, ladder: Ladder, mid: float) -> list[Change]:
        """A new size, mostly near the touch; a level gone or a level more, anywhere."""
        rng, keys = self._rng, ladder.keys
        choice = rng.random()
        if choice < 0.25 and len(keys) > LEVELS * 0.9:
            return [ladder.drop(keys[rng.randrange(len(keys) - 1)])]
        if choice < 0.5:
            return self._join(ladder, keys[-1] - self._distance(rng.random() * LEVELS, mid), mid)
        depth = min(len(keys) - 1, int(rng.expovariate(0.12)))
        return [ladder.put(keys[-1 - depth], self._size(mid, depth))]

    def _half(self, mid: float) -> float:
        return max(0.5, mid * self._shape.half_spread)

    def _distance(self, depth: float, mid: float) -> int:
        """Ticks from the touch to the level of a depth: gaps widen so that a side spans _SPAN."""
        gap = max(1.0, self._half(mid) / 2)
        widening = max(0.0, mid * _SPAN - LEVELS * gap) / LEVELS**2
        return round(gap * depth + widening * depth**2)

    def _size(self, mid: float, depth: int) -> int:
        spread = _SIZE_SPREAD[self._rng.getrandbits(8)] * (1 + depth * 0.05)
        return max(1, int(self._shape.level_units / mid * spread))
