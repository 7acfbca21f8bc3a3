"""Which of what is served a path leads to. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

Served = TypeVar("Served")

_NOWHERE: Final[dict[str, str]] = {}


class _Place(Generic[Served]):
    __slots__ = ("any", "name", "next", "served")

    def __init__(self) -> None:
        self.next: dict[str, _Place[Served]] = {}
        self.any: _Place[Served] | None = None
        self.name = ""
        self.served: Served | None = None


class Paths(Generic[Served]):
    """``served``: by path, in which ``{name}`` stands for one part that is not empty. A part that
    is spelled out goes before one that is not."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._served = served
        self._root: _Place[Served] = _Place()
        for path, item in served.items():
            place = self._root
            for part in path.split("/"):
                if part.startswith("{"):
                    if place.any is None:
                        place.any, place.name = _Place(), part[1:-1]
                    assert place.name == part[1:-1], path
                    place = place.any
                else:
                    place = place.next.setdefault(part, _Place())
            place.served = item

    def __iter__(self) -> Iterator[tuple[str, Served]]:
        return iter(self._served.items())

    def find(self, path: str) -> tuple[Served | None, dict[str, str]]:
        """What is served there, and the parts that have names. ``path`` is decoded."""
        place, named = self._root, _NOWHERE
        for part in path.split("/"):
            following = place.next.get(part)
            if following is None:
                following = place.any
                if following is None or not part:
                    return None, _NOWHERE
                named = {**named, place.name: part}
            place = following
        return place.served, named
