"""The builder of Gains orders, with the diamonds that are configured."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connectors.base.markets import MarketMap
from connectors.gains.orders.builder import GainsOrders
from connectors.gains.orders.deployments import DEPLOYMENTS, Deployment
from connectors.gains.orders.tables import Tables, tables
from domain.ids import MarketId
from runtime.settings import Settings


def deployments(settings: Settings) -> Mapping[int, Deployment]:
    """By chain, with the diamonds that are configured."""
    diamonds = settings.gains_diamond_addresses
    return {
        chain_id: replace(known, diamond=diamonds.get(chain_id, known.diamond))
        for chain_id, known in DEPLOYMENTS.items()
    }


def gains_tables(settings: Settings, market_map: MarketMap) -> Tables:
    return tables(market_map, deployments(settings))


async def order_builder(
    settings: Settings, market_map: MarketMap, depth: Callable[[MarketId | None, str], Any]
) -> GainsOrders:
    return GainsOrders(gains_tables(settings, market_map), depth)
