"""GMX: candles of the oracle's prices by the keeper service, newest first.

Source: gmx-io/gmx-interface ``sdk/src/utils/prices``: plain USD, times in seconds, no volume.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.base.history import (
    number_e18,
    read_page,
    readable,
    venue_candle,
)
from connectors.base.markets import MarketMap
from connectors.base.rest import RestClient
from connectors.gmx import constants as c
from connectors.gmx import parse
from connectors.gmx.hosts import Hosts
from domain.candles import PERIODS, SECOND_US, Candle
from domain.ids import MarketId
from runtime.clock import wall_us
from runtime.dialer import Dialer, dialer_of
from runtime.settings import Settings, comma_urls

LIMIT: Final = 10_000
"""The most the service gives."""


class GmxHistory:
    """See ``connectors.base.history.VenueHistory``."""

    def __init__(self, keeper_urls: Sequence[str], dialer: Dialer, market_map: MarketMap) -> None:
        self._clients = [RestClient(url, dialer, c.REST_PER_SECOND) for url in keeper_urls]
        self._hosts = Hosts(self._clients, c.TIMEOUT_S)
        self._map = market_map
        self._symbols: dict[str, str] = {}

    async def candles(
        self, market: MarketId, period: str, from_us: int, to_us: int
    ) -> Sequence[Candle]:
        symbol = await self._symbol(market)
        if symbol is None:
            return []
        width_us = PERIODS[period]
        # The service counts back from now.
        limit = min(LIMIT, (wall_us() - from_us) // width_us + 2)
        name = quote(symbol, safe="")
        path = f"/prices/candles?tokenSymbol={name}&period={period}&limit={limit}"
        page = partial(parse_page, period=period)
        found = await read_page(page, await self._hosts.get(path), "candles")
        return [candle for candle in found if from_us <= candle.t_us < to_us]

    async def _symbol(self, market: MarketId) -> str | None:
        """None where several tokens have it: their candles could be any of theirs."""
        token = self._map.venue_key(c.VENUE, market)
        if token is None:
            return None
        if not self._symbols:
            self._symbols = await read_page(
                _unique_symbols, await self._hosts.get(c.TOKENS_PATH), "tokens"
            )
        return self._symbols.get(token.lower())

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


def _unique_symbols(body: bytes) -> dict[str, str]:
    tokens = parse.tokens(parse.json_body(body))
    return {key: token.symbol for key, token in tokens.items() if token.unique}


def parse_page(body: bytes, period: str) -> list[Candle]:
    """Raises ValueError, KeyError or TypeError for what is no page of that period."""
    page = orjson.loads(body)
    if page["period"] != period or not isinstance(page["candles"], list):
        raise ValueError(f"no candles of {period}")
    return readable(page["candles"], partial(_candle, width_us=PERIODS[period]))


def _candle(row: Any, width_us: int) -> Candle:
    start_s, *prices = row
    if type(start_s) is not int:
        raise ValueError(f"no time: {start_s!r:.40}")
    return venue_candle(start_s * SECOND_US, width_us, map(number_e18, prices))


def from_settings(settings: Settings, market_map: MarketMap) -> GmxHistory | None:
    """None where the network has no keeper. Raises SettingsError."""
    urls = comma_urls(settings.gmx_keeper_urls) or c.KEEPER_URLS.get(settings.network, ())
    return GmxHistory(urls, dialer_of(settings), market_map) if urls else None
