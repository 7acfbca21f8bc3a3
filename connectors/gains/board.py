"""Prices of the stream and terms of the chains put together: touches and states of the markets.

The session of the price stream is the only one to emit: what another connection says of a pool
does not make its price current. The sessions of the chains and of the seed only change the state
here, and the price session tells what came of it at its next frame or timer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from connectors.base.markets import AssetClass
from connectors.gains import constants as c
from connectors.gains.model import Frame
from connectors.gains.state import ChainState
from connectors.gains.touch import PoolTerms, touch_e18
from domain.events import Event, MarketState, OraclePrice, PoolQuote
from domain.ids import MarketId
from domain.market import Market, MarketStatus

Touch: TypeAlias = tuple[int | None, int | None]
"""(bid, ask) e18."""

NOTHING: Final[Touch] = (None, None)


@dataclass(slots=True)
class Slot:
    """A market at its pair index. Prices are None while not known to be current. Liquidations go by
    ``index_price_e10``, all else by ``mark_e10``. ``streamed``: the stream has spoken of it since
    prices were last dropped. ``terms``: of each pool as the chains were when last looked at, None
    where nobody can trade. ``shown``: the last touch told of each pool."""

    market: Market
    pair: int
    asset_class: AssetClass
    mark_e10: int | None = None
    index_price_e10: int | None = None
    print_ns: int = 0
    print_ms: int | None = None
    streamed: bool = False
    status: MarketStatus | None = None
    reason: str | None = None
    terms: dict[str, PoolTerms | None] = field(default_factory=dict)
    shown: dict[str, Touch] = field(default_factory=dict)

    def older_than(self, time_ms: int | None) -> bool:
        """Whether its print is; unknown, as of a seed, is not."""
        return self.print_ms is not None and time_ms is not None and self.print_ms < time_ms


class Board:
    """The markets of one price connection. Owned by the event loop.

    ``seed_wanted``: prices are missing that ``/charts`` has. ``era`` rises when prices are dropped;
    an answer asked for in an earlier one is not used.
    """

    def __init__(self, slots: Iterable[Slot], chains: Sequence[ChainState]) -> None:
        self._slots = {slot.pair: slot for slot in slots}
        self._chains = chains
        self._seen: tuple[tuple[int, bool], ...] | None = None
        self._events: list[Event] = []
        self._mended_ns = -(2**63)
        self._look_ns = 0
        self.seed_wanted = False
        self.era = 0

    def relist(self, markets: Iterable[Market]) -> None:
        """Takes over what changed of markets that it has: new pools."""
        listed = {market.market: market for market in markets}
        for slot in self._slots.values():
            slot.market = listed.get(slot.market.market, slot.market)
        self._seen = None

    def has(self, market: MarketId) -> bool:
        return any(slot.market.market == market for slot in self._slots.values())

    def drain(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def open(self) -> None:
        """A new connection: nothing of the last one holds."""
        self._events.clear()
        self._seen = None
        for slot in self._slots.values():
            slot.status = None
        self.drop_all("NO_PRICE")

    def drop_all(self, reason: str) -> None:
        """Any price may have changed unseen."""
        self.era += 1
        self.seed_wanted = True
        for slot in self._slots.values():
            slot.streamed = False
            self._drop(slot, reason)

    def _drop(self, slot: Slot, reason: str) -> None:
        slot.mark_e10 = slot.index_price_e10 = slot.print_ms = None
        slot.shown.clear()
        self._events.append(MarketState(slot.market.market, trusted=False, reason=reason))

    def take(self, frame: Frame, mono_ns: int, *, late: bool = False) -> None:
        """The prices of a frame; of a pair named twice the last. One that cannot be read casts
        doubt on its pair, not on the connection: the venue may have no price for it. A ``late``
        frame is only used where it is newer than the last print of the pair."""
        for pair, price in () if late else frame.indices:
            slot = self._slots.get(pair)
            if slot is not None:
                slot.index_price_e10 = price
        for pair, price in frame.marks:
            slot = self._slots.get(pair)
            if slot is None or (late and not slot.older_than(frame.time_ms)):
                continue
            slot.streamed = True
            if price is None:
                self._drop(slot, "BAD_PRICE")
                if mono_ns - self._mended_ns >= c.SEED_SPACING_NS:
                    self._mended_ns = mono_ns
                    self.era += 1
                    self.seed_wanted = True
                slot.streamed = False
                continue
            slot.mark_e10, slot.print_ns, slot.print_ms = price, mono_ns, frame.time_ms
            self._show(slot, everything=True)

    def seed(
        self, marks: Sequence[int | None], indices: Sequence[int | None], mono_ns: int
    ) -> None:
        """Latest prices by pair index. The stream is newer wherever it has spoken."""
        self.seed_wanted = False
        for slot in self._slots.values():
            mark = marks[slot.pair] if slot.pair < len(marks) else None
            if slot.streamed or mark is None or slot.status not in (None, "open"):
                continue
            slot.mark_e10, slot.print_ns, slot.print_ms = mark, mono_ns, None
            if slot.index_price_e10 is None and slot.pair < len(indices):
                slot.index_price_e10 = indices[slot.pair]
        self._seen = None

    def refresh(self, mono_ns: int, wall_us: int) -> None:
        """What became of the chains and of time."""
        for chain in self._chains:
            chain.settle(wall_us // 1_000_000)
        seen = tuple((chain.version, chain.usable(mono_ns)) for chain in self._chains)
        if seen != self._seen:
            self._seen = seen
            for slot in self._slots.values():
                self._update(slot, mono_ns)
            self._look_ns = mono_ns
        if mono_ns >= self._look_ns:
            self._drop_old(mono_ns)

    def _drop_old(self, mono_ns: int) -> None:
        """Prints that are too old go; the oldest that stays says when to look again, because those
        to come are newer."""
        oldest_ns = mono_ns
        for slot in self._slots.values():
            if (
                slot.asset_class is AssetClass.CRYPTO
                and slot.mark_e10 is not None
                and slot.status == "open"
            ):
                if mono_ns - slot.print_ns > c.PRINT_MAX_AGE_NS:
                    self._drop(slot, "PRINT_OLD")
                else:
                    oldest_ns = min(oldest_ns, slot.print_ns)
        self._look_ns = oldest_ns + c.PRINT_MAX_AGE_NS + 1

    def _update(self, slot: Slot, mono_ns: int) -> None:
        status, reason = self._status(slot, mono_ns)
        if status is not None and (status, reason) != (slot.status, slot.reason):
            before, slot.status, slot.reason = slot.status, status, reason
            if status != "open":
                slot.mark_e10 = None
                self._withdraw(slot)
            elif before is not None and mono_ns - slot.print_ns > c.REOPEN_MAX_AGE_NS:
                # It is from before the market closed.
                self._drop(slot, "NO_PRICE")
            self._events.append(MarketState(slot.market.market, status, reason=reason))
        slot.terms = self._terms(slot, mono_ns)
        self._show(slot, everything=False)

    def _status(self, slot: Slot, mono_ns: int) -> tuple[MarketStatus | None, str | None]:
        """Open if any chain takes orders; None while too few chains are known to tell."""
        closed, halt, unknown = False, None, False
        for chain in self._chains:
            if not chain.usable(mono_ns):
                unknown = True
            elif chain.pools(slot.pair, slot.market.symbol):
                if chain.halt is not None:
                    halt = chain.halt
                elif chain.is_open(slot.asset_class):
                    return "open", None
                else:
                    closed = True
        if closed:
            return "closed", "HOURS"
        if halt is not None:
            return "halted", halt
        return (None, None) if unknown else ("halted", "NOT_LISTED")

    def _show(self, slot: Slot, *, everything: bool) -> None:
        """Tells the touches, those that changed or ``everything``."""
        mark = slot.mark_e10
        if mark is None or slot.status != "open":
            return
        market, time_ms, shown, events = slot.market.market, slot.print_ms, slot.shown, self._events
        if everything or not shown:
            events.append(OraclePrice(market, mark * c.PRICE_TO_E18, time_ms))
        last, touch = None, NOTHING
        for pool, terms in slot.terms.items():
            # Collaterals of a chain differ by their skew only, and many pairs have none.
            if terms != last:
                last, touch = terms, NOTHING if terms is None else touch_e18(mark, terms)
            if (everything and touch != NOTHING) or shown.get(pool) != touch:
                shown[pool] = touch
                # Half the time of calling the class, for hundreds of a frame.
                quote = (market, pool, touch[0], touch[1], None, None, time_ms)
                events.append(tuple.__new__(PoolQuote, quote))

    def _terms(self, slot: Slot, mono_ns: int) -> dict[str, PoolTerms | None]:
        """Of every pool the market has; None for those that nobody can trade in."""
        found: dict[str, PoolTerms | None] = dict.fromkeys(slot.market.pools)
        for chain in self._chains:
            if (
                not chain.usable(mono_ns)
                or chain.halt is not None
                or not chain.is_open(slot.asset_class)
            ):
                continue
            for pool, terms in chain.pools(slot.pair, slot.market.symbol).items():
                if pool in found:
                    found[pool] = terms
        return found

    def _withdraw(self, slot: Slot) -> None:
        """No price in any pool that had one."""
        for pool, touch in slot.shown.items():
            if touch != NOTHING:
                self._events.append(
                    PoolQuote(slot.market.market, pool, None, None, None, None, slot.print_ms)
                )
        slot.shown.clear()
