"""Gains: lists the markets of every chain by REST and makes the sources that price them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.base.decoding import read_long
from connectors.base.economics import PoolDepth
from connectors.base.markets import AssetClass, MarketMap
from connectors.base.protocol import HttpTransport, Source, VenueRules, WsTransport
from connectors.base.rest import RestClient
from connectors.gains import constants as c
from connectors.gains import parse
from connectors.gains.board import Board, Slot
from connectors.gains.chain import ChainPollSession, ChainStreamSession
from connectors.gains.model import Variables
from connectors.gains.prices import PriceSession, SeedSession
from connectors.gains.state import ChainState, listed
from connectors.gains.values import MALFORMED
from domain.book import BookLevels
from domain.errors import InvariantViolation, VenueProtocolError, VenueUnavailable
from domain.ids import MarketId, SourceId
from domain.market import Market, MarketStatus
from domain.units import Grid, format_decimal
from runtime.clock import mono_ns
from runtime.dialer import Dialer, dialer_of
from runtime.logs import get_logger
from runtime.metrics import Gauge
from runtime.settings import Settings, SettingsError

TICK: Final = Grid("0.0000000001")
STEP: Final = Grid("0.000000000000000001")
LISTED: Final = Gauge("perptape_gains_markets", "Pairs that any chain lists", ["mapping"])
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChainUrls:
    """``ws``: None where there is only what can be polled."""

    http: str
    ws: str | None = None


class GainsConnector:
    """See ``connectors.base.protocol.VenueConnector``."""

    venue = c.VENUE
    rules = VenueRules(max_age_ns=c.FRAME_MAX_AGE_NS)

    def __init__(
        self,
        pricing_ws_url: str,
        pricing_http_url: str | None,
        chains: Mapping[int, ChainUrls],
        dialer: Dialer,
        market_map: MarketMap,
    ) -> None:
        self._pricing_ws_url = pricing_ws_url
        self._dialer = dialer
        self._pricing = (
            None
            if pricing_http_url is None
            else RestClient(pricing_http_url, dialer, c.REST_PER_SECOND)
        )
        self._chains = chains
        self._rest = {
            chain_id: RestClient(urls.http, dialer, c.REST_PER_SECOND)
            for chain_id, urls in chains.items()
        }
        self._map = market_map
        self._variables: dict[int, Variables] = {}
        self._unmapped: frozenset[tuple[int, str]] = frozenset()
        self._states: list[ChainState] = []
        self._boards: list[Board] = []
        self._made = 0

    # Markets ------------------------------------------------------------------------------------

    async def load_markets(self) -> Sequence[Market]:
        """Every pair that the table maps and that can be traded with any collateral on any chain.

        A chain that a running poll knows is not asked again: the body is large. One that cannot be
        asked counts with its last list, if it ever gave one.
        """
        now_ns = mono_ns()
        known = {
            state.chain_id: state.variables
            for state in self._states
            if state.variables is not None and state.usable(now_ns)
        }
        self._variables.update(known)
        answers = await asyncio.gather(*(self._load(i) for i in self._rest if i not in known))
        errors = [error for error in answers if error is not None]
        if len(errors) == len(self._rest):
            raise next((e for e in errors if isinstance(e, VenueUnavailable)), errors[0])
        names = {
            (index, pair.name)
            for variables in self._variables.values()
            for index, pair in enumerate(variables.pairs)
            if pair is not None and listed(variables, index, pair.name)
        }
        self._tell_unmapped(names)
        markets = [
            self._market(canonical, index, name)
            for index, name in sorted(names)
            if (canonical := self._map.canonical(c.VENUE, index, name)) is not None
        ]
        self.take_list(markets, None)
        return markets

    def list_notes(self) -> None:
        """What sources know of the chains they learn themselves."""

    def take_list(self, markets: Sequence[Market], notes: None) -> None:
        for board in self._boards:
            board.relist(markets)

    async def _load(self, chain_id: int) -> VenueUnavailable | VenueProtocolError | None:
        try:
            body = await self._rest[chain_id].get(c.VARIABLES_PATH)
            self._variables[chain_id] = (await read_long(parse.read_variables, body)).get()
        except (VenueUnavailable, VenueProtocolError) as error:
            found = error
        except MALFORMED as error:
            found = VenueProtocolError("GARBAGE", f"chain {chain_id}: {error!r:.200}")
        else:
            return None
        _log.warning("chain_unavailable", venue=c.VENUE, chain=chain_id, reason=str(found))
        return found

    def _market(self, canonical: MarketId, index: int, name: str) -> Market:
        pools, chains, leverage_e3, is_open = [], [], 0, False
        for chain_id in self._chains:
            variables = self._variables.get(chain_id)
            if variables is None:
                continue
            collaterals = listed(variables, index, name)
            pair = variables.pairs[index] if collaterals else None
            if pair is None or pair.max_leverage_e3 is None:
                continue
            chains.append(chain_id)
            pools += [f"{chain_id}:{collateral.symbol}" for collateral in collaterals]
            leverage_e3 = max(leverage_e3, pair.max_leverage_e3)
            is_open = is_open or variables.hours[self._asset_class(canonical)]
        status: MarketStatus = "open" if is_open else "closed"
        return Market(
            venue=c.VENUE,
            market=canonical,
            symbol=name,
            tick=TICK,
            step=STEP,
            status=status,
            max_leverage=format_decimal(leverage_e3, 3),
            pools=tuple(pools),
            chain_ids=tuple(chains),
            kind="oracle",
        )

    def _asset_class(self, market: MarketId) -> AssetClass:
        found = self._map.asset_class(market)
        if found is None:
            raise InvariantViolation("market_class_unknown", f"{market} has no row")
        return found

    def _tell_unmapped(self, names: Iterable[tuple[int, str]]) -> None:
        every = frozenset(names)
        unmapped = frozenset(
            (index, name)
            for index, name in every
            if self._map.canonical(c.VENUE, index, name) is None
        )
        LISTED.labels(mapping="mapped").set(len(every) - len(unmapped))
        LISTED.labels(mapping="unmapped").set(len(unmapped))
        for index, name in sorted(unmapped - self._unmapped):
            reason = self._map.reason(c.VENUE, index, name)
            _log.info("market_unmapped", venue=c.VENUE, pair=index, symbol=name, reason=reason)
        self._unmapped = unmapped

    # Sources ------------------------------------------------------------------------------------

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        """A price stream and its seed; with the first, the poll and the stream of every chain."""
        number, self._made = self._made, self._made + 1
        fresh = not self._boards or any(
            board.has(market.market) for board in self._boards for market in markets
        )
        if fresh:
            # A market that comes again: the sources made before were stopped.
            self._boards = []
            self._states = [ChainState(chain_id) for chain_id in self._chains]
        board = Board(map(self._slot, markets), self._states)
        self._boards.append(board)
        sources = [
            Source(
                SourceId(f"{c.VENUE}:prices:{number}"),
                WsTransport(self._pricing_ws_url, self._dialer.websocket),
                partial(PriceSession, board),
                tuple(markets),
            )
        ]
        if self._pricing is not None:
            name, transport = f"{c.VENUE}:charts:{number}", HttpTransport(self._pricing.get)
            sources.append(Source(SourceId(name), transport, partial(SeedSession, board), ()))
        for state in self._states if fresh else ():
            sources += self._of_chain(state, number)
        return sources

    def _of_chain(self, state: ChainState, number: int) -> Iterator[Source]:
        chain_id = state.chain_id
        yield Source(
            SourceId(f"{c.VENUE}:chain:{chain_id}:{number}"),
            HttpTransport(self._rest[chain_id].get),
            partial(ChainPollSession, state),
            (),
            parse.read_variables,
        )
        ws_url = self._chains[chain_id].ws
        if ws_url is not None:
            yield Source(
                SourceId(f"{c.VENUE}:stream:{chain_id}:{number}"),
                WsTransport(ws_url, self._dialer.websocket, c.STREAM_MAX_FRAME_BYTES),
                partial(ChainStreamSession, state),
                (),
                parse.read_update,
            )

    def _slot(self, market: Market) -> Slot:
        pair = self._map.venue_key(c.VENUE, market.market)
        if pair is None:
            raise InvariantViolation("market_key_unknown", f"{market.market} has no pair index")
        return Slot(market, int(pair), self._asset_class(market.market))

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        for board in self._boards:
            if board.has(market.market):
                return board.depth(market.market, mono_ns)
        return ()

    async def close(self) -> None:
        if self._pricing is not None:
            await self._pricing.close()
        for client in self._rest.values():
            await client.close()


def from_settings(settings: Settings, market_map: MarketMap) -> GainsConnector:
    """Raises SettingsError when an address is neither configured nor known for the network. What is
    configured stands alone: a stream of the public host would tell of another state."""
    known = c.CHAINS.get(settings.network, {})
    ws_url, http_url = settings.gains_pricing_ws_url, settings.gains_pricing_http_url
    if known and ws_url is None:
        ws_url, http_url = c.PRICING_WS_URL, http_url or c.PRICING_HTTP_URL
    if ws_url is None:
        raise SettingsError(
            "GAINS_URL_MISSING", f"network {settings.network} needs PERP_GAINS_PRICING_WS_URL"
        )
    chains = {
        chain_id: ChainUrls(f"https://{host}", f"wss://{host}") for chain_id, host in known.items()
    }
    streams = settings.gains_backend_ws_urls
    for chain_id, url in settings.gains_backend_urls.items():
        chains[chain_id] = ChainUrls(url, streams.get(chain_id))
    if not chains or not set(streams) <= set(chains):
        raise SettingsError(
            "GAINS_URL_MISSING",
            "PERP_GAINS_BACKEND_URL_<chain> is not set, or only PERP_GAINS_BACKEND_WS_URL_<chain>",
        )
    for chain_id in set(streams) - set(settings.gains_backend_urls):
        chains[chain_id] = ChainUrls(chains[chain_id].http, streams[chain_id])
    return GainsConnector(ws_url, http_url, chains, dialer_of(settings), market_map)
