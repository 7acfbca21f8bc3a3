"""Every endpoint of the public port but the page and the sockets: the only list of them."""

from typing import Final

from api.endpoints import Endpoint
from api.routes import (
    auth,
    candles,
    docs,
    funding,
    health,
    history,
    ladders,
    markets,
    quotes,
    trades,
    venues,
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
    *auth.ENDPOINTS,
    *health.ENDPOINTS,
    *docs.ENDPOINTS,
)
