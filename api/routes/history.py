"""``/v1/history/spread/{market}`` and ``/v1/history/funding/{market}``: all venues side by side,
oldest first, a page at a time."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from starlette.responses import Response

from api import query, spans
from api.endpoints import Asked, Endpoint
from api.routes.markets import require_markets
from api.schemas.base import Rows
from api.schemas.market import (
    MarketPath,
    RatesBucket,
    RatesQuery,
    SpreadBucket,
    SpreadsQuery,
)
from db.instants import microseconds
from db.rates import Page
from domain import exact, funding
from domain.units import minimal
from runtime.clock import iso_ms

_PLACES: Final = 24
"""Decimals of a mean rate an hour."""


async def list_spreads(asked: Asked[MarketPath, SpreadsQuery, None]) -> Response:
    part = _part(asked, asked.query.interval)
    page = Page(part.period, part.span)
    rows = await asked.context.history.spreads(asked.path.market, page)
    return _answer(part, rows, lambda group: {row["venue"]: _spread(row) for row in group})


async def list_funding(asked: Asked[MarketPath, RatesQuery, None]) -> Response:
    part = _part(asked, asked.query.interval)
    page = Page(part.period, part.span)
    rows = await asked.context.history.funding(asked.path.market, page)
    return _answer(part, rows, _by_venue)


def _part(asked: Asked[MarketPath, Any, None], period: str) -> spans.Asked:
    board = asked.context.board
    require_markets(board)
    board.require_market(asked.path.market)
    return spans.read(asked.query, period)


def _answer(asked: spans.Asked, rows: Sequence[Any], venues: Any) -> Response:
    data, starts_us = [], []
    for t, group in groupby(rows, key=lambda row: row["t"]):
        t_us = microseconds(t)
        starts_us.append(t_us)
        closed = t_us + asked.width_us <= asked.now_us
        data.append({"t": iso_ms(t_us), "closed": closed, "venues": venues(list(group))})
    return query.answer(data[: asked.limit], next_cursor=spans.next_cursor(asked, starts_us))


def _spread(row: Any) -> dict[str, Any]:
    samples = int(row["samples"])
    return {
        "spread_bps": round(float(row["spread_sum"]) / samples, 4),
        "spread_low_bps": float(row["spread_low"]),
        "spread_high_bps": float(row["spread_high"]),
        "offset_bps": round(float(row["offset_sum"]) / samples, 4),
        "offset_low_bps": float(row["offset_low"]),
        "offset_high_bps": float(row["offset_high"]),
        "samples": samples,
    }


def _by_venue(rows: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["venue"], []).append(_rates(row))
    return found


def _rates(row: Any) -> dict[str, Any]:
    samples = int(row["samples"])
    long = exact.decimal(exact.fraction(row["long_sum"]) / samples, _PLACES, "up")
    shown = {
        "per_hour": long,
        "per_8h": funding.per_8h(long),
        "apr": funding.apr(long),
        "short_per_hour": _mean(row["short_sum"], samples),
        "borrow_long_per_hour": _mean(row["borrow_long_sum"], samples),
        "borrow_short_per_hour": _mean(row["borrow_short_sum"], samples),
        "oi_long_usd": row["oi_long_usd"],
        "oi_short_usd": row["oi_short_usd"],
    }
    texts = {name: None if value is None else minimal(value) for name, value in shown.items()}
    return {"pool": row["pool"] or None, **texts, "samples": samples}


def _mean(total: Decimal | None, samples: int) -> Decimal | None:
    return None if total is None else exact.decimal(exact.fraction(total) / samples, _PLACES, "up")


_ERRORS: Final = ("UNKNOWN_MARKET", "FEED_UNAVAILABLE", "DATABASE_UNAVAILABLE")

ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/history/spread/{market}",
        "Spreads of all venues side by side, oldest first",
        "market",
        list_spreads,
        Rows[SpreadBucket],
        params=MarketPath,
        query=SpreadsQuery,
        errors=_ERRORS,
        shared=True,
    ),
    Endpoint(
        "GET",
        "/v1/history/funding/{market}",
        "Funding of all venues side by side, oldest first",
        "market",
        list_funding,
        Rows[RatesBucket],
        params=MarketPath,
        query=RatesQuery,
        errors=_ERRORS,
        shared=True,
    ),
)
