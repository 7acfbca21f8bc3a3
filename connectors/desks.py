"""What venues are traded on by: routes, builders of orders, positions, and who may not."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from connectors.base import markets
from connectors.base.markets import MarketMap
from connectors.base.orders import OrderBuilder
from connectors.base.positions import PositionBook
from connectors.base.routes import RouteRules
from connectors.base.screens import Screen
from connectors.dydx import screen as dydx_screen
from connectors.dydx.routes import ROUTES as DYDX_ROUTES
from connectors.gains import constants as gains_constants
from connectors.gains import orders_desk as gains_orders
from connectors.gains.orders.positions import GainsPositions
from connectors.gains.routes import ROUTES as GAINS_ROUTES
from connectors.gmx import constants as gmx_constants
from connectors.gmx import orders_desk as gmx_orders
from connectors.gmx.addresses import contracts, release
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.positions import GmxPositions
from connectors.gmx.routes import ROUTES as GMX_ROUTES
from domain.ids import MarketId, VenueId
from runtime.settings import Settings

ROUTES: Final[Mapping[VenueId, RouteRules]] = {
    VenueId("dydx"): DYDX_ROUTES,
    VenueId("gmx"): GMX_ROUTES,
    VenueId("gains"): GAINS_ROUTES,
}

_GMX_CHAINS: Final = gmx_constants.CHAIN_IDS
_GAINS_CHAINS: Final = gains_constants.CHAINS

Depth: TypeAlias = Callable[[MarketId | None, str], Any]
"""What a pool of a venue can be priced with now; None where unknown. No market is named where the
pool's name says it."""

ORDER_BUILDERS: Final[
    Mapping[VenueId, Callable[[Settings, MarketMap, Depth], Awaitable[OrderBuilder]]]
] = {
    VenueId("gmx"): gmx_orders.order_builder,
    VenueId("gains"): gains_orders.order_builder,
}
"""What may be traded on now. Raise SettingsError, VenueUnavailable and VenueProtocolError."""


def traded_chains(settings: Settings) -> Mapping[VenueId, Sequence[int]]:
    """Where orders are made for a venue; no chain: it is only looked at."""
    gains_chains = _GAINS_CHAINS.get(settings.network) or _GAINS_CHAINS["live"]
    known = {
        VenueId("dydx"): (),
        VenueId("gmx"): (_GMX_CHAINS[settings.network],),
        VenueId("gains"): tuple(gains_chains),
    }
    return {venue: tuple(filter(settings.trades_on, chains)) for venue, chains in known.items()}


def screens(settings: Settings) -> Mapping[VenueId, Screen]:
    """Of venues that do not serve everybody. Raises SettingsError."""
    dydx_says = dydx_screen.from_settings(settings)
    return {} if dydx_says is None else {VenueId("dydx"): dydx_says}


def spenders(settings: Settings) -> Mapping[tuple[VenueId, int], str]:
    """Whom the owner of a collateral allows to take it, by venue and chain. Raises InputError
    ``BAD_ADDRESS``."""
    chain_id, _, gmx_contracts = _gmx_contracts(settings)
    found = {
        (VenueId("gains"), chain): item.diamond
        for chain, item in gains_orders.deployments(settings).items()
    }
    return found | {(VenueId("gmx"), chain_id): gmx_contracts["ROUTER"]}


def position_books(settings: Settings) -> Sequence[PositionBook]:
    """Of venues whose contracts tell positions. Raises InputError ``BAD_ADDRESS``."""
    chain_id, version, gmx_contracts = _gmx_contracts(settings)
    tables = gains_orders.gains_tables(settings, markets.load())
    return [GmxPositions(chain_id, version, gmx_contracts), GainsPositions(tables)]


def _gmx_contracts(settings: Settings) -> tuple[int, Version, Mapping[str, str]]:
    chain_id = _GMX_CHAINS[settings.network]
    version = release(chain_id, settings.gmx_addresses, settings.gmx_version)
    return chain_id, version, contracts(chain_id, version, settings.gmx_addresses)
