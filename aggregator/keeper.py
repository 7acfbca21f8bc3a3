"""What Redis holds beside quotes: ladders, depth, funding. It can wait for the quotes, some of it
at a time; what has not changed is not written again but lives on. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from aggregator import resp
from runtime.wire import Envelope


class _Kept(NamedTuple):
    """What writes each key of a name, and how long they live."""

    commands: Mapping[str, bytes]
    ttl_ms: int


class Lasting(NamedTuple):
    """Keys of one life that have to be extended, and whose they are."""

    keys: list[str]
    owners: list[str]

    def add(self, key: str, owner: str) -> None:
        self.keys.append(key)
        self.owners.append(owner)


class Keeper:
    """Names stand for one or more keys and an envelope that tells of their change. Bounded by the
    names there are."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._later: dict[str, Envelope | None] = {}
        self._again: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    @property
    def waits(self) -> bool:
        """Whether something is to be written or extended."""
        return bool(self._later or self._again)

    def is_waiting(self, name: str) -> bool:
        """Whether it is still to be written: another would replace it."""
        return name in self._later

    def keep(self, name: str, keys: Mapping[str, bytes], ttl_ms: int, said: Envelope) -> None:
        """New values of all keys of a name."""
        commands = {key: resp.set_px(key, body, ttl_ms) for key, body in keys.items()}
        self._kept[name] = _Kept(commands, ttl_ms)
        self._again.pop(name, None)
        self._later.pop(name, None)
        self._later[name] = said

    def keep_on(self, name: str) -> None:
        """Its keys live on as they are."""
        if name in self._kept and name not in self._later:
            self._again[name] = None

    def gone(self, name: str) -> None:
        """A key of it was not there when it was to be extended."""
        if name in self._kept:
            self._later.setdefault(name, None)

    def take(self, size: int) -> tuple[list[bytes], list[Envelope]]:
        """Commands of so many bytes, more or less, and the envelopes of what they write."""
        commands: list[bytes] = []
        envelopes = []
        while self._later and size > 0:
            name = next(iter(self._later))
            envelope = self._later.pop(name)
            if envelope is not None:
                envelopes.append(envelope)
            for command in self._kept[name].commands.values():
                commands.append(command)
                size -= len(command)
        return commands, envelopes

    def take_lasting(self) -> dict[int, Lasting]:
        """What is to be extended, by its life in ms."""
        lasting: dict[int, Lasting] = {}
        again, self._again = self._again, {}
        for name in again:
            kept = self._kept[name]
            for key in kept.commands:
                lasting.setdefault(kept.ttl_ms, Lasting([], [])).add(key, name)
        return lasting

    def clear(self) -> None:
        self._kept.clear()
        self._later.clear()
        self._again.clear()
