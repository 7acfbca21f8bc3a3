"""Which contracts are asked and written to, by what is configured."""

import pytest

from connectors.base import markets as market_map
from connectors.gmx.addresses import contracts, release
from connectors.gmx.connector import from_settings
from connectors.gmx.orders.builder import GmxOrders
from domain.errors import InputError, VenueProtocolError
from runtime.settings import Settings
from tests.unit.connectors.gmx.orders import kit as k


def test_the_release_is_that_of_the_configured_contracts() -> None:
    old, new = contracts(42161, "v2.2b", {}), contracts(42161, "v2.2c", {})
    assert release(42161, {}) == "v2.2c"
    assert release(42161, {}, "v2.2b") == "v2.2b"
    assert release(42161, {"DATA_STORE": old["DATA_STORE"]}) == "v2.2c"
    assert release(42161, {"READER": old["READER"].lower()}) == "v2.2b"
    assert release(42161, dict(new)) == "v2.2c"
    for configured, said in (
        ({"READER": old["READER"]}, "v2.2c"),
        ({"EXCHANGE_ROUTER": new["EXCHANGE_ROUTER"], "READER": old["READER"]}, None),
    ):
        with pytest.raises(InputError, match="PERP_GMX_VERSION"):
            release(42161, configured, said)  # type: ignore[arg-type]


async def test_builders_are_those_of_the_configured_contracts() -> None:
    """All that is said is where things are: nodes, contracts, and the venue's own endpoints."""
    old = contracts(42161, "v2.2b", {})
    names = ("EXCHANGE_ROUTER", "ROUTER", "ORDER_VAULT", "READER", "DATA_STORE", "EVENT_EMITTER")
    settings = Settings(
        network="live",
        trading="on",
        allow_private_urls=True,
        rpc_urls={42161: "http://127.0.0.1:1,http://127.0.0.1:2"},
        gmx_keeper_urls="http://127.0.0.1:3",
        gmx_api_urls="http://127.0.0.1:3",
        gmx_addresses={name: old[name] for name in names},
    )
    connector = from_settings(settings, market_map.load())
    builder = GmxOrders(connector.tables, lambda pool: None)
    await connector.close()
    assert builder.log_addresses(42161) == [old["EVENT_EMITTER"]]
    request = k.cancel()
    stored = k.order(8, version="v2.2b")
    (read, order) = builder.reads(request)
    assert (read.to, order.to) == (old["DATA_STORE"], old["READER"])
    (step,) = builder.build(request, k.facts(request, "v2.2b", order_key=stored))
    assert step.to == old["EXCHANGE_ROUTER"]
    # The older Reader's order under the newer layout is an error, never another order.
    newer = k.builder(version="v2.2c")
    with pytest.raises(VenueProtocolError):
        newer.build(request, k.facts(request, "v2.2c", order_key=stored))
