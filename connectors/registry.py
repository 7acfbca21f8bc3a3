"""The only list of venues. Its order breaks ties of equal prices. What they are traded on by is in
``connectors.desks``, which the feed does without."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connectors.base import markets
from connectors.base.economics import Economics
from connectors.base.history import VenueHistory
from connectors.base.markets import MarketMap
from connectors.base.protocol import VenueConnector
from connectors.dydx import connector as dydx
from connectors.dydx import history as dydx_history
from connectors.dydx.economics.pricing import ECONOMICS as DYDX_ECONOMICS
from connectors.gains import connector as gains
from connectors.gains import history as gains_history
from connectors.gains.economics.pricing import ECONOMICS as GAINS_ECONOMICS
from connectors.gmx import connector as gmx
from connectors.gmx import history as gmx_history
from connectors.gmx.economics.pricing import ECONOMICS as GMX_ECONOMICS
from domain.ids import VenueId
from runtime.settings import Settings, SettingsError

VENUES: Final[Mapping[VenueId, Callable[[Settings, MarketMap], VenueConnector]]] = {
    VenueId("dydx"): dydx.from_settings,
    VenueId("gmx"): gmx.from_settings,
    VenueId("gains"): gains.from_settings,
}

ECONOMICS: Final[Mapping[VenueId, Economics]] = {
    VenueId("dydx"): DYDX_ECONOMICS,
    VenueId("gmx"): GMX_ECONOMICS,
    VenueId("gains"): GAINS_ECONOMICS,
}

HISTORIES: Final[Mapping[VenueId, Callable[[Settings, MarketMap], VenueHistory | None]]] = {
    VenueId("dydx"): dydx_history.from_settings,
    VenueId("gmx"): gmx_history.from_settings,
    VenueId("gains"): gains_history.from_settings,
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


def histories(settings: Settings) -> Mapping[VenueId, VenueHistory]:
    """What venues tell of the time before, where they do. Raises SettingsError."""
    table = markets.load()
    found = {venue: make(settings, table) for venue, make in HISTORIES.items()}
    return {venue: history for venue, history in found.items() if history is not None}
