"""The builder of Gains orders, with the diamonds that are configured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.base.markets import MarketMap
from connectors.gains.orders.builder import GainsOrders
from connectors.gains.orders.deployments import DEPLOYMENTS
from connectors.gains.orders.tables import tables
from domain.ids import MarketId
from runtime.settings import Settings


async def order_builder(
    settings: Settings, market_map: MarketMap, depth: Callable[[MarketId | None, str], Any]
) -> GainsOrders:
    diamonds = settings.gains_diamond_addresses
    deployments = {
        chain_id: replace(known, diamond=diamonds.get(chain_id, known.diamond))
        for chain_id, known in DEPLOYMENTS.items()
    }
    return GainsOrders(tables(market_map, deployments), depth)
