"""What the ``funding`` room says: what holding a position costs at every venue, on one scale."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from aggregator.consolidate import Consolidator
from domain import exact
from domain.events import Funding
from domain.funding import FundingRate, per_hour
from domain.ids import MarketId, VenueId
from domain.units import minimal
from runtime.channels import FUNDING_SHARES, share_of
from runtime.clock import iso_ms

_ZERO: Final = Decimal(0)

Told = tuple[tuple[VenueId, tuple[Funding, ...]], ...]


class FundingBoard:
    """Rows of all markets in shares: take ``turn`` again and again."""

    def __init__(self, core: Consolidator) -> None:
        self.share = 0
        self._core = core
        self._told: dict[MarketId, Told] = {}
        self._rows: dict[MarketId, orjson.Fragment] = {}

    def forget_said(self) -> None:
        """Every row counts as changed when its turn comes."""
        self._told.clear()

    def turn(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Of the next ``share`` of the markets the rows that changed, and all there are. A venue
        that is away has no part in a row, and a market that nobody lists any more an empty one."""
        share, self.share = self.share, (self.share + 1) % FUNDING_SHARES
        names = {
            name for name in self._core.market_names() if share_of(name, FUNDING_SHARES) == share
        }
        gone = [name for name in self._rows if share_of(name, FUNDING_SHARES) == share]
        changed: dict[str, Any] = {}
        for name in gone:
            if name not in names:
                del self._rows[name]
                self._told.pop(name, None)
                changed[name] = {}
        for name in sorted(names):
            told = self._told_of(name)
            if self._told.get(name) != told and (told or name in self._rows):
                self._told[name] = told
                row = {venue: venue_row(fundings) for venue, fundings in told}
                changed[name] = self._rows[name] = orjson.Fragment(orjson.dumps(row))
        return changed, {name: self._rows[name] for name in sorted(names) if name in self._rows}

    def _told_of(self, market: MarketId) -> Told:
        rows = ((row.venue, row.funding_shown) for row in self._core.rows_at(market))
        return tuple((venue, shown) for venue, shown in rows if shown)


def venue_row(fundings: Sequence[Funding]) -> dict[str, Any]:
    """Of the pool with the largest open interest, the first of equals; ``pools`` has all."""
    row = pool_row(max(fundings, key=_interest))
    row["pools"] = [pool_row(item) for item in fundings if item.pool is not None]
    return row


def _interest(funding: Funding) -> Decimal:
    sides = funding.oi_long_usd, funding.oi_short_usd
    return exact.added(*(_ZERO if side is None else Decimal(side) for side in sides))


def pool_row(funding: Funding) -> dict[str, Any]:
    hours = funding.interval_hours
    rate = FundingRate(Decimal(funding.raw), hours)
    short = funding.raw if funding.short_raw is None else funding.short_raw
    next_at_ms = funding.next_at_ms
    return {
        "raw": funding.raw,
        "interval_hours": hours,
        "per_hour": minimal(rate.per_hour),
        "per_8h": minimal(rate.per_8h),
        "apr": minimal(rate.apr),
        "next_at": None if next_at_ms is None else iso_ms(next_at_ms * 1000),
        "oi_long_usd": funding.oi_long_usd,
        "oi_short_usd": funding.oi_short_usd,
        "pool": funding.pool,
        "short_per_hour": _hourly(short, hours),
        "borrow_long_per_hour": _hourly(funding.borrow_long_raw, hours),
        "borrow_short_per_hour": _hourly(funding.borrow_short_raw, hours),
        "available_long_usd": funding.available_long_usd,
        "available_short_usd": funding.available_short_usd,
    }


def _hourly(raw: str | None, interval_hours: int) -> str | None:
    return None if raw is None else minimal(per_hour(Decimal(raw), interval_hours, "up"))
