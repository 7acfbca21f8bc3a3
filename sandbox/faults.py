"""The fault board: which replica misbehaves how, for which market, until when.

Pure: the clock is an argument. A fault ends by itself; replicas ask the board on every turn."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "freeze",
    "drop",
    "half_open",
    "garble",
    "gap",
    "cross",
    "spike",
    "duplicate",
    "delist",
    "rate_limit",
    "slow",
    "geoblock",
    "block",
    "close_only",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MAX_SECONDS: Final = 3600.0

# These act on connections, not on what is said about a market: a market given with them is dropped.
_WHOLE_VENUE: Final[frozenset[Kind]] = frozenset(
    {"drop", "half_open", "rate_limit", "slow", "geoblock", "block", "close_only"}
)


class FaultError(ValueError):
    """A fault that no replica can show; names the field that is to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Fault:
    venue: str
    kind: Kind
    market: str | None
    until_ns: int


class ActiveFaults:
    """What is wrong at one venue at one moment. False when nothing is."""

    __slots__ = ("_scopes",)

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._scopes: dict[Kind, set[str | None]] = {}
        for fault in faults:
            self._scopes.setdefault(fault.kind, set()).add(fault.market)

    def __bool__(self) -> bool:
        return bool(self._scopes)

    def whole(self, kind: Kind) -> bool:
        """True when the fault holds for the whole venue."""
        return None in self._scopes.get(kind, ())

    def hits(self, kind: Kind, market: str | None) -> bool:
        """True when the fault holds for this market, itself or with the whole venue."""
        scope = self._scopes.get(kind)
        return scope is not None and (None in scope or market in scope)


NO_FAULTS: Final = ActiveFaults(())


class FaultBoard:
    """Holds at most one fault for each venue, kind and market; a repeated one replaces the end."""

    def __init__(self) -> None:
        self._venues: dict[str, tuple[frozenset[Kind], frozenset[str]]] = {}
        self._faults: dict[tuple[str, Kind, str | None], Fault] = {}

    def register(self, venue: str, kinds: Iterable[Kind], markets: Iterable[str]) -> None:
        """A replica says which kinds it can show and which markets it has."""
        self._venues[venue] = (frozenset(kinds), frozenset(markets))

    def add(self, venue: str, kind: str, market: str | None, seconds: float, now_ns: int) -> Fault:
        """Raises FaultError for a venue, kind or market that no replica has."""
        if venue not in self._venues:
            known = ", ".join(sorted(self._venues)) or "none"
            raise FaultError("venue", f"unknown venue {venue!r}; known: {known}")
        kinds, markets = self._venues[venue]
        known_kind = next((known for known in kinds if known == kind), None)
        if known_kind is None:
            listed = ", ".join(sorted(kinds))
            raise FaultError("kind", f"unknown kind {kind!r}; {venue} knows: {listed}")
        if market is not None and market not in markets:
            raise FaultError("market", f"unknown market {market!r} at {venue}")
        if not 0 < seconds <= MAX_SECONDS:
            raise FaultError("seconds", f"seconds must be above 0 and at most {MAX_SECONDS:g}")
        scope = None if known_kind in _WHOLE_VENUE else market
        fault = Fault(venue, known_kind, scope, now_ns + int(seconds * 1e9))
        self._faults[venue, known_kind, scope] = fault
        return fault

    def running(self, now_ns: int) -> list[Fault]:
        """Faults that still hold; those past their end are forgotten here."""
        self._faults = {
            key: fault for key, fault in self._faults.items() if fault.until_ns > now_ns
        }
        return list(self._faults.values())

    def active(self, venue: str, now_ns: int) -> ActiveFaults:
        if not self._faults:
            return NO_FAULTS
        return ActiveFaults(fault for fault in self.running(now_ns) if fault.venue == venue)

    def clear(self) -> int:
        """Ends every fault now; how many there were."""
        count = len(self._faults)
        self._faults.clear()
        return count
