"""The only list of venues. Its order breaks ties of equal prices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connectors.base import markets
from connectors.base.markets import MarketMap
from connectors.base.protocol import VenueConnector
from connectors.dydx import connector as dydx
from connectors.gains import connector as gains
from connectors.gmx import connector as gmx
from domain.ids import VenueId
from runtime.settings import Settings, SettingsError

VENUES: Final[Mapping[VenueId, Callable[[Settings, MarketMap], VenueConnector]]] = {
    VenueId("dydx"): dydx.from_settings,
    VenueId("gmx"): gmx.from_settings,
    VenueId("gains"): gains.from_settings,
}


def build(settings: Settings) -> Sequence[VenueConnector]:
    """Connectors of the venues ``PERP_VENUES`` names, in order. Raises SettingsError."""
    wanted = settings.venue_filter
    unknown = sorted((wanted or frozenset()) - set(VENUES))
    if unknown:
        raise SettingsError(
            "UNKNOWN_VENUE", f"PERP_VENUES: {unknown[0]} is none of {', '.join(VENUES)}"
        )
    table = markets.load()
    return [
        make(settings, table) for venue, make in VENUES.items() if wanted is None or venue in wanted
    ]
