"""Which markets there may be something new to say of. Pure."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeAlias

from domain.ids import MarketId
from domain.quote import Cause

Mark: TypeAlias = tuple[Cause, int]
"""Why, and the wall clock (us) at which that came."""


class News:
    """Those that have waited longest first. ``moved``: the markets of which something other
    than levels behind a touch has changed that nobody has looked at yet."""

    def __init__(self) -> None:
        self.moved: set[MarketId] = set()
        self._marks: dict[MarketId, Mark] = {}

    def __bool__(self) -> bool:
        return bool(self._marks)

    def add(self, market: MarketId, mark: Mark) -> None:
        self._marks[market] = mark
        self.moved.add(market)

    def add_first(self, market: MarketId, mark: Mark) -> None:
        """What else is to be said of the market keeps its own cause."""
        self._marks.setdefault(market, mark)
        self.moved.add(market)

    def add_level(self, market: MarketId, mark: Mark, *, moved: bool) -> None:
        """A level has changed; unless ``moved`` behind the touch."""
        self._marks[market] = mark
        if moved:
            self.moved.add(market)

    def add_all(self, markets: Iterable[MarketId], mark: Mark) -> None:
        for market in markets:
            self.add(market, mark)

    def take(self, limit: int | None) -> Mapping[MarketId, Mark]:
        """All of them, or of more than ``limit`` the first."""
        marks = self._marks
        if limit is None or len(marks) <= limit:
            self._marks = {}
            return marks
        taken = dict(islice(marks.items(), limit))
        for market in taken:
            del marks[market]
        return taken
