"""The market list, the hosts and the check of the router, against small HTTP servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from connectors.base import markets as market_map
from connectors.base.protocol import HttpReply, HttpTransport, Source, WsTransport
from connectors.base.rest import RestClient
from connectors.gmx import constants as c
from connectors.gmx.addresses import contracts
from connectors.gmx.connector import Chain, GmxConnector, from_settings
from connectors.gmx.hosts import HostHealth, Hosts
from connectors.gmx.orders.builder import GmxOrders
from connectors.gmx.roles import router_roles
from domain.errors import InputError, VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.orders import OrderIntent, OrderLeg
from runtime.clock import mono_ns
from runtime.settings import Settings, SettingsError
from tests.servers import LOOPBACK
from tests.unit.connectors.gmx.kit import (
    BTC_USDC,
    ETH,
    ETH_USDC,
    PRICES,
    RECORDED,
    START_NS,
    START_S,
    S,
    config_row,
    dump,
    recorded,
    values_row,
)

CONTRACTS = contracts(42161, "v2.2c", {})
BODIES = {
    c.TOKENS_PATH: (RECORDED / "tokens.arbitrum.json").read_bytes(),
    c.MARKETS_PATH: (RECORDED / "markets.arbitrum.json").read_bytes(),
    c.TICKERS_PATH: (RECORDED / "prices-tickers.arbitrum.json").read_bytes(),
}


class Server:
    """Answers with ``bodies`` by path, or else with 404. ``mute``: takes requests, says nothing."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self.bodies = dict(bodies)
        self.status = "200 OK"
        self.mute = False
        self.asked: list[str] = []
        self.posted: list[Any] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        self.asked.append(path)
        body, status = self.bodies.get(path), self.status
        if head.startswith("POST"):
            length = next(
                int(line.partition(":")[2])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length")
            )
            self.posted.append(json.loads(await reader.readexactly(length)))
            asked = self.posted[-1]
            body = self.bodies.get("batch" if isinstance(asked, list) else asked["method"])
        if not self.mute:
            if body is None:
                body, status = b"", "404 Not Found"
            length_line = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {status}\r\n{length_line}".encode() + body)
            await writer.drain()
            writer.close()


@asynccontextmanager
async def serving(*bodies: Mapping[str, bytes]) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        servers = [Server(item) for item in bodies]
        for server in servers:
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            stack.callback(listening.close)
        yield servers


@asynccontextmanager
async def connected(
    *servers: Server, rpc_urls: tuple[str, ...] = (), api: Server | None = None
) -> AsyncIterator[GmxConnector]:
    chain = Chain(42161, rpc_urls, CONTRACTS)
    keepers = [server.url for server in servers]
    connector = GmxConnector(keepers, LOOPBACK, chain, market_map.load(), [api.url] if api else ())
    yield connector
    await connector.close()


async def listed(bodies: Mapping[str, bytes]) -> list[Market]:
    async with serving(bodies) as (server,), connected(server) as connector:
        return list(await connector.load_markets())


# Markets --------------------------------------------------------------------------------------


async def test_the_recorded_lists_become_markets_with_their_pools() -> None:
    markets = {item.market: item for item in await listed(BODIES)}
    assert len(markets) == 112
    btc, near = markets["BTC-USD"], markets["NEAR-USD"]  # type: ignore[index]
    assert len(btc.pools) == 3
    assert btc.pools[0] == BTC_USDC
    assert btc.chain_ids == (42161,)
    assert (btc.symbol, btc.status, btc.venue) == ("BTC/USD", "open", "gmx")
    grids = (btc.tick.increment, btc.step.increment, near.tick.increment, near.step.increment)
    assert grids == ("0.000000000000000001", "0.00000001", "0.000001", "0.000000000000000001")
    assert all(item.pools for item in markets.values())


