"""The builder of GMX orders, with the pools that the keeper lists now."""

from collections.abc import Callable
from typing import Any

from connectors.base.markets import MarketMap
from connectors.gmx.connector import from_settings
from connectors.gmx.orders.builder import GmxOrders
from domain.ids import MarketId
from runtime.settings import Settings


async def order_builder(
    settings: Settings, market_map: MarketMap, depth: Callable[[MarketId | None, str], Any]
) -> GmxOrders:
    """Raises SettingsError, VenueUnavailable and VenueProtocolError."""
    connector = from_settings(settings, market_map)
    try:
        await connector.load_markets()
        return GmxOrders(connector.tables, lambda pool: depth(None, pool))
    finally:
        await connector.close()
