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
from connectors.gains.touch import fill_e10
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
    prices were last dropped. ``shown``: the last touch told of each pool."""

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
    shown: dict[str, Touch] = field(default_factory=dict)


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
        self.seed_wanted = False
        self.era = 0

    def relist(self, markets: Iterable[Market]) -> None:
        """Takes over what changed of markets that it has: new pools."""
        listed = {market.market: market for market in markets}
        for slot in self._slots.values():
            slot.market = listed.get(slot.market.market, slot.market)

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
        slot.mark_e10 = slot.index_price_e10 = None
        slot.shown.clear()
        self._events.append(MarketState(slot.market.market, trusted=False, reason=reason))

    def take(self, frame: Frame, mono_ns: int) -> None:
        """The prices of a frame; of a pair named twice the last. One that cannot be read casts
        doubt on its pair, not on the connection: the venue may have no price for it."""
        for pair, price in frame.indices:
            slot = self._slots.get(pair)
            if slot is not None:
                slot.index_price_e10 = price
        for pair, price in frame.marks:
            slot = self._slots.get(pair)
            if slot is None:
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
            self._show(slot, mono_ns, everything=True)

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
        for slot in self._slots.values():
            if (
                slot.asset_class is AssetClass.CRYPTO
                and slot.mark_e10 is not None
                and slot.status == "open"
                and mono_ns - slot.print_ns > c.PRINT_MAX_AGE_NS
            ):
                self._drop(slot, "PRINT_OLD")

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
        self._show(slot, mono_ns, everything=False)

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

    def _show(self, slot: Slot, mono_ns: int, *, everything: bool) -> None:
        """Tells the touches, those that changed or ``everything``."""
        mark = slot.mark_e10
        if mark is None or slot.status != "open":
            return
        market = slot.market.market
        if everything or not slot.shown:
            price_e18 = mark * c.PRICE_TO_E18
            self._events.append(OraclePrice(market, price_e18, slot.print_ms))
        for pool, touch in self._touches(slot, mark, mono_ns).items():
            if slot.shown.get(pool) != touch or (everything and touch != NOTHING):
                slot.shown[pool] = touch
                quote = PoolQuote(market, pool, *touch, None, None, slot.print_ms)
                self._events.append(quote)

    def _touches(self, slot: Slot, mark_e10: int, mono_ns: int) -> dict[str, Touch]:
        """Of every pool the market has; those that nobody can trade in have no price."""
        touches = dict.fromkeys(slot.market.pools, NOTHING)
        for chain in self._chains:
            if (
                not chain.usable(mono_ns)
                or chain.halt is not None
                or not chain.is_open(slot.asset_class)
            ):
                continue
            for pool, terms in chain.pools(slot.pair, slot.market.symbol).items():
                if terms is not None and pool in touches:
                    bid, ask = fill_e10(mark_e10, terms.bid_p), fill_e10(mark_e10, terms.ask_p)
                    touches[pool] = _e18(bid), _e18(ask)
        return touches

    def _withdraw(self, slot: Slot) -> None:
        """No price in any pool that had one."""
        for pool, touch in slot.shown.items():
            if touch != NOTHING:
                self._events.append(
                    PoolQuote(slot.market.market, pool, None, None, None, None, slot.print_ms)
                )
        slot.shown.clear()


def _e18(price_e10: int | None) -> int | None:
    return None if price_e10 is None else price_e10 * c.PRICE_TO_E18
