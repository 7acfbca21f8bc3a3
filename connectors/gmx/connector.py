"""GMX v2: lists markets from the keeper service; polls of prices, pools and days, and a stream of
events where a node is configured."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from connectors.base.economics import PoolDepth
from connectors.base.markets import MarketMap
from connectors.base.protocol import HttpTransport, Source, VenueRules, WsTransport
from connectors.base.rest import RestClient
from connectors.gmx import constants as c
from connectors.gmx import limits, parse
from connectors.gmx.addresses import contracts, release
from connectors.gmx.economics.opened import PoolToken
from connectors.gmx.gas_poll import GasSession
from connectors.gmx.hosts import Hosts
from connectors.gmx.limits import Limits
from connectors.gmx.logs import LogsSession
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.tables import Tables, TradedPool, traded_pools
from connectors.gmx.parse import Token
from connectors.gmx.polls import DaySession, InfoSession, TickersSession
from connectors.gmx.pool_polls import ConfigSession, ValuesSession
from connectors.gmx.pool_reads import ReadsSession
from connectors.gmx.roles import router_roles
from connectors.gmx.rpc import Nodes
from connectors.gmx.state import GmxState, Listing
from domain.book import BookLevels
from domain.errors import InputError, VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, SourceId
from domain.market import Market
from domain.units import Grid
from runtime.clock import mono_ns
from runtime.dialer import Dialer, dialer_of
from runtime.logs import get_logger
from runtime.metrics import Gauge
from runtime.settings import Settings, SettingsError, comma_urls

CLOSE_TIMEOUT_S: Final = 1.0
LISTED: Final = Gauge("perptape_gmx_markets", "Index tokens the keeper lists", ["mapping"])
PollType: TypeAlias = (
    type[TickersSession]
    | type[InfoSession]
    | type[DaySession]
    | type[ConfigSession]
    | type[ValuesSession]
)
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain below: ``rpc_urls`` may be empty, then nothing is asked of it. ``contracts``:
    addresses by name, of the release ``version``."""

    chain_id: int
    rpc_urls: tuple[str, ...]
    contracts: Mapping[str, str]
    version: Version = "v2.2c"

    def urls(self, schemes: tuple[str, ...]) -> list[str]:
        return [url for url in self.rpc_urls if url.startswith(schemes)]


