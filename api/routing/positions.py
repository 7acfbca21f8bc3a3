"""What an account holds: the venues' contracts are asked, and our own fills only where they cannot
be."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from api.routing.nodes import Nodes, batch, eth_call, results_of
from connectors.base.orders import Call
from connectors.base.positions import Holding, OpenPosition, PositionBook, position_id, ref_of
from connectors.base.routes import RouteRules
from db import held
from domain.errors import InputError, VenueProtocolError
from domain.ids import VenueId
from domain.orders import ChainId, OrderIntent
from domain.routing import RoutePlace
from runtime.clock import mono_ns
from runtime.logs import get_logger

WAIT_S: Final = 1.0
"""Who changes a position waits longer for it than for what a wallet lacks."""
KEPT_NS: Final = 500_000_000
KEPT_COUNT: Final = 1_000
DETAILED: Final = 20

_log = get_logger(__name__)

Spot = tuple[VenueId, ChainId]
"""A venue on a chain."""
_Key = tuple[VenueId, int, str, bool]


@dataclass(frozen=True, slots=True)
class Known:
    """``chain``: by venue and chain, those that were asked and answered. ``fills``: what our own
    fills say of the others."""

    chain: Mapping[Spot, Sequence[OpenPosition]] = field(default_factory=dict)
    fills: Sequence[held.Holding] = ()

    def source(self, spot: Spot) -> Literal["chain", "fills"]:
        return "chain" if spot in self.chain else "fills"

    def at(
        self, rules: RouteRules, inputs: Any, place: RoutePlace, intent: OrderIntent
    ) -> Sequence[Holding] | None:
        """What there is in a pool of the market and side of the intent. None where nobody can say
        that there is nothing. Raises InputError."""
        spot = place.venue, place.chain_id
        if spot in self.chain:
            return [
                rules.holding(inputs, item)
                for item in self.chain[spot]
                if item.pool == place.pool
                and item.market in (None, intent.market)
                and item.side == intent.position_side
                and intent.position_id in (None, item.id)
            ]
        return [
            _of_fills(item)
            for item in self.fills
            if (item.venue, item.chain_id, item.pool) == (spot[0], str(spot[1]), place.pool)
            and (item.market, item.side) == (intent.market, intent.position_side)
            and intent.position_id
            in (None, position_id(item.venue, item.chain_id, item.position_ref))
        ] or None

    def changed(
        self, rules: RouteRules, inputs: Any, place: RoutePlace, intent: OrderIntent
    ) -> Holding | None:
        """The position that an order changes in a pool, or that what it opens becomes a part of;
        None where there is none of that kind or it is not known.

        Raises InputError ``NO_POSITION``, ``SEVERAL_POSITIONS``, and of a change of margin
        ``POSITION_UNKNOWN``.
        """
        opens = intent.intent == "open"
        if opens and not rules.merges:
            return None
        found = self.at(rules, inputs, place, intent)
        if opens:
            # What is posted elsewhere in the pool is a position of its own.
            return next((item for item in found or () if place.collateral in item.called), None)
        if found is None:
            if intent.position_id is not None and named_ref(intent, place) is None:
                raise InputError("NO_POSITION", "position_id is of another venue or chain")
            if intent.changes_margin:
                raise InputError("POSITION_UNKNOWN", "nobody can say what is held there")
            return None
        wanted = intent.collateral_symbol
        found = [item for item in found if wanted is None or wanted in item.called]
        if not found:
            raise InputError("NO_POSITION", f"no {intent.position_side} position is held there")
        if len(found) > 1:
            ids = (position_id(place.venue, place.chain_id, item.ref) for item in found)
            raise InputError("SEVERAL_POSITIONS", f"position_id says which: {', '.join(ids)}")
        return found[0]


NOTHING: Final = Known()


def named_ref(intent: OrderIntent, place: RoutePlace) -> str | None:
    """The venue's own name of the position that its owner names; None where that is none of that
    venue and chain."""
    named = intent.position_id
    return None if named is None else ref_of(named, place.venue, place.chain_id)


def _of_fills(item: held.Holding) -> Holding:
    return Holding(
        item.position_ref,
        item.collateral,
        frozenset((item.collateral,)),
        None,
        item.size_base,
        item.entry_price,
    )


class PositionReader:
    def __init__(self, nodes: Nodes, books: Iterable[PositionBook]) -> None:
        self._nodes = nodes
        self._books = {book.venue: book for book in books}
        self._kept: OrderedDict[_Key, tuple[int, Sequence[OpenPosition]]] = OrderedDict()

    async def read(
        self,
        owner: str,
        spots: Iterable[Spot],
        *,
        details: bool,
        fresh: bool = True,
        wait_s: float = WAIT_S,
    ) -> Mapping[Spot, Sequence[OpenPosition]]:
        """Of the owner. Where no node answered in time, or what it said cannot be read, is left
        out. ``details``: with what else decides about a position, where that is answered too.
        ``fresh``: not what was read a moment ago."""
        asked = [spot for spot in dict.fromkeys(spots) if spot[0] in self._books]
        found = await asyncio.gather(
            *(self._one(owner, spot, details, fresh, wait_s) for spot in asked)
        )
        return {
            spot: positions
            for spot, positions in zip(asked, found, strict=True)
            if positions is not None
        }

    async def _one(
        self, owner: str, spot: Spot, details: bool, fresh: bool, wait_s: float
    ) -> Sequence[OpenPosition] | None:
        venue, chain_id = spot
        if not isinstance(chain_id, int):
            return None
        key, now_ns = (venue, chain_id, owner, details), mono_ns()
        kept = self._kept.get(key)
        if kept is not None and not fresh and now_ns - kept[0] < KEPT_NS:
            return kept[1]
        book = self._books[venue]
        calls = book.calls(chain_id, owner)
        found = await self._asked(
            spot, calls, lambda answers: book.read(chain_id, owner, answers), wait_s
        )
        if found and details:
            found = await self._detailed(spot, owner, found, wait_s)
        if found is not None:
            self._kept[key] = now_ns, found
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT_COUNT:
                self._kept.popitem(last=False)
        return found

    async def _detailed(
        self, spot: Spot, owner: str, found: Sequence[OpenPosition], wait_s: float
    ) -> Sequence[OpenPosition]:
        """The first ones: nobody has many."""
        book, wanted = self._books[spot[0]], found[:DETAILED]
        calls = book.details(wanted, owner)
        each = len(calls) // len(wanted)

        def read(answers: Sequence[bytes | None]) -> Sequence[OpenPosition]:
            return [
                book.detailed(item, answers[each * at : each * (at + 1)])
                for at, item in enumerate(wanted)
            ]

        detailed = await self._asked(spot, calls, read, wait_s)
        return found if detailed is None else [*detailed, *found[DETAILED:]]

    async def _asked(
        self,
        spot: Spot,
        calls: Sequence[Call],
        read: Callable[[Sequence[bytes | None]], Sequence[OpenPosition]],
        wait_s: float,
    ) -> Sequence[OpenPosition] | None:
        venue, chain_id = spot
        if not calls or not isinstance(chain_id, int):
            return None

        def taken(answer: Any) -> tuple[Sequence[OpenPosition] | None]:
            answers = _answers(answer, chain_id, len(calls))
            try:
                return (read(answers),)
            except (InputError, VenueProtocolError) as error:
                # The node is not to blame for what stands at that address.
                _log.warning("positions_unreadable", venue=venue, chain_id=chain_id, why=str(error))
                return (None,)

        said = await self._nodes.first(chain_id, _requests(calls), taken, wait_s)
        return None if said is None else said[0]


def _requests(calls: Sequence[Call]) -> bytes:
    return batch([("eth_chainId", []), *map(eth_call, calls)])


def _answers(answer: Any, chain_id: int, count: int) -> Sequence[bytes | None]:
    results = results_of(answer, chain_id)
    return [_bytes(results.get(number)) for number in range(1, 1 + count)]


def _bytes(result: Any) -> bytes | None:
    return None if result is None else bytes.fromhex(result.removeprefix("0x"))
