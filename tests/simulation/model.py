"""A market of the model venue, and what a perfect subscriber has of it."""

from dataclasses import dataclass
from random import Random

from tests.simulation.loop import STEP_NS

DEPTH = 8
Sides = tuple[dict[int, int], dict[int, int]]


def price_text(tenths: int) -> str:
    """123 -> "12.3": prices are counted in tenths, sizes in hundredths."""
    return f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)


def size_text(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}" if hundredths else "0"


class MarketModel:
    """A book around ``mid`` that never crosses, not even in the middle of an update."""

    def __init__(self, symbol: str, rng: Random) -> None:
        self.symbol = symbol
        self.rng = rng
        self.mid = rng.randint(2_000, 900_000)
        self.scale = 1
        self.sides: Sides = ({}, {})
        self.rebuild()

    def rebuild(self) -> list[tuple[int, int, int]]:
        """A whole new book at ``mid * scale``: (side, price, size) of what changes."""
        mid = self.mid * self.scale
        new: Sides = (
            {mid - place: self.rng.randint(1, 500) for place in range(1, DEPTH + 1)},
            {mid + place: self.rng.randint(1, 500) for place in range(1, DEPTH + 1)},
        )
        gone = [
            (side, price, 0)
            for side in (0, 1)
            for price in self.sides[side]
            if price not in new[side]
        ]
        self.sides = new
        return gone + [(side, p, size) for side in (0, 1) for p, size in new[side].items()]

    def walk(self) -> list[tuple[int, int, int]]:
        """One event: a size changes, or the mid moves by a tick."""
        rng = self.rng
        if rng.random() < 0.7:
            side = rng.randrange(2)
            price = rng.choice(list(self.sides[side]))
            self.sides[side][price] = size = rng.randint(1, 500)
            return [(side, price, size)]
        up = self.mid < 1_000 or rng.random() < 0.5
        self.mid += 1 if up else -1
        mid = self.mid * self.scale
        return self.rebuild() if self.scale != 1 else self._shift(mid, up)

    def _shift(self, mid: int, up: bool) -> list[tuple[int, int, int]]:
        losing, gaining = (1, 0) if up else (0, 1)
        sign = 1 if up else -1
        near, far = mid, mid + sign * DEPTH
        changes = [(losing, near, 0), (gaining, mid - sign, self.rng.randint(1, 500))]
        changes += [(losing, far, self.rng.randint(1, 500))]
        changes += [(gaining, mid - sign * (DEPTH + 1), 0)]
        for side, price, size in changes:
            if size:
                self.sides[side][price] = size
            else:
                self.sides[side].pop(price, None)
        return changes


@dataclass(slots=True, eq=False)
class View:
    """What a perfect subscriber has of a market. ``valid``: a snapshot was delivered and nothing
    delivered since made it doubtful; ``excused_ns``: until then a difference has a known cause;
    ``version``: changes so far."""

    levels: tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]] = ({}, {})
    valid: bool = False
    snapshot_number: int = 0
    excused_ns: int = 0
    version: int = 0
    noted: int = -1
    crossed: bool = False
    crossed_ns: int | None = None
    quiet_ns: int = 0

    def touch(self) -> tuple[int | None, int, int | None, int]:
        """By the rule as it is written down, on sorted copies."""
        bids = sorted(((p, *v) for p, v in self.levels[0].items()), reverse=True)
        asks = sorted((p, *v) for p, v in self.levels[1].items())
        i = j = 0
        while i < len(bids) and j < len(asks) and bids[i][0] >= asks[j][0]:
            (_, bid_size, bid_id), (_, ask_size, ask_id) = bids[i], asks[j]
            if bid_id < ask_id or (bid_id == ask_id and bid_size <= ask_size):
                i += 1
            else:
                j += 1
        bid = bids[i] if i < len(bids) else (None, 0)
        ask = asks[j] if j < len(asks) else (None, 0)
        return bid[0], bid[1], ask[0], ask[1]

    def crossed_for_ns(self, now_ns: int) -> int:
        """For how long it is crossed; a moment without, as of a new snapshot, ends nothing."""
        if self.version != self.noted:
            self.noted = self.version
            bids, asks = self.levels
            self.crossed = bool(bids and asks) and max(bids) >= min(asks)
        if self.crossed:
            self.quiet_ns = now_ns
            if self.crossed_ns is None:
                self.crossed_ns = now_ns
        elif now_ns - self.quiet_ns > 5 * STEP_NS:
            self.crossed_ns = None
        return 0 if self.crossed_ns is None else now_ns - max(self.crossed_ns, self.excused_ns)