class GmxConnector:
    """See ``connectors.base.protocol.VenueConnector``."""

    venue = c.VENUE
    rules = VenueRules(max_age_ns=c.MAX_AGE_NS)

    def __init__(
        self,
        keeper_urls: Sequence[str],
        dialer: Dialer,
        chain: Chain,
        market_map: MarketMap,
        api_urls: Sequence[str] = (),
    ) -> None:
        self._clients = [RestClient(url, dialer, c.REST_PER_SECOND) for url in keeper_urls]
        self._api_clients = [RestClient(url, dialer, c.REST_PER_SECOND) for url in api_urls]
        self._api = Hosts(self._api_clients, c.LIMITS_TIMEOUT_S)
        self._limits: Mapping[str, Limits] = {}
        self._limits_unknown = ""
        self._lists = Hosts(self._clients, c.TIMEOUT_S)
        self._polled: dict[PollType, Hosts] = {
            TickersSession: Hosts(self._clients, c.TICKERS_TIMEOUT_S, c.REUSE_NS),
            InfoSession: Hosts(self._clients, c.TIMEOUT_S, c.REUSE_NS),
            DaySession: Hosts(self._clients, c.TIMEOUT_S, c.REUSE_NS),
            ConfigSession: Hosts(self._api_clients, c.TIMEOUT_S, c.REUSE_NS),
            ValuesSession: Hosts(self._api_clients, c.TIMEOUT_S, c.REUSE_NS),
        }
        self._dialer = dialer
        self._chain = chain
        self._nodes = Nodes(chain.urls(("http://", "https://")), dialer)
        self._map = market_map
        self._state = GmxState()
        self._traded: Mapping[str, TradedPool] = {}
        self._sources = 0
        self._given: set[MarketId] = set()
        self._unmapped: frozenset[str] = frozenset()
        self._roles_task: asyncio.Task[None] | None = None

    async def load_markets(self) -> Sequence[Market]:
        """Every index token that the table maps and a listed pool has, with those pools."""
        learning = asyncio.create_task(self._learn_limits())
        try:
            tokens_body = await self._lists.get(c.TOKENS_PATH)
            markets_body = await self._lists.get(c.MARKETS_PATH)
            await learning
        finally:
            learning.cancel()
        try:
            tokens = parse.tokens(parse.json_body(tokens_body))
            rows = parse.market_rows(parse.json_body(markets_body))
            pools = self._pools(rows)
        except parse.MALFORMED as error:
            self._lists.blame(mono_ns())
            raise VenueProtocolError("GARBAGE", f"market list: {error!r:.200}") from None
        self._traded = traded_pools(tokens, rows)
        self._tell_unmapped(tokens, pools)
        listings = list(self._listings(tokens, pools))
        self._take(listings)
        if self._roles_task is None:
            self._roles_task = asyncio.create_task(self._check_roles())
        return [self._market(listing, tokens[listing.token]) for listing in listings]

    def list_notes(self) -> Sequence[Sequence[Any]]:
        """The listings."""
        return [astuple(listing) for listing in self._state.listings.values()]

    def take_list(self, markets: Sequence[Market], notes: Sequence[Sequence[Any]]) -> None:
        self._take([_listing(*note) for note in notes])

    def _take(self, listings: Sequence[Listing]) -> None:
        self._state.list_markets(listings)
        self._given &= set(self._state.listings)

    def _pools(self, rows: Sequence[Any]) -> Mapping[str, tuple[str, ...]]:
        """Listed pools by index token. Raises ValueError when no row can be read."""
        found: dict[str, tuple[str, ...]] = {}
        readable = False
        for row in rows:
            try:
                pool = parse.pool(row)
            except parse.MALFORMED as error:
                _log.warning("market_unreadable", venue=c.VENUE, error=f"{error!r:.200}")
                continue
            readable = True
            known = found.get(pool.index_token, ())
            if pool.listed and pool.market_token not in known:
                found[pool.index_token] = (*known, pool.market_token)
        # An empty list would unlist everything; the service has none.
        if not readable:
            raise ValueError("no readable market")
        return found

    def _listings(
        self, tokens: Mapping[str, Token], pools: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Listing]:
        for key, addresses in pools.items():
            market, token = self._map.canonical(c.VENUE, key), tokens.get(key)
            if market is None:
                continue
            if token is None:
                _log.warning("market_unreadable", venue=c.VENUE, symbol=key, error="no decimals")
                continue
            symbol = token.symbol if token.unique else None
            least = limits.of_pools(self._limits, addresses)
            traded = [self._traded.get(address.lower()) for address in addresses]
            posted = {
                each: None
                for pool in traded
                if pool
                for each in (pool.long_token, pool.short_token)
            }
            yield Listing(
                market,
                key,
                token.decimals,
                symbol,
                addresses,
                least.min_notional_usd,
                least.min_collateral_usd,
                token.symbol,
                tuple(posted),
            )

    def _market(self, listing: Listing, token: Token) -> Market:
        """Prices of GMX have no grid. The tick is what the scale of the contracts tells apart, and
        no finer than ours."""
        return Market(
            venue=c.VENUE,
            market=listing.market,
            symbol=f"{token.symbol}/USD",
            tick=Grid(f"1e-{min(18, 30 - token.decimals)}"),
            step=Grid(f"1e-{min(18, token.decimals)}"),
            status=self._state.status(listing),
            min_notional_usd=listing.min_size_usd,
            max_leverage=limits.of_pools(self._limits, listing.pools).max_leverage,
            pools=listing.pools,
            chain_ids=(self._chain.chain_id,),
            kind="oracle",
        )

    async def _learn_limits(self) -> None:
        """What was learnt stays while the API does not answer."""
        if not self._api_clients:
            return
        try:
            self._limits = limits.market_limits(parse.json_body(await self._api.get(c.LIMITS_PATH)))
            self._limits_unknown = ""
        except (VenueUnavailable, *parse.MALFORMED) as error:
            why = f"{error!r:.200}"
            if why != self._limits_unknown:
                _log.warning("gmx_limits_unknown", reason=why)
            self._limits_unknown = why

    def _tell_unmapped(
        self, tokens: Mapping[str, Token], pools: Mapping[str, tuple[str, ...]]
    ) -> None:
        unmapped = frozenset(key for key in pools if self._map.canonical(c.VENUE, key) is None)
        LISTED.labels(mapping="mapped").set(len(pools) - len(unmapped))
        LISTED.labels(mapping="unmapped").set(len(unmapped))
        for key in sorted(unmapped - self._unmapped):
            symbol = tokens[key].symbol if key in tokens else key
            reason = self._map.reason(c.VENUE, key)
            _log.info("market_unmapped", venue=c.VENUE, symbol=symbol, reason=reason)
        self._unmapped = unmapped

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        """Polls for these markets, and at first a stream of events for all."""
        begins = not self._given or any(market.market in self._given for market in markets)
        self._given.update(market.market for market in markets)
        number = self._sources
        self._sources += 1
        sources = [
            self._poll(f"tickers:{number}", TickersSession, markets, markets),
            self._poll(f"info:{number}", InfoSession, markets, ()),
            self._poll(f"day:{number}", DaySession, markets, ()),
        ]
        if self._api_clients:
            sources += [
                self._poll(f"config:{number}", ConfigSession, markets, ()),
                self._poll(f"values:{number}", ValuesSession, markets, ()),
            ]
        if begins and self._chain.urls(("http://", "https://")):
            sources += [self._gas(number), self._reads(number)]
        for url in self._chain.urls(("ws://", "wss://"))[:1] if begins else ():
            emitter, chain_id = self._chain.contracts["EVENT_EMITTER"], self._chain.chain_id
            session = partial(LogsSession, self._state, emitter, chain_id)
            name = SourceId(f"{c.VENUE}:logs:{number}")
            sources.append(Source(name, WsTransport(url, self._dialer.websocket), session, ()))
        return sources

    def _poll(
        self,
        name: str,
        session: PollType,
        markets: Sequence[Market],
        carried: Sequence[Market],
    ) -> Source:
        hosts = self._polled[session]
        return Source(
            SourceId(f"{c.VENUE}:{name}"),
            HttpTransport(hosts.get),
            partial(session, self._state, tuple(markets), hosts.blame),
            tuple(carried),
            session.decode if session in (ConfigSession, ValuesSession) else None,
        )

    def _gas(self, number: int) -> Source:
        store = self._chain.contracts["DATA_STORE"]
        session = partial(GasSession, self._state, self._chain.chain_id, store, self._nodes.blame)
        transport = HttpTransport(self._nodes.post)
        return Source(SourceId(f"{c.VENUE}:gas:{number}"), transport, session, ())

    def _reads(self, number: int) -> Source:
        """Of all listed pools, whatever markets there are sources of."""
        chain, nodes = self._chain, self._nodes
        session = partial(
            ReadsSession, self._state, chain.chain_id, chain.version, chain.contracts, nodes.blame
        )
        return Source(SourceId(f"{c.VENUE}:reads:{number}"), HttpTransport(nodes.post), session, ())

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        return self._state.depth(market.market, mono_ns)

    @property
    def tables(self) -> Tables:
        """Of the pools of the last list."""
        chain = self._chain
        native = c.NATIVE_TOKENS[chain.chain_id]
        return Tables(chain.chain_id, chain.version, chain.contracts, native, self._traded)

    async def _check_roles(self) -> None:
        """Tells whether the configured router is still the one in use; prices do not need it."""
        router = self._chain.contracts["EXCHANGE_ROUTER"]
        role_store = self._chain.contracts["ROLE_STORE"]
        for url in self._chain.urls(("http://", "https://")):
            try:
                roles = await router_roles(
                    self._dialer, url, self._chain.chain_id, role_store, router
                )
            except (VenueUnavailable, VenueProtocolError) as error:
                _log.warning("gmx_roles_unknown", code=error.code, reason=error.message)
                continue
            if all(roles.values()):
                _log.info("gmx_roles", router=router, roles=sorted(roles))
            else:
                missing = sorted(name for name, given in roles.items() if not given)
                _log.error("gmx_router_without_roles", router=router, missing=missing)
            return

    async def close(self) -> None:
        if self._roles_task is not None:
            self._roles_task.cancel()
            await asyncio.wait({self._roles_task}, timeout=CLOSE_TIMEOUT_S)
        for client in (*self._clients, *self._api_clients):
            await client.close()
        await self._nodes.close()


