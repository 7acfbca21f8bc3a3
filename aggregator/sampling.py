"""Which prices become history: of each market and venue the last one of every quarter of a second
in which it changed, and once a minute also one that stands. Pure."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from domain.candles import BEST, MINUTE_US, bucket
from domain.ids import MarketId
from domain.quote import BestQuote

SAMPLE_US: Final = 250_000
SLOTS_BOUND: Final = 40
"""Slots not taken yet; of more the two oldest become one."""


class Slot(NamedTuple):
    """The newest quote of every market that changed, in the quarter of a second from ``at_us``."""

    at_us: int
    quotes: dict[MarketId, BestQuote]


class Sample(NamedTuple):
    """The mids of one market that are worth a tick: by venue, and ``BEST``. 1e-18 quote units."""

    market: MarketId
    mids: dict[str, int]


class Sampler:
    """``offer`` every quote, which costs next to nothing; take ``close`` now and then and
    ``samples`` of every slot in its order."""

    def __init__(self) -> None:
        self._slot_us = 0
        self._dirty: dict[MarketId, BestQuote] = {}
        self._closed: deque[Slot] = deque()
        self._standing: dict[MarketId, BestQuote] = {}
        self._said: dict[MarketId, dict[str, int]] = {}
        self._minute_us = 0

    def offer(self, best: BestQuote, now_us: int) -> None:
        slot_us = now_us - now_us % SAMPLE_US
        if slot_us != self._slot_us:
            self._turn(slot_us)
        self._dirty[best.market] = best

    def close(self, now_us: int) -> list[Slot]:
        """The slots that are over."""
        slot_us = bucket(now_us, SAMPLE_US)
        if slot_us != self._slot_us:
            self._turn(slot_us)
        taken = list(self._closed)
        self._closed.clear()
        return taken

    def _turn(self, slot_us: int) -> None:
        if self._slot_us:
            self._closed.append(Slot(self._slot_us, self._dirty))
            if len(self._closed) > SLOTS_BOUND:
                older = self._closed.popleft()
                next_one = self._closed[0]
                self._closed[0] = Slot(next_one.at_us, older.quotes | next_one.quotes)
        self._slot_us = slot_us
        self._dirty = {}

    @property
    def standing(self) -> Sequence[BestQuote]:
        """The newest quote of every market that has a price, as of the last slot read."""
        return list(self._standing.values())

    def samples(self, slot: Slot) -> Iterator[Sample]:
        """To be read to its end. Every price that stands is said again in the first slot of a
        minute, so that a minute without a candle is one without a price."""
        self._standing.update(slot.quotes)
        minute_us = bucket(slot.at_us, MINUTE_US)
        again = minute_us != self._minute_us
        self._minute_us = minute_us
        for market, best in list((self._standing if again else slot.quotes).items()):
            mids = _mids(best)
            said = self._said.get(market, {})
            self._said[market] = mids
            if not mids:
                del self._standing[market], self._said[market]
            elif again:
                yield Sample(market, mids)
            elif mids != said:
                changed = {venue: mid for venue, mid in mids.items() if said.get(venue) != mid}
                if changed:
                    yield Sample(market, changed)


def _mids(best: BestQuote) -> dict[str, int]:
    """Half of bid + ask where both sides are there, as the ``price`` envelope says it."""
    mids: dict[str, int] = {}
    bid, ask = best.bid_e18, best.ask_e18
    if bid is not None and ask is not None and bid + ask > 1:
        mids[BEST] = (bid + ask) // 2
    for quote in best.quotes:
        bid, ask = quote.bid_e18, quote.ask_e18
        if quote.state == "live" and bid is not None and ask is not None and bid + ask > 1:
            mids[quote.venue] = (bid + ask) // 2
    return mids
