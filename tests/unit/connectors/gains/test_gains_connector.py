"""The market list of several chains, and the sources, against small HTTP servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from connectors.base import markets as market_map
from connectors.base.protocol import HttpReply, WsTransport
from connectors.gains.connector import ChainUrls, GainsConnector, from_settings
from domain.errors import VenueProtocolError, VenueUnavailable
from domain.events import PoolQuote
from domain.ids import MarketId
from runtime.clock import mono_ns, wall_us
from runtime.settings import Settings, SettingsError
from tests.servers import LOOPBACK
from tests.unit.connectors.gains.world import START_NS, WALL_US, body, oi, recorded

SEPOLIA = "trading-variables.sepolia.2025-06-15.reduced.json"


class Backend:
    """Answers everything with ``reply``; None is a server error."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status = "500 Oops" if self.reply is None else "200 OK"
        raw = self.reply if isinstance(self.reply, bytes) else json.dumps(self.reply).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + raw)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(**replies: Any) -> AsyncIterator[tuple[GainsConnector, dict[int, Backend]]]:
    """A connector with one backend a chain: ``c42161=body`` is the chain 42161."""
    backends = {int(name[1:]): Backend(reply) for name, reply in replies.items()}
    async with AsyncExitStack() as stack:
        for backend in backends.values():
            server = await asyncio.start_server(backend.answer, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            backend.port = server.sockets[0].getsockname()[1]
        connector = GainsConnector(
            "ws://127.0.0.1:1/v4",
            "http://127.0.0.1:1",
            {
                chain_id: ChainUrls(f"http://127.0.0.1:{backend.port}", "ws://127.0.0.1:1")
                for chain_id, backend in backends.items()
            },
            LOOPBACK,
            market_map.load(),
        )
        yield connector, backends
        await connector.close()


def small(**changes: Any) -> dict[str, Any]:
    """The small chain, where index 1 is ETH/USD with no limits for DAI, and 2 an unmapped name."""
    raw: dict[str, Any] = json.loads(json.dumps(body(**changes)))
    raw["pairs"][1] = {"from": "ETH", "to": "USD", "spreadP": "0", "groupIndex": "0"}
    raw["collaterals"][0]["pairOis"][1] = oi()
    raw["pairInfos"]["maxLeverages"] = ["150000"]
    return raw


async def test_markets_of_all_chains_are_put_together() -> None:
    base = small(isForexOpen=False)
    base["collaterals"].pop()
    base["pairInfos"]["maxLeverages"] = [0]
    async with serving(c42161=small(), c8453=base) as (connector, _):
        markets = await connector.load_markets()
    btc, eth = markets
    assert (btc.market, btc.symbol, btc.kind, btc.status) == (
        "BTC-USD",
        "BTC/USD",
        "oracle",
        "open",
    )
    assert btc.pools == ("42161:USDC", "42161:DAI", "8453:USDC")
    assert btc.chain_ids == (42161, 8453)
    assert btc.max_leverage == "200"
    assert (btc.tick.unit_e18, btc.step.unit_e18) == (10**8, 1)
    assert eth.pools == ("42161:USDC", "8453:USDC")


async def test_the_recorded_state_lists_what_the_table_maps() -> None:
    async with serving(c421614=recorded(SEPOLIA)) as (connector, _):
        markets = await connector.load_markets()
    assert len(markets) > 80
    assert len({item.market for item in markets}) == len(markets)
    named = {item.market: item for item in markets}
    assert named[MarketId("BTC-USD")].status == "open"
    euro = named[MarketId("EUR-USD")]
    assert (euro.status, euro.max_leverage) == ("closed", "1000")
    assert all(item.pools and item.chain_ids == (421614,) for item in markets)


async def test_a_chain_out_of_reach_does_not_stop_the_others() -> None:
    async with serving(c42161=None, c8453=small()) as (connector, backends):
        first = await connector.load_markets()
        assert first[0].chain_ids == (8453,)
        backends[42161].reply = small()
        assert (await connector.load_markets())[0].chain_ids == (42161, 8453)
        # What it listed before still counts: markets do not come and go with a connection.
        backends[8453].reply = b"<html>"
        assert (await connector.load_markets())[0].chain_ids == (42161, 8453)


@pytest.mark.parametrize("reply", [b"", b"null", b"[]", b"{}", b"<html>", b"[" * 5000])
async def test_no_chain_makes_sense(reply: bytes) -> None:
    async with serving(c42161=reply) as (connector, _):
        with pytest.raises(VenueProtocolError) as refused:
            await connector.load_markets()
    assert refused.value.code == "GARBAGE"


async def test_no_chain_in_reach() -> None:
    async with serving(c42161=None, c8453=b"{}") as (connector, _):
        with pytest.raises(VenueUnavailable) as refused:
            await connector.load_markets()
    assert refused.value.code == "HTTP_500"


async def test_one_price_stream_carries_all_markets() -> None:
    async with serving(c42161=small(), c8453=small()) as (connector, _):
        markets = await connector.load_markets()
        sources = connector.sources(markets)
        assert [source.source_id for source in sources] == [
            "gains:prices:0",
            "gains:charts:0",
            "gains:chain:42161:0",
            "gains:stream:42161:0",
            "gains:chain:8453:0",
            "gains:stream:8453:0",
        ]
        assert [source.markets for source in sources] == [tuple(markets), (), (), (), (), ()]
        assert isinstance(sources[0].transport, WsTransport)
        prices, _, poll, _, _, _ = [source.new_session(START_NS) for source in sources]
        poll.advance(START_NS)
        poll.receive(HttpReply("", json.dumps(small()).encode()), WALL_US, START_NS)
        prices.receive(b"[0,100000,1,2500]", WALL_US, START_NS)
        pools = [item.pool for item in prices.events() if isinstance(item, PoolQuote)]
        assert set(pools) == set(markets[0].pools) | set(markets[1].pools)


async def test_a_chain_that_is_polled_is_not_asked_for_its_list_as_well() -> None:
    async with serving(c42161=small()) as (connector, backends):
        _, _, poll, _ = [
            source.new_session(mono_ns())
            for source in connector.sources(await connector.load_markets())
        ]
        backends[42161].reply = None
        poll.advance(mono_ns())
        raw = small()
        raw["collaterals"].pop()
        poll.receive(HttpReply("", json.dumps(raw).encode()), wall_us(), mono_ns())
        assert (await connector.load_markets())[0].pools == ("42161:USDC",)


async def test_a_new_listing_shares_the_state_of_the_chains() -> None:
    async with serving(c42161=small()) as (connector, _):
        btc, eth = await connector.load_markets()
        connector.sources([btc])
        added = [source.source_id for source in connector.sources([eth])]
        assert added == ["gains:prices:1", "gains:charts:1"]
        # Markets that come again come after everything was stopped.
        again = [source.source_id for source in connector.sources([btc, eth])]
        assert len(again) == 4


# Settings -----------------------------------------------------------------------------------------


def test_urls_come_from_the_network_or_the_settings() -> None:
    table = market_map.load()
    with pytest.raises(SettingsError, match="PERP_GAINS_PRICING_WS_URL"):
        from_settings(Settings(network="sandbox"), table)
    pricing: Any = {"gains_pricing_ws_url": "ws://127.0.0.1:1/v4"}
    with pytest.raises(SettingsError, match="PERP_GAINS_BACKEND_URL"):
        from_settings(Settings(network="sandbox", **pricing), table)
    stream: Any = {"gains_backend_ws_urls": {1: "ws://127.0.0.1:1"}}
    with pytest.raises(SettingsError, match="only PERP_GAINS_BACKEND_WS_URL"):
        from_settings(Settings(network="sandbox", **pricing, **stream), table)
    urls: Any = {"gains_backend_urls": {1: "http://127.0.0.1:1"}}
    assert sources_of(Settings(network="sandbox", **pricing, **urls)) == ["prices", "chain:1"]
    both = pricing | urls | stream | {"gains_pricing_http_url": "http://127.0.0.1:1"}
    full = ["prices", "charts", "chain:1", "stream:1"]
    assert sources_of(Settings(network="sandbox", **both)) == full


def test_what_is_configured_is_not_mixed_with_the_public_hosts() -> None:
    """A stream of another state would change what was polled."""
    urls: Any = {"gains_backend_urls": {42161: "http://127.0.0.1:1"}}
    found = sources_of(Settings(network="live", gains_pricing_ws_url="ws://127.0.0.1:1", **urls))
    assert "charts" not in found
    assert ("chain:42161" in found, "stream:42161" in found) == (True, False)
    assert {"chain:137", "stream:137"} <= set(found)
    assert "charts" in sources_of(Settings(network="live"))


def sources_of(settings: Settings) -> list[str]:
    """Without the venue and their number."""
    connector = from_settings(settings, market_map.load())
    return [item.source_id.split(":", 1)[1].rpartition(":")[0] for item in connector.sources([])]


@pytest.mark.parametrize(
    ("network", "chains"), [("live", {42161, 137, 8453}), ("testnet", {421614})]
)
def test_chains_of_a_network(network: Any, chains: set[int]) -> None:
    settings = Settings(network=network, gains_backend_urls={max(chains): "https://example.com"})
    connector = from_settings(settings, market_map.load())
    sources = connector.sources([])
    polled = {int(item.source_id.split(":")[2]) for item in sources if ":chain:" in item.source_id}
    assert polled == chains