def _listing(
    market: MarketId,
    token: str,
    decimals: int,
    day_symbol: str | None,
    pools: Sequence[str],
    min_size_usd: str | None,
    min_collateral_usd: str | None = None,
    symbol: str | None = None,
    tokens: Sequence[Sequence[Any]] = (),
) -> Listing:
    """Of a note; older ones say nothing of the last three."""
    known = tuple(PoolToken(*each) for each in tokens)
    least = min_size_usd, min_collateral_usd
    return Listing(market, token, decimals, day_symbol, tuple(pools), *least, symbol, known)


def from_settings(settings: Settings, market_map: MarketMap) -> GmxConnector:
    """Raises SettingsError when the network has no keeper of its own and none is configured, and
    for addresses and URLs that cannot be used."""
    keepers, apis = comma_urls(settings.gmx_keeper_urls), comma_urls(settings.gmx_api_urls)
    if not keepers:
        # Of another world than a keeper's of one's own the public hosts have nothing to tell.
        keepers = c.KEEPER_URLS.get(settings.network, ())
        apis = apis or c.API_URLS.get(settings.network, ())
    if not keepers:
        raise SettingsError(
            "GMX_URL_MISSING", f"network {settings.network} needs PERP_GMX_KEEPER_URLS"
        )
    chain_id = c.CHAIN_IDS[settings.network]
    rpc_urls = comma_urls(settings.rpc_urls.get(chain_id, ""))
    try:
        version = release(chain_id, settings.gmx_addresses, settings.gmx_version)
        table = contracts(chain_id, version, settings.gmx_addresses)
    except InputError as error:
        raise SettingsError("BAD_ADDRESS", f"PERP_GMX_..._ADDRESS: {error.message}") from None
    chain = Chain(chain_id, rpc_urls, table, version)
    return GmxConnector(keepers, dialer_of(settings), chain, market_map, apis)
