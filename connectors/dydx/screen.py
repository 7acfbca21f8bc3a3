"""dYdX: whom the indexer serves. It answers what is of accounts with 403 by the country of whoever
asks, which is this server's, and for addresses that it blocks; and it tells the standing of one.

Source: dydxprotocol/v4-chain ``indexer/services/comlink`` compliance-and-geo-check and
compliance-v2-controller; ``packages/compliance``.
"""

from typing import Final

import orjson

from connectors.base.rest import RestClient
from connectors.base.screens import Barred, Screen
from connectors.dydx import constants as c
from domain.errors import VenueProtocolError, VenueUnavailable
from runtime.dialer import Dialer, dialer_of
from runtime.settings import Settings

NOBODY: Final = "dydx1" + "q" * 38
"""Asked for in nobody's name."""
_REFUSALS: Final = {
    "GEOBLOCKED": "dYdX does not serve the country of this server",
    "COMPLIANCE_BLOCKED": "dYdX has blocked this address",
}
_STANDINGS: Final = {
    "COMPLIANT": None,
    "FIRST_STRIKE": None,
    "FIRST_STRIKE_CLOSE_ONLY": "CLOSE_ONLY",
    "CLOSE_ONLY": "CLOSE_ONLY",
    "BLOCKED": "COMPLIANCE_BLOCKED",
}


class DydxScreen:
    """See ``connectors.base.screens.Screen``."""

    def __init__(self, http_url: str, dialer: Dialer) -> None:
        self._rest = RestClient(
            http_url, dialer, c.REST_PER_SECOND, c.RETRY_AFTER_UNIT_S, frozenset(_REFUSALS)
        )

    async def barred(self, address: str | None) -> Barred | None:
        try:
            await self._rest.get(f"/v4/addresses/{address or NOBODY}")
        except VenueUnavailable as error:
            if error.code in _REFUSALS:
                return Barred(error.code, _REFUSALS[error.code])
            # An account that never traded is served like any other.
            if error.code != "HTTP_404":
                raise
        if address is None:
            return None
        return standing(await self._rest.get(f"/v4/compliance/screen/{address}"))

    async def close(self) -> None:
        await self._rest.close()


def standing(body: bytes) -> Barred | None:
    """Of an address. Raises VenueProtocolError ``MALFORMED`` for what says none that is known."""
    try:
        said = orjson.loads(body)
        status, reason = said["status"], said.get("reason")
        code = _STANDINGS[status]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise VenueProtocolError("MALFORMED", "no standing of an address") from None
    if code is None:
        return None
    why = f"dYdX says {status}" + (f", {reason}" if isinstance(reason, str) else "")
    return Barred(code, why[:120], exits=code == "CLOSE_ONLY")


def from_settings(settings: Settings) -> Screen | None:
    """None where the network has no indexer. Raises SettingsError."""
    url = settings.dydx_http_url or c.HTTP_URLS.get(settings.network)
    if url is None:
        return None
    return DydxScreen(url, dialer_of(settings))
