"""Depth and ladder of every market, a slice of them at a time. Pure: what is asked at the same
moments gives the same ladders, live or replayed."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from aggregator.consolidate import Consolidator
from aggregator.ladder_rows import rows_of
from aggregator.rows import Row
from connectors.base.economics import Economics, PoolDepth
from connectors.base.ladders import NO_TOUCH, OpenPool, cell_steps
from connectors.base.protocol import VenueConnector
from domain.ids import MarketId, VenueId
from domain.ladder import (
    MAX_DECIMALS,
    SIDES,
    SIZES_USD,
    Cells,
    Place,
    SplitRow,
    ladder_data,
    points_of,
    rank,
    splits_of,
)
from domain.quote import BestQuote
from domain.units import E18, format_e18

AT_ONCE: Final = 5
"""Markets of a slice."""
TOGETHER: Final = 40
"""Markets that are priced in one pass: what numpy takes for a call is the same for one and for
forty."""
SHOWN_AT_ONCE: Final = 8
"""Markets that are dealt out and written at once."""
MOST_HURRIED: Final = 16
"""Markets that a slice takes out of turn: a venue that goes takes hundreds with it."""
KEPT_USD: Final = 1_200_000
"""Levels of a book that are worth more are left out: the largest size and some more."""

NO_DEPTH: Final = "NO_DEPTH"
"""The venue is live, but nothing is known of what a size costs there."""

_SIZES: Final = [str(size) for size in SIZES_USD]
_POINTS: Final = points_of(SIZES_USD)

Excluded = Mapping[str, str | None]
_Encoded = tuple[Any, orjson.Fragment]


class Known(NamedTuple):
    """All that the ladder of a market is made of. ``mid_e18``: of the consolidated quote."""

    pools: tuple[OpenPool, ...]
    excluded: tuple[Excluded, ...]
    mid_e18: int | None
    reference: float

    def same(self, other: "Known | None") -> bool:
        return (
            other is not None
            and len(self.pools) == len(other.pools)
            and self[1:] == other[1:]
            and all(map(_same, self.pools, other.pools))
        )


class Ladder(NamedTuple):
    """``data`` of the ``ladder`` envelope."""

    market: MarketId
    data: Mapping[str, Any]


class Ladders:
    """``collect`` the markets that are ``due``, in ``slices`` a round, which has every market once;
    when they are ``ready``, ``price`` them. ``depth`` is what the last ladder of a market was made
    of. What is said depends on what was collected when, and on nothing else.
    """

    def __init__(
        self,
        core: Consolidator,
        connectors: Sequence[VenueConnector],
        economics: Mapping[VenueId, Economics],
    ) -> None:
        self._core = core
        self._connectors = {connector.venue: connector for connector in connectors}
        self._economics = economics
        self._known: dict[MarketId, Known] = {}
        self._waiting: dict[MarketId, Known] = {}
        self._said: dict[MarketId, Known] = {}
        self._encoded: dict[MarketId, dict[tuple[VenueId, str | None], _Encoded]] = {}
        self.slices = 1
        self._left: list[MarketId] = []
        self._places: dict[tuple[VenueId, str | None, int], Place] = {}
        self._hurried: dict[MarketId, None] = {}
        self._in_a_hurry = False

    # When -----------------------------------------------------------------------------------------

    def due(self) -> list[MarketId]:
        """The markets of the next slice."""
        if not self._left:
            self._left = self._core.market_names()
            self.slices = max(1, -(-len(self._left) // AT_ONCE))
        turn, self._left = self._left[:AT_ONCE], self._left[AT_ONCE:]
        hurried = [name for name in self._hurried if name not in turn][:MOST_HURRIED]
        for name in (*hurried, *turn):
            self._hurried.pop(name, None)
        self._in_a_hurry = bool(hurried)
        return hurried + turn

    @property
    def ready(self) -> bool:
        """Whether as many as go together were collected, or nothing is to be waited for."""
        enough = len(self._waiting) >= TOGETHER or not self._left or self._in_a_hurry
        return enough and bool(self._waiting)

    def notice(self, best: BestQuote) -> None:
        """A venue that is no longer live does not stay in a ladder until its turn comes."""
        known = self._known.get(best.market)
        if known is not None and known.pools:
            live = {quote.venue for quote in best.quotes if quote.eligible}
            if any(pool.place.venue not in live for pool in known.pools):
                self._hurried[best.market] = None

    def forget_said(self) -> None:
        """Every ladder is told again when its turn comes."""
        self._known.clear()

    # What -----------------------------------------------------------------------------------------

    def collect(self, markets: Sequence[MarketId], mono_ns: int) -> list[MarketId]:
        """Takes down what can be known of them now; returns those that stand as they are."""
        standing = []
        for name in markets:
            known = self._collect(name, mono_ns)
            if known.same(self._known.get(name)):
                if name not in self._waiting:
                    standing.append(name)
            else:
                self._known[name] = self._waiting[name] = known
        return standing

    def price(self) -> Iterator[list[Ladder]]:
        """Ladders of what was collected, in steps of a millisecond or two: others may have their
        turn between any of them."""
        waiting, self._waiting = self._waiting, {}
        self._in_a_hurry = False
        self._said.update(waiting)
        nothing: list[SplitRow] = [None] * len(_SIZES)
        yield [
            Ladder(name, _data(known, ([], []), (nothing, nothing)))
            for name, known in waiting.items()
            if not known.pools
        ]
        found = {name: known for name, known in waiting.items() if known.pools}
        if found:
            yield from self._priced(found)

    def depth(self, market: MarketId) -> dict[str, Any]:
        """What the ``depth`` key says of a market beside its stamp."""
        known = self._said[market]
        before = self._encoded.get(market, {})
        self._encoded[market] = encoded = {}
        rows = []
        for pool in known.pools:
            place, inputs = pool.place, pool.inputs
            made = before.get((place.venue, place.pool))
            if made is None or made[0] is not inputs:
                row = self._economics[place.venue].encode(inputs)
                made = inputs, orjson.Fragment(orjson.dumps(row))
            encoded[place.venue, place.pool] = made
            rows.append(self._row(pool, made[1]))
        return {"mid": _mid_text(known), "pools": rows, "excluded": known.excluded}

    @staticmethod
    def _row(pool: OpenPool, inputs: orjson.Fragment) -> dict[str, Any]:
        place = pool.place
        return {
            "venue": place.venue,
            "pool": place.pool,
            "decimals": place.decimals,
            "gas_usd": _text(place.gas_usd),
            "execution_fee_usd": _text(place.execution_fee_usd),
            "sides": [side for side, open_ in zip(SIDES, pool.sides, strict=True) if open_],
            "inputs": inputs,
        }

    # From the rows --------------------------------------------------------------------------------

    def _collect(self, market: MarketId, mono_ns: int) -> Known:
        """Only venues that are live in the quote, and only pools whose touch stands."""
        pools: list[OpenPool] = []
        excluded: list[Excluded] = []
        bid: int | None = None
        ask: int | None = None
        for row in self._core.rows_at(market):
            quote = row.quote
            state, reason = row.state()
            if quote is None or not quote.eligible or state != "live":
                said = None if quote is None else quote.reason
                excluded.append({"venue": row.venue, "reason": reason or said or NO_TOUCH})
                continue
            if quote.bid_e18 is not None:
                bid = quote.bid_e18 if bid is None else max(bid, quote.bid_e18)
            if quote.ask_e18 is not None:
                ask = quote.ask_e18 if ask is None else min(ask, quote.ask_e18)
            found = self._pools(row, mono_ns)
            pools += found
            if not found:
                excluded.append({"venue": row.venue, "reason": NO_DEPTH})
        mid = None if bid is None or ask is None else (bid + ask) // 2
        reference = mid or bid or ask or 0
        return Known(tuple(pools), tuple(excluded), mid, reference / E18)

    def _pools(self, row: Row, mono_ns: int) -> list[OpenPool]:
        market, connector = row.market, self._connectors[row.venue]
        if market.kind == "book":
            touch = row.touch
            if touch is None:
                return []
            unit = market.tick.unit_e18 * market.step.unit_e18
            levels = row.book.levels(-(-KEPT_USD * E18 * E18 // unit))
            sides = touch.ask_ticks is not None, touch.bid_ticks is not None
            depths = connector.depth(market, levels, mono_ns)
            return [self._pool(row, depth, MAX_DECIMALS, sides) for depth in depths]
        pools = []
        for depth in connector.depth(market, None, mono_ns):
            quote = None if depth.pool is None else row.pools.get(depth.pool)
            if quote is not None and (quote.ask_e18 is not None or quote.bid_e18 is not None):
                sides = quote.ask_e18 is not None, quote.bid_e18 is not None
                pools.append(self._pool(row, depth, market.tick.decimals, sides))
        return pools

    def _pool(
        self, row: Row, depth: PoolDepth, decimals: int, sides: tuple[bool, bool]
    ) -> OpenPool:
        key = row.venue, depth.pool, decimals
        gas_usd, fee_usd = depth.gas_usd, depth.execution_fee_usd
        place = self._places.get(key)
        # Most markets have the same few, hundreds of times a second.
        if place is None or place.gas_usd != gas_usd or place.execution_fee_usd != fee_usd:
            place = self._places[key] = Place(row.venue, depth.pool, gas_usd, fee_usd, decimals)
        return OpenPool(place, depth.inputs, sides)

    # All at once ----------------------------------------------------------------------------------

    def _priced(self, found: Mapping[MarketId, Known]) -> Iterator[list[Ladder]]:
        places = [[pool.place for pool in known.pools] for known in found.values()]
        pools = [pool for known in found.values() for pool in known.pools]
        reference = np.array([known.reference or np.nan for known in found.values()])
        cells: Cells | None = None
        for made in cell_steps(self._economics, pools, _POINTS):
            yield []
            cells = made
        assert cells is not None
        ranking = rank(cells, _POINTS, places)
        yield []
        names, begin = list(found), 0
        for first in range(0, len(names), SHOWN_AT_ONCE):
            last = first + SHOWN_AT_ONCE
            some = places[first:last]
            end = begin + sum(map(len, some))
            splits = splits_of(cells.part(begin, end), _POINTS, some, reference[first:last])
            yield []
            buys, sells = rows_of(ranking.part(begin, end), some)
            yield [
                Ladder(name, _data(found[name], (buys[at], sells[at]), (bought, sold)))
                for at, (name, bought, sold) in enumerate(
                    zip(names[first:last], *splits, strict=True)
                )
            ]
            begin = end


def _same(one: OpenPool, other: OpenPool) -> bool:
    """Whether the two have the same prices."""
    return (
        one.inputs is other.inputs
        and one.sides == other.sides
        and (one.place is other.place or one.place == other.place)
    )


def _mid_text(known: Known) -> str | None:
    return None if known.mid_e18 is None else format_e18(known.mid_e18)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _data(
    known: Known,
    rows: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    splits: tuple[Sequence[SplitRow], Sequence[SplitRow]],
) -> dict[str, Any]:
    return ladder_data(_SIZES, rows, splits, _mid_text(known), known.excluded)
