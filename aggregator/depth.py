"""What trades of every market can be priced with, a slice of them at a time. Pure: what is asked
at the same moments gives the same, live or replayed."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aggregator.consolidate import Consolidator
from aggregator.rows import Row
from connectors.base.economics import PoolDepth
from connectors.base.ladders import NO_TOUCH, OpenPool
from connectors.base.protocol import VenueConnector
from domain.ids import MarketId, VenueId
from domain.ladder import MAX_DECIMALS, Place
from domain.quote import BestQuote
from domain.units import E18

AT_ONCE: Final = 5
"""Markets of a slice."""
TOGETHER: Final = 64
"""Markets that are taken at once, at most."""
MOST_HURRIED: Final = 16
"""Markets that a slice takes out of turn: a venue that goes takes hundreds with it."""
KEPT_USD: Final = 1_200_000
"""Levels of a book that are worth more are left out: the largest size and some more."""

NO_DEPTH: Final = "NO_DEPTH"
"""The venue is live, but nothing is known of what a size costs there."""

Excluded = Mapping[str, str | None]


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


class Depths:
    """``collect`` the markets that are ``due``, in ``slices`` a round, which has every market once;
    ``take`` what then has to be priced, and again when that is done."""

    def __init__(self, core: Consolidator, connectors: Sequence[VenueConnector]) -> None:
        self._core = core
        self._connectors = {connector.venue: connector for connector in connectors}
        self._known: dict[MarketId, Known] = {}
        self._waiting: dict[MarketId, Known] = {}
        self._taken: dict[MarketId, Known] = {}
        self.slices = 1
        self._turns: list[list[MarketId]] = []
        self._turn = 0
        self._places: dict[tuple[VenueId, str | None, int], Place] = {}
        self._hurried: dict[MarketId, None] = {}

    # When -----------------------------------------------------------------------------------------

    def due(self) -> list[MarketId]:
        """The markets of the next slice."""
        self._turn += 1
        if self._turn >= len(self._turns):
            names, self._turn = self._core.market_names(), 0
            self._turns = [names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE)]
            self.slices = max(1, len(self._turns))
        turn = self._turns[self._turn] if self._turns else []
        hurried = [name for name in self._hurried if name not in turn][:MOST_HURRIED]
        for name in (*hurried, *turn):
            self._hurried.pop(name, None)
        return hurried + turn

    def halfway(self) -> list[MarketId]:
        """Markets that were due half a round ago and whose ladder stands: it has to live until
        another is made."""
        if not self._turns:
            return []
        names = self._turns[self._turn - len(self._turns) // 2]
        return [name for name in names if name in self._known and not self._is_being_made(name)]

    def notice(self, best: BestQuote) -> None:
        """A venue that is no longer live does not stay in a ladder until its turn comes."""
        known = self._known.get(best.market)
        if known is not None and known.pools:
            live = {quote.venue for quote in best.quotes if quote.eligible}
            if any(pool.place.venue not in live for pool in known.pools):
                self._hurried[best.market] = None

    def forget_said(self) -> None:
        """Every market is priced again when its turn comes."""
        self._known.clear()

    # What -----------------------------------------------------------------------------------------

    def collect(self, markets: Sequence[MarketId], mono_ns: int) -> list[MarketId]:
        """Takes down what can be known of them now; returns those whose ladder stands as it is."""
        standing = []
        for name in markets:
            known = self._collect(name, mono_ns)
            if known.same(self._known.get(name)):
                if not self._is_being_made(name):
                    standing.append(name)
            else:
                self._known[name] = self._waiting[name] = known
        return standing

    def _is_being_made(self, name: MarketId) -> bool:
        return name in self._waiting or name in self._taken

    def take(self) -> dict[MarketId, Known]:
        """What was collected of some markets and not yet taken, the newest of each."""
        names = list(self._waiting)[:TOGETHER]
        self._taken = {name: self._waiting.pop(name) for name in names}
        return self._taken

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


def _same(one: OpenPool, other: OpenPool) -> bool:
    """Whether the two have the same prices."""
    return (
        one.inputs is other.inputs
        and one.sides == other.sides
        and (one.place is other.place or one.place == other.place)
    )
