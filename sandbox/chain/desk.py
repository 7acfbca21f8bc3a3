"""One venue's orders on one chain, as the keeper of the sandbox sees them. Pure: time is an
argument."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

Mode: TypeAlias = Literal["auto", "hold", "cancel", "freeze"]

DEFAULT_DELAY_MS: Final = 800
# After this a settlement that has had no effect is tried again.
_PATIENCE_NS: Final = 5_000_000_000


@dataclass(slots=True)
class Instructions:
    """What the keeper is told to do: ``auto`` executes, ``hold`` does nothing, ``cancel`` gives
    back what would be executed, ``freeze`` freezes what can be frozen and leaves the rest."""

    mode: Mode = "auto"
    delay_ms: int = DEFAULT_DELAY_MS


class Now(NamedTuple):
    """``block``: height of the chain."""

    mono_ns: int
    s: int
    block: int


_Entry = TypeVar("_Entry")


class Desk(ABC, Generic[_Entry]):
    """``address``: of the contract that holds the orders. ``entries``: what waits there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.entries: list[_Entry] = []
        self._seen: dict[tuple[object, ...], int] = {}
        self._told: dict[str, tuple[int, int]] = {}

    @abstractmethod
    def page_call(self, start: int, end: int) -> bytes:
        """Calldata that asks for a part of what waits."""

    @abstractmethod
    def read_page(self, answer: bytes) -> tuple[list[_Entry], int]:
        """What the contract answered, and how many places of its list that was."""

    @abstractmethod
    def identify(self, entry: _Entry) -> tuple[object, ...]:
        """What stays the same until its owner changes it."""

    @abstractmethod
    def owner(self, entry: _Entry) -> tuple[str, int]:
        """Whose it is, and the version of that account."""

    @abstractmethod
    def decide(self, entry: _Entry, now: Now, instructions: Instructions) -> bytes | None:
        """Calldata of a transaction, or None where nothing is to be done now."""

    def load(self, entries: list[_Entry]) -> None:
        """Takes what waits now in place of what did."""
        self.entries = entries
        known = {self.identify(entry) for entry in entries}
        self._seen = {key: at_ns for key, at_ns in self._seen.items() if key in known}
        owners = {self.owner(entry)[0] for entry in entries}
        self._told = {owner: told for owner, told in self._told.items() if owner in owners}

    def forget(self) -> None:
        """The chain may be another one: what it was told is not known there."""
        self._told.clear()

    def turn(self, now: Now, instructions: Instructions) -> list[bytes]:
        """Transactions to send now: one an account, since it makes what is known of it old."""
        delay_ns = instructions.delay_ms * 1_000_000
        calls = []
        for entry in self.entries:
            first_ns = self._seen.setdefault(self.identify(entry), now.mono_ns)
            owner, version = self.owner(entry)
            told, until_ns = self._told.get(owner, (-1, 0))
            if now.mono_ns - first_ns < delay_ns or instructions.mode == "hold":
                continue
            if told == version and now.mono_ns < until_ns:
                continue
            call = self.decide(entry, now, instructions)
            if call is not None:
                calls.append(call)
                self._told[owner] = version, now.mono_ns + _PATIENCE_NS
        return calls
