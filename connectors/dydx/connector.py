"""dYdX v4: lists markets by REST and deals them out over as many sockets as the limits ask for."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import orjson

from connectors.base.economics import PoolDepth
from connectors.base.markets import MarketMap
from connectors.base.protocol import HttpTransport, Source, VenueRules, WsTransport
from connectors.base.rest import RestClient
from connectors.dydx import constants as c
from connectors.dydx import parse
from connectors.dydx.audit import AuditSession
from connectors.dydx.economics.pricing import BookInputs, Margin
from connectors.dydx.economics.quote import scale_of
from connectors.dydx.economics.terms import terms_of
from connectors.dydx.messages import WireMarket
from connectors.dydx.session import DydxSession
from domain.book import BookLevels
from domain.errors import PerpError, VenueProtocolError
from domain.ids import MarketId, SourceId
from domain.market import Market
from runtime.dialer import Dialer, dialer_of
from runtime.logs import get_logger
from runtime.metrics import Gauge
from runtime.settings import Settings, SettingsError

MARKETS_PATH: Final = "/v4/perpetualMarkets"
LISTED: Final = Gauge("perptape_dydx_markets", "Markets the indexer lists", ["mapping"])
_log = get_logger(__name__)


class DydxConnector:
    """See ``connectors.base.protocol.VenueConnector``."""

    venue = c.VENUE
    rules = VenueRules(max_age_ns=c.HEIGHT_MAX_AGE_NS)

    def __init__(
        self, ws_url: str, http_url: str, dialer: Dialer, chain_id: str, market_map: MarketMap
    ) -> None:
        self._ws_url = ws_url
        self._dialer = dialer
        self._rest = RestClient(http_url, dialer, c.REST_PER_SECOND, c.RETRY_AFTER_UNIT_S)
        self._chain_id = chain_id
        self._map = market_map
        self._sockets = 0
        self._unmapped: frozenset[str] = frozenset()
        self._margins: dict[str, Margin] = {}
        self._depths: dict[MarketId, tuple[Market, BookLevels, PoolDepth]] = {}

    async def load_markets(self) -> Sequence[Market]:
        """Every listed market that the table maps; the others are counted and logged with why."""
        body = await self._rest.get(MARKETS_PATH)
        try:
            rows = orjson.loads(body)["markets"]
        except (ValueError, KeyError, TypeError) as error:
            raise VenueProtocolError("GARBAGE", f"market list: {error!r}") from None
        # An empty list would unlist everything; no indexer has one.
        if not isinstance(rows, dict) or not rows:
            raise VenueProtocolError("GARBAGE", "market list: no markets")
        markets = list(self._mapped(rows))
        self._margins = dict(_margins(rows))
        self._tell_unmapped(list(rows), {market.symbol for market in markets})
        return markets

    def list_notes(self) -> Mapping[str, Sequence[int]]:
        """Margins by ticker."""
        return {ticker: tuple(margin) for ticker, margin in self._margins.items()}

    def take_list(
        self, markets: Sequence[Market], notes: Mapping[str, Sequence[int]] | None
    ) -> None:
        """Older notes have nothing."""
        self._margins = {ticker: Margin(*margin) for ticker, margin in (notes or {}).items()}

    def _mapped(self, rows: Mapping[str, WireMarket]) -> Iterator[Market]:
        for ticker, raw in rows.items():
            canonical = self._map.canonical(c.VENUE, ticker)
            if canonical is None:
                continue
            try:
                # A market in final settlement never trades again; it would only hold a
                # subscription.
                if raw["status"] != "FINAL_SETTLEMENT":
                    yield parse.market(raw, canonical, self._chain_id)
            except (PerpError, KeyError, TypeError, ValueError, ArithmeticError) as error:
                _log.warning("market_unreadable", venue=c.VENUE, symbol=ticker, error=repr(error))

    def _tell_unmapped(self, tickers: Sequence[str], mapped: set[str]) -> None:
        unmapped = frozenset(
            ticker for ticker in tickers if self._map.canonical(c.VENUE, ticker) is None
        )
        LISTED.labels(mapping="mapped").set(len(mapped))
        LISTED.labels(mapping="unmapped").set(len(unmapped))
        for ticker in sorted(unmapped - self._unmapped):
            reason = self._map.reason(c.VENUE, ticker)
            _log.info("market_unmapped", venue=c.VENUE, symbol=ticker, reason=reason)
        self._unmapped = unmapped

    def sources(self, markets: Sequence[Market]) -> Sequence[Source]:
        """Sockets of at most 32 books each, the first with the market states, and one audit."""
        sources: list[Source] = []
        for start in range(0, len(markets), c.SUBSCRIPTIONS_PER_CHANNEL):
            group = tuple(markets[start : start + c.SUBSCRIPTIONS_PER_CHANNEL])
            sources.append(
                Source(
                    SourceId(f"{c.VENUE}:ws:{self._sockets}"),
                    WsTransport(self._ws_url, self._dialer.websocket),
                    partial(DydxSession, group, () if sources else markets),
                    group,
                )
            )
            self._sockets += 1
        sources.append(
            Source(
                SourceId(f"{c.VENUE}:audit:{self._sockets}"),
                HttpTransport(self._rest.get),
                partial(AuditSession, tuple(markets)),
                (),
            )
        )
        return sources

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        """A book is as old as its last frame, which the caller judges."""
        del mono_ns
        if book is None or not (book.bids or book.asks):
            return ()
        kept = self._depths.get(market.market)
        if kept is None or kept[0] is not market or kept[1] is not book:
            inputs = BookInputs(
                scale_of(market),
                tuple(book.bids),
                tuple(book.asks),
                margin=self._margins.get(market.symbol),
            )
            # Orders are no transactions, and nobody is paid to execute them.
            depth = PoolDepth(None, inputs, Decimal(0), Decimal(0))
            kept = self._depths[market.market] = market, book, depth
        return (kept[2],)

    async def close(self) -> None:
        await self._rest.close()


def _margins(rows: Mapping[str, Any]) -> Iterator[tuple[str, Margin]]:
    """Of the rows that say them."""
    for ticker, raw in rows.items():
        try:
            terms = terms_of(raw)
        except (PerpError, KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            continue
        margin = terms.initial_margin_ppm, terms.maintenance_fraction_ppm
        yield ticker, Margin(terms.atomic_resolution, *margin)


def from_settings(settings: Settings, market_map: MarketMap) -> DydxConnector:
    """Raises SettingsError when the network has no indexer of its own and none is configured."""
    ws_url = settings.dydx_ws_url or c.WS_URLS.get(settings.network)
    http_url = settings.dydx_http_url or c.HTTP_URLS.get(settings.network)
    if ws_url is None or http_url is None:
        raise SettingsError(
            "DYDX_URL_MISSING",
            f"network {settings.network} needs PERP_DYDX_WS_URL and PERP_DYDX_HTTP_URL",
        )
    return DydxConnector(
        ws_url,
        http_url,
        dialer_of(settings),
        settings.dydx_chain_id or c.CHAIN_IDS[settings.network],
        market_map,
    )