async def test_the_builder_of_orders_knows_the_pools_of_the_list() -> None:
    wanted = OrderIntent(
        market=MarketId("BTC-USD"),
        side="BUY",
        intent="open",
        type="limit",
        notional_usd=Decimal(1000),
        leverage=Decimal(5),
        limit_price=Decimal("60000.5"),
    )
    sizes = (Decimal(200), Decimal("0.0166"), Decimal(1000), Decimal(60000))
    leg = OrderLeg(c.VENUE, 42161, BTC_USDC, "USDC", *sizes, None)
    async with serving(BODIES) as (server,), connected(server) as connector:
        with pytest.raises(InputError):
            GmxOrders(connector.tables, lambda pool: None).guard(wanted, leg)
        await connector.load_markets()
        builder = GmxOrders(connector.tables, lambda pool: None)
    assert builder.guard(wanted, leg).raw == "600005" + "0" * 21
    assert builder.log_addresses(42161) == [CONTRACTS["EVENT_EMITTER"]]


async def test_limits_come_from_the_api_and_stay_while_it_is_away() -> None:
    row = {
        "marketTokenAddress": BTC_USDC,
        "leverageTiers": [{"maxLeverage": "50"}, {"maxLeverage": "100"}],
        "minPositionSizeUsd": "1" + "0" * 30,
    }
    limits = {"/v1/markets": json.dumps([row]).encode()}
    async with (
        serving(BODIES, limits) as (server, api),
        connected(server, api=api) as connector,
    ):
        for bodies in (limits, {}, {"/v1/markets": b"[]"}):
            api.bodies = dict(bodies)
            markets = {item.market: item for item in await connector.load_markets()}
            btc, eth = (markets[MarketId(name)] for name in ("BTC-USD", "ETH-USD"))
            assert (btc.max_leverage, btc.min_notional_usd) == ("100", "1")
            assert (eth.max_leverage, eth.min_notional_usd) == (None, None)


async def test_a_market_whose_last_pool_is_not_listed_is_gone() -> None:
    body = recorded("markets.arbitrum.json")
    for row in body["markets"]:
        row["isListed"] = row["isListed"] and row["indexToken"] != ETH
    names = {item.market for item in await listed(BODIES | {c.MARKETS_PATH: dump(body)})}
    assert len(names) == 111
    assert "ETH-USD" not in names


@pytest.mark.parametrize("path", [c.MARKETS_PATH, c.TOKENS_PATH])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"<html>", b'{"markets":[],"tokens":[]}', b"[" * 5000,
        b'{"markets":null,"tokens":null}', b'{"markets":[7],"tokens":[{}]}', b'{"markets":{}}',
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
async def test_a_list_that_makes_no_sense_is_refused(path: str, body: bytes) -> None:
    with pytest.raises(VenueProtocolError) as refused:
        await listed(BODIES | {path: body})
    assert refused.value.code == "GARBAGE"


@pytest.mark.parametrize("row", [None, 7, [], {}, {"marketToken": ETH_USDC, "isListed": 1}])
async def test_one_row_that_makes_no_sense_is_left_out(row: Any) -> None:
    rows = recorded("markets.arbitrum.json")["markets"]
    btc = next(item for item in rows if item["marketToken"] == BTC_USDC)
    found = await listed(BODIES | {c.MARKETS_PATH: dump({"markets": [row, btc, btc]})})
    assert [(item.market, item.pools) for item in found] == [("BTC-USD", (BTC_USDC,))]


async def test_a_market_of_a_token_without_decimals_is_left_out() -> None:
    tokens = recorded("tokens.arbitrum.json")
    tokens["tokens"] = [item for item in tokens["tokens"] if item["address"] != ETH]
    found = await listed(BODIES | {c.TOKENS_PATH: dump(tokens)})
    assert len(found) == 111


# Sources --------------------------------------------------------------------------------------


def names(sources: Any) -> list[tuple[str, int]]:
    return [(source.source_id, len(source.markets)) for source in sources]


