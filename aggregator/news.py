"""Which markets there may be something new to say of. Pure."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, TypeAlias

from domain.ids import MarketId
from domain.quote import Cause

Mark: TypeAlias = tuple[Cause, int]
"""Why, and the wall clock (us) at which that came."""


BULK: Final = 16
"""So many of what came in bulk are told at a time: somebody else's tick would wait behind all."""


class News:
    """Those that have waited longest first, and those of a frame that told of many behind those of
    one that told of few. ``moved``: the markets of which something other than levels behind a touch
    has changed that nobody has looked at yet."""

    def __init__(self) -> None:
        self.moved: set[MarketId] = set()
        self._marks: dict[MarketId, Mark] = {}
        self._bulk: dict[MarketId, Mark] = {}

    def __bool__(self) -> bool:
        return bool(self._marks or self._bulk)

    def add(self, market: MarketId, mark: Mark) -> None:
        self._marks[market] = mark
        self.moved.add(market)
        if self._bulk:
            self._bulk.pop(market, None)

    def add_bulk(self, market: MarketId, mark: Mark) -> None:
        """One of many of a frame."""
        marks = self._marks if market in self._marks else self._bulk
        marks[market] = mark
        self.moved.add(market)

    def add_first(self, market: MarketId, mark: Mark) -> None:
        """What else is to be said of the market keeps its own cause."""
        if market not in self._bulk:
            self._marks.setdefault(market, mark)
        self.moved.add(market)

    def add_first_bulk(self, market: MarketId, mark: Mark) -> None:
        if market not in self._marks:
            self._bulk.setdefault(market, mark)
        self.moved.add(market)

    def add_level(self, market: MarketId, mark: Mark, *, moved: bool) -> None:
        """A level has changed; unless ``moved`` behind the touch."""
        if moved:
            self.add(market, mark)
        elif market not in self._bulk:
            self._marks[market] = mark

    def add_all(self, markets: Iterable[MarketId], mark: Mark) -> None:
        for market in markets:
            self.add(market, mark)

    def take(self, limit: int | None) -> Mapping[MarketId, Mark]:
        """All of them, or of more than ``limit`` the first."""
        marks, bulk = self._marks, self._bulk
        if not bulk and (limit is None or len(marks) <= limit):
            self._marks = {}
            return marks
        if limit is None:
            self._marks, self._bulk = {}, {}
            return marks | bulk
        taken = _take(marks, max(1, limit - BULK) if bulk else limit)
        return taken | _take(bulk, min(BULK, limit - len(taken)))


def _take(marks: dict[MarketId, Mark], count: int) -> dict[MarketId, Mark]:
    taken = dict(islice(marks.items(), count))
    for market in taken:
        del marks[market]
    return taken
