"""Gains: candles of the mark price by the pricing host.

Source: clients of ``/charts/{pair}/{from}/{to}/{minutes}``; nothing is documented. From and to are
taken to be seconds; ``time`` is read in seconds or milliseconds.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import orjson

from connectors.base.history import (
    number_e18,
    read_page,
    readable,
    venue_candle,
)
from connectors.base.markets import MarketMap
from connectors.base.rest import RestClient
from connectors.gains import constants as c
from domain.candles import MINUTE_US, PERIODS, SECOND_US, Candle
from domain.ids import MarketId
from runtime.dialer import Dialer, dialer_of
from runtime.settings import Settings

_MILLISECONDS_FROM: Final = 10**11
"""As seconds it would be in the year 5138."""


class GainsHistory:
    """See ``connectors.base.history.VenueHistory``."""

    def __init__(self, pricing_url: str, dialer: Dialer, market_map: MarketMap) -> None:
        self._rest = RestClient(pricing_url, dialer, c.REST_PER_SECOND)
        self._map = market_map

    async def candles(
        self, market: MarketId, period: str, from_us: int, to_us: int
    ) -> Sequence[Candle]:
        index = self._map.venue_key(c.VENUE, market)
        if index is None:
            return []
        width_us = PERIODS[period]
        times = f"{from_us // SECOND_US}/{to_us // SECOND_US}"
        path = f"{c.CHARTS_PATH}/{index}/{times}/{width_us // MINUTE_US}"
        page = partial(parse_page, width_us=width_us)
        found = await read_page(page, await self._rest.get(path), "candles")
        return [candle for candle in found if from_us <= candle.t_us < to_us]

    async def close(self) -> None:
        await self._rest.close()


def parse_page(body: bytes, width_us: int) -> list[Candle]:
    """Raises ValueError, KeyError or TypeError for what is no page."""
    rows = orjson.loads(body)["table"]
    if not isinstance(rows, list):
        raise ValueError("table is no list")
    return readable(rows, partial(_candle, width_us=width_us))


def _candle(row: Any, width_us: int) -> Candle:
    time = row["time"]
    if type(time) is not int:
        raise ValueError(f"no time: {time!r:.40}")
    start_us = time * (1000 if time >= _MILLISECONDS_FROM else SECOND_US)
    prices = [number_e18(row[name]) for name in ("open", "high", "low", "close")]
    return venue_candle(start_us, width_us, prices)


def from_settings(settings: Settings, market_map: MarketMap) -> GainsHistory | None:
    """None where the network has no pricing host, and where a stream is configured without one.
    Raises SettingsError."""
    public = settings.network in c.CHAINS and settings.gains_pricing_ws_url is None
    known = c.PRICING_HTTP_URL if public else None
    url = settings.gains_pricing_http_url or known
    if url is None:
        return None
    return GainsHistory(url, dialer_of(settings), market_map)
