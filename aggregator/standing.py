"""What stands at regular times: how wide every touch is and how far apart the mids are, every ten
seconds; what holding costs, every five minutes. Only of venues that are live then. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from domain.candles import BEST, MINUTE_US, SECOND_US, bucket
from domain.events import Funding
from domain.funding import per_hour
from domain.ids import MarketId, VenueId
from domain.quote import BestQuote
from domain.units import minimal

SPREAD_US: Final = 10 * SECOND_US
FUNDING_US: Final = 5 * MINUTE_US

_NULL: Final = "\\N"


class Due(NamedTuple):
    """The times of what has to be sampled now, None for what has not."""

    spreads_us: int | None
    funding_us: int | None


class Standing:
    """``offer`` what venues say of funding; ask ``due`` in the order of time, then for the lines of
    every market."""

    def __init__(self) -> None:
        self._funding: dict[tuple[VenueId, MarketId], dict[str, Funding]] = {}
        self._spreads_us = self._funding_us = 0

    def offer(self, venue: VenueId, event: Funding) -> None:
        self._funding.setdefault((venue, event.market), {})[event.pool or ""] = event

    def due(self, at_us: int) -> Due:
        """Each time once, also where the first moment of it was missed."""
        spreads_us, funding_us = bucket(at_us, SPREAD_US), bucket(at_us, FUNDING_US)
        before = self._spreads_us, self._funding_us
        self._spreads_us = max(spreads_us, before[0])
        self._funding_us = max(funding_us, before[1])
        return Due(
            spreads_us if spreads_us > before[0] else None,
            funding_us if funding_us > before[1] else None,
        )

    def funding(self, best: BestQuote) -> Iterator[tuple[str, ...]]:
        """Columns of ``funding_samples`` without the time, as COPY text."""
        for quote in best.quotes:
            known = self._funding.get((quote.venue, best.market)) if quote.eligible else None
            pools = {pool.pool for pool in quote.pools}
            for name, event in (known or {}).items():
                if not name or name in pools:
                    yield str(best.market), str(quote.venue), name, *_rates(event)


def spreads(best: BestQuote) -> Iterator[tuple[str, ...]]:
    """Columns of ``spread_samples`` without the time, as COPY text; none without a mid."""
    bid, ask = best.bid_e18, best.ask_e18
    if bid is None or ask is None or bid + ask <= 0:
        return
    middle = bid + ask
    yield str(best.market), BEST, _bps(ask - bid, middle), "0"
    for quote in best.quotes:
        low, high = quote.bid_e18, quote.ask_e18
        if quote.eligible and low is not None and high is not None and low + high > 0:
            offset = low + high - middle
            width = _bps(high - low, low + high)
            yield str(best.market), str(quote.venue), width, _bps(offset, 2 * middle)


def _bps(difference: int, twice_the_price: int) -> str:
    return f"{difference / twice_the_price * 20_000:.4f}"


def _rates(event: Funding) -> tuple[str, ...]:
    hours = event.interval_hours
    short = event.raw if event.short_raw is None else event.short_raw
    return (
        _hourly(event.raw, hours),
        _hourly(short, hours),
        _hourly(event.borrow_long_raw, hours),
        _hourly(event.borrow_short_raw, hours),
        event.oi_long_usd or _NULL,
        event.oi_short_usd or _NULL,
    )


def _hourly(raw: str | None, interval_hours: int) -> str:
    return _NULL if raw is None else minimal(per_hour(Decimal(raw), interval_hours, "up"))