async def test_only_tickers_carry_markets_and_new_ones_get_polls_of_their_own() -> None:
    rpc_urls = ("https://node.invalid", "wss://node.invalid/key", "wss://other.invalid")
    async with serving(BODIES) as (server,), connected(server, rpc_urls=rpc_urls) as connector:
        markets = await connector.load_markets()
        first = connector.sources(markets[:-1])
        assert names(first) == [
            ("gmx:tickers:0", 111), ("gmx:info:0", 0), ("gmx:day:0", 0),
            ("gmx:gas:0", 0), ("gmx:reads:0", 0), ("gmx:logs:0", 0),
        ]  # fmt: skip
        assert first[5].transport == WsTransport("wss://node.invalid/key", LOOPBACK.websocket)
        later = connector.sources(markets[-1:])
        assert names(later) == [("gmx:tickers:1", 1), ("gmx:info:1", 0), ("gmx:day:1", 0)]
        # Markets given before: everything begins anew, the events too.
        anew = [("gmx:gas:2", 0), ("gmx:reads:2", 0), ("gmx:logs:2", 0)]
        assert names(connector.sources(markets))[3:] == anew


async def test_without_a_node_there_are_no_events() -> None:
    async with serving(BODIES) as (server,), connected(server) as connector:
        sources = connector.sources(await connector.load_markets())
    assert names(sources) == [("gmx:tickers:0", 112), ("gmx:info:0", 0), ("gmx:day:0", 0)]


async def test_pools_are_asked_for_where_there_is_an_api() -> None:
    bodies = {c.VALUES_PATH: b"[]", c.CONFIG_PATH: b"[]"}
    async with (
        serving(BODIES, bodies) as (server, api),
        connected(server, api=api) as connector,
    ):
        sources = connector.sources(await connector.load_markets())
        assert names(sources)[3:] == [("gmx:config:0", 0), ("gmx:values:0", 0)]
        for source, path in zip(sources[3:], (c.CONFIG_PATH, c.VALUES_PATH), strict=True):
            assert isinstance(source.transport, HttpTransport)
            assert await source.transport.fetch(path) == b"[]"
            assert source.decode is not None
            with pytest.raises(ValueError, match="no readable pool"):
                source.decode(b"[]")


async def test_a_recorded_list_gives_the_same_depth() -> None:
    """What another connector was told, and the list's notes after JSON, are all that it takes."""
    row = {
        "marketTokenAddress": ETH_USDC,
        "leverageTiers": [],
        "minPositionSizeUsd": "2" + "0" * 30,
    }
    async with (
        serving(BODIES, {c.LIMITS_PATH: dump([row])}) as (server, api),
        connected(server, api=api) as live,
        connected(server, api=api) as played,
    ):
        markets = await live.load_markets()
        played.take_list(markets, json.loads(dump(live.list_notes())))
        (eth,) = [market for market in markets if market.market == "ETH-USD"]
        found = []
        for connector in (live, played):
            by_name = {source.source_id: source for source in connector.sources([eth])}
            for name, body in (
                ("config", [config_row(ETH_USDC)]),
                ("values", [values_row(ETH_USDC, START_S * 1000)]),
                ("tickers", [price | {"timestamp": START_S} for price in PRICES]),
            ):
                session = by_name[SourceId(f"gmx:{name}:0")].new_session(START_NS)
                session.receive(HttpReply(name, dump(body)), START_S * 1_000_000, START_NS)
            found.append(connector.depth(eth, None, START_NS))
    assert found[0] == found[1]
    (depth,) = found[0]
    assert depth.pool == ETH_USDC
    assert depth.inputs.terms.config.min_position_size_usd_e30 == 2 * 10**30


async def fetched(source: Source) -> bytes:
    assert isinstance(source.transport, HttpTransport)
    return await source.transport.fetch(c.TICKERS_PATH)


async def test_pollers_of_one_path_share_an_answer() -> None:
    async with serving(BODIES) as (server,), connected(server) as connector:
        markets = await connector.load_markets()
        one, other = connector.sources(markets[:9])[0], connector.sources(markets[9:])[0]
        bodies = await asyncio.gather(fetched(one), fetched(other))
        assert bodies[0] == bodies[1] == BODIES[c.TICKERS_PATH]
        assert server.asked.count(c.TICKERS_PATH) == 1


async def test_an_answer_of_no_use_is_not_shared_and_the_next_host_is_asked() -> None:
    bad = BODIES | {c.TICKERS_PATH: b"{}"}
    async with serving(bad, BODIES) as servers, connected(*servers) as connector:
        source = connector.sources(await connector.load_markets())[0]
        session = source.new_session(mono_ns())
        assert await fetched(source) == b"{}"
        session.receive(HttpReply(c.TICKERS_PATH, b"{}"), 0, mono_ns())
        assert await fetched(source) == BODIES[c.TICKERS_PATH]


