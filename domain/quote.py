"""Quotes: what one venue shows of a market now, and the best over all venues."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from domain.events import PoolQuote
from domain.ids import MarketId, VenueId
from domain.market import MarketKind
from domain.units import format_e18

VenueState = Literal[
    "connecting", "live", "resyncing", "stale", "quarantined", "closed", "halted"
]  # fmt: skip
Cause = Literal["frame", "timer", "status"]


class VenueQuote(NamedTuple):
    """One venue's touch. Prices and sizes are None unless ``state`` is ``live``. A named tuple, as
    the best quote is, because three are made for every change of a market.

    ``bid_e18``, ``ask_e18``: quote currency x 1e18. Sizes: base units as decimal strings.
    ``price_us``: wall clock at which the frame that last set the touch arrived.
    ``dropped``: levels passed over to uncross the book. ``reason``: a code, why it is not live.
    ``pool``: the one whose touch this is, of ``pools``.
    """

    venue: VenueId
    state: VenueState
    reason: str | None
    kind: MarketKind
    pool: str | None
    bid_e18: int | None
    ask_e18: int | None
    bid_size: str | None
    ask_size: str | None
    price_us: int | None
    dropped: int = 0
    pools: tuple[PoolQuote, ...] = ()

    @property
    def eligible(self) -> bool:
        return self.state == "live"


class BestQuote(NamedTuple):
    """Best bid and ask over the eligible venues; ``quotes`` holds every venue in its order.

    ``disagree``: there are only two, too far apart for both to be right, and nothing tells which.
    """

    market: MarketId
    bid: VenueQuote | None
    ask: VenueQuote | None
    quotes: tuple[VenueQuote, ...]
    change_24h: float | None
    cause: Cause
    received_us: int
    disagree: bool = False

    @property
    def bid_e18(self) -> int | None:
        return None if self.bid is None else self.bid.bid_e18

    @property
    def ask_e18(self) -> int | None:
        return None if self.ask is None else self.ask.ask_e18

    @property
    def live(self) -> bool:
        """Whether there is any price at all."""
        return self.bid is not None or self.ask is not None

    @property
    def crossed(self) -> bool:
        """The best bid is above the best ask. Equal is no error: an oracle may have no width."""
        bid, ask = self.bid_e18, self.ask_e18
        return bid is not None and ask is not None and bid > ask

    @property
    def mid(self) -> str | None:
        """Exact decimal string; None unless both sides exist."""
        bid, ask = self.bid_e18, self.ask_e18
        # The half of an odd sum needs one digit more than 1e-18; venues' ticks never reach it.
        return None if bid is None or ask is None else format_e18((bid + ask) // 2)

    @property
    def confidence_bps(self) -> float | None:
        """Half the width, in bps of ``mid``, of what around it holds the mid of every venue the
        price is made of; 4 decimals. None where fewer than two venues have both sides."""
        bid, ask = self.bid_e18, self.ask_e18
        if bid is None or ask is None:
            return None
        middle = bid + ask
        offsets = [
            quote.bid_e18 + quote.ask_e18 - middle
            for quote in self.quotes
            if quote.state == "live" and quote.bid_e18 is not None and quote.ask_e18 is not None
        ]
        if len(offsets) < 2:
            return None
        return round(max(max(offsets), -min(offsets)) / middle * 10_000, 4)

    @property
    def age_ms(self) -> Mapping[VenueId, int]:
        """How old the price of each venue was, when what caused this quote arrived."""
        times = {
            quote.venue: quote.price_us
            for quote in self.quotes
            if quote.state == "live" and quote.price_us is not None
        }
        now_us = self.received_us or max(times.values(), default=0)
        return {
            venue: (now_us - price_us) // 1000 if now_us > price_us else 0
            for venue, price_us in times.items()
        }

    @property
    def spread_bps(self) -> float | None:
        """(ask - bid) / mid in bps, 4 decimals; negative when crossed."""
        bid, ask = self.bid_e18, self.ask_e18
        if bid is None or ask is None:
            return None
        return round((ask - bid) / (ask + bid) * 20_000, 4)


def best_of(
    market: MarketId,
    quotes: tuple[VenueQuote, ...],
    change_24h: float | None,
    cause: Cause,
    received_us: int,
    *,
    disagree: bool = False,
) -> BestQuote:
    """The consolidated quote. ``quotes`` stands in venue order, which decides equal prices."""
    bid = ask = None
    highest = lowest = 0
    for quote in quotes:
        if quote.state != "live":
            continue
        price = quote.bid_e18
        if price is not None and (bid is None or price > highest):
            bid, highest = quote, price
        price = quote.ask_e18
        if price is not None and (ask is None or price < lowest):
            ask, lowest = quote, price
    return BestQuote(market, bid, ask, quotes, change_24h, cause, received_us, disagree)


def _price(value_e18: int | None) -> str | None:
    return None if value_e18 is None else format_e18(value_e18)


def price_data(
    best: BestQuote, shown: Callable[[VenueQuote], object] | None = None
) -> Mapping[str, object]:
    """``data`` of the ``price`` envelope. ``shown``: in place of ``venue_data``, for who has it
    already."""
    shown = shown or venue_data
    bid, ask, quotes = best.bid, best.ask, best.quotes
    return {
        "bid": _price(best.bid_e18),
        "bid_venue": None if bid is None else bid.venue,
        "bid_size": None if bid is None else bid.bid_size,
        "ask": _price(best.ask_e18),
        "ask_venue": None if ask is None else ask.venue,
        "ask_size": None if ask is None else ask.ask_size,
        "mid": best.mid,
        "spread_bps": best.spread_bps,
        "crossed": best.crossed,
        "quality": {
            "venues": sum([quote.state == "live" for quote in quotes]),
            "excluded": [
                {"venue": quote.venue, "reason": quote.reason}
                for quote in quotes
                if quote.state != "live"
            ],
            "disagree": best.disagree,
            "confidence_bps": best.confidence_bps,
            "age_ms": best.age_ms,
        },
        "venues": {quote.venue: shown(quote) for quote in quotes},
    }


def venue_data(quote: VenueQuote) -> Mapping[str, object]:
    """One of ``venues`` in the ``price`` envelope."""
    data: dict[str, object] = {
        "bid": _price(quote.bid_e18),
        "ask": _price(quote.ask_e18),
        "kind": quote.kind,
        "pool": quote.pool,
        "price_us": quote.price_us,
        "state": quote.state,
    }
    if quote.kind == "book":
        data["dropped_levels"] = quote.dropped
    else:
        data["pools"] = [
            {
                "pool": pool,
                "bid": _price(bid),
                "ask": _price(ask),
                "bid_size": bid_size,
                "ask_size": ask_size,
            }
            for _, pool, bid, ask, bid_size, ask_size, _ in quote.pools
        ]
    return data


def board_data(best: BestQuote) -> Mapping[str, object]:
    """A row of the ``prices`` envelope."""
    return {
        "bid": _price(best.bid_e18),
        "ask": _price(best.ask_e18),
        "bid_venue": best.bid.venue if best.bid else None,
        "ask_venue": best.ask.venue if best.ask else None,
        "spread_bps": best.spread_bps,
        "crossed": best.crossed,
        "change_24h": best.change_24h,
    }
