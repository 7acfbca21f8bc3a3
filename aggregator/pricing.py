"""Ladders made in a process beside the feed: they take as long as hundreds of frames. What stands
for long goes over once, and what is made of it there stays."""

import pickle
from collections.abc import Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from aggregator.depth import Known
from aggregator.ladders import Ladder, ladders
from connectors.base.economics import Durable
from connectors.registry import ECONOMICS
from domain.ids import MarketId
from domain.ladder import Place
from runtime import beside

DURABLES_BOUND: Final = 4_096
"""Then all are forgotten on both sides: some 1,200 are in use, each of some kilobytes."""


class ForgottenError(Exception):
    """The other process is a new one and does not know what it was told before."""


class Pricer:
    """Call ``price`` again when it has returned."""

    def __init__(self, service_fee_bps: Decimal = Decimal(0)) -> None:
        self._durables = Durables()
        self._service_fee_bps = service_fee_bps

    async def price(self, found: Mapping[MarketId, Known]) -> Sequence[Ladder]:
        """Raises BesideLost."""
        try:
            return await self._ask(found)
        except ForgottenError:
            self._durables.forget()
            return await self._ask(found)

    async def _ask(self, found: Mapping[MarketId, Known]) -> Sequence[Ladder]:
        return await beside.call(priced, _Message(self._durables, found), self._service_fee_bps)


class Durables:
    """Objects that the other process has been told, by number. Kept, so that no other object takes
    the place of one."""

    def __init__(self) -> None:
        self._told: list[object] = []
        self._numbers: dict[int, int] = {}

    def forget(self) -> None:
        self._told.clear()
        self._numbers.clear()

    def number(self, durable: object) -> int:
        number = self._numbers.get(id(durable))
        if number is None:
            number = self._numbers[id(durable)] = len(self._told)
            self._told.append(durable)
        return number

    def packed(self, found: Mapping[MarketId, Known]) -> bytes:
        """What ``priced`` takes."""
        if len(self._told) > DURABLES_BOUND:
            self.forget()
        known = len(self._told)
        body = BytesIO()
        _Pickler(body, self).dump(found)
        return pickle.dumps((known, self._told[known:], body.getvalue()), pickle.HIGHEST_PROTOCOL)


class _Pickler(pickle.Pickler):
    def __init__(self, file: BytesIO, durables: Durables) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._durables = durables

    def reducer_override(self, item: Any) -> Any:
        if isinstance(item, (Durable, Place)):
            return _durable, (self._durables.number(item),)
        return NotImplemented


class _Message:
    """Packed when it is pickled, which is not on the event loop."""

    def __init__(self, durables: Durables, found: Mapping[MarketId, Known]) -> None:
        self._durables = durables
        self._found = found

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (self._durables.packed(self._found),)


# The other process -------------------------------------------------------------------------------

_durables: Final[list[object]] = []


def priced(message: bytes, service_fee_bps: Decimal = Decimal(0)) -> list[Ladder]:
    """Raises ForgottenError."""
    known, told, body = pickle.loads(message)
    if known > len(_durables):
        raise ForgottenError
    _durables[known:] = told
    return ladders(ECONOMICS, pickle.loads(body), service_fee_bps)


def _durable(number: int) -> object:
    return _durables[number]
