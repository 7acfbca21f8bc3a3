"""Prices of the stream and terms of the chains put together: touches and states of the markets.

The session of the price stream is the only one to emit: what another connection says of a pool
does not make its price current. The sessions of the chains and of the seed only change the state
here, and the price session tells what came of it at its next frame or timer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Final, TypeAlias

from connectors.base.economics import PoolDepth
from connectors.base.markets import AssetClass
from connectors.gains import constants as c
from connectors.gains.economics.holding import HoldingTerms, hourly
from connectors.gains.economics.inputs import Pool
from connectors.gains.economics.pricing import EXECUTION_FEE_USD
from connectors.gains.economics.quote import available_usd_e18
from connectors.gains.model import Frame
from connectors.gains.state import ChainState
from connectors.gains.touch import PoolTerms, touch_e18
from domain.events import Event, Funding, MarketState, OraclePrice, PoolQuote
from domain.ids import MarketId
from domain.market import Market, MarketStatus
from domain.units import format_decimal, format_e18

Touch: TypeAlias = tuple[int | None, int | None]
"""(bid, ask) e18."""

NOTHING: Final[Touch] = (None, None)
_NEVER_NS: Final = -(2**63)


@dataclass(slots=True)
class Slot:
    """A market at its pair index. Prices are None while not known to be current. Liquidations go by
    ``index_price_e10``, all else by ``mark_e10``. ``streamed``: the stream has spoken of it since
    prices were last dropped. ``terms``: of each pool as the chains were when last looked at, None
    where nobody can trade. ``shown``: the last touch told of each pool, ``held`` the last cost of
    holding, ``inputs`` what sizes were last priced with."""

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
    held: dict[str, Funding] = field(default_factory=dict)
    inputs: dict[str, Pool] = field(default_factory=dict)

    def older_than(self, time_ms: int | None) -> bool:
        """Whether its print is; unknown, as of a seed, is not."""
        return self.print_ms is not None and time_ms is not None and self.print_ms < time_ms


class Board:
    """The markets of one price connection. Owned by the event loop.

    ``seed_wanted``: prices are missing that ``/charts`` has. ``era`` rises when prices are dropped;
    an answer asked for in an earlier one is not used. ``alive_ns``: when the connection last proved
    that its prices are current.
    """

    def __init__(self, slots: Iterable[Slot], chains: Sequence[ChainState]) -> None:
        self._slots = {slot.pair: slot for slot in slots}
        self._slot_of = {slot.market.market: slot for slot in self._slots.values()}
        self._chains = chains
        self._seen: tuple[tuple[int, bool], ...] | None = None
        self._events: list[Event] = []
        self._mended_ns = _NEVER_NS
        self._look_ns = 0
        self._turns = cycle(self._slots.values())
        self._turned_ns = 0
        self.alive_ns = _NEVER_NS
        self.seed_wanted = False
        self.era = 0

    def relist(self, markets: Iterable[Market]) -> None:
        """Takes over what changed of markets that it has: new pools."""
        listed = {market.market: market for market in markets}
        for slot in self._slots.values():
            slot.market = listed.get(slot.market.market, slot.market)
        self._seen = None

    def has(self, market: MarketId) -> bool:
        return market in self._slot_of

    def drain(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def open(self) -> None:
        """A new connection: nothing of the last one holds."""
        self._events.clear()
        self._seen = None
        self.alive_ns = _NEVER_NS
        self._turned_ns = 0
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
        slot.held.clear()
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
                if self._too_old(slot, mono_ns):
                    self._drop(slot, "PRINT_OLD")
                else:
                    oldest_ns = min(oldest_ns, slot.print_ns)
        self._look_ns = oldest_ns + c.PRINT_MAX_AGE_NS + 1

    @staticmethod
    def _too_old(slot: Slot, mono_ns: int) -> bool:
        return (
            slot.asset_class is AssetClass.CRYPTO and mono_ns - slot.print_ns > c.PRINT_MAX_AGE_NS
        )

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
        slot.held.clear()

    # Sizes and holding --------------------------------------------------------------------------

    def depth(self, market: MarketId, mono_ns: int) -> Sequence[PoolDepth]:
        """The pools of a market that can be priced at a size now, by what their touch goes by."""
        slot = self._slot_of.get(market)
        if slot is None or mono_ns - self.alive_ns > c.FRAME_MAX_AGE_NS:
            return ()
        return [
            PoolDepth(pool, inputs, execution_fee_usd=EXECUTION_FEE_USD)
            for _, pool, inputs, _ in self._priced(slot, mono_ns)
        ]

    def _priced(
        self, slot: Slot, mono_ns: int
    ) -> Iterator[tuple[ChainState, str, Pool, HoldingTerms]]:
        mark = slot.mark_e10
        if mark is None or slot.status != "open" or self._too_old(slot, mono_ns):
            return
        for chain in self._chains:
            views = chain.views(slot.pair, slot.market.symbol) if chain.usable(mono_ns) else {}
            for pool, (state, holding) in views.items():
                if slot.terms.get(pool) is None:
                    continue
                inputs = slot.inputs.get(pool)
                if inputs is None or inputs.mark_e10 != mark or inputs.state is not state:
                    inputs = slot.inputs[pool] = Pool(mark, state)
                yield chain, pool, inputs, holding

    def tell_holding(self, mono_ns: int, now_s: int) -> None:
        """What holding costs in the pools of the markets whose turn it is."""
        step_ns = c.HOLDING_NS // max(len(self._slots), 1)
        due = (mono_ns - self._turned_ns) // step_ns
        self._turned_ns = self._turned_ns + due * step_ns if due <= c.HOLDING_AT_ONCE else mono_ns
        for slot in islice(self._turns, min(due, c.HOLDING_AT_ONCE)):
            for chain, pool, inputs, terms in self._priced(slot, mono_ns):
                cost = _cost(slot.market.market, chain.chain_id, pool, inputs, terms, now_s)
                if cost is not None and slot.held.get(pool) != cost:
                    slot.held[pool] = cost
                    self._events.append(cost)


def _cost(
    market: MarketId, chain_id: int, pool: str, inputs: Pool, terms: HoldingTerms, now_s: int
) -> Funding | None:
    """None where the chain's blocks are of unknown length."""
    block_ms = c.BLOCK_MS.get(chain_id)
    if block_ms is None:
        return None
    cost = hourly(terms, inputs, now_s, c.HOUR_MS // block_ms)
    raw = format_decimal(cost.funding_long_e20, 20)
    short_raw = format_decimal(cost.funding_short_e20, 20)
    usd = [inputs.state.collateral.usd_e18(amount) for amount in (cost.long_oi, cost.short_oi)]
    usd += [available_usd_e18(inputs, long=long) for long in (True, False)]
    oi_long, oi_short, available_long, available_short = map(format_e18, usd)
    return Funding(
        market,
        raw,
        1,
        None,
        oi_long,
        oi_short,
        pool,
        None if short_raw == raw else short_raw,
        format_decimal(cost.borrowing_long_e12, 12),
        format_decimal(cost.borrowing_short_e12, 12),
        available_long,
        available_short,
    )
