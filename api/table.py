"""Every endpoint of the public port but the page and the sockets: the only list of them."""

from typing import Final

from api.endpoints import Endpoint
from api.routes import (
    api_keys,
    auth,
    candles,
    capabilities,
    docs,
    fills,
    funding,
    health,
    history,
    ladders,
    markets,
    orders,
    quotes,
    routing,
    trades,
    venues,
    wallets,
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *markets.ENDPOINTS,
    *quotes.ENDPOINTS,
    *ladders.ENDPOINTS,
    *funding.ENDPOINTS,
    *candles.ENDPOINTS,
    *history.ENDPOINTS,
    *trades.ENDPOINTS,
    *venues.ENDPOINTS,
    *capabilities.ENDPOINTS,
    *routing.ENDPOINTS,
    *orders.ENDPOINTS,
    *fills.ENDPOINTS,
    *auth.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *wallets.ENDPOINTS,
    *health.ENDPOINTS,
    *docs.ENDPOINTS,
)
