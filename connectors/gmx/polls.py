"""Polls of the keeper service without the network: prices, what pools still take, day changes."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from connectors.base.protocol import Failure, Frame, HttpReply
from connectors.gmx import constants as c
from connectors.gmx import parse
from connectors.gmx.parse import PoolInfo, Ticker
from connectors.gmx.state import GmxState, Listing
from domain.events import Event, Liveness, MarketState, PoolQuote, VenueStatus
from domain.ids import MarketId
from domain.market import Market, MarketStatus

Blame: TypeAlias = Callable[[int], None]
"""(mono_ns): the host that answered last is of no use; another one is asked next."""


class PollSession:
    """One path, asked for again and again. An answer that cannot be read changes nothing: what is
    known grows old by itself, and the next answer comes from another host."""

    def __init__(self, path: str, every_ns: int, blame: Blame, mono_ns: int) -> None:
        self._path = path
        self._every_ns = every_ns
        self._blame = blame
        self._next_ns = mono_ns
        self._garbage = 0
        self._healthy = False
        self._failure: Failure | None = None
        self._events: list[Event] = []
        self._outgoing: list[str] = []

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def healthy(self) -> bool:
        return self._healthy

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        """The answer to a poll."""
        if not isinstance(frame, HttpReply):
            raise TypeError("a poll session takes HTTP replies only")
        try:
            self._read(parse.json_body(frame.body), wall_us, mono_ns)
        except parse.MALFORMED as error:
            self._healthy = False
            self._garbage += 1
            self._blame(mono_ns)
            if self._garbage >= c.GARBAGE_BUDGET:
                self._failure = Failure("GARBAGE", f"{frame.path}: {error!r:.200}")
            return
        self._healthy = True
        self._garbage = 0

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        """Reads a body. Raises one of ``parse.MALFORMED`` before anything was changed."""
        raise NotImplementedError

    def advance(self, mono_ns: int) -> None:
        if mono_ns >= self._next_ns:
            self._outgoing.append(self._path)
            self._next_ns = mono_ns + self._every_ns

    def resync(self, market: MarketId, mono_ns: int) -> None:
        """Every answer tells everything."""

    def events(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def outgoing(self) -> list[str]:
        drained, self._outgoing = self._outgoing, []
        return drained

    def next_deadline_ns(self) -> int:
        return self._next_ns


class TickersSession(PollSession):
    """Prices of ``markets``: a quote for every pool, said again where something changed.

    ``dropped``: answers older than one before, from a host that lags.
    """

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.TICKERS_PATH, c.TICKERS_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)
        self._said: dict[MarketId, dict[str, PoolQuote]] = {}
        self._doubts: dict[MarketId, str] = {}
        self._newest_s = 0
        self.dropped = 0

    def resync(self, market: MarketId, mono_ns: int) -> None:
        """The next answer tells the market again."""
        self._said.pop(market, None)
        self._doubts.pop(market, None)

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        tickers = parse.tickers(body, wall_us)
        newest_s = max(ticker.time_s for ticker in tickers.values() if ticker is not None)
        if newest_s < self._newest_s:
            self.dropped += 1
            return
        age_us = wall_us - newest_s * 1_000_000
        if age_us > c.TICKER_LAG_US:
            self._blame(mono_ns)
        if not self._newest_s:
            self._events.append(VenueStatus("live"))
        self._newest_s = newest_s
        if age_us <= c.TICKER_MAX_AGE_US:
            self._events.append(Liveness())
        for market in self._markets:
            listing = self._state.listings.get(market)
            if listing is not None:
                self._on_market(listing, tickers, wall_us, mono_ns)

    def _on_market(
        self, listing: Listing, tickers: dict[str, Ticker | None], wall_us: int, mono_ns: int
    ) -> None:
        ticker = tickers.get(listing.token)
        if ticker is None:
            self._doubt(listing.market, "GARBAGE" if listing.token in tickers else "NO_TICKER")
            return
        bid = parse.bid_e18(ticker.min_price, listing.decimals)
        if wall_us - ticker.time_s * 1_000_000 > c.TICKER_MAX_AGE_US:
            self._doubt(listing.market, "TICKER_STALE")
        elif not bid:
            self._doubt(listing.market, "GARBAGE")
        else:
            ask = parse.ask_e18(ticker.max_price, listing.decimals)
            self._quote(listing, bid, ask, ticker.time_s * 1000, mono_ns)

    def _doubt(self, market: MarketId, reason: str) -> None:
        """Takes a market out, once, until it is quoted again."""
        self._said.pop(market, None)
        if self._doubts.get(market) != reason:
            self._doubts[market] = reason
            self._events.append(MarketState(market, trusted=False, reason=reason))

    def _quote(self, listing: Listing, bid: int, ask: int, time_ms: int, mono_ns: int) -> None:
        self._doubts.pop(listing.market, None)
        said = self._said.setdefault(listing.market, {})
        for pool in [pool for pool in said if pool not in listing.pools]:
            del said[pool]
            self._events.append(_closed(listing.market, pool, time_ms))
        for pool in listing.pools:
            info = self._state.pool(pool, mono_ns)
            if info.disabled:
                quote = _closed(listing.market, pool, time_ms)
            else:
                quote = _open(listing.market, pool, bid, ask, info, time_ms)
            if said.get(pool) != quote:
                said[pool] = quote
                self._events.append(quote)


def _open(
    market: MarketId, pool: str, bid: int, ask: int, info: PoolInfo, time_ms: int
) -> PoolQuote:
    """A side without any liquidity has no price: nobody could open a position at it."""
    bid_size = None if info.short_usd_e30 is None else parse.size(info.short_usd_e30, bid)
    ask_size = None if info.long_usd_e30 is None else parse.size(info.long_usd_e30, ask)
    return PoolQuote(
        market,
        pool,
        None if bid_size == "0" else bid,
        None if ask_size == "0" else ask,
        None if bid_size == "0" else bid_size,
        None if ask_size == "0" else ask_size,
        time_ms,
    )


def _closed(market: MarketId, pool: str, time_ms: int) -> PoolQuote:
    return PoolQuote(market, pool, None, None, None, None, time_ms)


class InfoSession(PollSession):
    """Liquidity and switches of every pool into the state; tells which of ``markets`` are halted.
    The quotes follow with the next tickers."""

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.INFO_PATH, c.INFO_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)
        self._said: dict[MarketId, MarketStatus] = {}

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        self._state.learn(parse.pool_infos(body), mono_ns)
        for market in self._markets:
            listing = self._state.listings.get(market)
            if listing is None:
                continue
            status = self._state.status(listing)
            if self._said.get(market) != status:
                self._said[market] = status
                reason = "DISABLED" if status == "halted" else None
                self._events.append(MarketState(market, status, reason=reason))


class DaySession(PollSession):
    """Change of a day of ``markets``."""

    def __init__(
        self, state: GmxState, markets: Sequence[Market], blame: Blame, mono_ns: int
    ) -> None:
        super().__init__(c.DAY_PATH, c.DAY_EVERY_NS, blame, mono_ns)
        self._state = state
        self._markets = tuple(market.market for market in markets)

    def _read(self, body: object, wall_us: int, mono_ns: int) -> None:
        changes = parse.day_changes(body)
        for market in self._markets:
            listing = self._state.listings.get(market)
            symbol = None if listing is None else listing.day_symbol
            if symbol is not None and symbol in changes:
                self._events.append(MarketState(market, change_24h=changes[symbol]))
