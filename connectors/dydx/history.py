"""dYdX: candles by REST, newest first, a page at a time.

Source: dydxprotocol/v4-chain ``indexer/services/comlink`` candles-controller.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson

from connectors.base.history import (
    MALFORMED,
    read_page,
    readable,
    text_e18,
    venue_candle,
)
from connectors.base.markets import MarketMap
from connectors.base.rest import RestClient
from connectors.dydx import constants as c
from domain.candles import PERIODS, Candle
from domain.ids import MarketId
from runtime.dialer import Dialer, dialer_of
from runtime.settings import Settings

RESOLUTIONS: Final = {"1m": "1MIN", "1h": "1HOUR", "1d": "1DAY"}
PAGE: Final = 1000
"""The most the indexer gives; an operator may set less."""
PAGES: Final = 20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OWN_NAME: Final = f".{c.VENUE.upper()}-"


class DydxHistory:
    """See ``connectors.base.history.VenueHistory``."""

    def __init__(self, http_url: str, dialer: Dialer, market_map: MarketMap) -> None:
        self._rest = RestClient(http_url, dialer, c.REST_PER_SECOND, c.RETRY_AFTER_UNIT_S)
        self._map = market_map

    async def candles(
        self, market: MarketId, period: str, from_us: int, to_us: int
    ) -> Sequence[Candle]:
        ticker = self._ticker(market)
        if ticker is None:
            return []
        found: list[Candle] = []
        for _ in range(PAGES):
            path = (
                f"/v4/candles/perpetualMarkets/{ticker}?resolution={RESOLUTIONS[period]}"
                f"&limit={PAGE}&fromISO={_iso(from_us)}&toISO={_iso(to_us)}"
            )
            parse = partial(parse_page, width_us=PERIODS[period])
            rows, oldest_us, page = await read_page(parse, await self._rest.get(path), "candles")
            found += page
            if not rows or oldest_us <= from_us or oldest_us >= to_us:
                break
            to_us = oldest_us
        return found

    def _ticker(self, market: MarketId) -> str | None:
        key = self._map.venue_key(c.VENUE, market)
        for ticker in (key, market.replace(_OWN_NAME, "-")):
            if ticker is not None and self._map.canonical(c.VENUE, ticker) == market:
                return ticker
        return None

    async def close(self) -> None:
        await self._rest.close()


def parse_page(body: bytes, width_us: int) -> tuple[int, int, list[Candle]]:
    """How many rows there were, where the oldest begins, and what can be read of them.

    A bucket without trades repeats an old price: it is what the mid of the book was there, or
    nothing. Raises ValueError, KeyError or TypeError for what is no page.
    """
    rows = orjson.loads(body)["candles"]
    if not isinstance(rows, list):
        raise ValueError("candles are no list")
    starts = []
    for row in rows:
        with suppress(*MALFORMED):
            starts.append(_start_us(row))
    found = readable(rows, partial(_candle, width_us=width_us))
    return len(rows), min(starts, default=0), found


def _candle(row: Any, width_us: int) -> Candle | None:
    if row["trades"] == 0:
        first, last = row.get("orderbookMidPriceOpen"), row.get("orderbookMidPriceClose")
        if first is None or last is None:
            return None
        mids = text_e18(first), text_e18(last)
        prices = [mids[0], max(mids), min(mids), mids[1]]
    else:
        prices = [text_e18(row[name]) for name in ("open", "high", "low", "close")]
    return venue_candle(_start_us(row), width_us, prices)


def _start_us(row: Any) -> int:
    return (datetime.fromisoformat(row["startedAt"]) - _EPOCH) // _MICROSECOND


def _iso(us: int) -> str:
    at = _EPOCH + timedelta(microseconds=us)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_settings(settings: Settings, market_map: MarketMap) -> DydxHistory | None:
    """None where the network has no indexer. Raises SettingsError."""
    url = settings.dydx_http_url or c.HTTP_URLS.get(settings.network)
    if url is None:
        return None
    return DydxHistory(url, dialer_of(settings), market_map)
