"""What the rooms beside ``price`` say: the board, the venues, trades, and the market list. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aggregator.consolidate import Consolidator, VenueTrade
from aggregator.rows import SourceRecord, reason_code
from domain.ids import MarketId, VenueId
from domain.market import Market

# Gravest first: a venue is no better than its worst connection.
_GRAVITY: Final = ("connecting", "stale", "resyncing", "live")


@dataclass(frozen=True, slots=True)
class VenueReport:
    """State of a venue as ``venues`` shows it; ``reason`` begins with a code."""

    state: str
    reason: str | None
    markets: int
    last_frame_us: int | None


def venue_report(consolidator: Consolidator, venue: VenueId, trouble: str | None) -> VenueReport:
    """``trouble``: why the venue's market list cannot be had, if so."""
    sources = list(consolidator.sources_of(venue))
    if not sources:
        return VenueReport("connecting", trouble or "CONNECTING: loading markets", 0, None)
    rows = list(consolidator.rows_of(venue))
    last_frame_us = max((s.last_frame_us or 0 for s in sources), default=0) or None
    states = [_source_state(source) for source in sources]
    worst = min(states, key=lambda item: _GRAVITY.index(item[0]))
    if worst[0] != "live":
        return VenueReport(
            worst[0], _counted(worst[1], [s[0] for s in states], worst[0]), len(rows), last_frame_us
        )
    reasons = Counter(
        reason for state, reason in (row.state() for row in rows if row.status == "open")
        if state != "live"
    )  # fmt: skip
    if not reasons:
        return VenueReport("live", None, len(rows), last_frame_us)
    top = "; ".join(f"{code}: {count} of {len(rows)} markets" for code, count in reasons.items())
    quarantined = sum(row.state()[0] == "quarantined" for row in rows)
    open_rows = sum(row.status == "open" for row in rows)
    state = "quarantined" if quarantined and quarantined == open_rows else "live"
    return VenueReport(state, top, len(rows), last_frame_us)


def _source_state(source: SourceRecord) -> tuple[str, str]:
    if source.state == "live" and source.stale:
        return "stale", "STALE: no proof that its prices are current"
    return source.state, source.reason or source.state.upper()


def _counted(reason: str, states: Sequence[str], state: str) -> str:
    hit = states.count(state)
    if len(states) == 1 or hit == len(states):
        return reason
    return f"{reason} ({hit} of {len(states)} connections)"


def same_trouble(a: VenueReport | None, b: VenueReport) -> bool:
    """Whether the two tell the same; counts in the reason may differ."""
    return same_state(a, b) and a is not None and reason_code(a.reason) == reason_code(b.reason)


def same_state(a: VenueReport | None, b: VenueReport) -> bool:
    """Whether the state lasts. A live venue stays so while it leaves out one market or another."""
    if a is None or a.state != b.state:
        return False
    return a.state == "live" or reason_code(a.reason) == reason_code(b.reason)


def market_rows(consolidator: Consolidator) -> list[dict[str, Any]]:
    """Rows of ``GET /v1/markets``, by name."""
    listed = consolidator.listed()
    return [
        {
            "market": name,
            "base": listed[name][0].base,
            "quote": listed[name][0].quote,
            "open": consolidator.is_open(name),
            "venues": {market.venue: _venue_facts(market) for market in listed[name]},
        }
        for name in sorted(listed)
    ]


def _venue_facts(market: Market) -> Mapping[str, Any]:
    return {
        "symbol": market.symbol,
        "pools": list(market.pools),
        "tick": market.tick.increment,
        "step": market.step.increment,
        "min_notional_usd": market.min_notional_usd,
        "max_leverage": market.max_leverage,
        "chain_ids": list(market.chain_ids),
    }


def trade_rows(trades: Sequence[VenueTrade]) -> Mapping[MarketId, list[dict[str, Any]]]:
    """``trades`` data by market, in order of arrival."""
    rows: dict[MarketId, list[dict[str, Any]]] = {}
    for item in trades:
        rows.setdefault(item.trade.market, []).append(
            {
                "venue": item.venue,
                "id": item.trade.trade_id,
                "price": item.trade.price,
                "size": item.trade.size,
                "side": item.trade.side,
                "time_us": item.trade.time_us,
            }
        )
    return rows
