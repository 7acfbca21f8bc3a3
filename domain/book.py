"""An order book in integer ticks that keeps every level it was told of, and a view of it that never
crosses."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Final, NamedTuple

from domain.errors import VenueProtocolError
from domain.events import Levels

MAX_LEVELS: Final = 20_000
"""A side this deep is a flood, not a market: a snapshot has 100 levels a side."""

_ANY_BID: Final = -1
_ANY_ASK: Final = 2**256


class BookLevels(NamedTuple):
    """The uncrossed view: each side ``(price_ticks, size_steps)``, best first."""

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class Touch(NamedTuple):
    """Best prices of the uncrossed view; None where a side is empty.

    ``dropped_bids`` and ``dropped_asks`` count the levels the view passed over to uncross.
    """

    bid_ticks: int | None
    bid_steps: int
    ask_ticks: int | None
    ask_steps: int
    dropped_bids: int = 0
    dropped_asks: int = 0

    @property
    def sides(self) -> tuple[int, int]:
        """How many sides have a price, and the sum of these in ticks."""
        bid, ask = self.bid_ticks, self.ask_ticks
        if bid is None or ask is None:
            return (bid is not None) + (ask is not None), (bid or 0) + (ask or 0)
        return 2, bid + ask

    @property
    def crossed(self) -> bool:
        """True when the raw book was crossed under this view."""
        return self.dropped_bids + self.dropped_asks > 0


class Book:
    """Price levels of one market on one connection.

    A level is ``(size_steps, stamp)`` at a price in ticks; ``stamp`` is the number of the message
    that last set it. The raw book may cross for a while (the venue's own messages are not ordered
    across levels); ``touch`` then passes over the older side of each crossing pair and, where both
    are of one message, the smaller one (a tie keeps the ask). Nothing is deleted for that: the
    newer level may vanish and the older one be right after all. Source: the venue's front-end.
    """

    __slots__ = (
        "_ask_edge",
        "_ask_ticks",
        "_asks",
        "_bid_edge",
        "_bid_ticks",
        "_bids",
        "_cut",
        "_touch",
    )

    def __init__(self) -> None:
        self._bids: dict[int, tuple[int, int]] = {}
        self._asks: dict[int, tuple[int, int]] = {}
        self._bid_ticks: list[int] = []
        self._ask_ticks: list[int] = []
        self._touch: Touch | None = None
        self._cut: tuple[int | None, BookLevels] | None = None
        # Changes behind these prices leave the touch as it is.
        self._bid_edge = _ANY_BID
        self._ask_edge = _ANY_ASK

    def snapshot(self, bids: Levels, asks: Levels, stamp: int) -> None:
        """Replaces everything."""
        self._bids = {ticks: (steps, stamp) for ticks, steps in bids if steps}
        self._asks = {ticks: (steps, stamp) for ticks, steps in asks if steps}
        self._bid_ticks = sorted(self._bids)
        self._ask_ticks = sorted(self._asks)
        self._touch = self._cut = None

    def apply(self, is_bid: bool, price_ticks: int, size_steps: int, stamp: int) -> bool:
        """Sets the total at one price; 0 removes the level, which need not exist. False where that
        leaves the touch as it is for certain.

        Raises VenueProtocolError ``BOOK_TOO_DEEP`` when a side exceeds MAX_LEVELS.
        """
        self._cut = None
        if is_bid:
            levels, ordered = self._bids, self._bid_ticks
            if price_ticks >= self._bid_edge:
                self._touch = None
        else:
            levels, ordered = self._asks, self._ask_ticks
            if price_ticks <= self._ask_edge:
                self._touch = None
        if size_steps:
            if price_ticks not in levels:
                if len(ordered) >= MAX_LEVELS:
                    raise VenueProtocolError("BOOK_TOO_DEEP", f"more than {MAX_LEVELS} levels")
                insort(ordered, price_ticks)
            levels[price_ticks] = (size_steps, stamp)
        elif price_ticks in levels:
            del levels[price_ticks]
            del ordered[bisect_left(ordered, price_ticks)]
        return self._touch is None

    @property
    def depth(self) -> tuple[int, int]:
        """Stored levels: (bids, asks)."""
        return len(self._bid_ticks), len(self._ask_ticks)

    @property
    def raw_best(self) -> tuple[int | None, int | None]:
        """(best bid, best ask) in ticks as stored, which may cross."""
        return (
            self._bid_ticks[-1] if self._bid_ticks else None,
            self._ask_ticks[0] if self._ask_ticks else None,
        )

    @property
    def crossed(self) -> bool:
        bids, asks = self._bid_ticks, self._ask_ticks
        return bool(bids and asks and bids[-1] >= asks[0])

    def touch(self) -> Touch:
        """Best bid and ask of the uncrossed view."""
        touch = self._touch
        if touch is None:
            self._touch = touch = self._find_touch()
            if touch.bid_ticks is None or touch.ask_ticks is None or touch.crossed:
                self._bid_edge, self._ask_edge = _ANY_BID, _ANY_ASK
            else:
                self._bid_edge, self._ask_edge = touch.bid_ticks, touch.ask_ticks
        return touch

    def _find_touch(self) -> Touch:
        bids, asks = self._bid_ticks, self._ask_ticks
        if bids and asks and bids[-1] < asks[0]:
            bid, ask = bids[-1], asks[0]
            return Touch(bid, self._bids[bid][0], ask, self._asks[ask][0])
        dropped_bids, dropped_asks = self._uncross()
        bid_left = len(bids) - dropped_bids
        bid_or_none = bids[bid_left - 1] if bid_left else None
        ask_or_none = asks[dropped_asks] if dropped_asks < len(asks) else None
        return Touch(
            bid_or_none,
            0 if bid_or_none is None else self._bids[bid_or_none][0],
            ask_or_none,
            0 if ask_or_none is None else self._asks[ask_or_none][0],
            dropped_bids,
            dropped_asks,
        )

    def levels(self, value: int | None = None) -> BookLevels:
        """The uncrossed view; with ``value`` only as many levels of each side as are worth that
        much, in ticks x steps. The same object while nothing has changed."""
        cut = self._cut
        if cut is None or cut[0] != value:
            dropped_bids, dropped_asks = self._uncross()
            bids = self._bid_ticks[: len(self._bid_ticks) - dropped_bids]
            bids.reverse()
            levels = BookLevels(
                _worth(bids, self._bids, value),
                _worth(self._ask_ticks[dropped_asks:], self._asks, value),
            )
            self._cut = cut = value, levels
        return cut[1]

    def _uncross(self) -> tuple[int, int]:
        """How many of the best bids and asks the view passes over."""
        bids, asks = self._bid_ticks, self._ask_ticks
        i, j = len(bids) - 1, 0
        while i >= 0 and j < len(asks) and bids[i] >= asks[j]:
            bid_steps, bid_stamp = self._bids[bids[i]]
            ask_steps, ask_stamp = self._asks[asks[j]]
            if (bid_stamp, bid_steps) <= (ask_stamp, ask_steps):
                i -= 1
            else:
                j += 1
        return len(bids) - 1 - i, j


def _worth(
    ordered: Sequence[int], levels: Mapping[int, tuple[int, int]], value: int | None
) -> tuple[tuple[int, int], ...]:
    """The first levels that are worth ``value``, or all."""
    steps = [levels[ticks][0] for ticks in ordered]
    if value is not None:
        ends = list(accumulate(map(mul, ordered, steps)))
        enough = bisect_left(ends, value) + 1 if value > 0 else 0
        ordered = ordered[:enough]
    return tuple(zip(ordered, steps, strict=False))