# Hosts ----------------------------------------------------------------------------------------


def test_hosts_that_failed_rest_and_come_back_in_order() -> None:
    health = HostHealth(3)
    assert health.order(START_NS) == [0, 1, 2]
    health.failed(0, START_NS)
    assert health.order(START_NS) == [1, 2, 0]
    health.failed(1, START_NS + S)
    assert health.order(START_NS + S) == [2, 0, 1]
    health.failed(2, START_NS + 2 * S)
    assert health.order(START_NS + 2 * S) == [0, 1, 2]
    assert health.order(START_NS + c.HOST_REST_NS) == [0, 1, 2]
    health.failed(0, START_NS + c.HOST_REST_NS)
    assert health.order(START_NS + c.HOST_REST_NS) == [1, 2, 0]
    assert health.order(START_NS + 3 * c.HOST_REST_NS) == [0, 1, 2]


@pytest.mark.parametrize("fault", ["500 Oops", "429 Slow down", "mute", "gone", "302 Found"])
async def test_a_host_that_fails_is_passed_over(fault: str) -> None:
    async with serving(BODIES, BODIES) as (first, second):
        clients = [RestClient(first.url, LOOPBACK, 100), RestClient(second.url, LOOPBACK, 100)]
        hosts = Hosts(clients, timeout_s=0.3)
        assert await hosts.get(c.TOKENS_PATH)
        assert (len(first.asked), len(second.asked)) == (1, 0)
        first.mute, first.status = fault == "mute", fault
        if fault == "gone":
            first.bodies = {}
        for _ in range(2):
            assert await hosts.get(c.TOKENS_PATH) == BODIES[c.TOKENS_PATH]
        # Asked once more, found wanting, and left alone.
        assert (len(first.asked), len(second.asked)) == (2, 2)
        second.status = "503 No"
        with pytest.raises(VenueUnavailable):
            await hosts.get(c.TOKENS_PATH)
        for client in clients:
            await client.close()


async def test_a_blamed_host_is_not_asked_next() -> None:
    async with serving(BODIES, BODIES) as (first, second):
        clients = [RestClient(first.url, LOOPBACK, 100), RestClient(second.url, LOOPBACK, 100)]
        hosts = Hosts(clients, 1.0, reuse_ns=60 * S)
        for _ in range(2):
            await hosts.get(c.TOKENS_PATH)
        assert (len(first.asked), len(second.asked)) == (1, 0)
        hosts.blame(2**62)
        await hosts.get(c.TOKENS_PATH)
        assert (len(first.asked), len(second.asked)) == (1, 1)
        for client in clients:
            await client.close()


# The chain ------------------------------------------------------------------------------------


def result(text: str) -> bytes:
    return dump({"jsonrpc": "2.0", "id": 1, "result": text})


def node(has_role: str) -> dict[str, bytes]:
    return {"eth_chainId": result("0xa4b1"), "eth_call": result(has_role)}


WORD_2 = "0" * 63 + "2"
YES, NO = "0x" + "0" * 63 + "1", "0x" + "0" * 64
STORE, ROUTER = CONTRACTS["ROLE_STORE"], CONTRACTS["EXCHANGE_ROUTER"]


