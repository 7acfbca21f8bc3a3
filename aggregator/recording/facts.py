"""What has to be known of the settings to build the same sessions again, without any address that
may hold a key."""

from collections.abc import Mapping
from typing import Any, Final

from runtime.settings import Settings

_HTTP: Final = "https://recording.invalid"
_WS: Final = "wss://recording.invalid"


def facts(settings: Settings) -> Mapping[str, Any]:
    """For the beginning of a recording."""
    return {
        "network": settings.network,
        "venues": settings.venues,
        "dydx_chain_id": settings.dydx_chain_id,
        "gmx_version": settings.gmx_version,
        "gmx_addresses": dict(settings.gmx_addresses),
        "gains_chains": list(settings.gains_backend_urls),
        "streams": list(settings.rpc_urls),
    }


def offline_settings(known: Mapping[str, Any]) -> Settings:
    """Settings of connectors that are never asked to connect; the environment has no part. They
    have every source that there can be: those that were not recorded stay silent."""
    chains = known["gains_chains"]
    sandbox = known["network"] == "sandbox"
    return Settings.model_construct(
        network=known["network"],
        venues=known["venues"],
        dydx_ws_url=_WS,
        dydx_http_url=_HTTP,
        dydx_chain_id=known["dydx_chain_id"],
        gmx_keeper_urls=_HTTP,
        gmx_api_urls=_HTTP,
        gmx_version=known["gmx_version"],
        gmx_addresses=known["gmx_addresses"],
        gains_pricing_ws_url=_WS if sandbox else None,
        gains_pricing_http_url=_HTTP if sandbox else None,
        gains_backend_urls=dict.fromkeys(chains, _HTTP),
        gains_backend_ws_urls=dict.fromkeys(chains, _WS),
        rpc_urls=dict.fromkeys(known["streams"], f"{_HTTP},{_WS}"),
    )