@pytest.mark.parametrize(("answer", "given"), [(YES, True), (NO, False)])
async def test_the_roles_of_the_router_are_asked_for(answer: str, given: bool) -> None:
    async with serving(node(answer)) as (server,):
        roles = await router_roles(LOOPBACK, server.url + "/v2/key", 42161, STORE, ROUTER)
        assert roles == {"CONTROLLER": given, "ROUTER_PLUGIN": given}
        assert set(server.asked) == {"/v2/key"}
        calls = [request["params"] for request in server.posted if request["method"] == "eth_call"]
    for role, params in zip(c.ROUTER_ROLES.values(), calls, strict=True):
        words = ROUTER[2:].lower().zfill(64) + role[2:]
        assert params == [{"to": STORE, "data": "0xac4ab3fb" + words}, "latest"]


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        (node("0x"), "GARBAGE"), (node("0xzz"), "GARBAGE"), (node("0x" + WORD_2), "GARBAGE"),
        (node(YES) | {"eth_chainId": result("0x1")}, "WRONG_CHAIN"),
        (node(YES) | {"eth_call": dump({"error": {"code": -32000}})}, "GARBAGE"),
        (node(YES) | {"eth_call": dump({"result": True})}, "GARBAGE"),
        (node(YES) | {"eth_chainId": b"<html>"}, "GARBAGE"),
        (node(YES) | {"eth_chainId": b"[" * 100_000}, "GARBAGE"),
        ({}, "GARBAGE"),
    ],
)  # fmt: skip
async def test_a_node_that_makes_no_sense_tells_nothing(
    bodies: dict[str, bytes], code: str
) -> None:
    async with serving(bodies) as (server,):
        with pytest.raises(VenueProtocolError) as refused:
            await router_roles(LOOPBACK, server.url, 42161, STORE, ROUTER)
    assert refused.value.code == code


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "http://"])
async def test_a_node_that_is_not_there(url: str) -> None:
    with pytest.raises(VenueUnavailable) as refused:
        await router_roles(LOOPBACK, url, 42161, STORE, ROUTER)
    assert refused.value.code == "UNREACHABLE"


@pytest.mark.parametrize(
    ("answer", "said"),
    [(YES, ("gmx_roles", "info")), (NO, ("gmx_router_without_roles", "error"))],
)
async def test_the_check_is_logged_and_the_markets_do_not_wait_for_it(
    answer: str, said: tuple[str, str]
) -> None:
    async with serving(BODIES, node(answer)) as (keeper, rpc):
        urls = ("ws://127.0.0.1:1", "http://127.0.0.1:1", rpc.url)
        with capture_logs() as logs:
            async with connected(keeper, rpc_urls=urls) as connector:
                assert await connector.load_markets()
                assert await connector.load_markets()
                async with asyncio.timeout(10):
                    while not any(entry["event"] == said[0] for entry in logs):
                        await asyncio.sleep(0.01)
    told = [(entry["event"], entry["log_level"]) for entry in logs if "gmx_ro" in entry["event"]]
    assert told == [("gmx_roles_unknown", "warning"), said]


# Settings -------------------------------------------------------------------------------------


def test_addresses_come_from_the_release_or_the_settings() -> None:
    old, new = contracts(42161, "v2.2b", {}), CONTRACTS
    changed = {name for name in old if old[name] != new[name]}
    assert changed == {"EXCHANGE_ROUTER", "READER", "ORDER_HANDLER", "SUBACCOUNT_ROUTER"}
    assert set(new) - set(old) == {"SIMULATION_ROUTER"}
    assert len(new) == 11
    own = contracts(42161, "v2.2c", {"READER": new["ROUTER"].lower()})
    assert own == {**new, "READER": new["ROUTER"]}
    for chain in (42161, 421614):
        for version in ("v2.2b", "v2.2c"):
            table = contracts(chain, version, {})
            assert contracts(chain, version, table) == table


@pytest.mark.parametrize("text", ["", "0x12", ETH.replace("82a", "82A"), ETH + "0", "x" * 42])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        contracts(42161, "v2.2c", {"READER": text})
    with pytest.raises(SettingsError, match="_ADDRESS"):
        from_settings(Settings(network="live", gmx_addresses={"READER": text}), market_map.load())


def test_urls_come_from_the_network_or_the_settings() -> None:
    table = market_map.load()
    with pytest.raises(SettingsError, match="PERP_GMX_KEEPER_URLS"):
        from_settings(Settings(network="sandbox"), table)
    assert from_settings(Settings(network="live"), table).venue == "gmx"
    assert from_settings(Settings(network="testnet"), table).rules.max_age_ns == 2_500_000_000
    local = Settings(
        network="sandbox",
        gmx_keeper_urls="http://127.0.0.1:1, http://127.0.0.1:2",
        rpc_urls={42161: "http://127.0.0.1:3,ws://127.0.0.1:3"},
    )
    assert from_settings(local, table)
